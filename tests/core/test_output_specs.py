"""Shapes of the outputs of functions, found by tracing, and remembered for operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import ops
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import spec_of_operation, trace_spec


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (lambda x: x.sum(axis=1), [(None, 4, 2)], (None, 2)),
        (lambda x: x.reshape(-1, 4), [(None, None, 2)], (None, 4)),
        (lambda x: x.reshape(x.shape[0], -1), [(None, 4, 2)], (None, 8)),
        (lambda x: x[:, ::2], [(None, None)], (None, None)),
        (lambda x: x.reshape(x.shape[0], 2, x.shape[1] // 2), [(None, None)], (None, 2, None)),
        (lambda x: x.reshape(x.shape[0], 16, -1), [(None, None)], (None, 16, None)),
        (lambda x, y: x @ y, [(None, 3), (3, 5)], (None, 5)),
        (lambda x, y: jnp.einsum("bik,bjk->bij", x, y), [(None, 7, 2), (None, None, 2)],
         (None, 7, None)),
        (lambda x: jnp.zeros(3), [(None, 2)], (3,)),
        (lambda x: x + 83, [(83,)], (83,)),
        (lambda x: jnp.pad(x, ((0, 0), (1, 2))), [(None, 83)], (None, 86)),
    ],
)  # fmt: skip
def test_unknown_axes_stay_unknown_and_known_ones_known(function, shapes, expected):
    assert trace_spec(function, *[KerasTensor(s) for s in shapes]).shape == expected


def test_several_outputs_settings_and_arrays_are_passed_through():
    def function(inputs, factor, *, offset, name=None):
        return {"y": inputs["a"] * factor, "z": (inputs["b"] + offset > 0, None)}

    inputs = {"a": KerasTensor((None, 2)), "b": KerasTensor((3,), "int32")}
    spec = trace_spec(function, inputs, 2.0, offset=np.ones((4, 1)), name="some")
    assert (spec["y"].shape, spec["y"].dtype) == ((None, 2), "float32")
    assert (spec["z"][0].shape, spec["z"][0].dtype) == ((4, 3), "bool")
    assert spec["z"][1] is None


def test_tracing_changes_nothing():
    v = lamina.Variable(1.0)
    trace_spec(lambda x: v.assign(x.sum()).value, KerasTensor((None,)))
    assert float(v) == 1


def test_an_error_while_tracing_is_that_of_the_first_try():
    def fails(x):
        raise ValueError(f"no {x.shape[0]}")

    with pytest.raises(ValueError, match="no 83"):
        trace_spec(fails, KerasTensor((None,)))


@pytest.fixture
def traced():
    """A function of an array and settings, and the list of shapes that it was traced for."""
    shapes = []

    def function(x, factor=1.0, axis=None):
        shapes.append(x.shape)
        return jnp.sum(jnp.asarray(x) * factor, axis)

    return function, shapes


def test_an_operation_is_traced_once_for_equal_arguments(traced):
    function, shapes = traced
    first = spec_of_operation(function, KerasTensor((3, 4)), 2.0, axis=(0,))
    count = len(shapes)
    second = spec_of_operation(function, KerasTensor((3, 4)), 2.0, axis=(0,))
    assert len(shapes) == count
    assert second is not first
    assert (second.shape, second.dtype) == (first.shape, first.dtype) == ((4,), "float32")


@pytest.mark.parametrize(
    "other",
    [
        ((KerasTensor((3, 5)), 2, 0), {}),
        ((KerasTensor((None, 4)), 2, 0), {}),
        ((KerasTensor((3, 4), "int32"), 2, 0), {}),
        ((KerasTensor((3, 4)), 2.0, 0), {}),
        ((KerasTensor((3, 4)), True, 0), {}),
        ((KerasTensor((3, 4)), 2, 1), {}),
        ((KerasTensor((3, 4)), np.ones((2, 3, 4), "float32"), 0), {}),
        ((KerasTensor((3, 4)), 2), {"axis": (0, 1)}),
    ],
)
def test_other_arguments_are_traced_again(traced, other):
    function, shapes = traced
    spec_of_operation(function, KerasTensor((3, 4)), 2, 0)
    count = len(shapes)
    args, kwargs = other
    found = spec_of_operation(function, *args, **kwargs)
    assert len(shapes) > count
    assert found.shape == trace_spec(function, *args, **kwargs).shape


def test_arrays_that_differ_in_values_are_not_taken_for_each_other():
    def repeat(x, counts):
        return jnp.repeat(jnp.asarray(x), counts, axis=0, total_repeat_length=int(counts.sum()))

    x = KerasTensor((2, 3))
    assert spec_of_operation(repeat, x, np.array([1, 2])).shape == (3, 3)
    assert spec_of_operation(repeat, x, np.array([4, 2])).shape == (6, 3)


@pytest.mark.parametrize("big", [np.ones(100), jnp.ones(2)], ids=["large", "on the device"])
def test_arguments_that_cannot_be_compared_are_traced_every_time(traced, big):
    function, shapes = traced
    spec_of_operation(function, KerasTensor((1,)), big)
    count = len(shapes)
    assert spec_of_operation(function, KerasTensor((1,)), big).shape == ()
    assert len(shapes) > count


def test_the_default_dtype_is_part_of_what_is_remembered():
    default = lamina.config.floatx()
    x = KerasTensor((2,), "int32")
    try:
        assert ops.sqrt(x).dtype == "float32"
        lamina.config.set_floatx("float16")
        assert ops.sqrt(x).dtype == "float16"
    finally:
        lamina.config.set_floatx(default)


def test_an_error_is_raised_at_every_call(traced):
    function, _ = traced
    for _ in range(2):
        with pytest.raises(Exception, match="axis"):
            spec_of_operation(function, KerasTensor((2,)), axis=5)


def test_many_equal_blocks_are_traced_once(monkeypatch):
    calls = []
    eval_shape = jax.eval_shape
    monkeypatch.setattr(jax, "eval_shape", lambda *a: calls.append(1) or eval_shape(*a))

    def block(x):
        return ops.add(ops.multiply(ops.sin(x), 0.5), x)

    x = block(lamina.Input((32,)))
    count = len(calls)
    for _ in range(20):
        x = block(x)
    assert len(calls) == count
    assert x.shape == (None, 32)
