"""Symbolic tensors: their shapes, their arithmetic, and what cannot be done with them."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import ops
from lamina.core.graph.keras_tensor import KerasTensor, is_symbolic
from lamina.core.serialization import registry

X = np.array([[0.5, -1.5, 2.0, 1.0], [3.0, 0.25, -2.0, 4.0]], "float32")

OPERATORS = {
    "add": lambda x: x + 2,
    "radd": lambda x: 2 + x,
    "sub": lambda x: x - x * 0.5,
    "rsub": lambda x: 1.5 - x,
    "mul": lambda x: x * 3,
    "truediv": lambda x: x / 4,
    "rtruediv": lambda x: 1 / x,
    "floordiv": lambda x: x // 2,
    "rfloordiv": lambda x: 7 // x,
    "mod": lambda x: x % 2,
    "rmod": lambda x: 5 % x,
    "pow": lambda x: abs(x) ** 2,
    "rpow": lambda x: 2**x,
    "matmul": lambda x: x @ np.ones((4, 3), "float32"),
    "neg": lambda x: -x,
    "abs": lambda x: abs(x),
    "round": lambda x: round(x, 1),
    "lt": lambda x: x < 1,
    "le": lambda x: x <= 1,
    "gt": lambda x: 1 > x,
    "ge": lambda x: x >= 1,
    "logic": lambda x: ((x > 0) & (x < 3)) | ~(x > 1) ^ (x < 2),
    "column": lambda x: x[:, 0],
    "slice": lambda x: x[:, 1:3],
    "ellipsis": lambda x: x[..., -1],
    "new axis": lambda x: x[:, None],
    "row": lambda x: x[0],
    "array": lambda x: x * np.array([1.0, 2.0, 3.0, 4.0], "float32"),
}


def model_of(K, function):
    x = K.Input((4,), name="x")
    return K.Model(x, function(x), name="model")


@pytest.mark.parametrize("function", OPERATORS.values(), ids=OPERATORS)
def test_operators_compute_and_are_written_as_in_keras(function):
    ours, theirs = model_of(lamina, function), model_of(keras, function)
    assert ours.output_shape == theirs.output_shape
    assert ours.outputs[0].dtype == theirs.outputs[0].dtype
    expected = np.asarray(theirs(X))
    np.testing.assert_allclose(ours(X), expected, rtol=1e-5)
    ours_saved = plain(registry.serialize(ours))
    theirs_saved = keras.saving.serialize_keras_object(theirs)
    theirs_saved.pop("compile_config", None)
    assert ours_saved == plain(theirs_saved)
    np.testing.assert_allclose(registry.deserialize(plain(theirs_saved))(X), expected, rtol=1e-5)
    np.testing.assert_allclose(registry.deserialize(ours_saved)(X), expected, rtol=1e-5)
    again = keras.saving.deserialize_keras_object(ours_saved)
    np.testing.assert_allclose(again(X), expected, rtol=1e-5)


def plain(config):
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    return [plain(item) for item in config] if isinstance(config, (list, tuple)) else config


IMAGE = np.random.default_rng(seed=1).normal(size=(2, 4, 4, 2)).astype("float32")
KERNEL = np.random.default_rng(seed=2).normal(size=(3, 3, 2, 3)).astype("float32")
FUNCTIONS = {
    "relu": lambda ops, x: ops.relu(x),
    "softmax": lambda ops, x: ops.softmax(x, axis=1),
    "leaky_relu": lambda ops, x: ops.leaky_relu(x, negative_slope=0.3),
    "gelu": lambda ops, x: ops.gelu(x, approximate=False),
    "elu": lambda ops, x: ops.elu(x, 0.5),
    "glu": lambda ops, x: ops.glu(x),
    "silu": lambda ops, x: ops.silu(ops.hard_swish(x)),
    "threshold": lambda ops, x: ops.threshold(x, 0.5, -1.0),
    "max_pool": lambda ops, x: ops.max_pool(x, 2, strides=1, padding="same"),
    "average_pool": lambda ops, x: ops.average_pool(x, 2, strides=2),
    "conv": lambda ops, x: ops.conv(x, KERNEL, padding="same", strides=2),
    "normalize": lambda ops, x: ops.normalize(x, axis=-1),
    "moments": lambda ops, x: ops.moments(x, axes=[1, 2])[0],
    "rms_normalization": lambda ops, x: ops.rms_normalization(x, np.ones(2, "float32")),
    "batch_normalization": lambda ops, x: ops.batch_normalization(
        x, np.zeros(2, "float32"), np.ones(2, "float32"), axis=-1, epsilon=0.1
    ),
    "layer_normalization": lambda ops, x: ops.layer_normalization(x, axis=-1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_symbolic_tensors_compute_as_in_keras_and_keras_reads_them(name):
    def made(K):
        x = K.Input((4, 4, 2))
        return K.Model(x, FUNCTIONS[name](K.ops, x))

    ours, theirs = made(lamina), made(keras)
    expected = np.asarray(FUNCTIONS[name](keras.ops, IMAGE))
    assert ours.output_shape == theirs.output_shape
    np.testing.assert_allclose(ours(IMAGE), expected, atol=1e-5)
    saved = registry.serialize(ours)
    np.testing.assert_allclose(registry.deserialize(saved)(IMAGE), expected, atol=1e-5)
    read = keras.saving.deserialize_keras_object(saved)
    np.testing.assert_allclose(read(IMAGE), expected, atol=1e-5)
    saved = plain(keras.saving.serialize_keras_object(theirs))
    np.testing.assert_allclose(registry.deserialize(saved)(IMAGE), expected, atol=1e-5)


def test_a_function_keeps_its_name_and_docstring_and_arrays_never_meet_the_graph():
    assert lamina.ops.softmax.__name__ == "softmax"
    assert ">>> softmax(" in lamina.ops.softmax.__doc__
    assert lamina.ops.relu(np.array([-1.0, 2.0])).tolist() == [0, 2]


def test_an_unknown_setting_of_an_operation_is_refused_unless_it_is_at_rest():
    operation = type(
        lamina.Model(x := lamina.Input((2,)), lamina.ops.softmax(x))._graph.nodes[0].operation
    )
    assert operation.from_config({"axis": 1, "name": "s", "sparse": False}).settings == {"axis": 1}
    with pytest.raises(TypeError, match="Softmax has no argument 'axes'. Did you mean 'axis'"):
        operation.from_config({"axes": 1})


def test_numpy_arrays_and_numbers_may_stand_on_the_left():
    x = lamina.Input((4,))
    for y in (np.ones(4, "float32") * x, np.float32(2) + x, np.ones((3, 4)) @ x[0]):
        assert isinstance(y, KerasTensor)
    assert (np.ones((5, 1, 4)) * x).shape == (5, None, 4)


def test_a_variable_in_a_graph_is_refused_as_it_would_not_train():
    x = lamina.Input((2,))
    v = lamina.Variable([1.0, 2.0], name="scale")
    for compute in (
        lambda: x * v,
        lambda: v * x,
        lambda: lamina.ops.batch_normalization(x, v, v, -1),
    ):
        with pytest.raises(TypeError, match="received the Variable 'scale' and a symbolic tensor"):
            compute()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (np.exp, "a NumPy function was applied"),
        (np.asarray, "a NumPy function was applied"),
        (lambda x: jnp.concatenate([x, x]), "a jax.numpy function was applied"),
        (lambda x: jnp.ones(4) * x, "a jax.numpy function was applied"),
        (bool, "neither true nor false"),
        (list, "cannot be iterated over"),
        (len, "no known length"),
        (float, "not a number"),
        (int, "not a number"),
    ],
)
def test_what_needs_values_is_refused(use, message):
    with pytest.raises(TypeError, match=message):
        use(lamina.Input((4,)))


@pytest.mark.parametrize(
    "call",
    [
        lambda K, x: K.ops.dot(x, x),
        lambda K, x: K.ops.transpose(x, (0, 0)),
        lambda K, x: K.ops.matmul(x, x),
        lambda K, x: K.ops.add(x, K.KerasTensor((4, 3))),
        lambda K, x: K.ops.cross(x, K.KerasTensor((4, 3))),
        lambda K, x: K.ops.concatenate([x, K.KerasTensor((4, 4))]),
        lambda K, x: x[2],
        lambda K, x: x[..., -4],
        lambda K, x: x[:, None, 3],
    ],
)
def test_shapes_and_places_that_do_not_fit_are_a_value_error_as_in_keras(call):
    for K in (keras, lamina):
        with pytest.raises(ValueError):
            call(K, K.KerasTensor((2, 3)))


@pytest.mark.parametrize("use", [np.asarray, jnp.asarray, float, int, list, bool])
def test_what_needs_values_is_refused_with_the_error_of_keras(use):
    with pytest.raises((ValueError, TypeError, NotImplementedError)) as theirs:
        use(keras.Input((4,)))
    with pytest.raises(theirs.type):
        use(lamina.Input((4,)))


def test_a_symbolic_tensor_describes_itself():
    x = KerasTensor([None, np.int64(3)], "float16", name="x")
    assert repr(x) == "<KerasTensor shape=(None, 3), dtype=float16, name=x>"
    assert (x.ndim, len(KerasTensor((5,)))) == (2, 5)
    assert is_symbolic({"a": [1, x]}, 2)
    assert not is_symbolic({"a": [1, np.ones(2)]})
    assert x == x
    assert x in [KerasTensor((2,)), x]


# Shapes by tracing


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        ("add", [(None, 4), (3, 4)]),
        ("multiply", [(5, 4), (None, 1)]),
        ("matmul", [(2, None), (7, 5)]),
        ("where", [(None, 4), (3, 4), (4,)]),
        ("isclose", [(None, 3), (2, None)]),
        ("allclose", [(None, 3), (2, None)]),
    ],
)
def test_an_unknown_axis_may_have_to_be_as_long_as_a_known_one(call, shapes):
    results = [
        getattr(K.ops, call)(*(K.KerasTensor(s, dtype="float32") for s in shapes)).shape
        for K in (lamina, keras)
    ]
    assert results[0] == results[1]


def test_a_symbolic_tensor_is_dense_and_says_so():
    tensor = lamina.KerasTensor((2, 3), "float32", False, False, name="x")
    assert (tensor.sparse, tensor.ragged, tensor.name) == (False, False, "x")
    with pytest.raises(ValueError, match="no sparse or ragged tensors"):
        lamina.KerasTensor((2, 3), sparse=True)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: ops.diag(x), (None,)),
        (lambda x: ops.reshape(x, (3, 2)), (3, 2)),
        (lambda x: ops.reshape(x, (3, -1)), (3, None)),
        (lambda x: ops.repeat(x, [1, 2], axis=0), (None, 3)),
        (lambda x: ops.repeat(x, [1, 2, 3], axis=1), (None, 6)),
        (lambda x: ops.repeat(x, [1, 2, 3]), (None,)),
        (lambda x: ops.nancumsum(x, axis=(1,)), (None, 3)),
        (lambda x: x[:5], (None, 3)),
        (lambda x: ops.diagonal(KerasTensor((None, 4, 3))), (3, None)),
        (lambda x: ops.dstack([x, KerasTensor((None, None))]), (None, 3, 2)),
        (lambda x: ops.vstack([x, KerasTensor((None, None))]), (None, 3)),
        (lambda x: ops.dot(x, KerasTensor((None, None, 2))), (None, None, 2)),
        (lambda x: ops.top_k(KerasTensor((None, None)), 5)[0], (None, 5)),
    ],
)
def test_only_the_axes_that_must_be_of_a_size_get_it(call, shape):
    assert call(KerasTensor((None, 3))).shape == shape
