"""Stores pictures as one array: in memory, or in a file if they need too much memory.

The file is written once, in order, and then memory-mapped, so training reads only the rows of the
next batches. It is an unnamed temporary file, which the system removes as soon as nothing uses the
array, even after a crash.
"""

import errno
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from lamina.core.configuration import config
from lamina.core.memory_limit import memory_of_machine

# Fraction of the machine's memory that pictures may take before they are kept in a file.
FRACTION_OF_MEMORY = 1 / 4
# Bytes that are copied at a time from one file to another.
_BLOCK_SIZE = 2**24


class RowWriter(Protocol):
    """Receives the rows of an array one by one."""

    def append(self, row: np.ndarray) -> None:
        """Add a row."""

    def finish(self) -> np.ndarray:
        """The array of all rows, `(rows, …)`."""


class PictureStore:
    """Receives pictures one by one, grey or in colour, and returns them as one array.

    Args:
        size: `(height, width)` of each picture.
        max_count: Maximum number of pictures.
        max_memory: Bytes that may be in memory; a quarter of the machine's if None.

    Example:
        >>> store = PictureStore((2, 2), max_count=2)
        >>> store.append(np.zeros((2, 2, 3), "uint8"), is_grey=True)
        >>> store.append(np.ones((2, 2, 3), "uint8"), is_grey=False)
        >>> store.finish().shape
        (2, 2, 2, 3)
    """

    def __init__(self, size: tuple[int, int], max_count: int, max_memory: int | None = None):
        self._size = size
        self._max_count = max_count
        self._max_memory = max_memory
        self._channels = 1
        self._rows = self._allocate()

    def append(self, pixels: np.ndarray, is_grey: bool) -> None:
        """Add a picture, uint8, `(height, width, 3)`."""
        if self._channels == 1 and not is_grey:
            grey, self._channels = self._rows.finish(), 3
            self._rows = self._allocate()
            for row in grey:
                self._rows.append(np.repeat(row, 3, axis=2))
        self._rows.append(pixels[..., : self._channels])

    def finish(self) -> np.ndarray:
        """The pictures, `(pictures, height, width, channels)`; one channel if all are grey."""
        return self._rows.finish()

    def _allocate(self) -> RowWriter:
        return allocate_rows(self._max_count, (*self._size, self._channels), self._max_memory)


def allocate_rows(
    max_count: int, shape: tuple[int, ...], max_memory: int | None = None
) -> RowWriter:
    """Allocate memory for uint8 rows, or a file if they do not fit into memory.

    Args:
        max_count: Maximum number of rows.
        shape: Shape of one row.
        max_memory: Bytes that may be in memory; a quarter of the machine's if None.

    Raises:
        OSError: If there is not enough room on the disk.
    """
    if max_memory is None:
        max_memory = int(min(memory_of_machine() * FRACTION_OF_MEMORY, 2**62))
    if max_count * math.prod(shape) <= max_memory:
        return _RowsInMemory(max_count, shape)
    return _RowsInFile(max_count, shape)


def take_rows(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The rows at these indices; for a memory-mapped array, in a new file."""
    if not isinstance(array, np.memmap):
        return array[indices]
    rows = _RowsInFile(len(indices), array.shape[1:])
    rows_per_block = max(1, _BLOCK_SIZE // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(indices), rows_per_block):
        rows.append(array[indices[first : first + rows_per_block]])
    return rows.finish()


class _RowsInMemory:
    def __init__(self, max_count: int, shape: tuple[int, ...]):
        self._array = np.empty((max_count, *shape), dtype="uint8")
        self._count = 0

    def append(self, row: np.ndarray) -> None:
        self._array[self._count] = row
        self._count += 1

    def finish(self) -> np.ndarray:
        return self._array[: self._count]


class _RowsInFile:
    def __init__(self, max_count: int, shape: tuple[int, ...]):
        self._shape = shape
        self._folder = _folder()
        needed, free = max_count * math.prod(shape), shutil.disk_usage(self._folder).free
        if needed > free:
            raise self._disk_full_error(needed, free)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=self._folder)

    def append(self, row: np.ndarray) -> None:
        # Writing to a memory map would crash the process on a full disk.
        try:
            self._file.write(np.ascontiguousarray(row, dtype="uint8").data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise self._disk_full_error(self._file.tell(), 0) from None

    def finish(self) -> np.ndarray:
        with self._file:
            rows = self._file.tell() // max(1, math.prod(self._shape))
            if not rows:
                return np.zeros((0, *self._shape), dtype="uint8")
            self._file.flush()
            # The memory map stays valid after the file is closed.
            return np.memmap(self._file, "uint8", mode="r", shape=(rows, *self._shape))

    def _disk_full_error(self, needed: int, free: int) -> OSError:
        return OSError(
            f"The pictures fit neither into memory nor on the disk of {self._folder}: they take "
            f"{needed / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are left there.\n"
            "  Fix: smaller pictures, image_size=(64, 64); or set the environment variable "
            "LAMINA_CACHE to a folder on a larger disk."
        )


def _folder() -> Path:
    folder = config.cache_folder() / "pictures"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # the home folder may be read-only
        return Path(tempfile.gettempdir())
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())
