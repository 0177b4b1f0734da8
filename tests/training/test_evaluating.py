"""evaluate and validation: larger batches than by default only where the numbers stay the same."""

import numpy as np
import pytest

import lamina
from lamina import layers, losses, ops

SAMPLES = 100


def graph(function, shape=(4,), dtype="float32"):
    inputs = lamina.Input(shape, dtype=dtype)
    return lamina.Model(inputs, function(inputs))


def masked_steps():
    def steps(x):
        x = layers.Embedding(5, 3, mask_zero=True)(x)
        return layers.Dense(4)(layers.LSTM(3, return_sequences=True)(x))

    return graph(steps, (6,), "int32")


class Centred(lamina.Model):
    def call(self, x):
        return x - ops.mean(x, axis=0)


def data(model, rng):
    """Inputs, targets of the outputs' shape and weights."""
    if model.input_shape == (None, 6):
        x = rng.integers(0, 5, (SAMPLES, 6))
        return x, rng.normal(size=(SAMPLES, 6, 4)), rng.random(SAMPLES)
    return rng.normal(size=(SAMPLES, 4)), rng.normal(size=(SAMPLES, 4)), rng.random(SAMPLES)


def dense():
    return graph(layers.Dense(4))


BY_BATCHES = {
    "batch statistics": (
        lambda: graph(lambda x: layers.BatchNormalization()(x, training=True)),
        {},
    ),
    "mean of the batch": (lambda: graph(lambda x: x - ops.mean(x, axis=0)), {}),
    "masked steps": (masked_steps, {}),
    "sum": (dense, {"loss": losses.MeanSquaredError(reduction="sum")}),
    "by weights": (dense, {"loss": losses.MeanSquaredError(reduction="mean_with_sample_weight")}),
}


@pytest.mark.parametrize(("make", "compiled"), BY_BATCHES.values(), ids=BY_BATCHES)
def test_what_depends_on_the_batches_is_measured_in_those_of_32(make, compiled, rng):
    def measured(**batch_size):
        model.set_weights(weights)
        return model.evaluate(x, y, sample_weight=sample_weight, verbose=0, **batch_size)

    model = make()
    model.compile("sgd", **{"loss": "mse", **compiled})
    x, y, sample_weight = data(model, rng)
    weights = model.get_weights()
    assert measured() == pytest.approx(measured(batch_size=32), rel=1e-5)
    assert measured() != pytest.approx(measured(batch_size=SAMPLES), rel=1e-5)


def test_labels_that_do_not_count_are_left_out_of_each_batch(rng):
    model = graph(layers.Dense(3))
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1))
    x, y = rng.normal(size=(SAMPLES, 4)), rng.integers(0, 3, SAMPLES)
    expected = model.evaluate(x, y, batch_size=32, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_validation_is_in_the_batches_asked_for(rng):
    model = Centred()
    model.compile(lamina.optimizers.SGD(0.0), "mse")
    x, y = rng.normal(size=(SAMPLES, 4)), rng.normal(size=(SAMPLES, 4))
    expected = model.evaluate(x, y, batch_size=32, verbose=0)
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert history["val_loss"] == [pytest.approx(expected, rel=1e-6)]


def test_ordinary_models_are_measured_in_larger_batches(rng):
    sizes = []
    model = graph(layers.Dense(4))
    model.compile("sgd", "mse", metrics=["mae"])
    seen = lamina.callbacks.LambdaCallback(
        on_test_batch_end=lambda batch, logs: sizes.append(batch)
    )
    model.evaluate(*data(model, rng)[:2], verbose=0, callbacks=[seen])
    assert sizes == [0]  # one batch of 100


def test_a_model_that_runs_eagerly_is_measured_as_asked(rng):
    sizes = []

    class Eager(lamina.Model):
        def call(self, x):
            sizes.append(int(np.asarray(x).shape[0]))  # which cannot be traced
            return x

    model = Eager()
    model.compile("sgd", "mse", run_eagerly=True)
    model.built = True
    x = rng.normal(size=(SAMPLES, 4))
    model.predict(x, verbose=0)
    assert sizes == [32, 32, 32, 4]
