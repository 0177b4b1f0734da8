"""Models of several kinds, each with data and arguments of `compile` and `fit`."""

import numpy as np

import lamina
from lamina import layers

ROWS, CLASSES = 61, 4


def _labels(rng):
    return rng.integers(0, CLASSES, ROWS)


def _head(x):
    return layers.Dense(CLASSES, activation="softmax", name="head")(x)


def _compiled(model, **arguments):
    settings = {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    model.compile(**settings | arguments)
    return model


def _dense(**arguments):
    inputs = lamina.Input((12,))
    hidden = layers.Dense(16, activation="relu", name="hidden")(inputs)
    return _compiled(lamina.Model(inputs, _head(hidden)), **arguments)


def mlp(rng):
    return _dense(), rng.normal(size=(ROWS, 12)), _labels(rng), {}


def cnn(rng):
    inputs = lamina.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3)(layers.Flatten()(layers.MaxPooling2D()(x)))
    model = _compiled(lamina.Model(inputs, _head(x)))
    return model, rng.normal(size=(ROWS, 8, 8, 1)), _labels(rng), {}


def lstm(rng):
    inputs = lamina.Input((6, 3))
    model = _compiled(lamina.Model(inputs, _head(layers.LSTM(8)(inputs))))
    return model, rng.normal(size=(ROWS, 6, 3)), _labels(rng), {}


def transformer(rng):
    inputs = lamina.Input((8,), dtype="int32")
    x = layers.Embedding(20, 16)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    x = layers.GlobalAveragePooling1D()(x + layers.Dense(16, activation="gelu")(x))
    model = _compiled(lamina.Model(inputs, _head(x)))
    return model, rng.integers(0, 20, (ROWS, 8)), _labels(rng), {}


def gpt_block(rng):
    inputs = lamina.Input((8,), dtype="int32")
    x = layers.Embedding(20, 16)(inputs)
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(4, 4)(y, y, use_causal_mask=True)
    y = layers.Dense(32, activation="gelu", name="up")(layers.LayerNormalization()(x))
    x = x + layers.Dense(16, name="down")(y)
    model = _compiled(lamina.Model(inputs, _head(layers.Flatten()(x))))
    return model, rng.integers(0, 20, (ROWS, 8)), _labels(rng), {}


def class_weights(rng):
    model = _dense(weighted_metrics=["accuracy"])
    weights = {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5, 3: 3.0}}
    return model, rng.normal(size=(ROWS, 12)), _labels(rng), weights


def sample_weights(rng):
    model = _dense(weighted_metrics=["accuracy"])
    return model, rng.normal(size=(ROWS, 12)), _labels(rng), {"sample_weight": rng.random(ROWS)}


def average_of_weights(rng):
    model = _dense(optimizer=lamina.optimizers.Adam(use_ema=True, ema_overwrite_frequency=3))
    return model, rng.normal(size=(ROWS, 12)), _labels(rng), {}


def gradient_accumulation(rng):
    model = _dense(optimizer=lamina.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    return model, rng.normal(size=(ROWS, 12)), _labels(rng), {}


def loss_scale(rng):
    optimizer = lamina.optimizers.LossScaleOptimizer(
        lamina.optimizers.SGD(0.1), initial_scale=8.0, dynamic_growth_steps=2
    )
    return _dense(optimizer=optimizer), rng.normal(size=(ROWS, 12)), _labels(rng), {}


class OwnStep(lamina.Model):
    """A custom `train_step`, with noise that depends on the batch."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(CLASSES)
        self.seeds = lamina.random.SeedGenerator(3)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data

        def loss_of():
            noise = lamina.random.normal(x.shape, dtype=x.dtype, seed=self.seeds)
            logits = self(x + 0.1 * noise, training=True)
            return self.compute_loss(x, y, logits)

        loss, gradients = lamina.value_and_grad(loss_of, self.trainable_variables)()
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def own_step(rng):
    model = OwnStep()
    loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    return model, rng.normal(size=(ROWS, 12)), _labels(rng), {}


KINDS = [
    mlp,
    cnn,
    lstm,
    transformer,
    gpt_block,
    class_weights,
    sample_weights,
    average_of_weights,
    gradient_accumulation,
    loss_scale,
    own_step,
]


def make(kind):
    """The model with the same weights in every call, its data and arguments of `fit`."""
    lamina.set_random_seed(7)
    return kind(np.random.default_rng(0))
