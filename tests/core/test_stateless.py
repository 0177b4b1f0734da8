"""The bridge between objects and JAX: pure functions, gradients, discarded assignments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import Variable, stateless, value_and_grad
from lamina.core.variable.stateless import (
    assign_all,
    discard_assignments,
    donatable_values_of,
    values_of,
)

pytestmark = pytest.mark.quick


def test_a_stateless_function_changes_no_variable():
    v, w = Variable(1.0), Variable(10.0)

    def step(x):
        v.assign_add(x)
        w.assign(v * w)
        return v + w

    result, new = stateless(step, {"v": v, "w": w})({"v": 2.0, "w": 3.0}, 4.0)
    assert (float(result), float(new["v"]), float(new["w"])) == (24.0, 6.0, 18.0)
    assert (float(v), float(w)) == (1.0, 10.0)


def test_a_stateless_function_can_be_compiled_mapped_and_differentiated():
    v = Variable(2.0)

    def square():
        v.assign(v * v)
        return v.value

    pure = stateless(square, [v])
    assert float(jax.jit(pure)([3.0])[0]) == 9
    assert jax.vmap(pure)([jnp.arange(3.0)])[1][0].tolist() == [0, 1, 4]
    assert float(jax.grad(lambda values: pure(values)[0])([3.0])[0]) == 6
    assert float(v) == 2


def test_variables_are_themselves_again_after_an_error():
    v = Variable(1.0)

    def fail():
        v.assign(5.0)
        raise KeyError

    with pytest.raises(KeyError):
        stateless(fail, [v])([2.0])
    assert float(v) == 1
    assert float(v.assign(3.0)) == 3


@pytest.mark.parametrize("compiled", [False, True])
def test_assigning_what_is_not_listed_is_refused(compiled):
    listed, forgotten = Variable(1.0), Variable(1.0, name="forgotten")
    pure = stateless(lambda: forgotten.assign(2.0), [listed])
    with pytest.raises(RuntimeError, match="'forgotten' was assigned inside a compiled step"):
        (jax.jit(pure) if compiled else pure)([1.0])
    assert float(forgotten) == 1


def test_a_traced_value_cannot_leak_into_a_variable():
    v = Variable(1.0, name="leaky")
    with pytest.raises(RuntimeError, match="'leaky' was assigned inside a compiled step"):
        jax.jit(lambda x: v.assign(x).value)(2.0)
    assert float(v) == 1


def test_a_variable_listed_twice_is_refused():
    v = Variable(1.0, name="twin")
    with pytest.raises(ValueError, match="'twin' is listed twice"):
        stateless(lambda: None, [v, v])
    with pytest.raises(ValueError, match="'twin' is listed twice"):
        value_and_grad(lambda: v.value, [v, v])


def test_stateless_functions_nest():
    v, w = Variable(1.0), Variable(2.0)

    def inner():
        v.assign(v + w)
        return v.value

    def outer():
        w.assign(100.0)
        result, (new,) = stateless(inner, [v])([10.0])
        return result, new, v.value

    (result, new, seen), _ = stateless(outer, [w])([0.0])
    assert (float(result), float(new), float(seen)) == (110.0, 110.0, 1.0)


def test_scratch_work_is_forgotten():
    v = Variable(1.0)
    with discard_assignments():
        v.assign(2.0)
        with discard_assignments():
            v.assign_add(1.0)
            assert float(v) == 3
        assert float(v) == 2
    assert float(v) == 1


def test_values_can_be_taken_out_and_put_back():
    boxes = {"a": [Variable(1.0), Variable(2.0)], "b": Variable([3, 4])}
    values = values_of(boxes)
    assert jax.tree.map(lambda a: a.tolist(), values) == {"a": [1.0, 2.0], "b": [3, 4]}
    assign_all(boxes, jax.tree.map(lambda a: a + 1, values))
    assert float(boxes["a"][1]) == 3


def test_only_arrays_that_somebody_may_hold_are_copied_before_they_are_overwritten():
    lent, kept = Variable([1.0]), Variable([1.0])
    held = lent.value
    before = kept._value
    owned = donatable_values_of([lent, kept])
    assert owned[1] is before
    assert owned[0] is not held
    assert donatable_values_of([lent])[0] is owned[0]


# Gradients


def test_value_and_grad_equals_jax():
    w, b = Variable([1.0, 2.0]), Variable(0.5)

    def loss(x):
        return jnp.sum(jnp.tanh(w * x + b))

    value, gradients = value_and_grad(loss, [w, b])(3.0)
    expected = jax.value_and_grad(lambda w, b: jnp.sum(jnp.tanh(w * 3 + b)), (0, 1))(
        jnp.array([1.0, 2.0]), 0.5
    )
    np.testing.assert_allclose(value, expected[0])
    for gradient, wanted in zip(gradients, expected[1], strict=True):
        np.testing.assert_allclose(gradient, wanted)


def test_value_and_grad_gives_back_whatever_comes_with_the_loss():
    v = Variable(3.0)
    (loss, extra), _ = value_and_grad(lambda: (v * 2, {"v": v.value}), [v])()
    assert (float(loss), float(extra["v"])) == (6.0, 3.0)


@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_assigned_while_a_gradient_is_taken_keeps_its_new_value(compiled):
    weight, mean, calls = Variable(2.0), Variable(0.0), Variable(0)

    def loss(x):
        mean.assign(0.5 * mean + 0.5 * weight * x)
        calls.assign_add(1)
        return (weight * x) ** 2

    def run(x):
        return value_and_grad(loss, [weight])(x)

    if compiled:
        boxes = [weight, mean, calls]
        (_, gradients), new = jax.jit(stateless(run, boxes))(values_of(boxes), 3.0)
        assign_all(boxes, new)
    else:
        _, gradients = run(3.0)
    assert (float(gradients[0]), float(mean), int(calls), float(weight)) == (36.0, 3.0, 1, 2.0)


def test_a_variable_that_the_model_does_not_know_is_refused_inside_a_gradient_too():
    weight, hidden = Variable(2.0), Variable(0.0, name="hidden")

    def loss():
        hidden.assign(weight)
        return weight.value

    with pytest.raises(RuntimeError, match="'hidden' was assigned inside a compiled step"):
        jax.jit(stateless(lambda: value_and_grad(loss, [weight])(), [weight]))([1.0])


def test_gradients_nest():
    v = Variable(3.0)

    def slope():
        _, (gradient,) = value_and_grad(lambda: v**3, [v])()
        return gradient

    second, (third,) = value_and_grad(lambda: slope(), [v])()
    assert (float(second), float(third)) == (27.0, 18.0)


def test_a_variable_may_be_changed_by_the_function_that_is_differentiated():
    v = Variable(3.0)

    def loss():
        v.assign(v * 2)
        return v**2

    value, (gradient,) = value_and_grad(loss, [v])()
    assert (float(value), float(gradient), float(v)) == (36.0, 24.0, 6.0)


@pytest.mark.parametrize(
    ("function", "variables", "error", "message"),
    [
        (lambda v: v.value, lambda v: [v.value], TypeError, "needs a list of Variables"),
        (lambda v: v.value, lambda v: [Variable(1, name="n")], ValueError, "'n' holds int32"),
        (lambda v: v * jnp.ones(3), lambda v: [v], ValueError, r"float32 of shape \(3,\)"),
        (lambda v: jnp.int32(3), lambda v: [v], ValueError, "must be one number; received int32"),
    ],
)
def test_what_cannot_be_differentiated_is_refused(function, variables, error, message):
    v = Variable(1.0)
    with pytest.raises(error, match=message):
        value_and_grad(lambda: function(v), variables(v))()


def test_a_training_loop_of_ones_own_needs_no_lists_of_state():
    model = lamina.Sequential(
        [
            lamina.Input((3,)),
            lamina.layers.Dense(4),
            lamina.layers.BatchNormalization(),
            lamina.layers.Dropout(0.5),
            lamina.layers.Dense(1),
        ]
    )
    x = np.random.default_rng(seed=0).normal(size=(16, 3)).astype("float32")
    optimizer = lamina.optimizers.SGD(0.1)
    means = []
    for _ in range(3):
        loss, gradients = value_and_grad(
            lambda: jnp.mean((model(x, training=True) - 1) ** 2), model.trainable_variables
        )()
        optimizer.apply(gradients, model.trainable_variables)
        means.append(model.get_layer("batch_normalization").moving_mean.numpy().tolist())
    assert np.isfinite(float(loss))
    assert len({str(mean) for mean in means}) == 3
    assert int(model.get_layer("dropout").variables[0][1]) == 3
