"""Products of low-precision floats: summed in float32, and so are those of their gradients."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from lamina import layers
from lamina.ops.lowering import lowering_for, products
from lamina.ops.lowering.low_precision import add_bias, move

# Shapes of both operands; which axes are summed, which are those of a batch.
CASES = {
    "rows by columns": ((3, 4), (4, 5), (((1,), (0,)), ((), ()))),
    "gradient of a kernel": ((4, 3), (4, 5), (((0,), (0,)), ((), ()))),
    "both transposed": ((40, 3), (5, 40), (((0,), (1,)), ((), ()))),
    "a column": ((3, 4), (4, 1), (((1,), (0,)), ((), ()))),
    "heads in the middle": ((2, 3, 4, 5), (2, 6, 4, 5), (((3,), (3,)), ((0, 2), (0, 2)))),
    "a batch of one": ((1, 4, 3), (1, 4, 5), (((1,), (1,)), ((0,), (0,)))),
    "two axes summed": ((2, 3, 4, 5), (5, 4, 7), (((2, 3), (1, 0)), ((), ()))),
    "any order": ((3, 2, 4, 5), (5, 4, 7, 2), (((3, 2), (0, 1)), ((1,), (3,)))),
}


def low(*shape, dtype="bfloat16"):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape), dtype)


def both(name, dtype=None):
    """A case: its operands, our product of them, and that in float32."""
    *shapes, numbers = CASES[name]

    def ours(x, y):
        return products.dot_general(x, y, numbers, preferred_element_type=dtype)

    def exact(x, y):
        return lax.dot_general(x.astype("float32"), y.astype("float32"), numbers)

    return [low(*shape) for shape in shapes], ours, exact


def assert_close(found, expected, rounding=1e-2):
    assert found.shape == expected.shape
    found, expected = (np.asarray(a, "float32") for a in (found, expected))
    np.testing.assert_allclose(found, expected, rounding, rounding)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_products_and_gradients_are_those_of_float32_but_for_the_rounding(name, dtype):
    operands, ours, exact = both(name, dtype)
    assert ours(*operands).dtype == dtype
    assert_close(ours(*operands), exact(*operands), 1e-2 if dtype == "bfloat16" else 1e-5)
    cotangent = low(*exact(*operands).shape)

    def weighted(product):
        return lambda x, y: jnp.sum(product(x, y).astype("float32") * cotangent)

    gradients = [jax.grad(weighted(product), (0, 1))(*operands) for product in (ours, exact)]
    for one, other in zip(*gradients, strict=True):
        assert one.dtype == "bfloat16"
        assert_close(one, other)


def test_a_sum_of_many_small_terms_is_not_rounded_on_its_way():
    ones = jnp.ones((2, 1025), "bfloat16")
    product = products.matmul(ones, ones.T, jnp.float32)
    np.testing.assert_array_equal(product, np.full((2, 2), 1025, "float32"))


@pytest.mark.parametrize("axes", [(0, None), (None, 1), (1, 0)])
@pytest.mark.parametrize("name", ["both transposed", "any order"])
def test_batches_of_operands_work_as_well(name, axes):
    operands, ours, exact = both(name)
    batches = [
        x if axis is None else jnp.stack([x, 2 * x], axis)
        for x, axis in zip(operands, axes, strict=True)
    ]
    assert_close(jax.vmap(ours, axes)(*batches), jax.vmap(exact, axes)(*batches))


def test_forward_mode_and_second_derivatives_work_as_well():
    operands, ours, exact = both("rows by columns", "float32")
    tangents = [low(*x.shape) for x in operands]
    for one, other in zip(*(jax.jvp(f, operands, tangents) for f in (ours, exact)), strict=True):
        assert_close(one, other)

    def curvature(product):
        return jax.hessian(lambda x: jnp.sum(product(x, operands[1]) ** 2))(operands[0])

    assert_close(curvature(ours), curvature(exact), 3e-2)


@pytest.mark.parametrize("platform", ["gpu", "portable"])
def test_other_platforms_get_the_product_of_jax(platform):
    x = low(2, 3)
    with lowering_for(platform):
        text = str(jax.make_jaxpr(products.matmul)(x, x.T))
    assert "low_precision" not in text
    assert "dot_general" in text


def test_shapes_that_do_not_fit_are_refused_as_by_jax():
    with pytest.raises(TypeError, match="contracting"):
        products.matmul(low(2, 3), low(2, 3))


def test_a_bias_has_a_gradient_that_is_summed_in_float32():
    x, bias = jnp.ones((1025, 2), "bfloat16"), jnp.ones(2, "bfloat16")
    gradient = jax.grad(lambda b: add_bias(x, b).sum(dtype="float32"))(bias)
    np.testing.assert_array_equal(gradient, jnp.bfloat16(1025))


def test_values_that_are_moved_stay_what_they_are_and_their_gradients_add_up():
    x = low(4, 3)

    def doubled(x):
        return jnp.concatenate([x, jnp.flip(x, 0)])

    np.testing.assert_array_equal(move(doubled, x), doubled(x))
    np.testing.assert_array_equal(jax.grad(lambda x: move(doubled, x).sum())(x), 2)
    assert jax.jvp(lambda x: move(doubled, x), (x,), (x,))[1].dtype == "bfloat16"


def products_in(text):
    """Types of the operands and of the result of every product in StableHLO."""
    lines = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    return [tuple(re.findall(r"tensor<(?:\d+x)*(\w+)>", line)) for line in lines]


# Layers, with the shape of the inputs, and how many products a step of training has: one, and those
# for the gradients of both operands. The loops over time of a recurrent layer are written once.
LAYERS = {
    "dense": (partial(layers.Dense, 4), (8, 3), 3),
    "einsum": (partial(layers.EinsumDense, "abc,cd->abd", (None, 4)), (2, 4, 3), 3),
    "convolution": (partial(layers.Conv2D, 4, 3), (2, 6, 6, 3), 3),
    "transposed": (partial(layers.Conv2DTranspose, 4, 3), (2, 6, 6, 3), 3),
    "attention": (partial(layers.MultiHeadAttention, 2, 4), (2, 5, 8), 4 * 3 + 6),
    "lstm": (partial(layers.LSTM, 4), (2, 5, 3), 6),
    "gru": (partial(layers.GRU, 4), (2, 5, 3), 6),
    "simple": (partial(layers.SimpleRNN, 4), (2, 5, 3), 6),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_product_of_a_layer_and_its_gradient_takes_bfloat16_to_float32(name):
    make, shape, count = LAYERS[name]
    layer, x = make(dtype="mixed_bfloat16"), low(*shape, dtype="float32")
    inputs = (x, x) if name == "attention" else (x,)
    layer(*inputs)

    def loss(inputs, weights):
        outputs, _ = layer.stateless_call(weights, others, *inputs)
        return jnp.sum(outputs.astype("float32") ** 2)

    weights, others = (
        [v.value for v in variables]
        for variables in (layer.trainable_variables, layer.non_trainable_variables)
    )
    found = products_in(jax.jit(jax.grad(loss, (0, 1))).lower(inputs, weights).as_text())
    assert {types for types in found if "bf16" in types} == {("bf16", "bf16", "f32")}
    assert len([types for types in found if "bf16" in types]) >= count
