"""Named data sets: `mnist`, `fashion_mnist`, `digits`, each with a `load_data()`."""

from lamina.core.errors import explain_missing_names
from lamina.datasets import digits, fashion_mnist, mnist
from lamina.datasets.locate import DatasetUnavailableError
from lamina.datasets.named import NAMES, Dataset, load

__all__ = [
    "Dataset",
    "DatasetUnavailableError",
    "NAMES",
    "digits",
    "fashion_mnist",
    "load",
    "mnist",
]

explain_missing_names(__name__)
