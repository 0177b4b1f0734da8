"""Data sets that are verified by the published checksum of their file.

(`mnist` and `fashion_mnist` are verified by digests of their arrays, in any file.) `locate.py`
finds or downloads the file; the code here verifies and reads it.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamina.datasets import locate
from lamina.datasets.containers import Container, arrays_in_npz

KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def single_file_source(name: str, title: str, file: str, checksum: str) -> locate.Source:
    """A data set that is one `.npz` or `.json` file from the server of Keras's data sets.

    Args:
        name: Name of the module, as in `lamina.datasets.imdb`.
        title: Name to display.
        file: The file's name.
        checksum: Such as `sha256:731c…` or `md5:f68b…`.
    """
    read = _read_json if file.endswith(".json") else _read_npz

    def containers(parent: Path, file_name: str | None) -> Iterator[Container]:
        path = parent / (file_name or file)
        if path.is_file():
            yield Container(
                (path,), lambda files: read(verify_checksum(files[0].read_bytes(), checksum))
            )

    mirror = locate.Mirror(KERAS_ADDRESS, (file,), checksum)
    return locate.Source(name, title, arrays={}, mirrors=(mirror,), containers=containers)


@dataclass(frozen=True)
class Archive:
    """A `.tar.gz` of a folder, which may be unpacked already.

    Args:
        name: Name of the module, as in `lamina.datasets.cifar10`.
        title: Name to display.
        address: Address of the folder with the archive, with a slash at the end.
        file: Name of the archive.
        checksum: Checksum of the archive.
        folder: Folder of the files in the archive.
        members: Checksums of the needed files, by name.
        keras_name: Its name in Keras's cache.
    """

    name: str
    title: str
    address: str
    file: str
    checksum: str
    folder: str
    members: Mapping[str, str]
    keras_name: str

    def source(self, decode: Callable[[Mapping[str, bytes]], dict[str, Any]]) -> locate.Source:
        """The source of the data set; `decode` converts the contents of its files to arrays."""

        def containers(parent: Path, file_name: str | None) -> Iterator[Container]:
            for folder in (parent / self.folder, parent / self.keras_name / self.folder):
                files = tuple(folder / member for member in self.members)
                if all(file.is_file() for file in files):
                    yield Container(
                        files, lambda files: decode(self._verify(_read_contents(files)))
                    )
            for name in (self.file, f"{self.keras_name}_archive"):
                if (parent / name).is_file():
                    yield Container(
                        (parent / name,), lambda files: decode(self._verify(self._unpack(files[0])))
                    )

        mirror = locate.Mirror(self.address, (self.file,), self.checksum)
        return locate.Source(
            self.name, self.title, arrays={}, mirrors=(mirror,), containers=containers
        )

    def _unpack(self, path: Path) -> dict[str, bytes]:
        contents = {}
        try:
            # Read once, sequentially; nothing is written to the disk.
            with tarfile.open(path, "r|gz") as archive:
                for entry in archive:
                    name = Path(entry.name).name
                    if entry.isfile() and name in self.members:
                        file = archive.extractfile(entry)
                        contents[name] = file.read() if file else b""
        except tarfile.TarError as error:
            raise ValueError(
                f"the archive is not a .tar.gz file, or is incomplete ({error})"
            ) from error
        return contents

    def _verify(self, contents: Mapping[str, bytes]) -> Mapping[str, bytes]:
        missing = sorted(set(self.members) - set(contents))
        if missing:
            raise ValueError(f"{missing[0]} is missing from the archive")
        for name, checksum in self.members.items():
            verify_checksum(contents[name], checksum, name)
        return contents


def verify_checksum(contents: bytes, checksum: str, name: str = "the file") -> bytes:
    """Return the contents after verifying their checksum.

    Raises:
        ValueError: If the checksum differs.
    """
    kind, _, expected = checksum.partition(":")
    actual = hashlib.new(kind, contents, usedforsecurity=False).hexdigest()
    if actual != expected:
        raise ValueError(
            f"{name} is not the one that was published ({kind.upper()} {actual[:12]}…, expected "
            f"{expected[:12]}…)"
        )
    return contents


def _read_contents(files: tuple[Path, ...]) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in files}


def _read_npz(contents: bytes) -> dict[str, np.ndarray]:
    return arrays_in_npz(io.BytesIO(contents))


def _read_json(contents: bytes) -> dict[str, Any]:
    return json.loads(contents)
