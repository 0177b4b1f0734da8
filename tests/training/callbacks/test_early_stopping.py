"""EarlyStopping and TerminateOnNaN, side by side with Keras's over the same logs."""

import json
import math

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from hypothesis import given

import lamina
from lamina.callbacks import CallbackList, EarlyStopping, TerminateOnNaN

pytestmark = pytest.mark.quick

# Eighths: exact in float32, in which Keras compares.
values = st.integers(-40, 40).map(lambda eighths: eighths / 8)


def outcome(callback, model, train, numbers, name):
    ran = train([callback], model, [{name: number} for number in numbers])
    return ran, model.stop_training, callback.wait, callback.best, model.weights


@given(
    numbers=st.lists(values, min_size=1, max_size=12),
    mode=st.sampled_from(["min", "max"]),
    arguments=st.fixed_dictionaries(
        {
            "patience": st.integers(0, 3),
            "min_delta": st.sampled_from([0, 0.25, 1]),
            "baseline": st.none() | values,
            "restore_best_weights": st.booleans(),
            "start_from_epoch": st.integers(0, 3),
        }
    ),
)
def test_early_stopping_stops_when_keras_stops(model, train, numbers, mode, arguments):
    mine = EarlyStopping("val_loss", mode=mode, **arguments)
    theirs = keras.callbacks.EarlyStopping("val_loss", mode=mode, **arguments)
    expected = outcome(theirs, model, train, numbers, "val_loss")
    assert outcome(mine, model, train, numbers, "val_loss") == expected
    # A second run with the same callback starts from scratch.
    assert outcome(mine, model, train, numbers, "val_loss") == expected


def test_the_best_weights_are_put_back(model, train, capsys):
    stopping = EarlyStopping("loss", patience=2, restore_best_weights=True, verbose=1)
    assert train([stopping], model, [{"loss": n} for n in (3, 1, 2, 2, 0)]) == 4
    assert model.weights == ["weights of epoch 1"]
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 4: training ends, loss has not improved since epoch 2.",
        "The weights are those of epoch 2.",
    ]


def test_a_nan_is_no_improvement(model, train):
    stopping = EarlyStopping("loss", patience=2)
    train([stopping], model, [{"loss": math.nan}, {"loss": 2.0}, {"loss": 1.0}, {"loss": math.nan}])
    assert (stopping.best, stopping.wait, model.stop_training) == (1.0, 1, False)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("val_accuracy", "max"),
        ("val_loss", "min"),
        ("auc_1", "max"),
        ("digit_accuracy", "max"),
        ("val_digit_loss", "min"),
        ("mae", "min"),
        ("val_top_k_categorical_accuracy", "max"),
        ("sparse_categorical_crossentropy", "min"),
    ],
)
def test_known_metrics_tell_which_way_is_better(model, train, monitor, mode):
    logs = [{monitor: number} for number in (1.0, 2.0, 1.5)]
    results = []
    for chosen in ("auto", mode):
        stopping = EarlyStopping(monitor, mode=chosen, patience=5)
        train([stopping], model, logs)
        results.append(stopping.best)
    assert results[0] == results[1] == (2.0 if mode == "max" else 1.0)


@pytest.mark.parametrize(("direction", "best"), [("up", 2.0), ("down", 1.0)])
def test_a_metric_of_the_model_tells_which_way_is_better(model, train, direction, best):
    class Metric:
        name = "accuracy_of_mine"

    Metric.direction = direction
    model.metrics = [Metric()]
    stopping = EarlyStopping("val_accuracy_of_mine", patience=5)
    train([stopping], model, [{"val_accuracy_of_mine": n} for n in (1.0, 2.0)])
    assert stopping.best == best


def test_a_metric_that_does_not_tell_needs_a_mode(model):
    stopping = EarlyStopping("val_score")
    stopping.set_model(model)
    with pytest.raises(ValueError, match="cannot tell whether a higher or a lower") as caught:
        stopping.on_train_begin()
    assert "Fix: mode='max' if higher is better" in str(caught.value)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max'; received 'maximum'"):
        EarlyStopping(mode="maximum")


def test_a_misspelt_argument_is_named():
    with pytest.raises(TypeError, match="EarlyStopping has no argument 'patiance'. Did you mean"):
        EarlyStopping(patiance=3)


@pytest.mark.parametrize(
    ("monitor", "logs", "message"),
    [
        (
            "val_loss",
            {"loss": 1.0},
            r"logs have loss\.\n.*no validation data",
        ),
        (
            "val_auc",
            {"loss": 1.0, "val_loss": 1.0},
            r"logs have loss, val_loss\.\n  Fix: set monitor=",
        ),
        ("auc", {"loss": 1.0}, r"logs have loss\.\n.*compile\(metrics=\['auc'\]\)"),
        ("loss", {"loss": [1.0, 2.0]}, "needs 'loss' to be one number"),
    ],
)
def test_a_number_that_is_not_there_is_an_error_that_names_the_others(
    model, train, monitor, logs, message
):
    with pytest.raises(ValueError, match=message):
        train([EarlyStopping(monitor)], model, [logs])


def test_epochs_without_validation_are_passed_over_while_others_have_it(model, train):
    stopping = EarlyStopping("val_loss", patience=1)
    epochs = [{"loss": 1.0}, {"loss": 1.0, "val_loss": 1.0}, {"loss": 1.0}]
    train([stopping], model, epochs, params={"validation_freq": 2})
    assert (stopping.best, stopping.wait) == (1.0, 0)


def test_early_stopping_goes_on_from_its_stored_state(model, train):
    numbers = [5.0, 3.0, 4.0, 4.5, 4.0, 1.0]
    whole = EarlyStopping("loss", patience=3)
    assert train([whole], model, [{"loss": n} for n in numbers]) == 5

    first = EarlyStopping("loss", patience=3)
    train([first], model, [{"loss": n} for n in numbers[:3]])
    stored = json.loads(json.dumps(first.get_state()))
    second = EarlyStopping("loss", patience=3)
    second.set_model(model)
    second.on_train_begin()
    second.set_state(stored)
    for epoch in (3, 4):
        second.on_epoch_end(epoch, {"loss": numbers[epoch]})
    assert model.stop_training
    assert second.get_state() == whole.get_state()


def test_state_of_another_callback_is_refused():
    with pytest.raises(ValueError, match="EarlyStopping stores wait, .* has cooldown"):
        EarlyStopping().set_state({"cooldown": 1})


def test_a_loss_that_is_lost_ends_training_quietly_and_once(model, train, capsys):
    callback = TerminateOnNaN()
    assert train([callback], model, [{"loss": 1.0}, {"loss": math.inf}, {"loss": 0}], 2) == 2
    assert capsys.readouterr().out == "Training ends: the loss is inf in batch 0.\n"
    assert CallbackList([callback]).stops_on_nan
    assert not CallbackList([callback]).has_batch_hooks("train")


def test_a_lost_loss_may_be_made_an_error(model, train):
    callback = TerminateOnNaN(raise_error=True)
    assert not CallbackList([callback]).stops_on_nan
    with pytest.raises(RuntimeError, match="The loss is nan in epoch 1"):
        train([callback], model, [{"loss": math.nan}])


# What subclasses expect


@pytest.mark.parametrize("mode", ["auto", "min", "max"])
@pytest.mark.parametrize(
    "make",
    [
        lambda library, mode: library.callbacks.EarlyStopping("loss", mode=mode, min_delta=0.5),
        lambda library, mode: library.callbacks.ReduceLROnPlateau("loss", mode=mode, min_delta=0.5),
        lambda library, mode: library.callbacks.ModelCheckpoint(
            "never.keras", "loss", mode=mode, save_best_only=True, initial_value_threshold=0.0
        ),
    ],
)
def test_the_comparison_is_there_for_subclasses_as_in_keras(model, make, mode):
    mine, theirs = make(lamina, mode), make(keras, mode)
    mine.set_model(model)
    mine.on_train_begin()
    theirs.set_model(model)
    theirs._set_monitor_op()
    assert mine.monitor_op is (lamina.ops.greater if mode == "max" else lamina.ops.less)
    assert theirs.monitor_op is (keras.ops.greater if mode == "max" else keras.ops.less)
    assert mine.min_delta == theirs.min_delta
    for value in (0.0, 0.4, 0.6, 1.0):
        assert mine._is_improvement(value, 0.5) == bool(theirs._is_improvement(value, 0.5))


def test_a_comparison_of_ones_own_decides(model, train):
    stopping = EarlyStopping("loss", patience=2)
    stopping.monitor_op = np.greater
    train([stopping], model, [{"loss": n} for n in (1.0, 2.0, 3.0, 2.5)])
    assert stopping.best == 3.0


def test_an_improvement_may_be_defined_by_a_subclass(model, train):
    class Close(EarlyStopping):
        def _is_improvement(self, monitor_value, reference_value):
            return reference_value is None or abs(monitor_value - 1) < abs(reference_value - 1)

    stopping = Close("loss", patience=5)
    train([stopping], model, [{"loss": n} for n in (3.0, 0.5, 1.2, 2.0)])
    assert stopping.best == 1.2


def test_a_number_in_an_array_of_one_is_a_number(model, train):
    stopping = EarlyStopping("f1_score", mode="max")
    train([stopping], model, [{"f1_score": np.array([0.25], "float32")}])
    assert stopping.best == 0.25
