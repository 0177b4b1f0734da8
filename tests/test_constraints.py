"""Constraints: Keras's projections and configs."""

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina import constraints

CASES = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.7, "rate": 0.4}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_projection_and_config_equal_keras(name, settings, rng):
    weights = rng.normal(size=(4, 3)).astype("float32")
    ours = getattr(constraints, name)(**settings)
    theirs = getattr(keras.constraints, name)(**settings)
    np.testing.assert_allclose(ours(weights), theirs(weights), rtol=1e-6)
    assert constraints.serialize(ours) == keras.constraints.serialize(theirs)
    again = constraints.deserialize(constraints.serialize(ours))
    assert again.get_config() == ours.get_config()


@given(st.floats(0.1, 5), st.integers(0, 100))
def test_max_norm_leaves_no_longer_vector(limit, seed):
    weights = np.random.default_rng(seed).normal(size=(4, 3)).astype("float32")
    norms = np.linalg.norm(constraints.MaxNorm(limit)(weights), axis=0)
    assert (norms <= limit * 1.001).all()


def test_names_are_understood():
    assert isinstance(constraints.get("non_neg"), constraints.NonNeg)
    assert isinstance(constraints.get("MaxNorm"), constraints.MaxNorm)
    with pytest.raises(ValueError, match="Did you mean 'unit_norm'"):
        constraints.get("unit_nrom")
