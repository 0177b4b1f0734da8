"""Pictures as one array: in memory, or in a file if they need too much of it.

The file is written once, in order, and memory-mapped afterwards, so training reads only the rows of
the batches that come next. It has no name, so the system removes it when nothing uses the array any
more, also after a crash.
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

# Of the machine's memory, what pictures may take before they are kept in a file.
SHARE_OF_MEMORY = 1 / 4
# Bytes that are copied at a time from one file to another.
_BLOCK = 2**24


class Rows(Protocol):
    """Takes the rows of an array one by one."""

    def append(self, row: np.ndarray) -> None:
        """Add a row."""

    def finished(self) -> np.ndarray:
        """All rows, `(rows, …)`."""


class PictureStore:
    """Takes pictures one by one, grey or in colours, and gives them as one array.

    Args:
        size: `(height, width)` of each.
        most: How many pictures there are at most.
        max_memory: Bytes that may be in memory; a quarter of the machine's if None.

    Example:
        >>> store = PictureStore((2, 2), most=2)
        >>> store.append(np.zeros((2, 2, 3), "uint8"), is_grey=True)
        >>> store.append(np.ones((2, 2, 3), "uint8"), is_grey=False)
        >>> store.finished().shape
        (2, 2, 2, 3)
    """

    def __init__(self, size: tuple[int, int], most: int, max_memory: int | None = None):
        self._size = size
        self._most = most
        self._max_memory = max_memory
        self._channels = 1
        self._rows = self._room()

    def append(self, pixels: np.ndarray, is_grey: bool) -> None:
        """Add a picture, uint8, `(height, width, 3)`."""
        if self._channels == 1 and not is_grey:
            grey, self._channels = self._rows.finished(), 3
            self._rows = self._room()
            for row in grey:
                self._rows.append(np.repeat(row, 3, axis=2))
        self._rows.append(pixels[..., : self._channels])

    def finished(self) -> np.ndarray:
        """The pictures, `(pictures, height, width, channels)`; one channel if all are grey."""
        return self._rows.finished()

    def _room(self) -> Rows:
        return room_for(self._most, (*self._size, self._channels), self._max_memory)


def room_for(most: int, shape: tuple[int, ...], max_memory: int | None = None) -> Rows:
    """Room for so many uint8 rows of a shape: in memory if they fit, else in a file.

    Args:
        most: How many rows there are at most.
        shape: Of one row.
        max_memory: Bytes that may be in memory; a quarter of the machine's if None.

    Raises:
        OSError: If there is not enough room on the disk.
    """
    if max_memory is None:
        max_memory = int(min(memory_of_machine() * SHARE_OF_MEMORY, 2**62))
    if most * math.prod(shape) <= max_memory:
        return _InMemory(most, shape)
    return _InFile(most, shape)


def rows_of(array: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Some rows of an array, in the given order: of a memory-mapped one, in a new file."""
    if not isinstance(array, np.memmap):
        return array[numbers]
    taken = _InFile(len(numbers), array.shape[1:])
    at_once = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(numbers), at_once):
        taken.append(array[numbers[first : first + at_once]])
    return taken.finished()


class _InMemory:
    def __init__(self, most: int, shape: tuple[int, ...]):
        self._array = np.empty((most, *shape), dtype="uint8")
        self._count = 0

    def append(self, row: np.ndarray) -> None:
        self._array[self._count] = row
        self._count += 1

    def finished(self) -> np.ndarray:
        return self._array[: self._count]


class _InFile:
    def __init__(self, most: int, shape: tuple[int, ...]):
        self._shape = shape
        self._folder = _folder()
        needed, free = most * math.prod(shape), shutil.disk_usage(self._folder).free
        if needed > free:
            raise self._no_room(needed, free)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=self._folder)

    def append(self, row: np.ndarray) -> None:
        # Not through the map: on a full disk that would end the process without a message.
        try:
            self._file.write(np.ascontiguousarray(row, dtype="uint8").data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise self._no_room(self._file.tell(), 0) from None

    def finished(self) -> np.ndarray:
        with self._file:
            rows = self._file.tell() // max(1, math.prod(self._shape))
            if not rows:
                return np.zeros((0, *self._shape), dtype="uint8")
            self._file.flush()
            # The map goes on when the file is closed.
            return np.memmap(self._file, "uint8", mode="r", shape=(rows, *self._shape))

    def _no_room(self, needed: int, free: int) -> OSError:
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
    except OSError:  # a home that may not be written to
        return Path(tempfile.gettempdir())
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())
