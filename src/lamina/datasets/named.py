"""Loads data sets by name, for the command line."""

from dataclasses import dataclass
from importlib import import_module

import numpy as np

from lamina.core.messages.errors import unknown_name
from lamina.core.messages.tracebacks import filter_traceback

DATASET_NAMES = ("digits", "fashion_mnist", "mnist")
_TITLES = {"digits": "Digits", "fashion_mnist": "Fashion-MNIST", "mnist": "MNIST"}


@dataclass(frozen=True)
class Dataset:
    """A named data set, with a training and a test part.

    Args:
        name: The name for `lamina.datasets.load`.
        title: Name for people.
        train: `(images, labels)` for training.
        test: `(images, labels)` for testing.
        class_names: Names of the labels 0, 1, ….
    """

    name: str
    title: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    class_names: tuple[str, ...]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height and width in pixels."""
        return tuple(self.train[0].shape[1:])

    @property
    def pixel_max(self) -> int:
        """The largest pixel value: 255, or 16 for `digits`."""
        return int(self.train[0].max())


@filter_traceback
def load(name: str) -> Dataset:
    """Load a data set by its name.

    Args:
        name: `"mnist"`, `"fashion_mnist"` or `"digits"`; `"Fashion-MNIST"` is accepted, too.

    Returns:
        A `Dataset`: its name, both parts and the names of the labels.

    Raises:
        ValueError: If the name is unknown.
        DatasetUnavailableError: If it is not found and cannot be downloaded.

    Example:
        >>> data = load("digits")
        >>> len(data.test[0]), data.image_shape
        (297, (8, 8))
    """
    key = str(name).lower().replace("-", "_")
    if key not in DATASET_NAMES:
        raise unknown_name("data set", name, DATASET_NAMES)
    module = import_module(f"lamina.datasets.{key}")
    train, test = module.load_data()
    return Dataset(key, _TITLES[key], train, test, module.CLASS_NAMES)
