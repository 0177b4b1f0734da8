"""Every kind of source in every length of an epoch: which batches are seen, and what is said."""

import itertools
import threading
import warnings

import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning

BATCHES, SIZE = 5, 4
X = np.repeat(np.arange(BATCHES, dtype="float32"), SIZE)[:, None]


def batch(number):
    rows = slice(number * SIZE, (number + 1) * SIZE)
    return X[rows], X[rows]


class Numbered(lamina.utils.PyDataset):
    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        return batch(index)


class Loader:
    """Gone through anew by every `iter`, like a torch DataLoader."""

    def __iter__(self):
        return map(batch, range(BATCHES))


class SizedLoader(Loader):
    def __len__(self):
        return BATCHES


def slices():
    return lamina.data.Dataset.from_tensor_slices((X, X)).batch(SIZE)


def windows():
    return lamina.utils.timeseries_dataset_from_array(X, X, sequence_length=1, batch_size=SIZE).map(
        lambda x, y: (x[:, 0], y)
    )


KINDS = {
    "arrays": lambda: {"x": X, "y": X, "batch_size": SIZE},
    "PyDataset": lambda: {"x": Numbered()},
    "threads": lambda: {"x": Numbered(workers=2)},
    "sized loader": lambda: {"x": SizedLoader()},
    "loader": lambda: {"x": Loader()},
    "Dataset": lambda: {"x": slices()},
    "Dataset without len": lambda: {"x": slices().filter(lambda x, y: True)},
    "time series": lambda: {"x": windows()},
}


class Watch(lamina.callbacks.Callback):
    """Which batch every step was: its loss is the square of its number."""

    def __init__(self):
        super().__init__()
        self.seen, self.measured = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append([])
        self.measured.append([])

    def on_train_batch_end(self, number, logs=None):
        self.seen[-1].append(self._last(self.seen[-1], logs))

    def on_test_batch_begin(self, number, logs=None):
        if number == 0 and not self.measured:
            self.measured.append([])

    def on_test_batch_end(self, number, logs=None):
        self.measured[-1].append(self._last(self.measured[-1], logs))

    @staticmethod
    def _last(before, logs):
        total = logs["loss"] * (len(before) + 1)
        return round(max(0, total - sum(number**2 for number in before)) ** 0.5)


@pytest.fixture(scope="module")
def model():
    """Always gives 0, so the loss of batch 3 is 9."""
    dense = lamina.layers.Dense(1, kernel_initializer="zeros", use_bias=False)
    model = lamina.Sequential([lamina.Input((1,)), dense])
    model.compile(lamina.optimizers.SGD(0.0), "mse")
    return model


def fit(model, epochs=4, **data):
    """What each epoch saw, and the sentences that were said."""
    watch = Watch()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(epochs=epochs, shuffle=False, verbose=0, callbacks=[watch], **data)
    return watch, [str(w.message) for w in said if issubclass(w.category, LaminaWarning)]


ALL = [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        (None, [ALL] * 4),
        (5, [ALL] * 4),
        (7, [ALL] * 4),
        (4, [ALL[:4], ALL[4:]] * 2),
        (2, [[0, 1], [2, 3], [4], [0, 1]]),
        (1, [[0], [1], [2], [3]]),
    ],
)
def test_an_epoch_goes_on_in_the_data_and_ends_with_them(model, kind, steps, seen):
    watch, said = fit(model, steps_per_epoch=steps, **KINDS[kind]())
    assert watch.seen == seen
    short = any(len(epoch) < (steps or BATCHES) for epoch in seen)
    assert len(said) == short
    assert all("An epoch ends with the data" in sentence for sentence in said)


@pytest.mark.parametrize("steps", [None, 4, 5, 7])
def test_arrays_are_divided_into_epochs_as_in_keras(steps):
    keras = pytest.importorskip("keras")
    sizes = []
    for library in (lamina, keras):
        net = library.Sequential([library.Input((1,)), library.layers.Dense(1)])
        net.compile("sgd", "mse")
        counts = []
        count = library.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs, counts=counts: counts.append(0),
            on_train_batch_end=lambda number, logs, counts=counts: counts.append(counts.pop() + 1),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X, X, SIZE, epochs=4, steps_per_epoch=steps, verbose=0, callbacks=[count])
        sizes.append(counts)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("budget", [None, 0])
def test_every_sample_is_seen_once_in_a_shuffled_pass_of_several_epochs(model, budget):
    lamina.config.set_resident_budget(budget)
    try:
        watch, _ = fit(model, steps_per_epoch=8, batch_size=1, x=X, y=X, epochs=4)
    finally:
        lamina.config.set_resident_budget(None)
    one_pass = list(itertools.chain.from_iterable(watch.seen[:3]))
    assert [len(epoch) for epoch in watch.seen] == [8, 8, 4, 8]
    assert sorted(one_pass) == X[:, 0].tolist()


def test_a_shuffled_py_dataset_gives_all_batches_before_one_comes_again(model):
    watch = Watch()
    model.fit(Numbered(), steps_per_epoch=1, epochs=10, verbose=0, callbacks=[watch])
    seen = list(itertools.chain.from_iterable(watch.seen))
    assert sorted(seen[:5]) == sorted(seen[5:]) == ALL


def test_a_run_that_begins_at_a_later_epoch_begins_with_the_data(model):
    watch = Watch()
    for x in ({"x": X, "y": X, "batch_size": SIZE}, {"x": Numbered()}):
        watch = Watch()
        model.fit(
            **x, steps_per_epoch=3, initial_epoch=3, epochs=4, shuffle=False, verbose=0,
            callbacks=[watch],
        )  # fmt: skip
        assert watch.seen == [[0, 1, 2]]


def test_an_endless_py_dataset_goes_on_and_uses_its_workers(model):
    threads = set()

    class Endless(lamina.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            threads.add(threading.current_thread().name)
            return batch(index % BATCHES)

    watch, said = fit(model, x=Endless(workers=2), steps_per_epoch=3)
    assert watch.seen == [[0, 1, 2], [3, 4, 0], [1, 2, 3], [4, 0, 1]]
    assert not said
    assert any(name.startswith("lamina-dataset") for name in threads)


def test_a_py_dataset_hears_of_every_epoch_even_of_a_part_of_its_batches(model):
    heard = []

    class Hears(Numbered):
        def on_epoch_begin(self):
            heard.append("begin")

        def on_epoch_end(self):
            heard.append("end")

    fit(model, x=Hears(), steps_per_epoch=2, epochs=3)
    assert heard == ["begin", "end"] * 3


# Generators, which can be gone through once


def generator(count):
    return map(batch, [number % BATCHES for number in range(count)])


@pytest.mark.parametrize(
    ("count", "steps", "epochs", "seen", "said"),
    [
        (5, None, 1, [ALL], None),
        (5, None, 3, [ALL], "ended in epoch 1 of 3; training ends"),
        (5, 5, 1, [ALL], None),
        (5, 5, 3, [ALL, []], "ended before epoch 2; training ends"),
        (10, 5, 3, [ALL, ALL, []], "ended before epoch 3; training ends"),
        (5, 3, 3, [[0, 1, 2], [3, 4]], "after 2 of 3 steps of epoch 2; training ends"),
        (5, 8, 1, [ALL], "after 5 of 8 steps of epoch 1; training ends"),
    ],
)
def test_a_generator_that_ends_ends_training_with_a_sentence(
    model, count, steps, epochs, seen, said
):
    watch, sentences = fit(model, x=generator(count), steps_per_epoch=steps, epochs=epochs)
    assert watch.seen == seen
    assert len(sentences) == (said is not None)
    assert said is None or said in sentences[0]
    # An epoch without a step is none.
    assert len(model.history.epoch) == sum(map(bool, seen))


def test_an_iterable_that_gives_its_batches_once_ends_training_too(model):
    class Once:
        def __init__(self):
            self.batches = generator(5)

        def __iter__(self):
            return iter(self.batches)

    watch, said = fit(model, x=Once())
    assert watch.seen == [ALL, []]
    assert "ended before epoch 2" in said[0]


def test_the_second_model_of_a_process_is_told_as_well(model):
    for _ in range(2):
        _, said = fit(model, x=generator(5))
        assert len(said) == 1


# Measuring


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "seen"), [(None, ALL), (5, ALL), (7, ALL), (2, [0, 1])])
def test_every_validation_begins_with_the_data(model, kind, steps, seen):
    data = KINDS[kind]()
    source = data["x"] if "y" not in data else (data["x"], data["y"])
    watch, said = fit(
        model, 3, x=X, y=X, batch_size=SIZE, validation_data=source, validation_steps=steps
    )
    assert watch.measured == [seen] * 3
    assert len(model.history.history["val_loss"]) == 3
    assert len(said) == (steps == 7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "seen"), [(None, ALL), (7, ALL), (2, [0, 1])])
def test_evaluate_takes_so_many_steps_or_all_there_are(model, kind, steps, seen):
    watch = Watch()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.evaluate(**KINDS[kind](), steps=steps, verbose=0, callbacks=[watch])
    assert watch.measured == [seen]
    assert len(said) == (steps == 7)


def test_predict_says_that_a_source_ended_early(model):
    with pytest.warns(LaminaWarning, match="ended after 5 of 7 steps"):
        assert model.predict(generator(5), steps=7, verbose=0).shape == (20, 1)


@pytest.mark.parametrize(
    ("count", "steps", "seen", "said"),
    [
        (5, None, [ALL] * 3, "The 5 batches of the first validation are used again"),
        (10, 3, [[0, 1, 2], [3, 4, 0], [1, 2, 3]], None),
        (5, 3, [[0, 1, 2], [3, 4, 0], [0, 1, 2]], "The 3 batches of the first validation"),
    ],
)
def test_a_validation_generator_measures_every_epoch(model, count, steps, seen, said):
    watch, sentences = fit(
        model, 3, x=X, y=X, validation_data=generator(count), validation_steps=steps
    )
    assert watch.measured == seen
    assert len(model.history.history["val_loss"]) == 3
    assert len(sentences) == (said is not None)
    assert said is None or said in sentences[0]


def test_a_validation_generator_that_fills_one_array_again_and_again_is_kept_as_it_was(model):
    def reusing():
        x = np.zeros((SIZE, 1), "float32")
        for number in range(BATCHES):
            x[:] = number
            yield x, x

    watch, _ = fit(model, 2, x=X, y=X, validation_data=reusing())
    assert watch.measured[0] == watch.measured[1]


def test_validation_batches_too_large_to_keep_are_said_and_leave_no_measure(model):
    lamina.config.set_resident_budget(50)
    try:
        _, said = fit(model, 2, x=Numbered(), validation_data=generator(5))
    finally:
        lamina.config.set_resident_budget(None)
    assert any("too large to be stored" in sentence for sentence in said)
    assert len(model.history.history["val_loss"]) == 1


# Stopping


def endless():
    return map(batch, itertools.cycle(range(BATCHES)))


class StopAt(lamina.callbacks.Callback):
    def __init__(self, number):
        super().__init__()
        self.number, self.heard = number, []

    def on_test_batch_end(self, number, logs=None):
        self.heard.append(number)
        self.model.stop_evaluating = number == self.number

    def on_predict_batch_end(self, number, logs=None):
        self.heard.append(number)
        self.model.stop_predicting = number == self.number


@pytest.mark.parametrize(
    "data", [{"x": X, "y": X, "batch_size": 2}, {"x": endless()}], ids=["arrays", "generator"]
)
def test_stop_evaluating_ends_evaluate_after_that_batch(model, data):
    stop = StopAt(1)
    loss = model.evaluate(**data, verbose=0, callbacks=[stop])
    assert stop.heard == [0, 1]
    assert loss == (0 if "y" in data else 0.5)
    # The next call is not stopped.
    model.evaluate(X, X, batch_size=SIZE, verbose=0, callbacks=[stop := StopAt(None)])
    assert stop.heard == ALL


def test_stop_evaluating_ends_a_validation_and_not_the_training(model):
    stop = StopAt(1)
    model.fit(X, X, verbose=0, epochs=2, validation_data=Numbered(), callbacks=[stop])
    assert stop.heard == [0, 1, 0, 1]
    assert model.history.history["val_loss"] == [0.5, 0.5]


@pytest.mark.parametrize(
    "data", [{"x": X, "batch_size": 4}, {"x": endless()}], ids=["arrays", "generator"]
)
def test_stop_predicting_ends_predict_with_the_outputs_so_far(model, data):
    stop = StopAt(1)
    assert model.predict(**data, verbose=0, callbacks=[stop]).shape == (8, 1)
    assert stop.heard == [0, 1]
    assert model.predict(X, verbose=0).shape == (20, 1)
