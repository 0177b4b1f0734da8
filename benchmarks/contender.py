"""Contenders: scripts under `peers/`, each run as a process of its own in its own environment."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import machine

# Settings of the caller's shell that would speed up or slow down some contenders only.
SETTINGS_OF_LIBRARIES = ("JAX_", "KERAS_", "LAMINA_", "TF_", "TORCH", "XLA_", "OMP_", "MKL_")


@dataclasses.dataclass(frozen=True)
class Contender:
    """Who takes part.

    Args:
        name: As tables show it.
        script: File under `peers/`.
        environment: Folder under `$LAMINA_PEERS`; `""` is Lamina's own environment.
        options: For the script.
        variables: Environment variables of the process.
        needs: Package that is looked for in Lamina's own environment.
    """

    name: str
    script: str
    environment: str = ""
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    needs: str = ""

    def python(self) -> Path:
        """The interpreter that has this contender's packages."""
        if not self.environment:
            return Path(sys.executable)
        return peers_folder() / self.environment / "bin" / "python"

    def installed(self) -> bool:
        """Whether it can take part on this machine."""
        return self.python().exists() and (not self.needs or find_spec(self.needs) is not None)


def keras(script: str) -> dict[str, Contender]:
    """Keras on each backend, by the backend's name."""
    return {
        backend: Contender(
            f"Keras on {title}", script, folder, variables={"KERAS_BACKEND": backend}
        )
        for title, backend, folder in (
            ("JAX", "jax", "keras-jax"),
            ("TensorFlow", "tensorflow", "tensorflow"),
            ("PyTorch", "torch", "torch"),
        )
    }


def peers_folder() -> Path:
    """Where `make bench-peers` makes the environments of the peers."""
    default = Path.home() / ".cache" / "lamina-peers"
    return Path(os.environ.get("LAMINA_PEERS") or default).expanduser()


def run(
    contender: Contender,
    arguments: Sequence[object],
    folder: Path,
    limit: float | None = None,
) -> dict:
    """Run a contender once as a fresh process.

    Args:
        arguments: For the script, before the contender's own options.
        folder: Working folder; also holds Lamina's cache, so that a second start in the same
            folder finds what the first one compiled.
        limit: Seconds after which the process is ended.

    Returns:
        What the contender measured, its last line; `cold`: seconds from its start to its
        prediction, if it prints one; `seconds`: to its end; `used_by_others`: fraction of the
        machine that other programs used right before.

    Raises:
        subprocess.CalledProcessError: If the contender failed.
        subprocess.TimeoutExpired: If it took longer than the limit.
    """
    folder.mkdir(exist_ok=True)
    others = machine.busy_share()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS_OF_LIBRARIES)}
    modules = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    variables = {
        **inherited,
        "LAMINA_CACHE": str(folder / "cache"),
        "LAMINA_KERNELS": "0",  # plain Lamina, unless the contender says otherwise
        "PYTHONPATH": os.pathsep.join(filter(None, modules)),  # `workloads`
        **contender.variables,
    }
    script = machine.PEERS / contender.script
    command = [str(c) for c in (contender.python(), script, *arguments, *contender.options)]
    cold, line, late = 0.0, "", threading.Event()
    with open(folder / "stderr.txt", "w+") as errors:
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process:

            def end() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(limit or threading.TIMEOUT_MAX, end)
            timer.daemon = True
            timer.start()
            for line in process.stdout:
                if line.startswith("prediction"):
                    cold = time.perf_counter() - start
            timer.cancel()
        seconds = time.perf_counter() - start
        if late.is_set():
            raise subprocess.TimeoutExpired(command, limit or 0)
        if process.returncode != 0:
            errors.seek(0)
            raise subprocess.CalledProcessError(process.returncode, command, stderr=errors.read())
    return {**json.loads(line), "cold": cold, "seconds": seconds, "used_by_others": others}


def attempt(
    contender: Contender, arguments: Sequence[object], folder: Path, limit: float | None = None
) -> dict:
    """The same, but a contender that fails or is not installed gives `{"failed": reason}`."""
    if not contender.installed():
        return {"failed": "not installed"}
    try:
        return run(contender, arguments, folder, limit)
    except subprocess.SubprocessError as error:
        return {"failed": reason(error)}


def medians_in_turn(
    contenders: Sequence[Contender], arguments: Sequence[object], rounds: int
) -> dict[str, dict]:
    """From contender to the medians of its figures over some rounds, all contenders in turn.

    A contender that fails has `{"failed": reason}`.
    """
    runs: dict[str, list[dict]] = {contender.name: [] for contender in contenders}
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as folder:
        for _ in range(rounds):
            for contender in contenders:
                runs[contender.name].append(attempt(contender, arguments, Path(folder)))
    return {name: _medians(of_contender) for name, of_contender in runs.items()}


def _medians(runs: list[dict]) -> dict:
    failed = [run for run in runs if "failed" in run]
    if failed:
        return {"failed": failed[0]["failed"]}
    figures = [name for name in runs[0] if name not in ("cold", "seconds", "used_by_others")]
    return {name: statistics.median(run[name] for run in runs) for name in figures}


def reason(error: subprocess.SubprocessError) -> str:
    """Why a contender has no figures, in one line."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not done within {error.timeout:.0f} s"
    return last_line(error.stderr or "") or str(error)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
