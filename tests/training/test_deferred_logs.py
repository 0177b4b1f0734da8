"""Logs of a step under way: a callback gets the numbers it would have got, and pays if it looks."""

import copy
import json
import pickle

import numpy as np
import pytest

import lamina
from lamina import callbacks, layers, models
from lamina.training.deferred_logs import DeferredLogs


def fitted(callback, x=None, **settings):
    lamina.utils.set_random_seed(3)
    model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.linspace(-1, 1, 32, dtype="float32").reshape(16, 2) if x is None else x
    model.fit(x, x[:, :1], batch_size=4, verbose=0, shuffle=False, callbacks=callback, **settings)
    return model


class Keep(callbacks.Callback):
    """Keeps the logs of every step, and looks at them or not."""

    def __init__(self, look):
        super().__init__()
        self.look = look
        self.kept = []

    def on_train_batch_end(self, batch, logs=None):
        self.kept.append(dict(logs) if self.look else logs)


def test_logs_read_after_training_are_those_of_their_steps():
    early, late = Keep(look=True), Keep(look=False)
    fitted(early, epochs=2)
    fitted(late, epochs=2)

    assert all(isinstance(logs, DeferredLogs) for logs in late.kept)
    assert late.kept == early.kept
    assert [sorted(logs) for logs in late.kept] == [["loss", "mae"]] * 8
    assert len({logs["loss"] for logs in late.kept}) == 8


def test_what_callbacks_leave_unread_changes_no_history():
    plain, watched = fitted([], epochs=2), fitted(Keep(look=False), epochs=2)
    assert watched.history.history == plain.history.history


@pytest.mark.parametrize(
    "read",
    [
        lambda logs: {**logs},
        lambda logs: json.loads(json.dumps(logs)),
        lambda logs: pickle.loads(pickle.dumps(logs)),
        copy.copy,
        copy.deepcopy,
        lambda logs: logs | {},
        lambda logs: {} | logs,
        lambda logs: dict(logs.items()),
        lambda logs: {"loss": logs.get("loss"), "mae": logs.pop("mae")},
    ],
)
def test_every_way_of_reading_a_dict_waits_for_the_numbers(read):
    found = []

    class Read(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            found.append(read(logs))

    expected = Keep(look=True)
    fitted(Read())
    fitted(expected)
    assert found == expected.kept


def test_what_one_callback_adds_the_next_ones_see_and_the_history_does_not():
    class Add(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            logs["added"] = batch

    keep = Keep(look=True)
    model = fitted([Add(), keep])
    assert [logs["added"] for logs in keep.kept] == [0, 1, 2, 3]
    assert sorted(model.history.history) == ["loss", "mae"]


@pytest.mark.parametrize("look", [True, False])
def test_a_loss_that_is_not_finite_ends_training_whether_or_not_somebody_looks(look):
    x = np.ones((16, 2), "float32")
    x[4:8] = 1e30  # the second batch; its square overflows
    keep = Keep(look)
    with pytest.raises(FloatingPointError, match="at step 2 of epoch 1"):
        fitted(keep, x)
    assert len(keep.kept) == (1 if look else 2)


def test_the_last_step_of_an_epoch_is_looked_at_as_well():
    x = np.ones((16, 2), "float32")
    x[12:] = 1e30
    with pytest.raises(FloatingPointError, match="at step 4 of epoch 1"):
        fitted(Keep(look=False), x)
