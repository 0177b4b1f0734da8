"""Pictures that are nearly the same: with a little noise, or moved by one pixel."""

import numpy as np

# Two pictures are copies if this share of the contrast of one is left when the other is taken away.
_ALIKE = 0.01
# Pictures are compared by this many averaged pixels on a side first.
_SIDE = 7
_CANDIDATES = 3
# Numbers in a block of distances, to bound the memory.
_BLOCK = 20_000_000
# Pictures that are averaged at a time.
_SOME = 1000
_SHIFTS = tuple((down, right) for down in (0, -1, 1) for right in (0, -1, 1))


def near_copies(
    pictures: np.ndarray, others: np.ndarray, skip: np.ndarray | None = None
) -> np.ndarray:
    """Which pictures have a near copy among others.

    Each picture is moved by up to one pixel and averaged to few pixels, which finds the nearest
    others. All pixels of these decide. Pictures that were compressed or resized are not found here,
    but by `copies_of_pictures` when data are loaded.

    Args:
        pictures: `(samples, height, width, channels)`.
        others: `(samples, height, width, channels)`.
        skip: For each picture its own index in `others`, which does not count; None for no such.

    Returns:
        For each picture the index of a copy in `others`, or -1: `(samples,)`.

    Example:
        >>> noise = np.random.default_rng(0)
        >>> others = noise.random((5, 12, 12, 1))
        >>> near_copies(np.roll(others[[3]], 1, axis=1), others).tolist()
        [3]
    """
    small = _averaged(others)
    lengths = (small**2).sum(axis=1)
    matches = np.full(len(pictures), -1)
    for down, right in _SHIFTS:
        missing = np.flatnonzero(matches < 0)
        step = max(_BLOCK // len(others), 1)
        for start in range(0, len(missing), step):
            rows = missing[start : start + step]
            moved = _averaged(_moved(pictures[rows], down, right))
            distances = lengths - 2 * (moved @ small.T)
            if skip is not None:
                distances[np.arange(len(rows)), skip[rows]] = np.inf
            count = min(_CANDIDATES, distances.shape[1])
            nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
            for candidate in nearest.T:
                alike = _alike(pictures[rows], others[candidate], down, right)
                if skip is not None:
                    alike &= candidate != skip[rows]
                matches[rows] = np.where(alike & (matches[rows] < 0), candidate, matches[rows])
    return matches


def _moved(pictures: np.ndarray, down: int, right: int) -> np.ndarray:
    return np.roll(pictures, (down, right), axis=(1, 2))


def _averaged(pictures: np.ndarray) -> np.ndarray:
    """Pictures of few pixels, as rows: means of blocks of equal size."""
    _, height, width, channels = pictures.shape
    tall, wide = max(height // _SIDE, 1), max(width // _SIDE, 1)
    rows, columns = height // tall, width // wide
    small = np.empty((len(pictures), rows * columns * channels), "float32")
    for start in range(0, len(pictures), _SOME):
        part = pictures[start : start + _SOME, : rows * tall, : columns * wide]
        blocks = part.reshape(len(part), rows, tall, columns, wide, channels)
        small[start : start + _SOME] = blocks.mean(axis=(2, 4), dtype="float32").reshape(
            len(part), -1
        )
    return small


def _alike(first: np.ndarray, second: np.ndarray, down: int, right: int) -> np.ndarray:
    """Whether pictures are the same, if the first is moved; its edge is left out."""
    inside = (
        slice(None),
        slice(max(down, 0), first.shape[1] + min(down, 0)),
        slice(max(right, 0), first.shape[2] + min(right, 0)),
    )
    a = _moved(first, down, right)[inside].astype("float32")
    b = second[inside].astype("float32")
    left = ((a - b) ** 2).reshape(len(a), -1).sum(axis=1)
    contrast = a.reshape(len(a), -1).var(axis=1) * a[0].size if len(a) else np.zeros(0)
    alike: np.ndarray = (contrast > 0) & (left < _ALIKE * contrast)
    return alike
