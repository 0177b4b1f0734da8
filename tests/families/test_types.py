"""Operations over all types and open axes: results have the types and shapes that Keras gives."""

import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina

TYPES = ("bool", "uint8", "int16", "int32", "float16", "bfloat16", "float32")
MATRIX, VECTOR, LOW = (3, 3), (3,), (2, 3)

# Functions of two arrays, and their shapes.
PAIRS = {
    "arctan2": (LOW, LOW),
    "logaddexp": (LOW, LOW),
    "logaddexp2": (LOW, LOW),
    "correlate": (VECTOR, VECTOR),
    "average": (LOW, LOW),
    "cdist": (LOW, LOW),
    "solve_triangular": (MATRIX, VECTOR),
    "lstsq": (MATRIX, VECTOR),
    "add": (LOW, VECTOR),
    "divide": (LOW, VECTOR),
    "divide_no_nan": (LOW, LOW),
    "maximum": (LOW, VECTOR),
    "hypot": (LOW, LOW),
    "matmul": (LOW, MATRIX),
    "outer": (VECTOR, VECTOR),
    "cross": (LOW, LOW),
    "power": (LOW, LOW),
    "isclose": (LOW, LOW),
}
# The weights of an average are its third argument.
KEYWORDS = {"average": "weights"}


def called(K, name, first, second):
    function = getattr(K.ops, name)
    if name in KEYWORDS:
        return function(first, **{KEYWORDS[name]: second})
    return function(first, second)


def result_type(K, name, types):
    specs = [jax.ShapeDtypeStruct(s, t) for s, t in zip(PAIRS[name], types, strict=True)]
    return jax.eval_shape(lambda a, b: called(K, name, a, b), *specs).dtype.name


@pytest.mark.parametrize("name", PAIRS)
def test_results_of_mixed_types_are_those_of_keras(name):
    for types in itertools.product(TYPES, TYPES):
        try:
            wanted = result_type(keras, name, types)
        except (TypeError, ValueError):
            continue  # Keras has no result for these types
        assert result_type(lamina, name, types) == wanted, types


def KT(K, shape, dtype="float32"):
    return K.KerasTensor(shape, dtype=dtype)


TABLE = np.ones((1, 7, 4), "float32")
# What is described without being computed: open axes, and places declared as floats.
SYMBOLIC = {
    "table on an open length": lambda K: KT(K, (None, None, 4)) + TABLE,
    "table as an operation": lambda K: KT(K, (None, None, 4)) * K.ops.ones((1, 7, 4)),
    "rows and columns": lambda K: K.ops.add(KT(K, (None, 3)), KT(K, (2, None))),
    "fewer axes": lambda K: KT(K, (None, 4)) + TABLE,
    "two open": lambda K: K.ops.maximum(KT(K, (None, 3)), KT(K, (None, 1, None))),
    "where": lambda K: K.ops.where(KT(K, (None, None, 4), "bool"), KT(K, (None, 1, 4)), TABLE),
    "types of a sum": lambda K: K.ops.add(KT(K, (None, 3), "int32"), KT(K, (2, 3), "bfloat16")),
    "broadcast_to": lambda K: K.ops.broadcast_to(KT(K, (None, 3)), (2, 4, 3)),
    "take": lambda K: K.ops.take(KT(K, (None, 3)), KT(K, (2,)), axis=1),
    "take_along_axis": lambda K: K.ops.take_along_axis(KT(K, (3, 4)), KT(K, (3, 1)), axis=1),
    "in_top_k": lambda K: K.ops.in_top_k(KT(K, (None,)), KT(K, (None, 10)), 2),
    "scatter": lambda K: K.ops.scatter(KT(K, (5, 2)), KT(K, (5,)), (4, 4)),
    "scatter_update": lambda K: K.ops.scatter_update(
        KT(K, (4, None)), KT(K, (5, 2)), KT(K, (5,))
    ),
    "slice_update": lambda K: K.ops.slice_update(KT(K, (4, None)), KT(K, (2,)), KT(K, (2, 2))),
    "switch": lambda K: K.ops.switch(KT(K, ()), [lambda x: x, lambda x: -x], KT(K, (None, 2))),
    "bitwise_and": lambda K: K.ops.bitwise_and(KT(K, (None, 3)), KT(K, (None, 3))),
    "left_shift": lambda K: K.ops.left_shift(KT(K, (3,), "int32"), KT(K, (3,))),
    "bitwise_not": lambda K: K.ops.bitwise_not(KT(K, (3,))),
    "gcd": lambda K: K.ops.gcd(KT(K, (None, 3)), KT(K, (None, 3))),
    "while_loop": lambda K: K.ops.while_loop(lambda x: x < 10, lambda x: x + 1, KT(K, (None,))),
    "slice to the end": lambda K: K.ops.slice(
        KT(K, (3, 3)), KT(K, (2,), "int32"), (-1, -1)
    ),
    "slice from 1": lambda K: K.ops.slice(KT(K, (None, 3)), (1, 1), (-1, -1)),
    "nancumsum": lambda K: K.ops.nancumsum(KT(K, (None, 4)), axis=(1,)),
    "reshape to a tensor": lambda K: K.ops.reshape(KT(K, (4, 3)), KT(K, (2,), "int32")),
    "reshape to a size": lambda K: K.ops.reshape(KT(K, (None, 3)), (-1, KT(K, (), "int32"))),
    "reshape to None": lambda K: K.ops.reshape(KT(K, (None, 4)), (None, 2, 2)),
    "solve, vectors": lambda K: K.ops.solve(KT(K, (None, 3, 3)), KT(K, (None, 3))),
    "solve, a vector": lambda K: K.ops.solve(KT(K, (3, 3)), KT(K, (3,))),
    "clip": lambda K: K.ops.clip(KT(K, (None, 3)), KT(K, (3,)), KT(K, (3,))),
    "trapezoid": lambda K: K.ops.trapezoid(KT(K, (None, 3)), KT(K, (3,))),
    "scale_and_translate": lambda K: K.ops.image.scale_and_translate(
        KT(K, (None, 8, 8, 3)), (None, 16, 16, 3), KT(K, (2,)), KT(K, (2,)),
        spatial_dims=(1, 2), method="linear",
    ),
}  # fmt: skip


@pytest.mark.parametrize("describe", SYMBOLIC.values(), ids=SYMBOLIC)
def test_symbolic_results_with_open_axes_are_those_of_keras(describe):
    found, wanted = jax.tree.leaves(describe(lamina)), jax.tree.leaves(describe(keras))
    assert [(t.shape, t.dtype) for t in found] == [(t.shape, t.dtype) for t in wanted]


def test_a_table_added_to_an_open_length_trains_on_that_length():
    x = lamina.Input((None, 4))
    inner = lamina.Model(x, x + lamina.ops.ones((1, 7, 4)))
    model = lamina.Model(x, lamina.layers.Dense(2)(inner(x)))
    model.compile("sgd", "mse")
    assert model.output_shape == (None, 7, 2)
    model.fit(np.ones((2, 7, 4)), np.ones((2, 7, 2)), verbose=0)
    assert inner(np.ones((2, 7, 4))).tolist() == np.full((2, 7, 4), 2.0).tolist()


def test_open_sizes_given_to_reshape_are_worked_out_when_it_runs():
    x = lamina.Input((None, 4))
    rows, steps, _ = lamina.ops.shape(x)
    model = lamina.Model(x, lamina.ops.reshape(x, (rows, steps, 2, 2)))
    assert model(np.ones((3, 5, 4))).shape == (3, 5, 2, 2)
    flat = lamina.Model(x, lamina.ops.reshape(x, (rows, -1)))
    assert flat(np.ones((3, 5, 4))).shape == (3, 20)


def test_a_computed_limit_is_part_of_the_model():
    x, limit = lamina.Input((3,)), lamina.Input((1,))
    model = lamina.Model([x, limit], lamina.ops.clip(x, 0.0, limit))
    assert model([np.full((2, 3), 5.0), np.ones((2, 1))]).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("name", ["bitwise_and", "left_shift", "gcd"])
def test_bits_of_floats_are_refused_when_they_are_to_be_computed(name):
    with pytest.raises(TypeError, match=rf"{name} takes integers; received float32"):
        getattr(lamina.ops, name)(np.ones(2, "float32"), np.ones(2, "float32"))


SMALLEST = {"float32": 1.401298464324817e-45, "float16": 6e-8, "bfloat16": 9.2e-41}


@pytest.mark.parametrize("dtype", SMALLEST)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_extremes_among_the_smallest_numbers_are_those_of_numpy(name, dtype):
    tiny = SMALLEST[dtype]
    numbers = [0.0, -0.0, tiny, -tiny, 1.0, -1.0, np.nan, np.inf]
    rows = np.array(list(itertools.permutations(numbers, 3))).astype(jnp.dtype(dtype))
    found = getattr(lamina.ops, name)(rows, axis=1)
    expected = getattr(np, name)(rows.astype("float64"), axis=1)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == "int32"


def test_moments_beyond_float16_are_its_largest_number():
    mean, variance = lamina.ops.moments(np.array([0, 60000, 0, 60000], "float16"), axes=0)
    assert (float(mean), float(variance), variance.dtype) == (30000, 65504, "float16")


@pytest.mark.parametrize("layer", ["Attention", "AdditiveAttention"])
def test_scores_of_attention_are_those_after_dropout(layer):
    attention = getattr(lamina.layers, layer)(dropout=0.5, seed=1)
    x = np.ones((1, 8, 4), "float32")
    y, scores = attention([x, x], return_attention_scores=True, training=True)
    assert set(np.unique(scores)) == {0.0, 0.25}
    np.testing.assert_allclose(y, scores @ x, rtol=1e-6)


def test_a_registered_function_of_rows_comes_back_from_a_config():
    @lamina.saving.register_keras_serializable("test_types")
    def doubled(row):
        return row + row

    x = lamina.Input((3,))
    model = lamina.Model(x, lamina.ops.vectorized_map(doubled, x))
    again = lamina.Model.from_config(model.get_config())
    assert again(np.ones((2, 3))).tolist() == [[2.0] * 3] * 2


@pytest.mark.parametrize("name", ["dot", "inner", "matmul"])
def test_products_over_an_open_axis_keep_the_open_one(name):
    shapes = ((None, 3), (3, 5)) if name != "inner" else ((None, 3), (5, 3))
    found, wanted = (
        getattr(K.ops, name)(*(KT(K, shape) for shape in shapes)) for K in (lamina, keras)
    )
    assert found.shape == wanted.shape == (None, 5)
