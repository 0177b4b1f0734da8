"""Container: the files of a data set, an `.npz` or the four idx files of the original release."""

import gzip
import io
import math
import struct
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile, is_zipfile

import numpy as np

from lamina.core.configuration.config import loading_budget
from lamina.core.messages.messages import escape_control_characters
from lamina.core.user_data.paths import refuse_special_file
from lamina.datasets.fingerprints import ARRAY_NAMES
from lamina.datasets.pickles import read_npy

# The original names, such as `train-images-idx3-ubyte.gz`. Some tools write a dot in place of the
# second hyphen: `train-images.idx3-ubyte`.
IDX_FILE_NAMES = {
    "x_train": ("train-images", "idx3"),
    "y_train": ("train-labels", "idx1"),
    "x_test": ("t10k-images", "idx3"),
    "y_test": ("t10k-labels", "idx1"),
}
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


class UnreadableError(ValueError):
    """A file is damaged, or not of the type that its name says."""


@dataclass(frozen=True)
class Container:
    """One or more files with the arrays of a data set, and a function that reads them."""

    files: tuple[Path, ...]
    reader: Callable[[tuple[Path, ...]], dict[str, Any]]

    @property
    def label(self) -> str:
        """Its name in messages: the file, or the folder of several files."""
        if len(self.files) == 1:
            return str(self.files[0])
        return f"the files in {self.files[0].parent}"

    def read(self) -> dict[str, Any]:
        """The arrays by name.

        Raises:
            UnreadableError: If a file is truncated, damaged or of another kind.
        """
        try:
            for file in self.files:
                refuse_special_file(file)
            return self.reader(self.files)
        except Exception as error:  # damaged files can lead to any error
            text = escape_control_characters(str(error))[:500] or type(error).__name__
            raise UnreadableError(f"{self.label} cannot be read: {text}") from error


def npz(path: Path) -> Container:
    """A NumPy archive with the arrays under their names."""
    return Container((Path(path),), _read_npz)


def idx(folder: Path) -> Container | None:
    """The four idx files in a folder, gzipped or not; None unless all four are there."""
    files = []
    for stem, kind in IDX_FILE_NAMES.values():
        names = (f"{stem}{separator}{kind}-ubyte{end}" for separator in "-." for end in ("", ".gz"))
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            return None
        files.append(path)
    return Container(tuple(files), _read_idx_files)


def read_idx(path: Path) -> np.ndarray:
    """One idx file as an array in the machine's byte order.

    The format: two zero bytes, a type code, the number of axes, each axis's length as a
    big-endian 32-bit number, then the values in C order.
    """
    raw = Path(path).read_bytes()
    if raw[:2] == b"\x1f\x8b":
        limit = int(min(loading_budget(len(raw)), sys.maxsize - 1))
        raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(limit + 1)
        if len(raw) > limit:
            raise ValueError(f"{path.name} unpacks to more than {limit:,} bytes")
    zero, code, axes = struct.unpack(">HBB", raw[:4]) if len(raw) >= 4 else (1, 0, 0)
    if zero != 0 or code not in _IDX_TYPES:
        raise ValueError(f"{path.name} is not an idx file")
    start = 4 + 4 * axes
    shape = struct.unpack(f">{axes}I", raw[4:start])
    dtype = np.dtype(_IDX_TYPES[code])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise ValueError(f"{path.name} has {len(raw)} bytes where its header says {expected}")
    values = np.frombuffer(raw, dtype=dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _read_npz(files: tuple[Path, ...]) -> dict[str, np.ndarray]:
    if not is_zipfile(files[0]):
        raise ValueError("the file is not a NumPy archive (.npz), or is incomplete")
    return arrays_in_npz(files[0], ARRAY_NAMES, pickled=False)


def arrays_in_npz(
    file: Path | IO[bytes], names: Collection[str] | None = None, pickled: bool = True
) -> dict[str, Any]:
    """The arrays of a NumPy archive by name.

    Args:
        file: The archive.
        names: The names of the arrays to read; all for None.
        pickled: Whether arrays may be pickles, which are read without running code.

    Raises:
        ValueError: If the archive is damaged, or unpacks to an implausible size.
    """
    arrays = {}
    with ZipFile(file) as archive:
        packed = sum(info.compress_size for info in archive.infolist())
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename or (names is not None and name not in names):
                continue
            if info.file_size > loading_budget(packed):
                raise ValueError(f"{ascii(name)} claims to be {info.file_size:,} bytes")
            arrays[name] = read_npy(archive.read(info), pickled)
    return arrays


def _read_idx_files(files: tuple[Path, ...]) -> dict[str, np.ndarray]:
    return {name: read_idx(path) for name, path in zip(ARRAY_NAMES, files, strict=True)}
