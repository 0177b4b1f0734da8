"""Cutting images into patches and putting them together again."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import ops

SETTINGS = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 1)},
    {"kernel_size": 2, "dilation": (1, 2), "padding": (1, 0)},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_unfold_equals_keras(settings, rng):
    x = rng.normal(size=(2, 3, 5, 6)).astype("float32")
    np.testing.assert_allclose(ops.unfold(x, **settings), keras.ops.unfold(x, **settings))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_fold_puts_every_value_back_as_often_as_windows_saw_it(settings, rng):
    x = rng.normal(size=(2, 3, 5, 6)).astype("float32")
    columns = ops.unfold(x, **settings)
    folded = ops.fold(columns, output_size=(5, 6), **settings)
    counts = ops.fold(ops.unfold(np.ones_like(x), **settings), output_size=(5, 6), **settings)
    np.testing.assert_allclose(folded, x * counts, rtol=1e-5)


def test_fold_equals_keras(rng):
    settings = {"output_size": (5, 7), "kernel_size": (3, 2), "stride": 2, "padding": (0, 1)}
    columns = rng.normal(size=(2, 18, 2 * 4)).astype("float32")
    expected = keras.ops.fold(columns, **settings)
    np.testing.assert_allclose(ops.fold(columns, **settings), expected, rtol=1e-5)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_space_and_depth_equal_keras_and_undo_each_other(data_format):
    shape = (2, 4, 6, 12) if data_format == "channels_last" else (2, 12, 4, 6)
    x = np.arange(np.prod(shape)).reshape(shape)
    for ours, theirs in (
        (ops.space_to_depth, keras.ops.space_to_depth),
        (ops.depth_to_space, keras.ops.depth_to_space),
    ):
        np.testing.assert_array_equal(ours(x, 2, data_format), theirs(x, 2, data_format))
    there = ops.space_to_depth(x, 2, data_format)
    np.testing.assert_array_equal(ops.depth_to_space(there, 2, data_format), x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.unfold(jnp.ones((3, 5, 5)), 2), r"\(batch, channels, height, width\)"),
        (lambda: ops.unfold(jnp.ones((1, 3, 5, 5)), 6), "does not fit into images"),
        (lambda: ops.fold(jnp.ones((1, 8, 5)), 4, 2), r"\(batch, channels \* 4, 9\)"),
        (lambda: ops.space_to_depth(jnp.ones((1, 3, 4, 1)), 2), "multiples of block_size=2"),
        (lambda: ops.depth_to_space(jnp.ones((1, 3, 4, 2)), 2), r"block_size\*\*2 = 4"),
        (lambda: ops.depth_to_space(jnp.ones((1, 3, 4, 4)), 1), "2 or more; received 1"),
    ],
)
def test_impossible_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
