"""A training that was cut off, run again, ends as if it never had been: bit for bit."""

import functools
import json
import os
import signal
import subprocess
import sys
import warnings
from typing import NamedTuple

import numpy as np
import pytest

import lamina
from lamina.callbacks import (
    BackupAndRestore,
    Callback,
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
)
from lamina.saving import DamagedFileError

X = np.random.default_rng(0).normal(size=(25, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True) ** 2
EPOCHS, STEPS = 5, 7  # batches of 4, the last of 1


class PowerCut(Exception):
    pass


class CutAt(Callback):
    """Pulls the plug before a batch of an epoch, or at the end of one."""

    def __init__(self, epoch, batch=None):
        self.place = (epoch, batch)
        self.epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            raise PowerCut

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.place:
            raise PowerCut


class Batches(lamina.utils.PyDataset):
    """Makes its own order, from NumPy's global generator, at the end of every epoch."""

    def __init__(self):
        super().__init__()
        self.order = np.arange(24)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        rows = self.order[index * 4 : index * 4 + 4]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.order)


def endless():
    rng = np.random.default_rng(3)
    while True:
        rows = rng.integers(25, size=4)
        yield X[rows], Y[rows]


class Rows:
    """An iterable that starts anew every epoch and does not know its length."""

    def __iter__(self):
        for start in range(0, 24, 4):
            yield X[start : start + 4], Y[start : start + 4]


class Shuffled:
    """An iterable that makes another order of every pass."""

    def __init__(self):
        self.passes = 0

    def __len__(self):
        return 6

    def __iter__(self):
        rng = np.random.default_rng(self.passes)
        self.passes += 1
        for rows in rng.permutation(24).reshape(6, 4):
            yield X[rows], Y[rows]


DATA = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 4},
    "part of the arrays": lambda: {"x": X, "y": Y, "batch_size": 4, "steps_per_epoch": 5},
    "dataset": lambda: {"x": Batches()},
    "generator": lambda: {"x": endless(), "steps_per_epoch": 6},
    "iterable": lambda: {"x": Rows()},
    "shuffled": lambda: {"x": Shuffled()},
}


class Outcome(NamedTuple):
    """What a training leaves."""

    values: list[tuple[str, np.ndarray]]
    logs: dict[str, list]
    epochs: list[int]


def outcome(model, history, *optimizers):
    """Copies, because the model may be trained anew."""
    optimizers = (model.optimizer, *optimizers)
    variables = [*model.variables, *(v for one in optimizers for v in one.variables)]
    return Outcome([(v.path, np.array(v)) for v in variables], history.history, history.epoch)


def new_model():
    model = lamina.Sequential(
        [
            lamina.Input((3,)),
            lamina.layers.Dense(4, activation="relu"),
            lamina.layers.BatchNormalization(),
            lamina.layers.Dropout(0.5),
            lamina.layers.Dense(1),
        ],
        name="small",
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


@functools.cache
def traced_once():
    """A model and the start values of its variables: to trace it takes longer than to train it."""
    lamina.set_random_seed(5)
    model = new_model()
    return model, [(v, np.array(v)) for v in (*model.variables, *model.optimizer.variables)]


def script(folder, callbacks=(), data="arrays", model=None, **backup):
    """The same few lines every time, as a user's script has them."""
    if model is None:
        model, start = traced_once()
        for variable, value in start:
            variable.assign(value)
    lamina.set_random_seed(5)
    np.random.seed(5)
    keep = [BackupAndRestore(folder, **backup)] if folder else []
    history = model.fit(
        epochs=EPOCHS,
        verbose=0,
        validation_data=(X[:6], Y[:6]),
        callbacks=[
            *keep,
            ReduceLROnPlateau("loss", patience=1, min_delta=10),
            EarlyStopping("val_loss", patience=50, restore_best_weights=True),
            *callbacks,
        ],
        **DATA[data](),
    )
    return outcome(model, history)


def same(one, other):
    for (path, value), (_, value_2) in zip(one.values, other.values, strict=True):
        np.testing.assert_array_equal(value, value_2, err_msg=path)
    assert one.logs == other.logs
    assert one.epochs == other.epochs == list(range(EPOCHS))
    return True


@functools.cache
def undisturbed(data="arrays"):
    """What the script gives where nothing happens, and what is random after it."""
    result = script(None, data=data)
    return result, lamina.random.normal((3,)), np.random.rand()


@pytest.mark.parametrize(
    ("cut", "backup"),
    [
        (CutAt(0, 3), {}),
        (CutAt(2, 0), {}),
        (CutAt(3, None), {}),
        (CutAt(3, 5), {"save_freq": 2}),
        (CutAt(2, 0), {"save_freq": 7}),
        (CutAt(4, 6), {"save_freq": 3, "double_checkpoint": True}),
    ],
    ids=["first epoch", "epoch begins", "epoch ends", "batch", "last batch", "double"],
)
def test_a_training_cut_off_anywhere_ends_as_if_it_had_not_been(tmp_path, cut, backup):
    expected, *random_after = undisturbed()
    with pytest.raises(PowerCut):
        script(tmp_path, [cut], **backup)
    again = script(tmp_path, [CutAt(99)], **backup)
    assert same(expected, again)
    np.testing.assert_array_equal(random_after[0], lamina.random.normal((3,)))
    assert random_after[1] == np.random.rand()


@pytest.mark.filterwarnings("ignore:The data ended after:lamina.LaminaWarning")
@pytest.mark.parametrize("data", sorted(set(DATA) - {"arrays"}))
@pytest.mark.parametrize("save_freq", ["epoch", 4])
def test_any_kind_of_data_goes_on_where_it_was(tmp_path, data, save_freq):
    expected, *_ = undisturbed(data)
    with pytest.raises(PowerCut):
        script(tmp_path, [CutAt(2, 3)], data, save_freq=save_freq)
    assert same(expected, script(tmp_path, [], data, save_freq=save_freq))


def test_a_training_may_be_cut_off_many_times(tmp_path):
    expected, *_ = undisturbed()
    for place in [(0, 1), (0, 4), (2, 2), (2, 6)]:
        with pytest.raises(PowerCut):
            script(tmp_path, [CutAt(*place)], save_freq=1)
    assert same(expected, script(tmp_path, save_freq=1))


KILLED = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
import test_backup_and_restore as test

class Kill(test.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if self.model.history.epoch == [0, 1] and batch == 4 and sys.argv[3] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)

end = test.script(sys.argv[2], [Kill()], save_freq=3)
print(json.dumps([[value.tolist() for _, value in end.values], end.logs]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_the_same_command_after_kill_9_gives_bit_identical_weights(tmp_path):
    def command(what):
        here = os.path.dirname(__file__)
        return subprocess.run(
            [sys.executable, "-c", KILLED, here, str(tmp_path), what],
            capture_output=True,
            text=True,
            check=False,
        )

    killed, again = command("kill"), command("go on")
    assert killed.returncode == -signal.SIGKILL
    assert again.returncode == 0, again.stderr
    expected, *_ = undisturbed()
    values = [value.tolist() for _, value in expected.values]
    assert json.loads(again.stdout) == json.loads(json.dumps([values, expected.logs]))


@pytest.mark.parametrize("place", [(2, 3), (1, "validation"), (3, None)], ids=str)
def test_after_ctrl_c_the_same_lines_go_on_with_nothing_lost(tmp_path, place):
    epoch, moment = place

    class CtrlC(Callback):
        def on_epoch_begin(self, number, logs=None):
            self.epoch = number

        def press(self, now):
            if (self.epoch, now) == (epoch, moment):
                signal.raise_signal(signal.SIGINT)

        def on_train_batch_end(self, batch, logs=None):
            self.press(batch)

        def on_test_begin(self, logs=None):
            self.press("validation")

        def on_epoch_end(self, number, logs=None):
            self.press(None)

    expected, *_ = undisturbed()
    stopped = script(tmp_path, [CtrlC()], save_freq=False)
    assert len(stopped.epochs) < EPOCHS
    steps_again = []
    count = lamina.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps_again.append(batch)
    )
    assert same(expected, script(tmp_path, [count], save_freq=False))
    done = epoch * STEPS + (STEPS if moment is None or moment == "validation" else moment + 1)
    assert len(steps_again) == EPOCHS * STEPS - done


def test_what_callbacks_changed_on_the_way_comes_back(tmp_path):
    class Unfreeze(Callback):
        """Freezes a layer at first, and unfreezes it in the second epoch."""

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.layers[0].trainable = True

    def run(folder, *more):
        lamina.set_random_seed(2)
        model = lamina.Sequential(
            [lamina.Input((3,)), lamina.layers.Dense(4), lamina.layers.Dense(1)]
        )
        model.layers[0].trainable = False
        model.compile("adam", "mse")
        rate = LearningRateScheduler(lambda epoch, rate: rate * 0.9)
        keep = [BackupAndRestore(folder)] if folder else []
        callbacks = [*keep, Unfreeze(), rate, *more]
        history = model.fit(X, Y, 4, EPOCHS, 0, callbacks)
        return model, outcome(model, history)

    _, expected = run(None)
    with pytest.raises(PowerCut):
        run(tmp_path, CutAt(3, 2))
    model, again = run(tmp_path)
    assert model.layers[0].trainable
    assert same(expected, again)


def test_a_model_with_its_own_step_and_two_optimizers_goes_on(tmp_path):
    class Two(lamina.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = lamina.layers.Dense(2), lamina.layers.Dense(1)
            self.second = lamina.optimizers.Adam(0.01)

        def call(self, x):
            return self.two(self.one(x))

        def train_step(self, data):
            x, y = data
            loss, gradients = lamina.value_and_grad(
                lambda: ((self(x) - y) ** 2).mean(), self.trainable_variables
            )()
            self.optimizer.apply(gradients[:2], self.one.trainable_variables)
            self.second.apply(gradients[2:], self.two.trainable_variables)
            return {"loss": loss}

    def run(folder, *more):
        lamina.set_random_seed(2)
        model = Two()
        model.build((None, 3))
        model.compile("adam")
        keep = [BackupAndRestore(folder, save_freq=3)] if folder else []
        return outcome(model, model.fit(X, Y, 4, EPOCHS, 0, [*keep, *more]), model.second)

    expected = run(None)
    with pytest.raises(PowerCut):
        run(tmp_path, CutAt(2, 3))
    again = run(tmp_path)
    assert same(expected, again)


def test_the_backup_is_deleted_when_training_is_complete_and_nothing_else_is(tmp_path):
    script(tmp_path / "one")
    assert not (tmp_path / "one").exists()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "thesis.txt").write_text("not a backup")
    script(tmp_path / "two")
    assert [p.name for p in (tmp_path / "two").iterdir()] == ["thesis.txt"]


def test_a_complete_training_that_was_kept_is_not_done_again(tmp_path):
    expected = script(tmp_path, delete_checkpoint=False)
    begun = []
    watch = lamina.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    assert same(expected, script(tmp_path, [watch], delete_checkpoint=False))
    assert begun == []


def test_backups_after_batches_compile_nothing_more(tmp_path, compilations):
    script(None, model=new_model())
    compilations.reset()
    script(tmp_path, model=new_model(), save_freq=3)
    assert compilations.count("train_program") <= 2  # whole batches and the short last one


def test_a_damaged_backup_is_refused_or_the_one_before_is_taken(tmp_path):
    for double in (True, False):
        folder = tmp_path / str(double)
        with pytest.raises(PowerCut):
            script(folder, [CutAt(3, 2)], double_checkpoint=double)
        latest = folder / "training_state.h5"
        latest.write_bytes(latest.read_bytes()[:-1000])
        if double:
            expected, *_ = undisturbed()
            with pytest.warns(lamina.LaminaWarning, match="continues from the previous backup"):
                again = script(folder, double_checkpoint=True)
            assert same(expected, again)
        else:
            with pytest.raises(DamagedFileError, match="Fix: delete the folder"):
                script(folder)


def test_a_backup_of_another_training_is_refused(tmp_path):
    with pytest.raises(PowerCut):
        script(tmp_path, [CutAt(1, 2)])
    other = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(ValueError, match="of another model than 'sequential'"):
        other.fit(X, Y, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    with pytest.raises(ValueError, match="5 steps per epoch|7 steps per epoch"):
        script(tmp_path, [], "part of the arrays")


def test_a_folder_that_cannot_be_and_a_frequency_that_means_nothing_are_refused():
    with pytest.raises(ValueError, match="must name a folder; received ''"):
        BackupAndRestore("")
    for wrong in (0, -1, "batch", True, 2.5):
        with pytest.raises(ValueError, match="save_freq must be 'epoch', a number of batches"):
            BackupAndRestore("x", save_freq=wrong)


def test_epochs_and_steps_can_be_limited_for_a_quick_look(monkeypatch):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = []
    count = lamina.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch),
        on_test_batch_end=lambda batch, logs: seen.append(-1),
    )
    lamina.config.set_max_epochs(2)
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lamina.LaminaWarning)
            history = model.fit(X, Y, 4, 10, 0, count)
            model.evaluate(X, Y, verbose=0, callbacks=[count], batch_size=4)
            assert model.predict(X, batch_size=4, verbose=0).shape == (12, 1)
    finally:
        lamina.config.set_max_epochs(None)
    assert history.epoch == [0, 1]
    assert seen == [0, 1, 2, 0, 1, 2, -1, -1, -1]
