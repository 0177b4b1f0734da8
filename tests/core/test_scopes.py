"""Scopes: values that hold for a while, names in front of others, a device, shapes only."""

import jax
import jax.numpy as jnp
import pytest

import lamina
from lamina.layers import Dense, Dropout

pytestmark = pytest.mark.quick


def test_a_stateless_scope_keeps_what_is_assigned_to_itself():
    v, w = lamina.Variable([1.0, 2.0]), lamina.Variable(3.0)
    with lamina.StatelessScope([(v, [5.0, 6.0])]) as scope:
        v.assign_add([1.0, 1.0])
        assert (v + w).tolist() == [9.0, 10.0]
        w.assign(0.0)
    assert scope.get_current_value(v).tolist() == [6.0, 7.0]
    assert float(scope.get_current_value(w)) == 0.0
    assert scope.get_current_value(lamina.Variable(1.0)) is None
    assert (v.numpy().tolist(), float(w)) == ([1.0, 2.0], 3.0)


def test_a_training_step_may_be_written_with_a_stateless_scope():
    layer = Dense(1, use_bias=False, kernel_initializer="ones")
    layer.build((None, 2))

    @jax.jit
    def loss(kernel, x):
        with lamina.StatelessScope([(layer.kernel, kernel)]):
            return layer(x).sum()

    assert jax.grad(loss)(layer.kernel.value, jnp.array([[2.0, 3.0]])).tolist() == [[2.0], [3.0]]


def test_scopes_lie_in_one_another():
    v = lamina.Variable(1.0)
    with lamina.StatelessScope([(v, 2.0)]), lamina.StatelessScope() as inner:
        v.assign_add(1.0)
    assert float(inner.get_current_value(v)) == 3.0


def test_losses_come_to_a_scope_that_collects_them():
    layer = Dense(2, activity_regularizer="l2")
    layer.build((None, 2))
    with lamina.StatelessScope(collect_losses=True) as scope:
        layer(jnp.ones((1, 2)))
        scope.add_loss(7.0)
    assert len(scope.losses) == 2
    assert layer.losses == []


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([("kernel", 1.0)], "maps Variables to values; received 'kernel'"),
        ([(lamina.Variable([1.0], name="v"), [1.0, 2.0])], r"'v' has shape \(1,\) and cannot"),
    ],
)
def test_a_stateless_scope_refuses_what_does_not_fit(mapping, message):
    with pytest.raises(ValueError, match=message):
        lamina.StatelessScope(mapping)


def test_a_symbolic_scope_forgets_what_is_assigned():
    v = lamina.Variable(1.0)
    with lamina.SymbolicScope():
        v.assign(2.0)
    assert float(v) == 1.0


def test_names_are_put_in_front_of_those_of_variables():
    caller = object()

    def path():
        return lamina.Variable(1.0, name="v").path

    with lamina.name_scope("a"):
        with lamina.name_scope("b", caller=caller), lamina.name_scope("b", caller=caller):
            assert path() == "a/b/v"
        with lamina.name_scope("a"):
            assert path() == "a/a/v"
        with lamina.name_scope("c", override_parent="x/y"):
            assert path() == "x/y/c/v"
    assert path() == "v"
    with pytest.raises(ValueError, match="without '/'"), lamina.name_scope("a/b"):
        pass


def test_a_device_is_chosen_by_its_name():
    for name in ("cpu", "CPU:0", jax.devices("cpu")[0]):
        with lamina.device(name):
            assert jnp.ones(2).device.platform == "cpu"
    with pytest.raises(ValueError, match="no device 'cpu:99'"):
        lamina.device("cpu:99")
    with pytest.raises(ValueError, match="'cpu', 'gpu' or 'tpu'; received 'toaster'"):
        lamina.device("toaster")
    with pytest.raises(ValueError, match="needs a name"):
        lamina.device(3)


def test_dropout_goes_on_from_scope_to_scope():
    layer = Dropout(0.5, seed=1)
    seeds = layer.seed_generator.state
    with lamina.StatelessScope() as scope:
        layer(jnp.ones((1, 8)), training=True)
    assert scope.get_current_value(seeds)[1] == seeds.numpy()[1] + 1
