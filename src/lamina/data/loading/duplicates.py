"""Finds pictures, texts and rows that occur more than once.

A copy of a training sample in the test part makes every number measured there too good.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# The side that pictures are reduced to.
_SIDE = 16
# Two are copies if grey pixels differ by less than the first on average, of 255, and the standard
# deviation of the differences, relative to that of the pixels, is below the second.
_ALIKE, _SAME = 1.2, 0.08
_ALIKE_IN_COLOURS = 4.0
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype="float32")
# Nearest pictures that each is compared with, itself among them.
_NEIGHBOURS = 8


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


def copies_of_pictures(pictures: np.ndarray) -> Copies:
    """Pictures that are the same, or were the same before one was compressed or resized.

    They are compared as 16×16 pixels, where compression hardly shows, with those that are nearest
    as 4×4 pixels. docs/your-data.md has what that finds, and how often it is wrong.

    Args:
        pictures: uint8, `(pictures, height, width, channels)`; may be mapped from a file.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 255, (16, 16, 1)).astype("uint8")
        >>> copies_of_pictures(np.stack([picture, 255 - picture, picture])).pairs
        [(0, 2)]
    """
    groups = copies_of_values([_digest(picture) for picture in pictures]).groups.copy()
    unique = np.flatnonzero(groups == np.arange(len(groups)))
    small = np.stack([_reduced(pictures[i]) for i in unique]) if len(unique) else np.zeros((0, 1))
    for first, copy in _near(small):
        # Copies of copies are left: pictures taken one after another would be one long chain.
        if groups[unique[first]] == unique[first] and groups[unique[copy]] == unique[copy]:
            groups[groups == unique[copy]] = unique[first]
    pairs = [(int(group), number) for number, group in enumerate(groups) if group != number]
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


def _digest(picture: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).digest()


def _reduced(picture: np.ndarray) -> np.ndarray:
    """A picture of 16×16 pixels, float32, `(16, 16, channels)`."""
    from PIL import Image

    sides = (_SIDE, _SIDE)
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    small = np.asarray(image.resize(sides, Image.Resampling.BOX), dtype="float32")
    return small.reshape(*sides, -1)


def _near(small: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of reduced pictures that are alike, in order."""
    from scipy.spatial import KDTree  # type: ignore[import-untyped]  # takes long to import

    count = len(small)
    if count < 2:
        return []
    # Compression changes colours more than the luminance (ITU-R BT.601).
    grey = small @ _LUMINANCE if small.shape[3] == 3 else small.mean(axis=3)
    spreads = grey.std(axis=(1, 2))
    parts = grey.reshape(count, 4, _SIDE // 4, 4, _SIDE // 4)
    coarse = parts.mean(axis=(2, 4)).reshape(count, 16)
    # The mean difference of means is at most that of the pixels.
    neighbours = KDTree(coarse).query(
        coarse, k=min(_NEIGHBOURS, count), p=1, distance_upper_bound=16 * _ALIKE
    )[1]
    first, place = np.nonzero(neighbours < count)
    second = neighbours[first, place]
    pairs = np.unique(np.sort(np.stack([first, second], axis=1), axis=1), axis=0)
    found = []
    for a, b in pairs[pairs[:, 0] < pairs[:, 1]].tolist():
        change = grey[a] - grey[b]
        if np.abs(change).mean() >= _ALIKE or change.std() >= _SAME * min(spreads[a], spreads[b]):
            continue
        if np.abs(small[a] - small[b]).mean() < _ALIKE_IN_COLOURS:
            found.append((a, b))
    return found
