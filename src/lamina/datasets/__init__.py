"""Named data sets: `mnist`, `cifar10`, `imdb` …, each with a `load_data()`."""

from lamina.core.messages.errors import explain_missing_names
from lamina.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)
from lamina.datasets.locate import DatasetUnavailableError
from lamina.datasets.named import NAMES, Dataset, load

__all__ = [
    "Dataset",
    "DatasetUnavailableError",
    "NAMES",
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "load",
    "mnist",
    "reuters",
]

explain_missing_names(__name__)
