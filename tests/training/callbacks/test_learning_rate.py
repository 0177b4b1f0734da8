"""Callbacks that change the learning rate, side by side with Keras's over the same logs."""

import json

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from hypothesis import given

from lamina import optimizers
from lamina.callbacks import LambdaCallback, LearningRateScheduler, ReduceLROnPlateau
from lamina.optimizers import SGD, schedules

values = st.integers(-40, 40).map(lambda eighths: eighths / 8)


def rates(callback, model, train, numbers):
    model.optimizer.learning_rate = 0.5
    epochs = [{"val_loss": number} for number in numbers]
    seen = []
    callback_of_the_test = LearningRateScheduler(lambda epoch, rate: seen.append(rate) or rate)
    train([callback, callback_of_the_test], model, epochs)
    return [*seen, model.optimizer.learning_rate], callback.wait, callback.cooldown_counter


@given(
    numbers=st.lists(values, min_size=1, max_size=15),
    mode=st.sampled_from(["min", "max"]),
    arguments=st.fixed_dictionaries(
        {
            "factor": st.sampled_from([0.1, 0.5]),
            "patience": st.integers(0, 3),
            "min_delta": st.sampled_from([0, 0.25, 1]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0.0, 0.125, 0.2]),
        }
    ),
)
def test_the_rate_falls_when_that_of_keras_falls(model, train, numbers, mode, arguments):
    mine = ReduceLROnPlateau("val_loss", mode=mode, **arguments)
    theirs = keras.callbacks.ReduceLROnPlateau("val_loss", mode=mode, **arguments)
    assert rates(mine, model, train, numbers) == rates(theirs, model, train, numbers)


def test_the_rate_of_the_epoch_is_in_the_logs(model):
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1)
    plateau.set_model(model)
    plateau.on_train_begin()
    found = []
    for epoch in range(3):
        logs = {"loss": 1.0}
        plateau.on_epoch_end(epoch, logs)
        found.append(logs["learning_rate"])
    assert found == [0.5, 0.5, 0.25]


def test_a_fall_is_told(model, train, capsys):
    train([ReduceLROnPlateau("loss", patience=1, verbose=1)], model, [{"loss": 1.0}] * 2)
    assert capsys.readouterr().out == (
        "Epoch 2: loss has not improved; the learning rate goes from 0.5 to 0.05.\n"
    )


@pytest.mark.parametrize("factor", [1.0, 1.5, 0, -0.1])
def test_a_factor_that_does_not_lower_is_refused(factor):
    with pytest.raises(ValueError, match="needs a factor above 0 and below 1"):
        ReduceLROnPlateau(factor=factor)


def test_a_rate_that_cannot_be_set_is_an_error_before_the_first_epoch(model):
    model.optimizer = SGD(schedules.CosineDecay(0.1, 10))
    plateau = ReduceLROnPlateau("loss")
    plateau.set_model(model)
    with pytest.raises(TypeError, match="follows a schedule"):
        plateau.on_train_begin()


def test_a_plateau_goes_on_from_its_stored_state(model, train):
    settings = {"monitor": "loss", "factor": 0.5, "patience": 2, "cooldown": 1}
    numbers = [3.0, 3.0, 3.0, 3.0, 2.0, 3.0, 3.0]
    whole = ReduceLROnPlateau(**settings)
    train([whole], model, [{"loss": n} for n in numbers])
    expected = model.optimizer.learning_rate

    model.optimizer.learning_rate = 0.5
    first = ReduceLROnPlateau(**settings)
    train([first], model, [{"loss": n} for n in numbers[:4]])
    second = ReduceLROnPlateau(**settings)
    second.set_model(model)
    second.on_train_begin()
    second.set_state(json.loads(json.dumps(first.get_state())))
    for epoch in range(4, len(numbers)):
        second.on_epoch_end(epoch, {"loss": numbers[epoch]})
    assert model.optimizer.learning_rate == expected
    assert second.get_state() == whole.get_state()


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.5,
        lambda epoch: 0.5 ** (epoch + 2),
        lambda epoch, rate: np.float32(rate) * np.float32(0.5),
        lambda *args: args[1] * 0.5,
    ],
)
def test_a_scheduler_sets_the_rate_before_every_epoch(model, train, schedule):
    seen = []
    watch = LearningRateScheduler(lambda epoch, rate: seen.append(rate) or rate)
    train([LearningRateScheduler(schedule), watch], model, [{}, {}, {}])
    assert seen == [0.25, 0.125, 0.0625]


def test_a_scheduler_puts_the_rate_into_the_logs(model, capsys):
    scheduler = LearningRateScheduler(lambda epoch, rate: 0.125, verbose=1)
    scheduler.set_model(model)
    scheduler.on_epoch_begin(2)
    logs = {}
    scheduler.on_epoch_end(2, logs)
    assert logs == {"learning_rate": 0.125}
    assert capsys.readouterr().out == "Epoch 3: the learning rate is 0.125.\n"


def test_a_schedule_without_a_return_is_told(model):
    scheduler = LearningRateScheduler(lambda epoch, rate: None)
    scheduler.set_model(model)
    with pytest.raises(TypeError, match=r"returned None for epoch 0.*\n.*a return is missing"):
        scheduler.on_epoch_begin(0)


def test_an_error_inside_the_schedule_is_not_hidden(model):
    scheduler = LearningRateScheduler(lambda epoch, rate: rate + "0.1")
    scheduler.set_model(model)
    with pytest.raises(TypeError, match="unsupported operand"):
        scheduler.on_epoch_begin(0)


def test_a_scheduler_cannot_overrule_a_schedule_of_the_optimizer(model):
    model.optimizer = SGD(schedules.CosineDecay(0.1, 10))
    scheduler = LearningRateScheduler(lambda epoch, rate: 0.1)
    scheduler.set_model(model)
    with pytest.raises(TypeError, match="follows a schedule"):
        scheduler.on_epoch_begin(0)


def test_a_scheduler_needs_a_function():
    with pytest.raises(TypeError, match="needs a function .* received 0.1"):
        LearningRateScheduler(0.1)


# Several optimizers


def several(*, scaled=False):
    chosen = optimizers.OptimizerMap(optimizers.SGD(0.5), {"bias": optimizers.SGD(0.125)})
    optimizer = optimizers.MultiOptimizer(chosen)
    return optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer


def rates_of(optimizer):
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return [float(one.learning_rate) for one in optimizer.optimizers]


@pytest.mark.parametrize("scaled", [False, True])
def test_a_schedule_changes_the_rates_of_all_optimizers_by_one_factor(model, train, scaled):
    model.optimizer = several(scaled=scaled)
    seen = []
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(rates_of(model.optimizer)))
    values = [0.25, 0.0, 0.0, 1.0]
    logs = [{} for _ in values]
    scheduler = LearningRateScheduler(lambda epoch, rate: values[epoch])
    train([scheduler, watch], model, logs)
    assert seen == [[0.0625, 0.25], [0.0, 0.0], [0.0, 0.0], [0.25, 1.0]]


def test_a_plateau_lowers_each_rate_to_its_least(model, train):
    model.optimizer = several()
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_lr=0.1)
    train([plateau], model, [{"loss": 1.0}] * 3)
    assert rates_of(model.optimizer) == pytest.approx([0.1, 0.125])


def test_one_optimizer_for_all_weights_is_a_map_too():
    optimizer = optimizers.MultiOptimizer(optimizers.SGD(0.5))
    assert rates_of(optimizer) == [0.5]
    again = optimizers.MultiOptimizer.from_config(optimizer.get_config())
    assert rates_of(again) == [0.5]
