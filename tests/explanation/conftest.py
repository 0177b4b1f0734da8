"""Small models that are explained; none of the tests changes one."""

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.contract import Contract


@pytest.fixture(scope="module")
def dense():
    """Input(3)-5-2 with tanh and softmax."""
    stack = [lamina.Input((3,)), layers.Dense(5, "tanh"), layers.Dense(2, "softmax", name="head")]
    return lamina.Sequential(stack, name="small")


@pytest.fixture(scope="module")
def pictures():
    """A convolution, then a dense layer with three classes."""
    model = lamina.Sequential(
        [
            lamina.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu", name="convolution"),
            layers.Flatten(),
            layers.Dense(3, "softmax", name="head"),
        ],
        name="shapes",
    )
    model.input_contract = Contract(class_names=("circle", "cross", "square"))
    return model


@pytest.fixture(scope="module")
def texts():
    """Words to vectors, attention, and one number through a sigmoid."""
    words = layers.TextVectorization(
        vocabulary=["good", "bad", "film"], output_sequence_length=5, name="words"
    )
    text = lamina.Input((), dtype="string")
    x = layers.Embedding(5, 4, mask_zero=True, name="vectors")(words(text))
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3, name="attention")(x, x)])
    x = layers.GlobalAveragePooling1D()(x)
    return lamina.Model(text, layers.Dense(1, "sigmoid")(x), name="mood")


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(3).random((6, 6, 1)).astype("float32")


class Own(lamina.Model):
    """A model without a graph that takes the numbers of words."""

    def __init__(self):
        super().__init__(name="own")
        self.vectors = layers.Embedding(7, 4)
        self.attention = layers.MultiHeadAttention(2, 3, name="attention")
        self.head = layers.Dense(3, activation="softmax", name="head")

    def call(self, x):
        x = self.vectors(x)
        x = x + self.attention(x, x)
        return self.head(x[:, 0])


@pytest.fixture(scope="module")
def own():
    model = Own()
    model(np.ones((1, 4), "int32"))
    return model
