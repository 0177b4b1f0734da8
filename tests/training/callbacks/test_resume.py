"""What is promised about a run that goes on in another process: docs/reliability.md lists it."""

import functools
import gc
import itertools
import random
import threading

import numpy as np
import pytest

import lamina
from lamina.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
EPOCHS, BATCHES = 4, 6


class PowerCut(Exception):
    pass


class CutAt(Callback):
    """Pulls the plug before a batch of an epoch, or when an epoch has ended."""

    def __init__(self, epoch, number=None):
        self.place, self.epoch = (epoch, number), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, number, logs=None):
        if (self.epoch, number) == self.place:
            raise PowerCut

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.place:
            raise PowerCut


class CutAtEnd(Callback):
    """The last backup is made, and the training has not ended yet."""

    def on_train_end(self, logs=None):
        raise PowerCut


def drawing_ahead():
    return any(t.name.startswith("lamina-prefetch") for t in threading.enumerate())


def small_model():
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.fixture(scope="module")
def compiled():
    """A model and the start values of its variables, so that it is traced and compiled once."""
    model = small_model()
    model.optimizer.build(model.trainable_variables)
    return model, [(v, np.array(v)) for v in (*model.variables, *model.optimizer.variables)]


@pytest.fixture(scope="module")
def undisturbed(compiled):
    """What a run gives that nothing cuts off, by the name of its source: computed once."""
    found = {}

    def results(kind, source, **data):
        if (kind, *data) not in found:
            found[kind, *data] = run(compiled, None, source, **data)
        return found[kind, *data]

    return results


def noisy(x):
    """A picture as tutorials augment one, by both of the generators that everybody shares."""
    return (x + np.random.normal(size=x.shape) * random.random()).astype("float32")


# Sources that draw from the global generators


class Augmented(lamina.utils.PyDataset):
    """Shuffles itself at the end of every epoch, and makes noise."""

    def __init__(self):
        super().__init__()
        self.order = np.arange(24)

    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        rows = self.order[index * 4 : index * 4 + 4]
        return noisy(X[rows]), Y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.order)


class EndlessAugmented(Augmented):
    num_batches = None

    def __getitem__(self, index):
        return super().__getitem__(index % BATCHES)


class AugmentedLoader:
    """In a new order every time, without a length."""

    def __iter__(self):
        order = np.random.permutation(24).reshape(BATCHES, 4)
        return ((noisy(X[rows]), Y[rows]) for rows in order)


class SizedAugmentedLoader(AugmentedLoader):
    def __len__(self):
        return BATCHES


def mapped():
    rows = lamina.data.Dataset.from_tensor_slices((X, Y)).shuffle(24, seed=1)
    return rows.map(lambda x, y: (noisy(x), y))


def endless():
    while True:
        rows = np.random.permutation(24)[:4]
        yield noisy(X[rows]), Y[rows]


SOURCES = {
    "PyDataset": Augmented,
    "endless PyDataset": EndlessAugmented,
    "loader": AugmentedLoader,
    "sized loader": SizedAugmentedLoader,
    "Dataset": lambda: mapped().batch(4),
    "prefetched Dataset": lambda: mapped().batch(4).prefetch(2),
    "cached Dataset": lambda: mapped().cache().batch(4),
    "Dataset of unknown length": lambda: mapped().filter(lambda x, y: True).batch(4),
    "endless Dataset": lambda: mapped().repeat().batch(4),
    "generator": endless,
}


def run(compiled, folder, source, *callbacks, seed=1, save_freq=2, **data):
    """The lines of a user's script, in a process whose generators stand anywhere."""
    if drawing_ahead():
        gc.collect()  # ends the thread of a source that was cut off, which draws as well
    model, start = compiled
    for variable, value in start:
        variable.assign(value)
    lamina.set_random_seed(5)
    np.random.seed(seed)
    random.seed(seed)
    keep = [BackupAndRestore(folder, save_freq=save_freq)] if folder else []
    history = model.fit(
        source, epochs=EPOCHS, verbose=0, shuffle=False, callbacks=[*keep, *callbacks], **data
    )
    return history.history["loss"], history.history.get("val_loss"), np.random.rand()


@pytest.mark.parametrize("cut", [CutAt(0, 3), CutAt(2, 3), CutAt(2, 0), CutAt(2, None)])
@pytest.mark.parametrize("kind", SOURCES)
def test_what_a_source_draws_from_numpy_and_python_comes_again(
    compiled, undisturbed, tmp_path, kind, cut
):
    data = {"steps_per_epoch": BATCHES} if "endless" in kind or kind == "generator" else {}
    expected = undisturbed(kind, SOURCES[kind](), **data)
    with pytest.raises(PowerCut):
        run(compiled, tmp_path, SOURCES[kind](), cut, **data)
    assert run(compiled, tmp_path, SOURCES[kind](), seed=2, **data) == expected


@pytest.mark.filterwarnings("ignore:The data ended after:lamina.LaminaWarning")
@pytest.mark.parametrize("kind", SOURCES)
def test_a_pass_of_several_epochs_goes_on_too(compiled, tmp_path, kind):
    expected = run(compiled, None, SOURCES[kind](), steps_per_epoch=4)
    for cut in (CutAt(1, 1), CutAt(2, 3)):
        with pytest.raises(PowerCut):
            run(compiled, tmp_path, SOURCES[kind](), cut, steps_per_epoch=4)
    assert run(compiled, tmp_path, SOURCES[kind](), steps_per_epoch=4) == expected


@pytest.mark.parametrize("cut", [CutAt(2, 3), CutAt(2, 0)])
@pytest.mark.parametrize(
    "kind",
    # The thread of `prefetch` draws while the training data do: no two runs are the same.
    [kind for kind in SOURCES if "endless" not in kind and "prefetched" not in kind],
)
def test_the_source_of_validation_data_goes_on_as_well(compiled, undisturbed, tmp_path, kind, cut):
    def data():
        steps = {"validation_steps": 3} if kind == "generator" else {}
        return {"validation_data": SOURCES[kind](), **steps}

    expected = undisturbed(kind, Augmented(), **data())
    with pytest.raises(PowerCut):
        run(compiled, tmp_path, Augmented(), cut, **data())
    assert run(compiled, tmp_path, Augmented(), **data()) == expected


@pytest.mark.filterwarnings("ignore:The validation data ended:lamina.LaminaWarning")
def test_a_validation_generator_that_was_used_up_is_replayed_by_the_next_run(compiled, tmp_path):
    def data():
        return {"validation_data": itertools.islice(endless(), 3)}

    expected = run(compiled, None, Augmented(), **data())
    with pytest.raises(PowerCut):
        run(compiled, tmp_path, Augmented(), CutAt(2, 3), **data())
    assert run(compiled, tmp_path, Augmented(), **data()) == expected


def test_arrays_go_on_with_the_generators_where_callbacks_left_them(compiled, tmp_path):
    class Draws(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["drawn"] = np.random.rand() + random.random()

    expected = run(compiled, None, X, Draws(), y=Y)
    with pytest.raises(PowerCut):
        run(compiled, tmp_path, X, Draws(), CutAt(2, 0), y=Y)
    assert run(compiled, tmp_path, X, Draws(), seed=2, y=Y) == expected


# A stop is final


class StopAt(Callback):
    """Ends training by a flag, after a batch or an epoch."""

    def __init__(self, epoch, number=None):
        self.place, self.epoch = (epoch, number), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, number, logs=None):
        if (self.epoch, number) == self.place:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.place:
            self.model.stop_training = True


@functools.cache
def never_cut(stop):
    return stopped(None, STOPS[stop](), Callback())


def stopped(folder, *callbacks, **backup):
    """What a run that a callback ends leaves: losses, weights, and the logs of its end."""
    lamina.set_random_seed(3)
    model, ends = small_model(), []
    end = lamina.callbacks.LambdaCallback(on_train_end=lambda logs: ends.append(dict(logs)))
    keep = [BackupAndRestore(folder, **backup)] if folder else []
    history = model.fit(
        X,
        Y,
        4,
        8,
        0,
        callbacks=[*keep, *callbacks[:-1], end, *callbacks[-1:]],
        validation_data=(X, Y),
    )
    weights = [w.tolist() for w in model.get_weights()]
    return history.history, history.epoch, weights, ends[-1:]


STOPS = {
    "early stopping": lambda: EarlyStopping("loss", 100, patience=1, restore_best_weights=True),
    "a flag after an epoch": lambda: StopAt(1),
    "a flag after a batch": lambda: StopAt(1, 2),
}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("save_freq", ["epoch", 1, 4])
def test_a_training_that_was_stopped_stays_so(tmp_path, stop, save_freq):
    expected = never_cut(stop)
    settings = {"save_freq": save_freq, "delete_checkpoint": False}
    with pytest.raises(PowerCut):  # killed between the last backup and the end
        stopped(tmp_path, STOPS[stop](), CutAtEnd(), **settings)
    for _ in range(2):  # and again after it was complete
        assert stopped(tmp_path, STOPS[stop](), Callback(), **settings) == expected


def test_a_stop_inside_an_epoch_does_only_what_was_left_of_it(tmp_path):
    expected = stopped(None, StopAt(1, 2), Callback())
    with pytest.raises(PowerCut):
        stopped(tmp_path, StopAt(1, 2), CutAt(1), save_freq=1)
    steps = []
    count = lamina.callbacks.LambdaCallback(on_train_batch_end=lambda n, logs: steps.append(n))
    assert stopped(tmp_path, StopAt(1, 2), count, save_freq=1) == expected
    assert steps == []


def test_a_run_that_has_nothing_left_to_do_says_why(tmp_path, capsys):
    for verbose in (0, 2):
        model = small_model()
        keep = BackupAndRestore(tmp_path, delete_checkpoint=False)
        model.fit(X, Y, epochs=3, verbose=verbose, callbacks=[keep, StopAt(0)])
    assert "stopped before epoch 2, by a callback; nothing is left" in capsys.readouterr().out


# Files that callbacks write


def test_lines_of_a_log_are_written_once_wherever_the_run_was_cut_off(compiled, tmp_path):
    def lines(folder, *callbacks, save_freq="epoch"):
        log = tmp_path / f"{folder}.csv"
        if not log.exists():
            log.write_text("epoch,loss,val_loss\n7,0.5,NA\n")  # of another training
        logger = CSVLogger(log, append=True)
        try:
            run(compiled, tmp_path / folder, X, logger, *callbacks, y=Y, save_freq=save_freq)
        finally:
            logger.on_train_end()  # closes the file, as the end of a process does
        return log.read_text().splitlines()

    expected = lines("whole")
    assert len(expected) == 2 + EPOCHS
    for folder, save_freq, cuts in [
        ("before the first backup", "epoch", [CutAt(0, None)]),
        ("often", 20, [CutAt(1, 0), CutAt(2, 0), CutAt(1, 0)]),
        ("later", 7, [CutAt(2, 0), CutAt(3, 0)]),
    ]:
        for cut in cuts:
            with pytest.raises(PowerCut):
                lines(folder, cut, save_freq=save_freq)
        assert lines(folder, save_freq=save_freq) == expected
