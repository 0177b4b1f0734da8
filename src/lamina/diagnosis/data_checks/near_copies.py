"""Finds pictures that are nearly the same: with a little noise, or shifted by one pixel."""

import numpy as np

# Two pictures are copies if their squared difference is below this fraction of the variance.
_MAX_DIFFERENCE = 0.01
# Side of the reduced pictures, in pixels, by which candidates are found.
_SIDE = 7
_CANDIDATES = 3
# Numbers in a block of distances, to limit memory.
_BLOCK_SIZE = 20_000_000
# Pictures that are reduced at a time.
_BATCH_SIZE = 1000
_SHIFTS = tuple((down, right) for down in (0, -1, 1) for right in (0, -1, 1))


def near_copies(
    pictures: np.ndarray, others: np.ndarray, skip: np.ndarray | None = None
) -> np.ndarray:
    """Find a near copy of each picture among other pictures.

    Each picture is shifted by up to one pixel and reduced to a few pixels, by which its nearest
    neighbours among the others are found. The full pictures of these are then compared. Pictures
    that were compressed or resized are not found here, but by `copies_of_pictures` when data are
    loaded.

    Args:
        pictures: `(samples, height, width, channels)`.
        others: `(samples, height, width, channels)`.
        skip: For each picture an index in `others` to skip, such as its own; None to skip none.

    Returns:
        For each picture the index of a copy in `others`, or -1 if it has none: `(samples,)`.

    Example:
        >>> noise = np.random.default_rng(0)
        >>> others = noise.random((5, 12, 12, 1))
        >>> near_copies(np.roll(others[[3]], 1, axis=1), others).tolist()
        [3]
    """
    reduced = _downscale(others)
    squared_norms = (reduced**2).sum(axis=1)
    matches = np.full(len(pictures), -1)
    for down, right in _SHIFTS:
        missing = np.flatnonzero(matches < 0)
        step = max(_BLOCK_SIZE // len(others), 1)
        for start in range(0, len(missing), step):
            rows = missing[start : start + step]
            shifted = _downscale(_shift(pictures[rows], down, right))
            distances = squared_norms - 2 * (shifted @ reduced.T)
            if skip is not None:
                distances[np.arange(len(rows)), skip[rows]] = np.inf
            count = min(_CANDIDATES, distances.shape[1])
            nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
            for candidate in nearest.T:
                are_copies = _are_copies(pictures[rows], others[candidate], down, right)
                if skip is not None:
                    are_copies &= candidate != skip[rows]
                matches[rows] = np.where(are_copies & (matches[rows] < 0), candidate, matches[rows])
    return matches


def _shift(pictures: np.ndarray, down: int, right: int) -> np.ndarray:
    return np.roll(pictures, (down, right), axis=(1, 2))


def _downscale(pictures: np.ndarray) -> np.ndarray:
    """Reduce pictures to the means of blocks of pixels, `(samples, numbers)`."""
    _, height, width, channels = pictures.shape
    block_height, block_width = max(height // _SIDE, 1), max(width // _SIDE, 1)
    rows, columns = height // block_height, width // block_width
    reduced = np.empty((len(pictures), rows * columns * channels), "float32")
    for start in range(0, len(pictures), _BATCH_SIZE):
        batch = pictures[
            start : start + _BATCH_SIZE, : rows * block_height, : columns * block_width
        ]
        blocks = batch.reshape(len(batch), rows, block_height, columns, block_width, channels)
        means = blocks.mean(axis=(2, 4), dtype="float32")
        reduced[start : start + _BATCH_SIZE] = means.reshape(len(batch), -1)
    return reduced


def _are_copies(first: np.ndarray, second: np.ndarray, down: int, right: int) -> np.ndarray:
    """Whether pictures are the same after a shift of the first; its edge is not compared."""
    inside = (
        slice(None),
        slice(max(down, 0), first.shape[1] + min(down, 0)),
        slice(max(right, 0), first.shape[2] + min(right, 0)),
    )
    a = _shift(first, down, right)[inside].astype("float32")
    b = second[inside].astype("float32")
    differences = ((a - b) ** 2).reshape(len(a), -1).sum(axis=1)
    contrast = a.reshape(len(a), -1).var(axis=1) * a[0].size if len(a) else np.zeros(0)
    are_copies: np.ndarray = (contrast > 0) & (differences < _MAX_DIFFERENCE * contrast)
    return are_copies
