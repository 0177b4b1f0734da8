"""Small data and small models that the tests of training share."""

import pytest

import lamina
from small_models import classifier


@pytest.fixture
def blobs(rng):
    """Three clouds of points: 100 samples of 4 numbers, and their class."""
    y = rng.integers(0, 3, 100)
    x = (rng.normal(size=(100, 4)) + 2 * y[:, None]).astype("float32")
    return x, y


@pytest.fixture
def pair():
    """The same compiled classifier twice, in Lamina and in Keras, with the same weights."""
    keras = pytest.importorskip("keras")

    def make(**arguments):
        theirs = classifier(keras, **arguments)
        ours = classifier(lamina, **arguments)
        ours.set_weights(theirs.get_weights())
        return ours, theirs

    return make
