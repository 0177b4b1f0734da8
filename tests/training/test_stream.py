"""Batches from generators, PyDatasets and sets too large for the device: the same numbers."""

import itertools
import os
import signal
import sys
import threading
import time

import jax
import numpy as np
import pytest

import lamina
from lamina.training.feeds.chunks import prefetch, stack_batches
from lamina.training.feeds.host_feed import HostFeed, SmallRowsFeed
from lamina.training.feeds.resident_feed import ResidentFeed
from small_models import classifier, feed_of, same_weights


@pytest.fixture
def twins():
    first, second = classifier(), classifier()
    second.set_weights(first.get_weights())
    return first, second


@pytest.fixture
def no_room():
    """Nothing may stay on the device."""
    lamina.config.set_resident_budget(0)
    yield
    lamina.config.set_resident_budget(None)


def batches(x, y, size):
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


class Batches(lamina.utils.PyDataset):
    """The blobs in batches, by number."""

    def __init__(self, x, y, size=20):
        super().__init__()
        self.x, self.y, self.size = x, y, size
        self.ended = 0

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, i):
        rows = slice(i * self.size, (i + 1) * self.size)
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.ended += 1


@pytest.mark.parametrize("batch_size", [20, 32])
@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_a_set_that_does_not_fit_gives_the_weights_of_one_that_does(
    twins, blobs, batch_size, shuffle
):
    resident, streamed = twins
    weights = []
    for model, budget in ((resident, None), (streamed, 0)):
        lamina.config.set_resident_budget(budget)
        lamina.set_random_seed(3)
        model.fit(*blobs, batch_size=batch_size, shuffle=shuffle, epochs=3, verbose=0)
        weights.append(model.get_weights())
        kind = type(feed_of(*blobs, 20))
        assert kind is (HostFeed if budget == 0 else ResidentFeed)
    lamina.config.set_resident_budget(None)
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_a_memory_mapped_file_trains_without_being_read_whole(twins, blobs, tmp_path, no_room):
    np.save(tmp_path / "x.npy", blobs[0])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    first, second = twins
    first.fit(*blobs, shuffle=False, verbose=0)
    second.fit(mapped, blobs[1], shuffle=False, verbose=0)
    assert same_weights(first, second, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_shuffled_file_gives_the_weights_of_the_arrays(twins, blobs, tmp_path, no_room, dtype):
    np.save(tmp_path / "x.npy", blobs[0].astype(dtype))
    np.save(tmp_path / "y.npy", blobs[1].astype("int64"))
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    in_memory, from_file = twins
    for model, budget, data in ((in_memory, None, blobs), (from_file, 0, mapped)):
        lamina.config.set_resident_budget(budget)
        lamina.set_random_seed(3)
        model.fit(*data, batch_size=32, epochs=2, verbose=0)
    assert same_weights(in_memory, from_file, 0)


def test_a_large_file_of_wide_numbers_is_converted_chunk_by_chunk(blobs, tmp_path, no_room):
    np.save(tmp_path / "x.npy", blobs[0].astype("float64"))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    feed = feed_of(mapped, blobs[1], 20)
    assert feed.host_arrays[0] is mapped
    assert {chunk.data[0].dtype for chunk in feed.chunks(0)} == {np.dtype("float32")}


def test_memory_of_chunks_is_used_again_only_when_they_are_done_with(monkeypatch):
    monkeypatch.setattr("lamina.training.feeds.chunks._MAX_STEPS", 3)
    batches = (np.full((2, 3), i, "float32") for i in range(40))
    lengths, values = [], []
    for chunk in prefetch(stack_batches(batches), lambda chunk: jax.device_put(chunk.data)):
        lengths.append(chunk.stop)
        values += np.asarray(chunk.data)[: chunk.stop * 2 : 2, 0].tolist()
    assert sum(lengths) == 40
    assert values == list(range(40))


def test_ctrl_c_while_a_feed_is_let_go_leaves_no_trace(monkeypatch):
    release, traces = threading.Event(), []
    monkeypatch.setattr(sys, "unraisablehook", traces.append)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def hangs():
        yield from stack_batches(iter([np.zeros((2, 3), "float32")]))
        release.wait(10)

    feed = prefetch(hangs(), lambda chunk: jax.device_put(chunk.data))
    next(feed)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.perf_counter()
    del feed  # waits for its thread
    assert time.perf_counter() - started < 4
    release.set()
    assert not traces


def test_a_generator_gives_the_weights_of_the_arrays(twins, blobs):
    arrays, generated = twins
    arrays.fit(*blobs, batch_size=20, shuffle=False, epochs=2, verbose=0)
    endless = itertools.chain.from_iterable(batches(*blobs, 20) for _ in itertools.count())
    history = generated.fit(endless, steps_per_epoch=5, epochs=2, verbose=0)
    assert same_weights(arrays, generated, 0)
    assert len(history.history["loss"]) == 2


def test_no_batch_of_a_generator_is_lost_between_epochs(blobs):
    asked = []

    def endless():
        for i in itertools.count():
            asked.append(i)
            rows = slice((i % 5) * 20, (i % 5 + 1) * 20)
            yield blobs[0][rows], blobs[1][rows]

    classifier().fit(endless(), steps_per_epoch=7, epochs=3, verbose=0)
    assert asked == list(range(21))


@pytest.mark.parametrize("size", [20, 32])
def test_a_py_dataset_gives_the_weights_of_the_arrays(twins, blobs, size):
    arrays, dataset = twins
    arrays.fit(*blobs, batch_size=size, shuffle=False, epochs=2, verbose=0)
    source = Batches(*blobs, size)
    dataset.fit(source, shuffle=False, epochs=2, verbose=0)
    assert same_weights(arrays, dataset, 0)
    assert source.ended == 2


def test_a_shuffled_py_dataset_gives_every_batch_once_an_epoch(blobs):
    asked = []

    class Asked(Batches):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    classifier().fit(Asked(*blobs), epochs=2, verbose=0)
    without_example = asked[-10:]
    assert sorted(without_example[:5]) == sorted(without_example[5:]) == list(range(5))


def test_any_iterable_of_batches_will_do(twins, blobs):
    class Loader:
        """Like a torch DataLoader: gone through anew for every epoch."""

        def __iter__(self):
            return batches(*blobs, 25)

        def __len__(self):
            return 4

    arrays, loaded = twins
    arrays.fit(*blobs, batch_size=25, shuffle=False, epochs=2, verbose=0)
    loaded.fit(Loader(), epochs=2, verbose=0)
    assert same_weights(arrays, loaded, 0)


def test_evaluate_and_predict_take_generators(blobs):
    model = classifier()
    x, y = blobs
    expected = model.evaluate(x, y, verbose=0)
    assert model.evaluate(Batches(x, y), verbose=0) == pytest.approx(expected, abs=1e-6)
    assert model.evaluate(batches(x, y, 30), verbose=0) == pytest.approx(expected, abs=1e-6)
    got = model.predict(batches(x, y, 30))
    np.testing.assert_allclose(got, model.predict(x), atol=1e-6)


def test_validation_may_come_from_a_dataset(blobs):
    model = classifier()
    history = model.fit(*blobs, validation_data=Batches(*blobs), epochs=2, verbose=0)
    assert len(history.history["val_loss"]) == 2


def test_class_weights_hold_for_batches_too(twins, blobs):
    weights = {0: 1.0, 1: 3.0, 2: 0.2}
    arrays, generated = twins
    arrays.fit(*blobs, batch_size=20, shuffle=False, class_weight=weights, verbose=0)
    generated.fit(Batches(*blobs), shuffle=False, class_weight=weights, verbose=0)
    assert same_weights(arrays, generated, 0)


def test_a_generator_that_ends_early_ends_training_with_a_warning(blobs):
    model = classifier()
    with pytest.warns(lamina.LaminaWarning, match="ended after 5 of 8 steps"):
        history = model.fit(batches(*blobs, 20), steps_per_epoch=8, epochs=3, verbose=0)
    assert len(history.epoch) == 1


def test_an_error_in_a_generator_comes_out_of_fit_as_it_is(blobs):
    def broken():
        yield blobs[0][:20], blobs[1][:20]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        classifier().fit(broken(), steps_per_epoch=3, verbose=0)
    assert not any(t.name == "lamina-feed" for t in threading.enumerate())


def test_a_label_out_of_range_in_a_later_batch_is_found(blobs):
    def wrong_later():
        for i in range(4):
            yield blobs[0][:20], np.full(20, 7 if i == 3 else 0)

    with pytest.raises(ValueError, match="labels run from 7 to 7"):
        classifier().fit(wrong_later(), steps_per_epoch=4, verbose=0)


def test_many_small_rows_are_gathered_ahead_and_give_the_same_weights(twins, blobs, monkeypatch):
    monkeypatch.setattr("lamina.training.feeds.host_feed._CACHE_BYTES", 0)
    x, y = blobs
    feed = feed_of(x, y, 20)
    assert isinstance(feed, SmallRowsFeed)
    assert feed.example()[0] is x  # checks look at every row, as they do at resident data
    assert type(feed_of(x, y, 20, shuffle=False)) is ResidentFeed
    assert type(feed_of(x, y, 20, shuffle="batch")) is ResidentFeed
    wide = np.zeros((len(x), 100), np.float32)
    assert type(feed_of(wide, y, 20)) is ResidentFeed
    gathered, resident = twins
    lamina.utils.set_random_seed(1)
    gathered.fit(x, y, batch_size=20, epochs=2, verbose=0)
    monkeypatch.setattr("lamina.training.feeds.host_feed._CACHE_BYTES", 2**40)
    lamina.utils.set_random_seed(1)
    resident.fit(x, y, batch_size=20, epochs=2, verbose=0)
    assert same_weights(gathered, resident)


def large(folder, kind, array):
    """An array larger than what may stay on the device, in RAM or in a mapped file."""
    if kind == "in memory":
        return array
    np.save(folder / "x.npy", array)
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", ["in memory", "mapped"])
def test_a_missing_number_in_the_last_row_of_a_large_set_is_found(
    blobs, tmp_path, no_room, kind, shuffle
):
    x, y = blobs
    x = x.copy()
    x[99, 1] = np.nan
    model = classifier()
    with pytest.raises(ValueError, match="x holds 1 number that is NaN") as caught:
        model.fit(large(tmp_path, kind, x), y, shuffle=shuffle, verbose=0)
    assert "In row 99 (from 0) of the data." in "".join(caught.value.__notes__)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_missing_number_in_large_validation_data_is_found(blobs, no_room):
    x = np.concatenate([blobs[0], np.full((1, 4), np.inf, "float32")])
    with pytest.raises(ValueError, match="validation_data: x holds 4 numbers that are NaN or inf"):
        classifier().fit(*blobs, validation_data=(x, np.zeros(101)), verbose=0)


def test_wrong_labels_beyond_those_looked_through_before_are_found(blobs, no_room, monkeypatch):
    monkeypatch.setattr("lamina.training.feeds.host_feed._MAX_BYTES_CHECKED", 0)
    y = blobs[1].copy()
    y[77] = 3
    with pytest.raises(ValueError, match="the labels run from 0 to 3") as caught:
        classifier().fit(blobs[0], y, verbose=0)
    assert "In row 77 (from 0) of the data." in "".join(caught.value.__notes__)


def test_rows_are_looked_at_once(blobs, no_room, monkeypatch):
    looked = []
    check = lamina.training.engine.Engine._check_batch

    def counting(self, x, *others, **where):
        looked.append(len(x))
        check(self, x, *others, **where)

    monkeypatch.setattr("lamina.training.engine.Engine._check_batch", counting)
    classifier().fit(*blobs, epochs=3, verbose=0)
    assert sum(looked) == 100
