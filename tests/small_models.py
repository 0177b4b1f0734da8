"""Small models that several tests train, and how to compare two of them."""

import numpy as np

import lamina
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.user_data import UserData


def classifier(keras=lamina, dropout=0.0, **compile_arguments):
    """Input(4)-8-3, compiled; the same on Lamina and on Keras."""
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu"),
        *([keras.layers.Dropout(dropout, seed=1)] if dropout else []),
        keras.layers.Dense(3, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    arguments = {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        **compile_arguments,
    }
    model.compile(**arguments)
    return model


def same_weights(one, other, tolerance=1e-5):
    """Whether two models have the same weights, up to rounding."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.allclose(a, b, atol=tolerance) for a, b in pairs)


def feed_of(x, y, batch_size, shuffle=True, model=None):
    """The feed that `fit` would make of arrays."""
    learner = (model or lamina.Sequential())._learner
    options = FeedOptions(batch_size=batch_size, shuffle=shuffle, prepare=learner.on_host)
    return UserData.from_arguments(learner, x, y).feed(options)
