"""Any optax transformation in the place of an optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lamina import optimizers
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable, name_scope

TRANSFORMATIONS = {
    "adam": lambda: optax.adam(1e-2),
    "sgd": lambda: optax.sgd(1e-2),
    "schedule": lambda: optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(optax.cosine_decay_schedule(0.1, 20), weight_decay=0.1),
    ),
    "masked": lambda: optax.chain(
        optax.sgd(0.1, momentum=0.9),
        optax.add_decayed_weights(
            -0.01, mask=lambda weights: {path: "bias" not in path for path in weights}
        ),
    ),
    "lookahead state": lambda: optax.contrib.schedule_free_adamw(0.1),
    "injected": lambda: optax.inject_hyperparams(optax.lion)(learning_rate=1e-2),
    "noise": lambda: optax.chain(optax.add_noise(0.1, 0.55, 0), optax.sgd(0.1)),
}
every_transformation = pytest.mark.parametrize(
    "make", TRANSFORMATIONS.values(), ids=TRANSFORMATIONS
)


@pytest.fixture
def weights(rng):
    with name_scope("dense"):
        return [
            Variable(rng.normal(size=(3, 2)).astype("float32"), name="kernel"),
            Variable(rng.normal(size=(2,)).astype("float32"), name="bias"),
        ]


def gradients_of(weights, rng):
    return [rng.normal(size=w.shape).astype("float32") for w in weights]


@every_transformation
def test_steps_are_those_of_optax_itself(make, weights, rng):
    optimizer = optimizers.get(make())
    plain = make()
    values = {w.path: w.value for w in weights}
    state = plain.init(values)
    for _ in range(4):
        gradients = gradients_of(weights, rng)
        optimizer.apply(gradients, weights)
        by_path = {w.path: jnp.asarray(g) for w, g in zip(weights, gradients, strict=True)}
        changes, state = plain.update(by_path, state, values)
        values = optax.apply_updates(values, changes)
    for w in weights:
        np.testing.assert_allclose(w.numpy(), values[w.path], rtol=1e-6)


@every_transformation
def test_steps_compile_into_a_loop(make, weights, rng):
    optimizer = optimizers.get(make())
    optimizer.build(weights)
    gradients = gradients_of(weights, rng)
    boxes = (weights, optimizer.variables)
    step = stateless(lambda: optimizer.apply(gradients, weights), boxes)
    loop = jax.jit(lambda values: jax.lax.fori_loop(0, 3, lambda _, v: step(v)[1], values))
    compiled = loop(values_of(boxes))
    for _ in range(3):
        optimizer.apply(gradients, weights)
    for w, found in zip(weights, compiled[0], strict=True):
        np.testing.assert_allclose(found, w.numpy(), rtol=1e-5)


@every_transformation
def test_state_is_saved_and_loaded(make, weights, rng):
    first, second = optimizers.get(make()), optimizers.get(make())
    for _ in range(3):
        first.apply(gradients_of(weights, rng), weights)
    store = {}
    first.save_own_variables(store)
    assert all(isinstance(array, np.ndarray) for array in store.values())
    second.build(weights)
    second.load_own_variables(store)
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_copies_of_the_weights_are_made_of_those_of_the_first_step():
    late, early = Variable([0.0, 0.0]), Variable([1.0, -2.0])
    for v in (late, early):
        optimizer = optimizers.OptaxOptimizer(optax.contrib.schedule_free_sgd(0.1))
        optimizer.build([v])
        v.assign([1.0, -2.0])
        for _ in range(3):
            optimizer.apply([jnp.array([0.5, 1.0])], [v])
    np.testing.assert_array_equal(late.value, early.value)


def test_a_weight_left_out_keeps_its_value_and_its_slots(weights, rng):
    optimizer = optimizers.get(optax.adamw(0.1))
    optimizer.apply(gradients_of(weights, rng), weights)
    kernel, before = weights[0].numpy(), {v.path: v.numpy() for v in optimizer.variables}
    optimizer.apply(gradients_of(weights[1:], rng), weights[1:])
    np.testing.assert_array_equal(weights[0].numpy(), kernel)
    changed = {v.name for v in optimizer.variables if not np.array_equal(v, before[v.path])}
    assert changed == {
        "iteration",
        "[0].count",
        "[0].mu['dense/bias']",
        "[0].nu['dense/bias']",
    }


def test_weights_added_later_get_slots_and_the_others_keep_theirs(weights, rng):
    optimizer = optimizers.get(optax.adam(0.1))
    optimizer.apply(gradients_of(weights[1:], rng), weights[1:])
    before = {v.path: v.numpy() for v in optimizer.variables}
    optimizer.build(weights)
    assert len(optimizer.variables) == len(before) + 2
    for v in optimizer.variables:
        np.testing.assert_array_equal(v.numpy(), before.get(v.path, np.zeros(v.shape)))


def test_two_weights_of_one_name_are_told_apart(rng):
    weights = [Variable(np.zeros(2, "float32"), name="w") for _ in range(3)]
    optimizers.get(optax.sgd(1.0)).apply([np.full(2, i, "float32") for i in range(3)], weights)
    assert [float(w[0]) for w in weights] == [0, -1, -2]


def test_an_injected_learning_rate_can_be_read_and_set_without_recompiling(
    weights, rng, compilations
):
    optimizer = optimizers.get(optax.inject_hyperparams(optax.sgd)(learning_rate=0.5))
    optimizer.build(weights)
    assert float(optimizer.learning_rate) == 0.5
    gradients = gradients_of(weights, rng)
    boxes = (weights, optimizer.variables)
    step = jax.jit(stateless(lambda: optimizer.apply(gradients, weights), boxes))
    step(values_of(boxes))
    compilations.reset()
    optimizer.learning_rate = 0.25
    (bias,) = (np.asarray(new) for new in step(values_of(boxes))[1][0][1:])
    np.testing.assert_allclose(bias, weights[1].numpy() - 0.25 * gradients[1], rtol=1e-6)
    assert compilations.count("pure") == 0


@pytest.mark.parametrize(
    "transformation",
    [
        optax.adam(1e-3),
        optax.inject_hyperparams(optax.adam)(learning_rate=optax.linear_schedule(1, 0, 9)),
    ],
    ids=["number inside", "schedule inside"],
)
def test_a_learning_rate_inside_the_transformation_is_not_settable(transformation, weights):
    optimizer = optimizers.get(transformation)
    optimizer.build(weights)
    with pytest.raises(TypeError, match=r"Fix: compile with optax\.inject_hyperparams"):
        optimizer.learning_rate = 0.1


def test_a_hidden_learning_rate_cannot_be_read(weights):
    optimizer = optimizers.get(optax.adam(1e-3))
    optimizer.build(weights)
    with pytest.raises(AttributeError, match="inside the optax transformation"):
        _ = optimizer.learning_rate
    assert not hasattr(optimizer, "learning_rate")


def test_common_arguments_work_around_a_transformation(weights, rng):
    optimizer = optimizers.OptaxOptimizer(
        optax.sgd(1.0), clipvalue=0.5, gradient_accumulation_steps=2
    )
    before = weights[1].numpy()
    for gradient in (1.0, 3.0):
        optimizer.apply([np.full(w.shape, gradient, "float32") for w in weights], weights)
    np.testing.assert_allclose(weights[1].numpy(), before - 0.5, rtol=1e-6)


def test_a_transformation_that_wants_the_loss_is_refused_with_the_reason(weights, rng):
    optimizer = optimizers.get(optax.polyak_sgd())
    with pytest.raises(ValueError, match="needs more than gradients") as caught:
        optimizer.apply(gradients_of(weights, rng), weights)
    assert "'value'" in str(caught.value)


def test_a_transformation_is_no_part_of_a_file():
    with pytest.raises(ValueError, match="An optax transformation cannot be saved"):
        optimizers.serialize(optimizers.get(optax.adam(1e-3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transformation": optax.adam}, "needs an optax transformation"),
        ({"transformation": optax.adam(0.1), "learning_rate": 0.1}, "takes no learning_rate"),
        ({"transformation": optax.adam(0.1), "weight_decay": 0.1}, "takes no weight_decay"),
        ({"transformation": optax.adam(0.1), "clip_norm": 0.1}, "Did you mean 'clipnorm'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        optimizers.OptaxOptimizer(**arguments)
