"""Normalisation, one-hot and look-up: Keras's numbers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina import ops
from lamina.ops.encoding import embedding_lookup


def test_public_names_are_sorted_and_there():
    assert ops.__all__ == sorted(ops.__all__)
    assert all(hasattr(ops, name) for name in ops.__all__)
    assert all(hasattr(keras.ops, name) for name in ops.__all__)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("keepdims", [True, False])
def test_moments_equal_keras(dtype, keepdims, rng):
    x = jnp.asarray(rng.normal(size=(4, 5)), dtype)
    for ours, theirs in zip(
        ops.moments(x, [0], keepdims), keras.ops.moments(x, [0], keepdims), strict=True
    ):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours.astype("float32"), theirs.astype("float32"), rtol=1e-5)


@pytest.mark.parametrize(("axis", "size"), [(-1, 5), (1, 3)])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_normalization_equals_keras(axis, size, affine, rng):
    x = rng.normal(size=(4, 3, 5)).astype("float32")
    vectors = rng.random(size=(4, size)).astype("float32")
    mean, variance, offset, scale = vectors if affine else (*vectors[:2], None, None)
    ours = ops.batch_normalization(x, mean, variance, axis, offset, scale)
    theirs = keras.ops.batch_normalization(x, mean, variance, axis, offset, scale)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5,)), ((1, 2), (3, 5)), (1, (3,))])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layer_normalization_equals_keras(axis, shape, dtype, rng):
    x = jnp.asarray(rng.normal(size=(4, 3, 5)), dtype)
    gamma, beta = rng.normal(size=(2, *shape)).astype("float32")
    keras_axis = axis if isinstance(axis, int) else list(axis)
    ours = ops.layer_normalization(x, gamma, beta, axis)
    theirs = keras.ops.layer_normalization(x, gamma, beta, keras_axis)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours.astype("float32"), theirs.astype("float32"), atol=2e-5)


def test_rms_normalization_equals_keras(rng):
    x, scale = rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=3).astype("float32")
    theirs = keras.ops.rms_normalization(x, scale)
    np.testing.assert_allclose(ops.rms_normalization(x, scale), theirs, rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_normalize_equals_keras(order, rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    x[1] = 0
    np.testing.assert_allclose(
        ops.normalize(x, order=order), keras.ops.normalize(x, order=order), rtol=1e-5
    )


@given(st.lists(st.integers(-2, 5), min_size=1, max_size=6), st.sampled_from([-1, 0, 1]))
def test_one_hot_equals_keras(labels, axis):
    ours = ops.one_hot(np.array(labels), 4, axis=axis)
    np.testing.assert_array_equal(ours, keras.ops.one_hot(np.array(labels), 4, axis=axis))


def test_multi_hot_equals_keras():
    labels = np.array([[0, 2, 2], [1, 3, 0]])
    np.testing.assert_array_equal(ops.multi_hot(labels, 5), keras.ops.multi_hot(labels, 5))


def test_an_index_outside_the_table_is_nan_and_not_another_row():
    assert bool(jnp.isnan(embedding_lookup(jnp.ones((2, 3)), jnp.array([5]))).all())


def test_an_impossible_order_is_refused():
    with pytest.raises(ValueError, match=r"order of 1, 2, …; received 0"):
        ops.normalize(np.ones(3), order=0)


def _normalized_with_float64(x, gamma, beta, epsilon):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def test_layer_normalization_and_its_gradient_are_those_of_the_formula(rng):
    x, gamma, beta = rng.normal(2, 3, (2, 3, 5)), rng.normal(size=5), rng.normal(size=5)
    weights = rng.normal(size=x.shape)

    def loss(*arguments):
        return jnp.sum(ops.layer_normalization(*arguments, epsilon=1e-3) * weights)

    arguments = [jnp.asarray(a, "float32") for a in (x, gamma, beta)]
    expected = _normalized_with_float64(x, gamma, beta, 1e-3)
    found = ops.layer_normalization(*arguments, epsilon=1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    for number, gradient in enumerate(jax.jit(jax.grad(loss, (0, 1, 2)))(*arguments)):
        step = rng.normal(size=gradient.shape)
        sides = []
        for sign in (1, -1):
            moved = [a + sign * 1e-6 * step * (n == number) for n, a in enumerate((x, gamma, beta))]
            sides.append(np.sum(_normalized_with_float64(*moved, 1e-3) * weights))
        np.testing.assert_allclose(
            np.sum(gradient * step), (sides[0] - sides[1]) / 2e-6, rtol=1e-3, atol=1e-3
        )


def test_layer_normalization_can_be_differentiated_forwards_twice_and_over_a_batch(rng):
    x = jnp.asarray(rng.normal(size=(2, 3)), "float32")

    def plain(x):  # of JAX's own steps, none of which has a rule of ours
        centered = x - jnp.mean(x, -1, keepdims=True)
        return centered / jnp.sqrt(jnp.mean(centered**2, -1, keepdims=True) + 1e-3)

    def ours(x):
        return ops.layer_normalization(x, epsilon=1e-3)

    forwards = [jax.jit(jax.jacfwd(f))(x) for f in (ours, plain)]
    twice = [jax.jit(jax.hessian(lambda x, f=f: jnp.sum(f(x) ** 3)))(x) for f in (ours, plain)]
    rows = [jax.jit(jax.vmap(f))(x) for f in (ours, plain)]
    for found, expected in (forwards, twice, rows):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("axis", [0, (0, 1), (1, 2), (0, 2)])
def test_layer_normalization_takes_any_axes(axis, rng):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    found = ops.layer_normalization(x, axis=axis, epsilon=1e-3)
    expected = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-3)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_layer_normalization_of_nothing_is_nothing():
    assert ops.layer_normalization(jnp.zeros((0, 4))).shape == (0, 4)
