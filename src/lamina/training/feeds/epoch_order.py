"""The order of the samples in an epoch.

The order depends only on the seed and the number of the epoch, so that it is the same in a resumed
run.
"""

from typing import Any

import numpy as np


def epoch_order(
    samples: int, batch_size: int, shuffle: Any, seed: int, epoch: int
) -> np.ndarray | None:
    """The row numbers of the samples in the order of an epoch; None if they are not shuffled."""
    if not shuffle:
        return None
    if shuffle == "batch":
        full_batches = samples // batch_size
        starts = permutation(full_batches, seed, epoch) * batch_size
        order = (starts[:, None] + np.arange(batch_size)).reshape(-1)
        return np.concatenate([order, np.arange(full_batches * batch_size, samples)]).astype(
            np.int32
        )
    return permutation(samples, seed, epoch)


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """A random permutation of `range(count)` that depends only on the seed and the epoch."""
    # A counter-based generator on the host gives the same result everywhere, without compilation.
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count).astype(np.int32)
