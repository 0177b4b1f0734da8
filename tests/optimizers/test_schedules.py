"""Learning rate schedules against Keras's, inside and outside compiled code."""

import json

import jax
import keras
import numpy as np
import optax
import pytest

from lamina.optimizers import schedules

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

TABLE = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True},
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 2.0, "staircase": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [5, 10, 20], "values": [1.0, 0.5, 0.1, 0.0]}),
    ("PiecewiseConstantDecay", {"boundaries": [5], "values": [1.0, 0.5]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10}),
    (
        "PolynomialDecay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 10,
            "end_learning_rate": 0.01,
            "power": 2.0,
            "cycle": True,
        },
    ),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.0,
            "decay_steps": 20,
            "warmup_target": 0.5,
            "warmup_steps": 6,
        },
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 8}),
    (
        "CosineDecayRestarts",
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 8,
            "t_mul": 1.0,
            "m_mul": 0.5,
            "alpha": 0.1,
        },
    ),
]
every_schedule = pytest.mark.parametrize(
    ("name", "arguments"), TABLE, ids=lambda v: v if isinstance(v, str) else ""
)
STEPS = [0, 1, 4, 5, 6, 7, 9, 10, 11, 19, 20, 21, 30, 1000]


def make(library, name, arguments):
    arguments = dict(arguments)
    if "initial_learning_rate" in arguments:
        arguments["initial_learning_rate"] = float(arguments["initial_learning_rate"])
    return getattr(library, name)(**arguments)


@every_schedule
def test_rates_are_those_of_keras(name, arguments):
    mine = getattr(schedules, name)(**arguments)
    theirs = make(keras.optimizers.schedules, name, arguments)
    found = np.array([mine(step) for step in STEPS])
    expected = np.array([theirs(step) for step in STEPS])
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-8)


@every_schedule
def test_a_traced_step_gives_the_same_rate(name, arguments):
    schedule = getattr(schedules, name)(**arguments)
    compiled = jax.jit(schedule)
    for step in (0, 5, 21):
        np.testing.assert_allclose(compiled(step), schedule(step), rtol=1e-6, atol=1e-8)


@every_schedule
def test_config_is_that_of_keras_and_makes_the_same_schedule_again(name, arguments):
    mine = getattr(schedules, name)(**arguments)
    record = json.loads(json.dumps(schedules.serialize(mine)))
    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    assert record == keras.optimizers.schedules.serialize(theirs)
    assert schedules.deserialize(record).get_config() == mine.get_config()


@pytest.mark.parametrize("name", ["ExponentialDecay", "CosineDecay", "PolynomialDecay"])
def test_decay_steps_of_zero_are_refused(name):
    arguments = {"decay_rate": 0.5} if name == "ExponentialDecay" else {}
    with pytest.raises(ValueError, match=rf"{name} needs decay_steps above 0.*received 0"):
        getattr(schedules, name)(0.1, decay_steps=0, **arguments)


def test_pieces_and_boundaries_must_fit():
    with pytest.raises(ValueError, match="one more value than boundaries; received 2 values and 2"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="rising boundaries"):
        schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3])


def test_a_schedule_without_a_rule_or_a_config_says_what_to_write():
    class Empty(schedules.LearningRateSchedule):
        pass

    with pytest.raises(NotImplementedError, match="Empty is a learning rate schedule without"):
        Empty()(0)
    with pytest.raises(NotImplementedError, match="Empty cannot be saved"):
        schedules.serialize(Empty())


def test_one_cycle_has_the_rates_of_optax():
    mine = schedules.OneCycle(0.5, total_steps=200, warmup_fraction=0.3)
    theirs = optax.cosine_onecycle_schedule(200, 0.5, 0.3)
    steps = np.arange(0, 230, 7)
    expected = [theirs(step) for step in steps]
    np.testing.assert_allclose([mine(step) for step in steps], expected, rtol=1e-5, atol=1e-9)


def test_one_cycle_is_written_and_read():
    mine = schedules.OneCycle(0.5, 200, div_factor=10)
    again = schedules.deserialize(json.loads(json.dumps(schedules.serialize(mine))))
    assert again.get_config() == mine.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"warmup_fraction": 1.0}, "above 0 and below 1"), ({"div_factor": 0}, "div_factor above 0")],
)
def test_one_cycle_refuses_what_has_no_shape(arguments, message):
    with pytest.raises(ValueError, match=message):
        schedules.OneCycle(0.1, 100, **arguments)
