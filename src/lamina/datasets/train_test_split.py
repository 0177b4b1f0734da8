"""Shuffles and splits samples as Keras does, so that the test samples are the same."""

import numpy as np


def shuffle_together(generator: np.random.RandomState, *arrays: np.ndarray) -> list[np.ndarray]:
    """Shuffle arrays of equal length in the same order."""
    order = np.arange(len(arrays[0]))
    generator.shuffle(order)
    return [array[order] for array in arrays]


def train_and_test(
    x: np.ndarray, y: np.ndarray, test_split: float
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Split off the last fraction of the samples as the test set.

    Raises:
        ValueError: If the fraction is not from 0 to below 1.
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split is a fraction from 0 to below 1; received {test_split!r}.")
    end = int(len(x) * (1 - test_split))
    return (x[:end], y[:end]), (x[end:], y[end:])
