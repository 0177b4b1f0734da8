"""Callback, CallbackList, History, CSVLogger and LambdaCallback."""

import errno
import gc
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from lamina.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    History,
    LambdaCallback,
    RemoteMonitor,
)

pytestmark = pytest.mark.quick

EPOCHS = [{"loss": 3.0, "accuracy": 0.25}, {"loss": 1.0, "accuracy": 0.5}]
VALIDATED = [{**logs, "val_loss": 2.0} for logs in EPOCHS]


# Callback and CallbackList


HOOKS = sorted(name for name in dir(keras.callbacks.Callback) if name.startswith("on_"))


def record_every_hook(calls):
    def recorder(name):
        return lambda self, *args, **logs: calls.append((name, *args, *logs.values()))

    return {name: recorder(name) for name in HOOKS}


def call_every_hook(callbacks):
    for name in HOOKS:
        numbers = (3,) if "batch" in name or "epoch" in name else ()
        getattr(callbacks, name)(*numbers, {"loss": np.float32(0.5)})
        getattr(callbacks, name)(*numbers)


def test_every_hook_is_passed_on_as_keras_does():
    mine, theirs = [], []
    own = type("Own", (Callback,), record_every_hook(mine))()
    kerasy = type("Kerasy", (keras.callbacks.Callback,), record_every_hook(theirs))()
    call_every_hook(CallbackList([own]))
    call_every_hook(keras.callbacks.CallbackList([kerasy]))
    assert mine == theirs
    assert mine[:2] == [("on_batch_begin", 3, {"loss": 0.5}), ("on_batch_begin", 3, {})]
    assert len({name for name, *_ in mine}) == 16


def test_the_old_batch_hooks_are_called_for_training():
    calls = []

    class Old(Callback):
        def on_batch_begin(self, batch, logs=None):
            calls.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            calls.append(("end", batch, logs))

    callbacks = CallbackList([Old()])
    callbacks.on_train_batch_begin(0)
    callbacks.on_train_batch_end(0, {"loss": 1.0})
    callbacks.on_test_batch_end(0, {"loss": 1.0})
    assert calls == [("begin", 0), ("end", 0, {"loss": 1.0})]


def test_logs_become_sorted_python_numbers():
    seen = []
    callbacks = CallbackList([LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))])
    callbacks.on_epoch_end(0, {"z": np.float32(0.5), "a": {"c": np.array(1)}, "name": "text"})
    assert seen == [{"c": 1.0, "name": "text", "z": 0.5}]
    assert list(seen[0]) == ["c", "name", "z"]
    assert type(seen[0]["z"]) is float


def test_what_a_callback_adds_to_the_logs_the_next_ones_see(model):
    history = History()
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(more=epoch))
    callbacks = CallbackList([add, history], model=model)
    callbacks.on_train_begin()
    callbacks.on_epoch_end(4, {"loss": 1.0})
    assert history.history == {"loss": [1.0], "more": [4]}


@pytest.mark.parametrize("mode", ["train", "test", "predict"])
def test_only_batch_hooks_of_a_mode_ask_for_single_batches(mode):
    assert not CallbackList([Callback(), History()]).has_batch_hooks(mode)
    hook = f"on_{mode}_batch_end"
    overriding = type("Own", (Callback,), {hook: lambda self, batch, logs=None: None})()
    assert CallbackList([Callback(), overriding]).has_batch_hooks(mode)
    assert CallbackList([LambdaCallback(**{hook: lambda batch, logs: None})]).has_batch_hooks(mode)
    others = {"train", "test", "predict"} - {mode}
    assert not any(CallbackList([overriding]).has_batch_hooks(other) for other in others)


def test_the_old_batch_hooks_ask_for_single_batches_too():
    old = type("Old", (Callback,), {"on_batch_end": lambda self, batch, logs=None: None})()
    assert CallbackList([old]).has_batch_hooks("train")
    assert not CallbackList([old]).has_batch_hooks("test")


def test_a_callback_of_keras_itself_is_told_everything(model, train):
    stopping = keras.callbacks.EarlyStopping("loss", patience=1)
    callbacks = CallbackList([stopping], model=model)
    assert callbacks.has_batch_hooks("train")
    assert train([callbacks], model, [{"loss": 1.0}] * 5) == 2


def test_model_and_params_reach_all_callbacks_and_those_added_later(model):
    first, second = Callback(), Callback()
    callbacks = CallbackList([[first]], model=model, params={"epochs": 3}, steps=5)
    callbacks.append(second)
    for callback in (first, second):
        assert callback.model is model
        assert callback.params == {"epochs": 3, "steps": 5}


def test_a_history_is_added_once(model):
    assert [type(c) for c in CallbackList([], add_history=True).callbacks] == [History]
    assert len(CallbackList([History()], add_history=True).callbacks) == 1


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([History], r"has the class History, not an object of it.\n  Fix: callbacks=\[History"),
        (["early_stopping"], "needs Callback objects, .* received 'early_stopping'"),
        (print, "needs Callback objects"),
    ],
)
def test_what_is_no_callback_is_refused(callbacks, message):
    with pytest.raises(TypeError, match=message):
        CallbackList(callbacks)


def test_the_states_of_a_list_are_stored_together(model):
    def fresh():
        return CallbackList([History(), Callback(), CSVLogger("log.csv")], model=model)

    first = fresh()
    first.on_train_begin()
    first.callbacks[0].on_epoch_end(0, {"loss": 1.0})
    stored = json.loads(json.dumps(first.get_state()))
    first.callbacks[0].on_epoch_end(1, {"loss": 0.5})
    second = fresh()
    second.on_train_begin()
    second.set_state(stored)
    assert second.callbacks[0].history == {"loss": [1.0]}
    with pytest.raises(ValueError, match="state is for 3 callbacks, but there are 0"):
        CallbackList([]).set_state(stored)


# History


def test_history_is_that_of_keras_over_two_runs(model, train):
    mine, theirs = History(), keras.callbacks.History()
    for _ in range(2):
        train([mine], model, EPOCHS)
        train([theirs], model, EPOCHS)
    assert (mine.history, mine.epoch) == (theirs.history, theirs.epoch)


def test_the_model_has_its_history(model, train):
    history = History()
    train([history], model, EPOCHS)
    assert model.history is history


# CSVLogger


@pytest.mark.parametrize("epochs", [EPOCHS, VALIDATED, [EPOCHS[0], VALIDATED[1]]])
@pytest.mark.parametrize("arguments", [{}, {"separator": ";"}, {"append": True}])
def test_csv_files_are_those_of_keras(model, train, tmp_path, epochs, arguments):
    texts = []
    for library in (CSVLogger, keras.callbacks.CSVLogger):
        path = tmp_path / f"{library.__module__}.csv"
        logger = library(path, **arguments)
        for _ in range(2):
            train([CallbackList([logger])], model, epochs)
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]


def test_lists_are_written_as_keras_writes_them(model, train, tmp_path):
    texts = []
    for library in (CSVLogger, keras.callbacks.CSVLogger):
        path = tmp_path / f"{library.__module__}.csv"
        train([library(path)], model, [{"loss": np.array([1.0, 2.0]), "kind": "text"}])
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]


def test_folders_of_a_csv_file_are_made(model, train, tmp_path):
    path = tmp_path / "runs" / "first" / "log.csv"
    train([CSVLogger(path)], model, EPOCHS)
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("append", [False, True])
def test_an_interrupted_csv_file_has_every_epoch_once(model, train, tmp_path, append):
    whole, broken = tmp_path / "whole.csv", tmp_path / "broken.csv"
    epochs = [{"loss": float(n)} for n in range(5)]
    for path in (whole, broken):
        if append:
            path.write_text("epoch,loss,val_loss\r\n", newline="")
    train([CSVLogger(whole, append=append)], model, epochs)

    first = CSVLogger(broken, append=append)
    first.on_train_begin()
    for epoch in range(2):
        first.on_epoch_end(epoch, epochs[epoch])
    stored = json.loads(json.dumps(first.get_state()))
    first.on_epoch_end(2, epochs[2])  # written, but the state of the model was not stored
    first.on_train_end()

    second = CSVLogger(broken, append=append)
    second.on_train_begin()
    second.set_state(stored)
    for epoch in range(2, 5):
        second.on_epoch_end(epoch, epochs[epoch])
    second.on_train_end()
    assert broken.read_bytes() == whole.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_full_disk_is_said_and_leaves_no_trace_behind(recwarn):
    logger = CSVLogger("/dev/full")
    logger.on_train_begin()
    with pytest.raises(OSError, match="CSVLogger cannot write /dev/full: No space left") as caught:
        logger.on_epoch_end(0, {"loss": 1.0})
    assert caught.value.errno == errno.ENOSPC
    assert "Fix: free some disk space" in str(caught.value)
    assert logger.csv_file is None
    logger.on_train_end()
    gc.collect()
    assert not recwarn


def test_a_table_in_a_folder_that_is_none_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("x")
    logger = CSVLogger(tmp_path / "file" / "log.csv")
    logger.on_train_begin()
    with pytest.raises(OSError, match="CSVLogger cannot write"):
        logger.on_epoch_end(0, {"loss": 1.0})


# LambdaCallback


def test_functions_are_called_as_hooks(model, train):
    calls = []
    callback = LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        on_epoch_end=lambda epoch, logs: calls.append((epoch, logs)),
        on_train_end=None,
    )
    train([CallbackList([callback])], model, [{"loss": 1.0}])
    assert calls == ["begin", (0, {"loss": 1.0})]


def test_an_unknown_hook_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match="no argument 'on_epoch_ends'. Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)


def test_a_lambda_callback_keeps_what_is_no_hook_as_an_attribute():
    assert LambdaCallback(my_own=len).my_own([1]) == 1
    with pytest.raises(TypeError, match="no argument 'epoch_end'"):
        LambdaCallback(epoch_end=print)


@pytest.mark.parametrize(
    ("value", "sent"),
    [(0.5, 0.5), (np.float32(0.5), 0.5), (np.zeros(1), 0.0), (np.arange(2), [0, 1])],
)
def test_a_remote_monitor_sends_plain_numbers(monkeypatch, value, sent):
    posted = []
    monkeypatch.setattr("requests.post", lambda url, json, **_: posted.append(json))
    RemoteMonitor(send_as_json=True).on_epoch_end(2, {"loss": value})
    assert posted == [{"epoch": 2, "loss": sent}]


@pytest.mark.parametrize("exists", [True, False])
def test_a_log_that_is_gone_on_with_has_its_names_once(tmp_path, exists):
    path = tmp_path / "log.csv"
    if exists:
        path.write_text("epoch,loss,val_loss\n0,1.0,NA\n")
    logger = CSVLogger(path, append=True)
    logger.on_train_begin()
    logger.on_epoch_end(1, {"loss": 0.5})
    logger.on_train_end()
    assert path.read_text().count("epoch,loss") == 1


def test_a_log_without_names_is_written_if_a_subclass_says_so(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    assert logger.append_header
    logger.append_header = False
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 1.0})
    logger.on_train_end()
    assert (tmp_path / "log.csv").read_text().splitlines() == ["0,0.5,1.0"]
