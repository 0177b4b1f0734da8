"""Variables: boxes for arrays that can be assigned, named, computed with and lent."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import Variable
from lamina.core.memory_limit import memory_limit
from lamina.core.variable.variable import autocast, name_scope


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (1.5, None),
        (3, None),
        (True, None),
        ([1.0, 2.0], None),
        (np.array([1.0, 2.0]), None),
        (np.array([1, 2], dtype="int64"), None),
        (np.array([1, 2], dtype="uint8"), None),
        (np.array([1.0, 2.0]), "bfloat16"),
        ([1, 2], "float16"),
    ],
    ids=repr,
)
def test_first_value_and_dtype_equal_keras(given, dtype):
    ours, theirs = Variable(given, dtype=dtype), keras.Variable(given, dtype=dtype)
    assert ours.dtype == theirs.dtype
    assert ours.shape == tuple(theirs.shape)
    assert ours.numpy().tolist() == theirs.numpy().tolist()


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
def test_a_type_of_64_bits_is_told_as_in_keras_and_held_in_32():
    for K in (keras, lamina):
        layer = K.layers.Dense(2, dtype="float64")
        layer.build((None, 3))
        assert layer.kernel.dtype == "float64"
        assert layer.get_weights()[0].dtype == "float32"
        assert K.Variable(np.ones(2)).dtype == "float32"


def test_an_initializer_may_be_a_function_or_a_name():
    made = Variable(lambda shape, dtype: np.full(shape, 2, dtype), shape=(2,), dtype="int32")
    assert made.numpy().tolist() == [2, 2]
    assert Variable("ones", shape=(2, 1)).numpy().tolist() == [[1.0], [1.0]]


def test_a_variable_does_not_change_with_the_array_it_was_made_of():
    array = np.zeros(2, "float32")
    made, assigned = Variable(array), Variable(array)
    assigned.assign(array)
    array += 1
    assert made.numpy().tolist() == assigned.numpy().tolist() == [0, 0]


def test_assigning_keeps_the_dtype():
    v = Variable([1, 2])
    assert v.assign([2.9, 3.9]) is v
    assert v.dtype == "int32"
    assert v.numpy().tolist() == [2, 3]
    assert v.assign_add([1.0, 1.0]).assign_sub(2).numpy().tolist() == [1, 2]
    v.assign(Variable([7, 8]))
    assert v.numpy().tolist() == [7, 8]


@pytest.mark.parametrize("value", [[1.0], [[1.0, 2.0]], 1.0, np.zeros(3)], ids=repr)
def test_a_value_of_another_shape_is_refused(value):
    with name_scope("dense"):
        v = Variable([1.0, 2.0], name="bias")
    with pytest.raises(ValueError, match=r"'dense/bias' has shape \(2,\) and cannot hold"):
        v.assign(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initializer": "ones"}, "needs a shape for its initializer"),
        ({"initializer": "ones", "shape": (None, 2)}, "every size must be known"),
        ({"initializer": "onees", "shape": (2,)}, "Did you mean 'ones'"),
        ({"initializer": [1.0, 2.0], "shape": (3,)}, r"returned shape \(2,\), expected \(3,\)"),
        ({"initializer": "ones", "shape": (2,), "dtype": "flaot32"}, "Unknown dtype 'flaot32'"),
    ],
    ids=lambda x: str(x),
)
def test_a_variable_that_cannot_be_made_says_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        Variable(**arguments)


BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "truediv": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "matmul": lambda a, b: a @ b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


@pytest.mark.parametrize("operator", BINARY.values(), ids=BINARY)
def test_operators_are_those_of_numpy(operator):
    a, b = np.array([1.0, 2.0, 3.0], "float32"), np.array([2.0, 2.0, 1.5], "float32")
    expected = operator(a, b)
    for x, y in [(Variable(a), b), (a, Variable(b)), (Variable(a), Variable(b))]:
        result = operator(x, y)
        assert isinstance(result, jax.Array)
        np.testing.assert_allclose(result, expected)
    np.testing.assert_allclose(operator(Variable(a), jnp.asarray(b)), expected)
    np.testing.assert_allclose(operator(jnp.asarray(a), Variable(b)), expected)


LOGICAL = {"and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float32", "bfloat16"])
@pytest.mark.parametrize("name", LOGICAL)
def test_and_or_xor_are_logical_as_in_keras(name, dtype):
    a, b = jnp.array([1, 2, 0, 0]).astype(dtype), jnp.array([2, 0, 1, 0]).astype("int32")
    expected = getattr(np, f"logical_{name}")(a, b).tolist()
    for x, y in [(Variable(a), b), (Variable(a), Variable(b)), (Variable(a), np.asarray(b))]:
        result = LOGICAL[name](x, y)
        assert (result.dtype, result.tolist()) == (bool, expected)
    assert LOGICAL[name](Variable(a), True).tolist() == LOGICAL[name](a != 0, True).tolist()


def test_products_of_int8_do_not_overflow():
    a = np.full((1, 3), 100, "int8")
    for x, y in [(Variable(a), a.T), (a, Variable(a.T)), (Variable(a), Variable(a.T))]:
        assert (x @ y).tolist() == [[30000]]


def test_the_other_operators_and_conversions():
    v, flags = Variable([-1.26, 2.0]), Variable([True, False])
    assert (-v)[1] == -2
    assert abs(v)[0] == (-v)[0]
    assert round(v, 1).tolist() == pytest.approx([-1.3, 2.0])
    assert (~flags).tolist() == [False, True]
    assert (flags & True).tolist() == (flags | False).tolist() == [True, False]
    assert (True ^ flags).tolist() == [False, True]
    assert v[1] == 2
    assert len(v) == 2
    assert (v.ndim, v.size) == (1, 2)
    assert [float(x) for x in v.value] == v.numpy().tolist()
    assert (int(Variable(3)), float(Variable(0.5)), bool(Variable(0))) == (3, 0.5, False)
    assert np.asarray(v, dtype="float64").dtype == "float64"
    assert np.float32(2) * Variable(3.0) == 6


def test_variables_can_be_keys_though_equality_compares_numbers():
    one, other = Variable(1.0), Variable(1.0)
    assert {one: "one", other: "other"}[other] == "other"


def test_a_path_is_made_of_the_scopes_around():
    with name_scope("model"), name_scope("dense"):
        assert Variable(0.0, name="bias").path == "model/dense/bias"
    assert repr(Variable(0.0, name="v")) == "<Variable path=v, shape=(), dtype=float32>"
    assert [Variable(0.0).name, Variable(0.0).name] == ["variable", "variable_1"]


def test_float_variables_are_read_in_the_type_that_autocast_asks_for():
    weight, steps = Variable([1.0]), Variable([1])
    scale = Variable([1.0], autocast=False)
    with autocast("bfloat16"):
        assert weight.value.dtype == "bfloat16"
        assert (steps.value.dtype, scale.value.dtype) == ("int32", "float32")
        assert (weight.dtype, steps.dtype, scale.dtype) == ("bfloat16", "int32", "float32")
        weight.assign_add([2**-20])  # would be lost in bfloat16
        with autocast(None):
            assert weight.value.dtype == weight.dtype == "float32"
    assert float(weight[0]) == 1 + 2**-20


def test_making_variables_can_be_limited_in_memory():
    with memory_limit(100), pytest.raises(ValueError, match=r"'v' of shape \(5, 6\) needs more"):
        Variable("zeros", shape=(5, 6), name="v")


def training(callback=None):
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(3), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 2), "float32")
    model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=callback and callback(model))
    return model


def test_arrays_read_from_a_variable_survive_training_that_overwrites_it_in_place():
    held = []

    def reader(model):
        def read(epoch, logs):
            held.append((model.weights[0].value, model.weights[0].numpy()))

        held.append((model.weights[0].value, model.weights[0].numpy()))
        return lamina.callbacks.LambdaCallback(on_epoch_end=read)

    training(reader)
    assert len(held) == 4
    for array, copy in held:
        np.testing.assert_array_equal(array, copy)
    assert len({float(array[0, 0]) for array, _ in held}) == 4


def test_two_variables_may_be_given_the_same_array_while_training():
    def sharer(model):
        one, other = model.weights[1], model.layers[0].add_weight(shape=(3,), name="other")

        def share(epoch, logs):
            one.assign(other.value)
            other.assign(one.value)

        return lamina.callbacks.LambdaCallback(on_epoch_begin=share)

    training(sharer)
