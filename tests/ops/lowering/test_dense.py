"""The product of a dense layer: transposed or not, its derivatives are those of `x @ kernel`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina.ops.lowering import dense


def outputs(x, kernel):
    return dense.by_transposing(x, kernel) ** 3


def plain_outputs(x, kernel):
    return jnp.matmul(x, kernel) ** 3


SHAPES = {"few rows": (4, 3), "three axes": (2, 3, 3), "many rows": (70, 3), "wider": (70, 2)}


@pytest.fixture(params=SHAPES)
def arrays(request, rng, monkeypatch):
    monkeypatch.setattr(dense, "_MIN_ROWS_OF_SEQUENCES", 65)
    shape = SHAPES[request.param]
    x = rng.normal(size=shape).astype("float32")
    return jnp.asarray(x), jnp.asarray(rng.normal(size=(shape[-1], 5 - shape[-1])), "float32")


def test_gradients_are_those_of_a_matrix_product(arrays):
    def gradients(function):
        return jax.jit(jax.grad(lambda *a: function(*a).sum(), argnums=(0, 1)))(*arrays)

    for ours, plain in zip(gradients(outputs), gradients(plain_outputs), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-5)


def test_forward_mode_works_as_well(arrays):
    ours, plain = (jax.jvp(f, arrays, arrays) for f in (outputs, plain_outputs))

    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_second_derivatives_and_batches_of_kernels_work_as_well(arrays):
    x, kernel = arrays
    kernels = jnp.stack([kernel, 2 * kernel])

    def curvature(function):
        second = jax.hessian(lambda kernel: function(x, kernel).sum())
        return jax.jit(jax.vmap(second))(kernels)

    np.testing.assert_allclose(curvature(outputs), curvature(plain_outputs), rtol=1e-4, atol=1e-4)
