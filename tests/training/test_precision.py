"""`compile(precision=…)`: half-size floats while training, by name or where they pay."""

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core.variable import seed as seeds
from lamina.optimizers import LossScaleOptimizer
from lamina.training import precision_trial as precision
from lamina.training.precision_trial import Trial, choose_by_results
from small_models import classifier


class Spy(layers.Layer):
    """Notes the types of what it is given and of what it computes in."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = set()

    def call(self, x):
        self.seen.add((x.dtype.name, self.compute_dtype))
        return x


@pytest.fixture
def half_takes(monkeypatch):
    """Sets how long a step in bfloat16 takes, in steps of float32, and what its loss is."""

    def choose(seconds):
        def tried(programs, variables, chunk):
            real(programs, variables, chunk)  # it must not change the model
            return {"float32": Trial(1.0, 1.0), "mixed_bfloat16": Trial(seconds, 1.0)}

        monkeypatch.setattr(precision, "_time_programs", tried)

    real = precision._time_programs
    return choose


def spied(**compiled):
    spy = Spy()
    model = lamina.Sequential(
        [lamina.Input((4,)), layers.Dense(8, "relu"), spy, layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", **compiled)
    spy.seen.clear()
    return model, spy


def test_a_precision_by_name_holds_for_training_alone(blobs):
    model, spy = spied(precision="mixed_bfloat16")
    model.fit(*blobs, batch_size=25, verbose=0)
    assert spy.seen == {("bfloat16", "bfloat16")}
    spy.seen.clear()
    model.evaluate(*blobs, verbose=0)
    assert model.predict(blobs[0], verbose=0).dtype == "float32"
    assert spy.seen == {("float32", "float32")}
    assert {v.dtype for v in model.weights} == {"float32"}


def test_training_in_bfloat16_comes_close_to_training_in_float32(blobs):
    losses = []
    for name in ("float32", "mixed_bfloat16"):
        lamina.utils.set_random_seed(3)
        model = classifier(precision=name)
        losses.append(model.fit(*blobs, batch_size=25, verbose=0).history["loss"][-1])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_float16_by_name_scales_the_loss():
    assert isinstance(classifier(precision="mixed_float16").optimizer, LossScaleOptimizer)


def test_an_unknown_precision_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'mixed_bfloat16'"):
        classifier(precision="mixed_bfloat")


@pytest.mark.parametrize(
    ("half", "chosen"),
    [
        (Trial(0.5, 1.01), "mixed_bfloat16"),
        (Trial(0.5, 1.03), "float32"),  # another loss
        (Trial(0.5, float("nan")), "float32"),
        (Trial(0.95, 1.0), "float32"),  # hardly faster
        (Trial(3.0, 1.0), "float32"),
    ],
)
def test_auto_keeps_bfloat16_only_where_it_is_faster_and_the_loss_agrees(half, chosen):
    assert choose_by_results(Trial(1.0, 1.0), half)[0] == chosen


@pytest.mark.parametrize(("seconds", "dtype"), [(0.5, "bfloat16"), (2.0, "float32")])
def test_auto_trains_in_what_it_chose_and_says_so(blobs, half_takes, capsys, seconds, dtype):
    half_takes(seconds)
    model, spy = spied(precision="auto")
    model.fit(*blobs, batch_size=25, verbose=2)
    name = "mixed_bfloat16" if dtype == "bfloat16" else dtype
    assert f"precision='auto' chose {name}" in capsys.readouterr().out
    spy.seen.clear()
    model.fit(*blobs, batch_size=20, verbose=0)  # another program
    assert spy.seen == {(dtype, dtype)}


def test_trying_changes_no_weight_counter_or_random_number(blobs, half_takes):
    half_takes(2.0)
    results = []
    for name in ("float32", "auto"):
        seeds.set_random_seed(11)
        model = classifier(dropout=0.5, precision=name)
        model.fit(*blobs, batch_size=25, epochs=2, verbose=0)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_auto_compiles_the_program_both_ways_and_nothing_later(blobs, half_takes, compilations):
    half_takes(0.5)
    model = classifier(precision="auto")
    model.fit(*blobs, batch_size=25, epochs=2, verbose=0)
    model.fit(*blobs, batch_size=25, verbose=0)
    assert compilations.count("train_program") == 2


def test_auto_takes_no_batch_from_a_generator(half_takes, blobs):
    half_takes(0.5)
    given = []

    def batches():
        for at in range(0, 100, 25):
            given.append(at)
            yield blobs[0][at : at + 25], blobs[1][at : at + 25]

    model = classifier(precision="auto")
    model.fit(batches(), verbose=0)
    assert int(model.optimizer.iterations) == len(given) == 4


def test_a_model_that_cannot_run_in_bfloat16_trains_in_float32(blobs, capsys):
    class Float32Only(layers.Layer):
        def call(self, x):
            if x.dtype != "float32":
                raise TypeError("this needs float32")
            return x

    model = lamina.Sequential([layers.Dense(8), Float32Only(), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", precision="auto")
    model.fit(*blobs, batch_size=25, verbose=2)
    assert "chose float32: the model does not run in bfloat16" in capsys.readouterr().out


def test_a_resumed_run_goes_on_in_the_precision_that_was_chosen(blobs, half_takes, tmp_path):
    class Stopped(lamina.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    half_takes(0.5)
    backup = lamina.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        classifier(precision="auto").fit(
            *blobs, batch_size=25, epochs=3, verbose=0, callbacks=[backup, Stopped()]
        )
    half_takes(2.0)  # timed anew it would be float32
    model = classifier(precision="auto")
    backup = lamina.callbacks.BackupAndRestore(tmp_path)
    model.fit(*blobs, batch_size=25, epochs=3, verbose=0, callbacks=[backup])
    assert model._learner.precision.active == "mixed_bfloat16"
