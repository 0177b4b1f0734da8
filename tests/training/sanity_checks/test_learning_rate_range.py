"""The learning rate range test: what it suggests, what it leaves alone, what it refuses."""

import numpy as np
import optax
import pytest

import lamina
from lamina.training.sanity_checks.learning_rate_range import suggest
from small_models import classifier

from .conftest import same_state, state_of


def line(optimizer="sgd", **arguments):
    """One weight for one input of variance 1: gradient descent is stable below a rate of 1."""
    model = lamina.Sequential(
        [lamina.Input((1,)), lamina.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(optimizer, "mse", **arguments)
    return model


ONES = np.where(np.arange(32) % 2, 1.0, -1.0)[:, None].astype("float32")


def test_each_loss_is_that_of_gradient_descent_at_that_rate():
    found = line().find_learning_rate(ONES, 3 * ONES, steps=20, min_rate=1e-3, max_rate=0.5)
    weight, expected = 0.0, []
    for rate in np.geomspace(1e-3, 0.5, 20):
        expected.append((weight - 3) ** 2)
        weight -= rate * 2 * (weight - 3)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 0.5, 20), rtol=1e-5)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-4, atol=1e-6)


def test_the_suggestion_is_below_the_rate_at_which_training_becomes_unstable():
    noisy = 3 * ONES + np.random.default_rng(0).normal(size=ONES.shape)
    found = line().find_learning_rate(ONES, noisy, batch_size=8, min_rate=1e-4, max_rate=100.0)
    assert found.diverged
    assert len(found.rates) < 100
    assert 0.001 < found.suggestion < 1
    assert "diverged" in repr(found)


def test_the_rate_replaces_a_schedule_for_the_test_alone():
    schedule = lamina.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    model = line(lamina.optimizers.SGD(schedule))
    found = model.find_learning_rate(ONES, 3 * ONES, steps=20, min_rate=1e-3, max_rate=0.5)
    plain = line().find_learning_rate(ONES, 3 * ONES, steps=20, min_rate=1e-3, max_rate=0.5)
    np.testing.assert_allclose(found.losses, plain.losses)
    assert model.optimizer._learning_rate is schedule


def test_the_model_stays_as_it_is_bit_for_bit(trained, blobs):
    before = state_of(trained)
    trained.find_learning_rate(*blobs, steps=10)
    assert same_state(before, state_of(trained))


def test_fit_goes_on_as_without_the_test_and_compiles_no_more(blobs, compilations):
    def weights(test):
        lamina.utils.set_random_seed(3)
        model = classifier(dropout=0.1)
        model.fit(*blobs, verbose=0, shuffle=False)
        if test:
            model.find_learning_rate(*blobs, steps=10)
        compilations.reset()
        model.fit(*blobs, verbose=0, shuffle=False)
        return model.get_weights(), compilations.count("train_program")

    (plain, _), (tested, compiled) = weights(False), weights(True)
    assert all(np.array_equal(a, b) for a, b in zip(plain, tested, strict=True))
    assert compiled == 0


def test_all_steps_are_one_program(blobs, compilations):
    classifier().find_learning_rate(*blobs, steps=30)
    assert compilations.count("range_test") == 1
    assert compilations.count("train_program") == 0


class Counted:
    """A generator that counts what was taken from it."""

    def __init__(self, count):
        self.left, self.taken = count, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.left == self.taken:
            raise StopIteration
        self.taken += 1
        return ONES, 3 * ONES


def test_of_an_endless_generator_only_the_steps_are_taken():
    source = Counted(10_000)
    found = line().find_learning_rate(source, steps=12, max_rate=0.1)
    assert (len(found.losses), source.taken) == (12, 12)


def test_data_with_fewer_batches_than_steps_are_used_again():
    found = line().find_learning_rate(Counted(3), steps=20, min_rate=1e-3, max_rate=0.5)
    plain = line().find_learning_rate(ONES, 3 * ONES, steps=20, min_rate=1e-3, max_rate=0.5)
    np.testing.assert_allclose(found.losses, plain.losses, rtol=1e-6)


@pytest.mark.parametrize("place", ["in place", "from the host"])
def test_large_data_give_the_same_losses(place, blobs, monkeypatch):
    plain = classifier()
    expected = plain.find_learning_rate(*blobs, steps=10).losses
    if place == "in place":
        monkeypatch.setattr("lamina.training.feeds.zero_copy._MIN_BYTES", 0)
    else:
        monkeypatch.setattr("lamina.core.configuration.config.resident_budget", lambda: 0)
    other = classifier()
    other.set_weights(plain.get_weights())
    memory = np.zeros((len(blobs[0]) * 16 + 128,), np.uint8)
    start = -memory.ctypes.data % 64 + 16
    x = memory[start : start + blobs[0].nbytes].view("float32").reshape(blobs[0].shape)
    x[:] = blobs[0]
    found = other.find_learning_rate(x, blobs[1], steps=10)
    if place == "in place":
        np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    else:  # in another order
        assert np.isfinite(found.losses).all()


def test_one_sample_is_enough():
    found = line().find_learning_rate(ONES[:1], ONES[:1], steps=10, max_rate=0.1)
    assert len(found.losses) == 10


class OwnStep(lamina.Model):
    """A model with a `train_step` of its own."""

    def __init__(self, logs=True):
        super().__init__()
        self.dense = lamina.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        self.logs = logs

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data

        def loss():
            return ((self(x) - y) ** 2).mean()

        value, gradients = lamina.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": value} if self.logs else {}


def test_a_train_step_of_the_users_own_is_used():
    model = OwnStep()
    model.compile("sgd")
    found = model.find_learning_rate(ONES, 3 * ONES, steps=20, min_rate=1e-3, max_rate=0.5)
    plain = line().find_learning_rate(ONES, 3 * ONES, steps=20, min_rate=1e-3, max_rate=0.5)
    np.testing.assert_allclose(found.losses, plain.losses, rtol=1e-5)


def test_several_outputs_have_one_loss():
    x = lamina.Input((1,))
    model = lamina.Model(x, [lamina.layers.Dense(1, name=name)(x) for name in "ab"])
    model.compile("sgd", "mse")
    found = model.find_learning_rate(ONES, [ONES, ONES], steps=10, max_rate=0.1)
    assert np.isfinite(found.losses).all()


def test_losses_that_never_fall_suggest_nothing():
    found = suggest(np.geomspace(1e-6, 1, 20), np.full(20, 2.3))
    assert found.suggestion is None
    assert "fell at no rate" in repr(found)


def test_the_loss_of_float16_steps_that_were_left_out_is_the_one_before():
    model = line(lamina.optimizers.LossScaleOptimizer(lamina.optimizers.SGD(), 2.0**127))
    found = model.find_learning_rate(ONES, 3 * ONES, steps=10, max_rate=0.1)
    assert len(found.losses) == 10
    assert np.isfinite(found.losses).all()


def test_the_picture_marks_the_suggestion():
    found = suggest(np.geomspace(1e-4, 1, 30), 1 / (1 + np.geomspace(0.01, 100, 30)))
    (axes,) = found.plot().axes
    assert axes.get_xscale() == "log"
    assert any(f"{found.suggestion:.2g}" == text.get_text() for text in axes.texts)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (lamina.Sequential, {}, RuntimeError, "must be compiled before find_learning_rate"),
        (line, {"steps": 3}, ValueError, "steps must be an integer of at least 10"),
        (line, {"min_rate": 1.0, "max_rate": 0.1}, ValueError, "0 < min_rate < max_rate"),
        (line, {"x": ONES * np.nan}, ValueError, "NaN"),
        (line, {"x": np.ones((32, 2))}, ValueError, "shape"),
        (line, {"stepz": 3}, TypeError, "Did you mean 'steps'"),
        (lambda: line(run_eagerly=True), {}, ValueError, "run_eagerly=True"),
        (lambda: line(optax.sgd(0.1)), {}, ValueError, "inside an optax transformation"),
    ],
)
def test_what_cannot_be_tried_is_refused(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model().find_learning_rate(**{"x": ONES, "y": ONES, **arguments})


def test_a_step_without_a_loss_says_what_to_return():
    model = OwnStep(logs=False)
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"OwnStep.train_step returns no 'loss'"):
        model.find_learning_rate(ONES, ONES, steps=10)
