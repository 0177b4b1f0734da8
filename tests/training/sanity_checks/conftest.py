"""What every trial has to leave as it is."""

import jax
import numpy as np
import pytest

import lamina
from small_models import classifier


def state_of(model):
    """Everything that training changes in a model, as NumPy arrays and plain values."""
    variables = model._learner.variables()
    arrays = [np.array(variable.numpy()) for variable in jax.tree.leaves(variables)]
    return arrays, model.history, model.input_contract, model.stop_training


def same_state(one, other):
    pairs = zip(one[0], other[0], strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in pairs) and one[1:] == other[1:]


@pytest.fixture
def blobs():
    """Three clouds of points: 96 samples of 4 numbers, and their class, sorted by class."""
    rng = np.random.default_rng(7)
    y = np.repeat(np.arange(3), 32)
    x = (rng.normal(size=(96, 4)) + 2 * y[:, None]).astype("float32")
    return x, y


@pytest.fixture
def trained(blobs):
    """A classifier with dropout after one epoch, so that its slots and counters are not zero."""
    model = classifier(dropout=0.1, optimizer=lamina.optimizers.Adam(0.003))
    model.fit(*blobs, verbose=0)
    return model
