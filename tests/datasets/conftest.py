"""A tiny data set in place of MNIST, and a local web server to fetch it from."""

import gzip
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lamina.datasets import locate
from lamina.datasets.fingerprints import Expected, digest

IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@pytest.fixture
def own_caches(tmp_path, monkeypatch):
    """Empty caches, no chosen folder, and no pauses between attempts."""
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("LAMINA_DATASETS", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(seed=1)
    return {
        "x_train": rng.integers(0, 256, (20, 4, 4), dtype="uint8"),
        "y_train": rng.integers(0, 10, 20, dtype="uint8"),
        "x_test": rng.integers(0, 256, (6, 4, 4), dtype="uint8"),
        "y_test": rng.integers(0, 10, 6, dtype="uint8"),
    }


@pytest.fixture
def make_source(arrays):
    """Builds a Source for the tiny arrays, with any mirrors."""

    def make(*mirrors):
        expected = {k: Expected(v.shape, digest(v)) for k, v in arrays.items()}
        return locate.Source("tiny", "Tiny", expected, ("tiny-data",), mirrors)

    return make


def write_npz(path: Path, arrays) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def write_idx(folder: Path, arrays, separator="-", end=".gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IDX_FILES, arrays.values(), strict=True):
        axes = struct.pack(f">{array.ndim}I", *array.shape)
        raw = bytes([0, 0, 8, array.ndim]) + axes + array.tobytes()
        plain = name.removesuffix(".gz").replace("-idx", f"{separator}idx")
        (folder / f"{plain}{end}").write_bytes(gzip.compress(raw) if end else raw)
    return folder


class Server(ThreadingHTTPServer):
    """Serves `files`; `plan` lists how to misbehave at the next requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.plan: list[str] = []
        self.requests: list[tuple[str, str | None]] = []
        self.address = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        wanted = self.headers.get("Range")
        self.server.requests.append((name, wanted))
        how = self.server.plan.pop(0) if self.server.plan else "well"
        if how.isdigit() or name not in self.server.files:
            return self.send_error(int(how) if how.isdigit() else 404)
        body = self.server.files[name]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start > len(body) or (how == "refuse range" and wanted):
            return self.send_error(416)
        if wanted and how != "ignore range":
            self.send_response(206)
            body = body[start:]
        else:
            self.send_response(200)
        if how == "wrong":
            body = bytes(len(body))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how == "break off" else body)
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()
