"""Boston housing: 506 districts, known for a column that should not be learnt from.

One of its 13 columns, "B", is computed from the fraction of Black residents, on the assumption that
segregation raises prices; some other values are known to be wrong. scikit-learn removed the data
set for this reason. It is provided for old scripts; for other purposes use `california_housing`.
"""

import os

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import locate, published
from lamina.datasets.train_test_split import shuffle_together, train_and_test

SOURCE = published.single_file_source(
    "boston_housing",
    "Boston housing",
    "boston_housing.npz",
    "sha256:f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
)


@filter_traceback
def load_data(
    path: str | os.PathLike = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Districts of Boston in the 1970s and the median value of their houses.

    For old scripts only: one column is computed from the race of the residents; see the module's
    docstring. Use `california_housing` instead.

    Args:
        path: The file's name in `$LAMINA_DATASETS` and the caches, or the path of one file.
        test_split: Fraction of the districts, from 0 to below 1, for testing.
        seed: Seed of the shuffling.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 13 columns, `(districts, 13)`, and values in
        thousands of dollars, `(districts,)`.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If `test_split` is out of range, or a named file has other contents.

    Source: Harrison and Rubinfeld, 1978, "Hedonic housing prices and the demand for clean air",
    Journal of Environmental Economics and Management 5.
    """
    arrays = locate.load(SOURCE, path)
    x, y = shuffle_together(np.random.RandomState(seed), arrays["x"], arrays["y"])
    return train_and_test(x, y, test_split)
