"""Remembers which files were verified, so that large files are not hashed at every start.

A small JSON file in the cache has the size, modification time and digests of each file. A file
whose size or time differs is hashed again.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lamina.core.configuration import config
from lamina.datasets.containers import Container
from lamina.datasets.fingerprints import Expected


def is_remembered(container: Container, expected: Mapping[str, Expected]) -> bool:
    """Whether these files were verified before and have not changed since."""
    return _read().get(_key(container)) == _make_record(container, expected)


def remember(container: Container, expected: Mapping[str, Expected]) -> None:
    """Record that these files were verified; without a writable cache, do nothing."""
    with contextlib.suppress(OSError):
        fingerprints = _read()
        fingerprints[_key(container)] = _make_record(container, expected)
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".json")
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(fingerprints, file, indent=1)
        os.replace(temporary, path)


def _path() -> Path:
    return config.cache_folder() / "datasets" / "verified.json"


def _read() -> dict:
    try:
        fingerprints = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return fingerprints if isinstance(fingerprints, dict) else {}


def _key(container: Container) -> str:
    return os.path.abspath(container.files[0])


def _make_record(container: Container, expected: Mapping[str, Expected]) -> dict:
    digests = "".join(array.digest for array in expected.values())
    states = [path.stat() for path in container.files]
    return {
        "files": [[s.st_size, s.st_mtime_ns] for s in states],
        "contents": hashlib.sha256(digests.encode()).hexdigest(),
    }
