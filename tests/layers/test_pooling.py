"""Pooling layers: masks, and shapes that cannot be."""

import keras
import numpy as np
import pytest

from lamina import layers
from lamina.core.layer import masking

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_masked_steps_do_not_count_as_in_keras(keepdims, data_format, rng):
    x = rng.normal(size=(3, 5, 5)).astype("float32")
    mask = rng.random(size=(3, 5)) > 0.4
    mask[:, 0] = True
    settings = {"keepdims": keepdims, "data_format": data_format}
    ours = layers.GlobalAveragePooling1D(**settings)(x, mask=mask)
    theirs = keras.layers.GlobalAveragePooling1D(**settings)(x, mask=mask)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_mask_of_an_embedding_is_used_and_ends_there():
    embedded = layers.Embedding(5, 2, mask_zero=True)(np.array([[1, 2, 0], [0, 0, 0]]))
    y = layers.GlobalAveragePooling1D()(embedded)
    np.testing.assert_allclose(y[0], np.mean(np.asarray(embedded)[0, :2], axis=0), rtol=1e-5)
    assert y[1].tolist() == [0, 0]  # padding only
    assert masking.get_mask(y) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: layers.MaxPooling2D()(layers.Input((28, 28))),
            r"\(batch, height, width, channels\) and received shape \(None, 28, 28\)",
        ),
        (lambda: layers.MaxPooling2D()(layers.Input((1, 8, 4))), "fewer pooling layers"),
        (lambda: layers.MaxPooling2D(pool_size="2"), "pool_size must be an integer or 2"),
        (lambda: layers.MaxPooling2D(padding="full"), "received 'full'"),
        (lambda: layers.AveragePooling2D(2, strides=0), "strides must be"),
        (
            lambda: layers.GlobalAveragePooling2D(data_format="channels_first")(np.zeros((2, 3))),
            r"\(batch, channels, height, width\)",
        ),
        (lambda: layers.GlobalMaxPooling1D()(np.zeros((2, 3))), "adds a channel axis"),
    ],
)
def test_impossible_settings_and_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
