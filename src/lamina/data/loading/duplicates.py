"""Finds pictures, texts and rows that occur more than once.

Copies of training samples in the test part make its results too good.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# The side of reduced pictures, in pixels.
_SIDE = 16
# Two pictures are copies if the mean difference of their grey values (0–255) is below the first
# number, and the standard deviation of the differences, relative to that of the pixels, is below
# the second.
_MAX_MEAN_DIFFERENCE, _MAX_DEVIATION = 1.2, 0.08
# The mean difference of their colours must be below this.
_MAX_COLOUR_DIFFERENCE = 4.0
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype="float32")
# Number of nearest pictures that each picture is compared with, including itself.
_NEIGHBOURS = 8


class Copies(NamedTuple):
    """Samples that are copies of each other.

    Args:
        groups: A group index for every sample, `(samples,)`: equal for copies.
        pairs: For every copy, the indices of the original and of the copy.
    """

    groups: np.ndarray
    pairs: list[tuple[int, int]]

    def between(self, first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of copies with one sample in each of two parts."""
        sample_of_group: dict[int, int] = {}
        for sample in first:
            sample_of_group.setdefault(int(self.groups[sample]), int(sample))
        return [
            (sample_of_group[int(self.groups[sample])], int(sample))
            for sample in second
            if int(self.groups[sample]) in sample_of_group
        ]


def copies_of_pictures(pictures: np.ndarray) -> Copies:
    """Find pictures that are the same, or were the same before one was compressed or resized.

    Pictures are reduced to 16×16 pixels, where compression hardly shows, and compared with their
    nearest neighbours at 4×4 pixels. docs/your-data.md says what this finds, and how often it is
    wrong.

    Args:
        pictures: uint8, `(pictures, height, width, channels)`; may be mapped from a file.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 255, (16, 16, 1)).astype("uint8")
        >>> copies_of_pictures(np.stack([picture, 255 - picture, picture])).pairs
        [(0, 2)]
    """
    groups = copies_of_values([_digest(picture) for picture in pictures]).groups.copy()
    unique = np.flatnonzero(groups == np.arange(len(groups)))
    reduced = (
        np.stack([_downscale(pictures[i]) for i in unique]) if len(unique) else np.zeros((0, 1))
    )
    for first, copy in _similar_pairs(reduced):
        # Copies of copies are not joined: a sequence of similar photos would become one group.
        if groups[unique[first]] == unique[first] and groups[unique[copy]] == unique[copy]:
            groups[groups == unique[copy]] = unique[first]
    pairs = [(int(group), index) for index, group in enumerate(groups) if group != index]
    return Copies(groups, pairs)


def copies_of_values(values: Sequence[object]) -> Copies:
    """Find values, such as texts or rows, that are equal.

    Example:
        >>> copies_of_values(["a", "b", "a"]).pairs
        [(0, 2)]
    """
    first_index: dict[bytes, int] = {}
    groups = np.arange(len(values))
    pairs = []
    for index, value in enumerate(values):
        key = hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).digest()
        groups[index] = first_index.setdefault(key, index)
        if groups[index] != index:
            pairs.append((int(groups[index]), index))
    return Copies(groups, pairs)


def _digest(picture: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).digest()


def _downscale(picture: np.ndarray) -> np.ndarray:
    """A picture of 16×16 pixels, float32, `(16, 16, channels)`."""
    from PIL import Image

    sides = (_SIDE, _SIDE)
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    reduced = np.asarray(image.resize(sides, Image.Resampling.BOX), dtype="float32")
    return reduced.reshape(*sides, -1)


def _similar_pairs(reduced: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of indices of similar reduced pictures, in ascending order."""
    from scipy.spatial import KDTree  # type: ignore[import-untyped]  # takes long to import

    count = len(reduced)
    if count < 2:
        return []
    # Compression changes colours more than the luminance (ITU-R BT.601).
    grey = reduced @ _LUMINANCE if reduced.shape[3] == 3 else reduced.mean(axis=3)
    deviations = grey.std(axis=(1, 2))
    blocks = grey.reshape(count, 4, _SIDE // 4, 4, _SIDE // 4)
    coarse = blocks.mean(axis=(2, 4)).reshape(count, 16)
    # The mean difference of the blocks is at most that of the pixels, so no copy is missed.
    neighbours = KDTree(coarse).query(
        coarse, k=min(_NEIGHBOURS, count), p=1, distance_upper_bound=16 * _MAX_MEAN_DIFFERENCE
    )[1]
    first, column = np.nonzero(neighbours < count)
    second = neighbours[first, column]
    pairs = np.unique(np.sort(np.stack([first, second], axis=1), axis=1), axis=0)
    similar = []
    for a, b in pairs[pairs[:, 0] < pairs[:, 1]].tolist():
        difference = grey[a] - grey[b]
        if np.abs(difference).mean() >= _MAX_MEAN_DIFFERENCE:
            continue
        if difference.std() >= _MAX_DEVIATION * min(deviations[a], deviations[b]):
            continue
        if np.abs(reduced[a] - reduced[b]).mean() < _MAX_COLOUR_DIFFERENCE:
            similar.append((a, b))
    return similar
