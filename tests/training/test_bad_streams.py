"""Sources of batches that go wrong in the middle: what is said, and what the model keeps."""

import os
import signal
import threading

import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning
from numbered_batches import Dataset, PackedButNeverUnpackedError, Unpackable
from small_models import classifier


@pytest.fixture
def budget():
    yield lamina.config.set_resident_budget
    lamina.config.set_resident_budget(None)


def good(blobs, count, size=20):
    for i in range(count):
        rows = slice(i % 5 * size, (i % 5 + 1) * size)
        yield blobs[0][rows], blobs[1][rows]


def then(blobs, count, *wrong):
    yield from good(blobs, count)
    yield from wrong


def trained_until(error, match, source, steps=10):
    """Fit that must fail; the model after it, which must have learned from what came before."""
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=match):
        model.fit(source, steps_per_epoch=steps, epochs=3, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(w).all() for w in after)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))
    assert not any(t.name.startswith("lamina-feed") for t in threading.enumerate())
    return model


def test_an_error_in_the_second_epoch_leaves_the_history_of_the_first(blobs):
    def broken():
        yield from good(blobs, 13)
        raise OSError("the disk is gone")

    model = trained_until(OSError, "the disk is gone", broken())
    assert len(model.history.history["loss"]) == 1
    assert int(model.optimizer.iterations.value) == 13


def test_the_error_says_in_which_batch_it_was(blobs):
    def broken():
        yield from good(blobs, 3)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone") as caught:
        classifier().fit(broken(), steps_per_epoch=10, verbose=0)
    assert "In batch 3 (from 0) of the generator." in "".join(caught.value.__notes__)


def test_other_columns_in_the_middle_are_named(blobs):
    x, y = blobs
    source = then(blobs, 3, (x[:20, :3], y[:20]))
    trained_until(ValueError, r"Received: x of shape \(20, 3\)", source)


def test_rows_that_no_longer_match_are_named(blobs):
    x, y = blobs
    source = then(blobs, 3, (x[:20], y[:19]))
    trained_until(ValueError, "one row per sample each", source)


def test_a_batch_without_targets_is_refused(blobs):
    source = then(blobs, 3, (blobs[0][:20],))
    trained_until(ValueError, "yielded a batch with no y, but the first batch had y", source)


def test_sample_weights_that_come_later_are_refused(blobs):
    x, y = blobs
    source = then(blobs, 3, (x[:20], y[:20], np.ones(20, "float32")))
    trained_until(ValueError, "a batch with sample_weight, but the first", source)


def test_text_in_the_middle_is_refused(blobs):
    source = then(blobs, 3, (np.array([["a"] * 4] * 20), blobs[1][:20]))
    trained_until(TypeError, "holds text", source)


def test_a_number_missing_in_a_later_batch_is_found(blobs):
    x, y = blobs
    broken = x[:20].copy()
    broken[2, 1] = np.nan
    model = classifier()
    with pytest.raises(ValueError, match=r"x holds 1 number that is NaN .* x\[2, 1\]"):
        model.fit(then(blobs, 3, (broken, y[:20])), steps_per_epoch=10, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_another_dtype_or_a_list_in_the_middle_is_the_same_data(blobs):
    x, y = blobs
    x = np.round(x).astype("float32")
    same, mixed = classifier(), classifier()
    mixed.set_weights(same.get_weights())
    same.fit(good((x, y), 3), steps_per_epoch=3, verbose=0)
    forms = [
        (x[:20], y[:20]),
        (x[20:40].astype("int8"), y[20:40].astype("int64")),
        [x[40:60].astype("float64").tolist(), y[40:60].tolist()],
    ]
    mixed.fit(iter(forms), steps_per_epoch=3, verbose=0)
    for a, b in zip(same.get_weights(), mixed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


THREADS, PROCESSES = {"workers": 3}, {"workers": 2, "use_multiprocessing": True}


@pytest.mark.parametrize("how", [THREADS, PROCESSES])
def test_workers_prepare_the_same_batches_in_the_same_order(blobs, how):
    alone, together = classifier(), classifier()
    together.set_weights(alone.get_weights())
    for model, given in ((alone, {}), (together, how)):
        lamina.set_random_seed(5)
        source = Dataset(blobs, max_queue_size=2, **given)
        model.fit(source, shuffle=True, epochs=2, verbose=0)
    for a, b in zip(alone.get_weights(), together.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("how", [{}, THREADS, PROCESSES])
def test_a_worker_that_fails_ends_training_with_its_error(blobs, how):
    source = Dataset(blobs, fails_at=3, **how)
    model = classifier()
    with pytest.raises(MemoryError, match="worker out of memory") as caught:
        model.fit(source, shuffle=False, verbose=0)
    assert "In batch 3 (from 0) of the Dataset." in "".join(caught.value.__notes__)
    assert int(model.optimizer.iterations.value) == 3
    assert not any(t.name.startswith("lamina-dataset") for t in threading.enumerate())


@pytest.mark.parametrize("error", [PackedButNeverUnpackedError, Unpackable, SystemExit])
def test_an_error_that_no_other_process_can_read_is_told_in_words(blobs, error):
    source = Dataset(blobs, fails_at=3, error=error, **PROCESSES)
    with pytest.raises(RuntimeError, match=f"{error.__name__}: .*worker out of memory") as caught:
        classifier().fit(source, shuffle=False, verbose=0)
    assert "In another process:" in "".join(caught.value.__notes__)


def test_a_process_that_dies_is_an_error_with_advice(blobs):
    model = classifier()
    before = model.get_weights()
    source = Dataset(blobs, dies_at=4, **PROCESSES, max_queue_size=1)
    with pytest.raises(RuntimeError, match="process that prepared batches of Dataset ended"):
        model.fit(source, shuffle=False, verbose=0)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))


def test_a_source_that_cannot_be_sent_to_a_process_is_refused(blobs):
    source = Dataset(blobs, **PROCESSES)
    source.lock = threading.Lock()
    with pytest.raises(
        TypeError, match=r"(?s)Dataset cannot be sent to other processes.*use threads"
    ):
        classifier().fit(source, verbose=0)


def test_batches_of_processes_that_nobody_takes_are_let_go(blobs):
    source = Dataset(blobs, **PROCESSES)
    classifier().fit(source, steps_per_epoch=2, verbose=0)


def test_a_mapped_file_that_is_shortened_is_an_error_and_no_crash(blobs, tmp_path, budget):
    budget(0)
    x, y = np.tile(blobs[0], (200, 1)), np.tile(blobs[1], 200)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")

    class Shorten(lamina.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            os.truncate(tmp_path / "x.npy", 8192)

    model = classifier()
    with pytest.raises(OSError, match="was shortened while it was read"):
        model.fit(mapped, y, batch_size=1000, epochs=2, verbose=0, callbacks=[Shorten()])
    assert len(model.history.history["loss"]) == 1


def test_a_batch_that_alone_exceeds_the_budget_trains_with_a_warning(blobs, budget):
    budget(100)
    with pytest.warns(LaminaWarning, match=r"(?s)One batch of 50 samples takes .* batch_size=5"):
        history = classifier().fit(*blobs, batch_size=50, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_ctrl_c_while_a_generator_hangs_returns_the_history(blobs):
    release = threading.Event()

    def hangs():
        yield from good(blobs, 12)
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(30)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    model = classifier()
    history = model.fit(hangs(), steps_per_epoch=10, epochs=5, verbose=0)
    release.set()
    assert history.epoch[0] == 0
    assert len(history.history["loss"]) >= 1
