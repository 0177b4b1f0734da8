"""Programs for `"portable"`: an exporter takes them, for every platform."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina import Input, Model, layers
from lamina.ops.lowering import lowering_for


def of_images():
    x = inputs = Input((12, 12, 3))
    x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, activation="relu", padding="same")(x))
    x = layers.BatchNormalization()(layers.SeparableConv2D(4, 3)(x))
    x = layers.AveragePooling2D(2)(layers.Conv2DTranspose(4, 2, strides=2)(x))
    return Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def of_sequences():
    x = inputs = Input((6, 8))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return Model(inputs, layers.Dense(3)(layers.Bidirectional(layers.LSTM(5))(x)))


# What an exporter may not take, and what is of use on a CPU only.
NOT_PORTABLE = re.compile("custom_call|optimization_barrier|inlineable")


@pytest.mark.parametrize("make", [of_images, of_sequences])
def test_a_model_and_its_gradient_are_exported_for_every_platform(make):
    model = make()
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    loss = jax.value_and_grad(lambda x: jnp.sum(model(x) ** 2))
    with lowering_for("portable"):
        program = jax.jit(lambda x: loss(x))
        exported = jax.export.export(program, platforms=("cpu", "cuda", "tpu"))(jnp.asarray(x))
    assert not NOT_PORTABLE.findall(exported.mlir_module())
    for found, expected in zip(exported.call(x), loss(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
