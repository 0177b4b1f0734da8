"""A source of batches in a module of its own, so that other processes can import it."""

import os
import time

import lamina


class PackedButNeverUnpackedError(Exception):
    """What pickle takes and cannot make again: it would call the class with the text alone."""

    def __init__(self, message, *, place=0):
        super().__init__(f"{message} at {place}", place)


class Unpackable(Exception):
    """What pickle does not even take."""

    def __init__(self, message):
        super().__init__(message)
        self.opened = (line for line in ())


class Dataset(lamina.utils.PyDataset):
    def __init__(self, blobs, fails_at=None, dies_at=None, error=None, **kwargs):
        super().__init__(**kwargs)
        self.blobs, self.fails_at, self.dies_at = blobs, fails_at, dies_at
        self.error = error or MemoryError

    def __len__(self):
        return 5

    def __getitem__(self, i):
        if i == self.fails_at:
            raise self.error("worker out of memory")
        if i == self.dies_at:
            os._exit(9)  # as when the system ends a process for want of memory
        time.sleep(0.002 * (5 - i))  # the last is ready first
        return self.blobs[0][i * 20 : i * 20 + 20], self.blobs[1][i * 20 : i * 20 + 20]
