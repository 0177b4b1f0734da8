"""California housing: 20,640 districts of the census of 1990, and their house prices."""

import os

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import locate, published
from lamina.datasets.train_test_split import shuffle_together, train_and_test

SOURCE = published.single_file_source(
    "california_housing",
    "California housing",
    "california_housing.npz",
    "sha256:1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
)
_SMALL_SIZE = 600


@filter_traceback
def load_data(
    version: str = "large",
    path: str | os.PathLike = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Districts of California and the median value of their houses.

    Args:
        version: `"large"`, or `"small"` for the first 600 districts.
        path: The file's name in `$LAMINA_DATASETS` and the caches, or the path of one file.
        test_split: Fraction of the districts, from 0 to below 1, for testing.
        seed: Seed of the shuffling.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 8 columns, `(districts, 8)`, and values in
        dollars, `(districts,)`.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If an argument is out of range, or a named file has other contents.

    Source: Pace and Barry, 1997, "Sparse Spatial Autoregressions", Statistics and Probability
    Letters 33.
    """
    if version not in ("small", "large"):
        raise ValueError(f"version must be 'small' or 'large'; received {version!r}.")
    arrays = locate.load(SOURCE, path)
    end = _SMALL_SIZE if version == "small" else None
    x, y = shuffle_together(np.random.RandomState(seed), arrays["x"][:end], arrays["y"][:end])
    return train_and_test(x, y, test_split)
