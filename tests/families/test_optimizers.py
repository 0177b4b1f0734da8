"""Promises that every optimizer keeps: Keras's numbers, state and config, and no recompiling."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import optimizers
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable, name_scope

# Keras's own way of reading a Variable with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

SHAPES = {"kernel": (3, 4), "bias": (4,), "scale": ()}
STEPS = 10

RULES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "beta_2": 0.5}),
    ("Adam", {"beta_1": 0.5, "epsilon": 0.1}),
    ("AdamW", {}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.5, "momentum": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-3}),
    ("Adagrad", {"initial_accumulator_value": 0.01, "epsilon": 0.1}),
    ("Adamax", {"beta_2": 0.7}),
    ("Nadam", {}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.5, "epsilon": 0.01}),
    ("Adafactor", {}),
    ("Adafactor", {"relative_step": False, "clip_threshold": 0.5, "epsilon_2": 0.9}),
    ("Ftrl", {}),
    ("Ftrl", {"l1_regularization_strength": 0.5, "learning_rate_power": -0.3, "beta": 0.1}),
    ("Ftrl", {"l2_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.2}),
    ("Lamb", {}),
    ("Lion", {"beta_1": 0.6, "beta_2": 0.7}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "rms_rate": None, "adam_lr_ratio": 0.5, "ns_steps": 2}),
    ("Muon", {"exclude_layers": ["ker"], "adam_weight_decay": 0.5, "weight_decay": None}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 4, "beta_1": 0.5, "beta_2": 0.9}),
]
COMMON = [
    {},
    {"learning_rate": 0.3},
    {"learning_rate": ("ExponentialDecay", (0.1, 4, 0.5))},
    {"clipnorm": 0.5},
    {"clipvalue": 0.2},
    {"global_clipnorm": 0.5},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_overwrite_frequency": 3},
    {"loss_scale_factor": 8.0},
]
# Written once for all rules, and slow in Keras, which compiles its branches at every step.
ACCUMULATING = [
    ("SGD", {"gradient_accumulation_steps": 3, "momentum": 0.9}),
    ("Adam", {"gradient_accumulation_steps": 3, "clipnorm": 0.5, "weight_decay": 0.1}),
    ("Nadam", {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2}),
]
# Every rule as it is, and one rule of each name with every common argument.
ONE_OF_EACH = [
    ("SGD", {"momentum": 0.9}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adamax", {}),
    ("Nadam", {}),
]
TABLE = [
    *((name, {"learning_rate": 0.05, **own}) for name, own in RULES),
    *((name, {**own, **common}) for name, own in ONE_OF_EACH for common in COMMON),
    *ACCUMULATING,
    # What goes through other code where the slots are not one for each weight, or depend on it.
    ("Adafactor", {"learning_rate": ("ExponentialDecay", (0.1, 4, 0.5)), "weight_decay": 0.1}),
    ("Muon", {"use_ema": True, "ema_overwrite_frequency": 3, "clipnorm": 0.5}),
    ("ScheduleFreeAdamW", {"weight_decay": 0.1, "gradient_accumulation_steps": 2}),
]


def _label(value):
    if isinstance(value, dict):
        return ",".join(f"{key}={v}" for key, v in value.items()) or "defaults"
    return value


every_optimizer = pytest.mark.parametrize(("name", "arguments"), TABLE, ids=_label)
every_rule = pytest.mark.parametrize(("name", "arguments"), RULES, ids=_label)


@pytest.fixture(autouse=True)
def _no_rank_promotion():
    with jax.numpy_rank_promotion("raise"):
        yield


def test_every_public_optimizer_is_in_the_table():
    classes = {n for n in optimizers.__all__ if isinstance(getattr(optimizers, n), type)}
    # These hand on to others, and have a table of their own.
    wrappers = {"LossScaleOptimizer", "MultiOptimizer", "OptaxOptimizer", "OptimizerMap"}
    assert {name for name, _ in RULES} == classes - wrappers - {"Optimizer"}


def lamina_weights(rng):
    with name_scope("dense"):
        return [Variable(rng.normal(size=s).astype("float32"), name=n) for n, s in SHAPES.items()]


def keras_weights(weights):
    with keras.name_scope("dense"):
        return [keras.Variable(w.numpy(), name=w.name) for w in weights]


def random_gradients(rng, weights):
    return [rng.normal(size=w.shape).astype("float32") for w in weights]


def make(library, name, arguments):
    """An optimizer of Lamina's or of Keras's `optimizers` module."""
    rate = arguments.get("learning_rate")
    if isinstance(rate, tuple):
        schedule = getattr(library.schedules, rate[0])(*rate[1])
        arguments = {**arguments, "learning_rate": schedule}
    return getattr(library, name)(**arguments)


def both(name, arguments, rng):
    """The same optimizer, built for the same weights, of Lamina and of Keras."""
    weights = lamina_weights(rng)
    twins = keras_weights(weights)
    mine, theirs = make(optimizers, name, arguments), make(keras.optimizers, name, arguments)
    mine.build(weights)
    theirs.build(twins)
    return mine, weights, theirs, twins


def assert_same_values(mine, theirs, rtol=1e-6):
    for ours, other in zip(mine, theirs, strict=True):
        expected = np.asarray(other)
        # float32 keeps 7 digits of the largest number that took part in a sum
        atol = rtol * max(1e-3, np.max(np.abs(expected), initial=0))
        np.testing.assert_allclose(ours.numpy(), expected, rtol, atol, err_msg=ours.path)


@every_optimizer
def test_ten_steps_give_the_same_weights_and_slots_as_keras(name, arguments, rng):
    mine, weights, theirs, twins = both(name, arguments, rng)
    for _ in range(STEPS):
        gradients = random_gradients(rng, weights)
        mine.apply(gradients, weights)
        theirs.apply([jnp.asarray(g) for g in gradients], twins)
    assert_same_values(weights, twins)
    assert_same_values(mine.variables, theirs.variables, rtol=2e-6)


@every_optimizer
def test_variables_have_the_order_names_shapes_and_types_of_keras(name, arguments, rng):
    mine, _, theirs, _ = both(name, arguments, rng)
    found = [(v.path.split("/", 1)[-1], v.shape, v.dtype) for v in mine.variables]
    expected = [(v.path.split("/", 1)[-1], tuple(v.shape), v.dtype) for v in theirs.variables]
    # Keras leaves Nadam's product without a name.
    expected = [("u_product" if n.startswith("variable") else n, s, d) for n, s, d in expected]
    assert found == expected


@every_optimizer
def test_config_is_that_of_keras_and_makes_the_same_optimizer_again(name, arguments):
    mine, theirs = make(optimizers, name, arguments), make(keras.optimizers, name, arguments)
    record = json.loads(json.dumps(optimizers.serialize(mine)))
    expected = keras.optimizers.serialize(theirs)
    assert record == {**expected, "config": {**expected["config"], "name": mine.name}}
    assert optimizers.deserialize(record).get_config() == mine.get_config()
    again = keras.saving.deserialize_keras_object(record)
    assert again.get_config() == mine.get_config()


@every_rule
def test_state_goes_to_keras_and_back(name, arguments, rng):
    mine, weights, theirs, twins = both(name, arguments, rng)
    for _ in range(3):
        mine.apply(random_gradients(rng, weights))
    store = {}
    mine.save_own_variables(store)
    theirs.load_own_variables(store)
    for w, twin in zip(weights, twins, strict=True):
        twin.assign(w.numpy())
    gradients = random_gradients(rng, weights)
    mine.apply(gradients)
    theirs.apply([jnp.asarray(g) for g in gradients])
    assert_same_values(weights, twins)

    store = {}
    theirs.save_own_variables(store)
    again = make(optimizers, name, arguments)
    again.build(weights)
    again.load_own_variables(store)
    assert_same_values(again.variables, theirs.variables)


@every_rule
def test_a_compiled_loop_gives_what_single_steps_give(name, arguments, rng):
    optimizer = make(optimizers, name, arguments)
    weights = lamina_weights(rng)
    optimizer.build(weights)
    gradients = [jnp.asarray(rng.normal(size=(STEPS, *w.shape)), jnp.float32) for w in weights]
    boxes = (weights, optimizer.variables)

    @jax.jit
    def train(values):
        def step(i, values):
            grads = [g[i] for g in gradients]
            return stateless(lambda: optimizer.apply(grads, weights), boxes)(values)[1]

        return jax.lax.fori_loop(0, STEPS, step, values)

    compiled = train(values_of(boxes))
    for i in range(STEPS):
        optimizer.apply([g[i] for g in gradients], weights)
    for found, expected in zip(*map(jax.tree.leaves, (compiled, values_of(boxes))), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@every_rule
def test_a_new_learning_rate_compiles_nothing(name, arguments, rng, compilations):
    optimizer = make(optimizers, name, arguments)
    weights = lamina_weights(rng)
    optimizer.build(weights)
    boxes = (weights, optimizer.variables)
    gradients = random_gradients(rng, weights)

    def one_step():
        optimizer.apply(gradients, weights)

    step = jax.jit(stateless(one_step, boxes))
    first = step(values_of(boxes))[1]
    compilations.reset()
    optimizer.learning_rate = 0.5
    second = step(values_of(boxes))[1]
    assert compilations.count("pure") == 0
    assert not np.array_equal(first[0][0], second[0][0])


@every_rule
def test_a_weight_left_out_keeps_its_value_and_its_slots(name, arguments, rng):
    mine, weights, theirs, twins = both(name, {**arguments, "weight_decay": 0.1}, rng)
    for chosen in (slice(0, 3), slice(1, 3), slice(0, 3)):
        gradients = random_gradients(rng, weights)[chosen]
        before = [w.numpy() for w in weights]
        mine.apply(gradients, weights[chosen])
        theirs.apply([jnp.asarray(g) for g in gradients], twins[chosen])
        moved = [not np.array_equal(w.numpy(), b) for w, b in zip(weights, before, strict=True)]
        assert moved == [chosen.start == 0, True, True]
    assert_same_values(weights, twins)
    assert_same_values(mine.variables, theirs.variables)


@every_rule
def test_weights_added_later_get_slots_and_the_others_keep_theirs(name, arguments, rng):
    optimizer = make(optimizers, name, arguments)
    weights = lamina_weights(rng)
    optimizer.build(weights[1:])
    optimizer.apply(random_gradients(rng, weights[1:]), weights[1:])
    before = {v.path: v.numpy() for v in optimizer.variables}
    optimizer.build(weights)
    fresh = make(optimizers, name, arguments)
    fresh.build(weights)
    assert [v.name for v in optimizer.variables] == [v.name for v in fresh.variables]
    for v in optimizer.variables:
        np.testing.assert_array_equal(v.numpy(), before.get(v.path, v.numpy()))
    optimizer.apply(random_gradients(rng, weights), weights)


@every_rule
def test_half_size_weights_keep_their_type(name, arguments):
    # Adadelta's first steps are too short for bfloat16 at any usual rate.
    rate = 1e3 if name == "Adadelta" else 0.1
    optimizer = make(optimizers, name, {**arguments, "learning_rate": rate})
    weight = Variable(jnp.ones((4,), "bfloat16"), name="kernel")
    optimizer.apply([jnp.ones((4,))], [weight])
    assert weight.dtype == "bfloat16"
    assert float(weight[0]) < 1
    assert {v.dtype for v in optimizer.variables if v.shape} <= {"bfloat16"}


@every_rule
def test_stateless_apply_is_apply_without_side_effects(name, arguments, rng):
    optimizer = make(optimizers, name, arguments)
    weights = lamina_weights(rng)
    optimizer.build(weights)
    gradients = random_gradients(rng, weights)
    before = values_of((weights, optimizer.variables))
    new_weights, new_state = optimizer.stateless_apply(before[1], gradients, before[0])
    untouched = values_of((weights, optimizer.variables))
    assert all(a is b for a, b in zip(*map(jax.tree.leaves, (before, untouched)), strict=True))
    optimizer.apply(gradients)
    after = values_of((weights, optimizer.variables))
    for found, expected in zip(
        *map(jax.tree.leaves, ((new_weights, new_state), after)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
