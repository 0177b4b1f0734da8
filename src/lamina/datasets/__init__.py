"""Named data sets: `mnist`, `cifar10`, `imdb` …, each with a `load_data()`."""

from lamina.core.messages.errors import suggest_similar_names
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
from lamina.datasets.named import DATASET_NAMES, Dataset, load

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "DatasetUnavailableError",
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

suggest_similar_names(__name__)
