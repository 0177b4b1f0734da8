"""Samples of a folder, decoded once and kept in memory if they all fit."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.core.configuration import config


class DecodedSamples:
    """Reads and decodes samples; later epochs find them in memory.

    Kept are at most half of `config.resident_budget()` bytes: all samples, or none if the first one
    says that they will not fit.

    Args:
        read: Reads and decodes the sample in a file.
        count: Number of files.
    """

    def __init__(self, read: Callable[[str], Any], count: int):
        self._read = read
        self._count = count
        self._kept: dict[str, np.ndarray] = {}
        self._bytes_left: int | None = None  # decided with the first sample

    def __call__(self, path: str) -> Any:
        sample = self._kept.get(path)
        if sample is not None:
            return sample
        sample = self._read(path)
        if isinstance(sample, np.ndarray):
            self._keep(path, sample)
        return sample

    def _keep(self, path: str, sample: np.ndarray) -> None:
        if self._bytes_left is None:
            budget = config.resident_budget() // 2
            self._bytes_left = budget if sample.nbytes * self._count <= budget else 0
        if sample.nbytes <= self._bytes_left:
            self._bytes_left -= sample.nbytes
            self._kept[path] = sample
