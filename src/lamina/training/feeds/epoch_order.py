"""The order of the samples in an epoch.

It depends only on the seed and the epoch's number, so that a resumed run has the same order.
"""

from typing import Any

import numpy as np


def epoch_order(
    samples: int, batch_size: int, shuffle: Any, seed: int, epoch: int
) -> np.ndarray | None:
    """The order of the samples in an epoch: a function of the seed and the epoch's number."""
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
    # Counter-based, on the host: equal on every device and machine, and nothing is compiled.
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count).astype(np.int32)
