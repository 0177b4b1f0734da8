"""Finds pictures, texts and rows that occur more than once.

A copy of a training sample in the test part makes every number measured there too good.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Mean difference of pixels, of 255, below which two pictures of one fingerprint are copies.
_ALIKE = 2.0


class Copies(NamedTuple):
    """Samples that are copies of each other.

    Args:
        groups: A number for every sample, `(samples,)`: equal for copies.
        pairs: For every copy the sample that it repeats and itself, `(first, copy)`.
    """

    groups: np.ndarray
    pairs: list[tuple[int, int]]

    def between(self, first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of copies with one sample in each of two parts."""
        there: dict[int, int] = {}
        for sample in first:
            there.setdefault(int(self.groups[sample]), int(sample))
        return [
            (there[int(self.groups[sample])], int(sample))
            for sample in second
            if int(self.groups[sample]) in there
        ]


def copies_of_pictures(pictures: Sequence[np.ndarray] | np.ndarray) -> Copies:
    """Pictures that are the same but for a little noise, as from another compression.

    Candidates have one difference hash (Krawetz, 2013: whether each of 8×8 averaged pixels is
    lighter than its neighbour); the pixels decide.

    Args:
        pictures: uint8 arrays, each `(height, width, channels)`.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 255, (16, 16, 1)).astype("uint8")
        >>> copies_of_pictures([picture, 255 - picture, picture]).pairs
        [(0, 2)]
    """
    found: dict[bytes, list[int]] = {}
    groups = np.arange(len(pictures))
    pairs = []
    for number, picture in enumerate(pictures):
        candidates = found.setdefault(_difference_hash(picture), [])
        first = next((c for c in candidates if _look_alike(pictures[c], picture)), None)
        if first is None:
            candidates.append(number)
        else:
            groups[number] = first
            pairs.append((first, number))
    return Copies(groups, pairs)


def copies_of_values(values: Sequence[object]) -> Copies:
    """Values, such as texts or rows, that are equal.

    Example:
        >>> copies_of_values(["a", "b", "a"]).pairs
        [(0, 2)]
    """
    first: dict[bytes, int] = {}
    groups = np.arange(len(values))
    pairs = []
    for number, value in enumerate(values):
        key = hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).digest()
        groups[number] = first.setdefault(key, number)
        if groups[number] != number:
            pairs.append((int(groups[number]), number))
    return Copies(groups, pairs)


def _difference_hash(picture: np.ndarray) -> bytes:
    from PIL import Image

    grey = picture.mean(axis=2).astype("uint8")
    small = Image.fromarray(grey).resize((9, 8), Image.Resampling.BOX)
    values = np.asarray(small, dtype=int)
    return np.packbits(values[:, 1:] > values[:, :-1]).tobytes()


def _look_alike(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    return float(np.abs(first.astype(int) - second.astype(int)).mean()) < _ALIKE
