"""Pooling: both lowerings agree with Keras, in value and in gradient."""

import functools
import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina.ops import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from lamina.ops.lowering import choose, lowering_for, pooling

# input without batch and channels, window, strides, padding
CASES = [
    ((7, 5), 2, None, "valid"),
    ((7, 5), 2, None, "same"),
    ((7, 7), 3, 2, "same"),
    ((7, 7), (3, 2), (1, 2), "valid"),
    ((5, 5), 1, 2, "valid"),
    ((7,), 3, 1, "same"),
    ((4, 5, 4), 2, 1, "valid"),
]
FUNCTIONS = {"max": (max_pool, keras.ops.max_pool), "mean": (average_pool, keras.ops.average_pool)}


# Slices, and the library's windows.
@pytest.mark.parametrize("platform", ["cpu", "portable"])
@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize(
    ("case", "data_format"),
    [*itertools.product(CASES, ["channels_last"]), (CASES[2], "channels_first")],
)
def test_value_and_gradient_equal_keras(kind, platform, case, data_format, rng):
    spatial, window, strides, padding = case
    shape = (2, *spatial, 3) if data_format == "channels_last" else (2, 3, *spatial)
    # Few different values, so that windows hold equal ones and the gradient has to choose.
    x = jnp.asarray(rng.integers(0, 3, size=shape), "float32")
    ours, theirs = FUNCTIONS[kind]
    settings = (window, strides or window, padding, data_format)
    shape = jax.eval_shape(lambda x: ours(x, *settings), x).shape
    weights = jnp.asarray(rng.normal(size=shape), "float32")

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradient(function, x):
        y, back = jax.vjp(lambda x: function(x, *settings), x)
        return y, back(weights)[0]

    with lowering_for(platform):
        y, gradient = value_and_gradient(ours, x)
    expected, expected_gradient = value_and_gradient(theirs, x)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5)


def test_without_strides_windows_do_not_overlap(rng):
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_array_equal(max_pool(x, (2, 3)), max_pool(x, (2, 3), (2, 3)))


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("function", [max_pool, average_pool])
def test_nan_stays_visible(function, position):
    x = np.ones((1, 4, 1), "float32")
    x[0, position] = np.nan
    assert np.isnan(jax.jit(function, static_argnums=1)(x, 4)).all()


def test_whole_numbers_keep_their_type_when_the_largest_is_taken():
    x = jnp.arange(-4, 0).reshape(1, 4, 1)
    assert max_pool(x, 3, 1, "same")[0, :, 0].tolist() == [-3, -2, -1, -1]
    assert average_pool(x, 2)[0, :, 0].tolist() == [-3.5, -1.5]


def test_large_windows_use_the_library():
    x = jnp.ones((1, 9, 9, 1))
    with lowering_for("cpu"):
        rows = [choose(o, x, (1, 2), (9, 9), (9, 9), []) for o in ("max_pool", "sum_pool")]
    assert [row.function for row in rows] == [pooling.max_pool, pooling.sum_pool]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: max_pool(x[0, 0], 2), "at least 3 axes"),
        (lambda x: max_pool(x, 9), r"windows of size \(9, 9\) do not fit"),
        (lambda x: max_pool(x, 0), "pool_size must be"),
        (lambda x: average_pool(x, 2, padding="causal"), "received 'causal'"),
    ],
)
def test_impossible_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.zeros((2, 5, 5, 3)))


ADAPTIVE = {
    "max": (adaptive_max_pool, keras.ops.adaptive_max_pool),
    "mean": (adaptive_average_pool, keras.ops.adaptive_average_pool),
}


@pytest.mark.parametrize("kind", ADAPTIVE)
@pytest.mark.parametrize(
    ("shape", "output_size", "data_format"),
    [
        ((2, 7, 3), 3, "channels_last"),
        ((2, 3, 6), 4, "channels_first"),
        ((2, 5, 6, 3), (3, 2), "channels_last"),
        ((2, 3, 4, 2), (5, 1), "channels_last"),
        ((1, 4, 3, 5, 2), (2, 3, 2), "channels_last"),
    ],
)
def test_adaptive_value_and_gradient_equal_keras(kind, shape, output_size, data_format, rng):
    x = jnp.asarray(rng.normal(size=shape), "float32")
    ours, theirs = ADAPTIVE[kind]
    weights = jnp.asarray(rng.normal(size=shape), "float32")

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradient(function, x):
        y, back = jax.vjp(lambda x: function(x, output_size, data_format), x)
        return y, back(jnp.resize(weights, y.shape))[0]

    y, gradient = value_and_gradient(ours, x)
    expected, expected_gradient = value_and_gradient(theirs, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5)


def test_adaptive_pooling_of_whole_numbers():
    x = jnp.arange(5).reshape(1, 5, 1)
    assert adaptive_max_pool(x, 2)[0, :, 0].tolist() == [2, 4]
    assert adaptive_average_pool(x, 2)[0, :, 0].tolist() == [1.0, 3.0]


def test_adaptive_pooling_to_nothing_is_refused():
    with pytest.raises(ValueError, match="output_size must be .* 1 or more; received 0"):
        adaptive_max_pool(jnp.ones((1, 5, 1)), 0)
