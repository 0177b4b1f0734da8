"""Dense, Embedding, Identity: what they refuse, and what is special about them."""

import jax.numpy as jnp
import numpy as np
import pytest

from lamina import layers
from lamina.core import masking


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Dense(0), ValueError, "units must be 1 or more; received 0"),
        (lambda: layers.Dense("10"), TypeError, "units must be a whole number; received '10'"),
        (lambda: layers.Dense(2.5), TypeError, "received 2.5"),
        (lambda: layers.Dense(True), TypeError, "received True"),
        (lambda: layers.Dense(3, activation="rleu"), ValueError, "Did you mean 'relu'"),
        (lambda: layers.Dense(3, activaton="relu"), TypeError, "Did you mean 'activation'"),
        (lambda: layers.Dense(3, kernel_initializer="he"), ValueError, "Unknown initializer"),
        (lambda: layers.Dense(3, kernel_regularizer="l3"), ValueError, "Unknown regularizer"),
        (lambda: layers.Dense(3, lora_rank=4), ValueError, "has no lora_rank"),
        (lambda: layers.Embedding(0, 3), ValueError, "input_dim must be 1 or more"),
        (lambda: layers.Embedding(3, None), TypeError, "output_dim must be a whole number"),
    ],
)
def test_impossible_settings_are_refused_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_dense_fed_another_number_of_features_says_what_it_was_built_for():
    layer = layers.Dense(3, name="hidden")
    layer(np.zeros((2, 784)))
    with pytest.raises(ValueError, match="'hidden' was built for 784 features and received 100"):
        layer(np.zeros((2, 100)))


def test_dense_fed_images_after_flat_rows_suggests_flatten():
    layer = layers.Dense(3)
    layer(np.zeros((2, 784)))
    with pytest.raises(ValueError, match=r"put lamina.layers.Flatten\(\) before 'dense'"):
        layer(np.zeros((2, 28, 28)))


def test_dense_fed_one_row_without_its_batch_axis_says_how_to_add_it():
    with pytest.raises(ValueError, match=r"at least 2 axes and received shape \(784,\)"):
        layers.Dense(3)(np.zeros(784))


def test_dense_needs_a_known_number_of_features():
    with pytest.raises(ValueError, match="must know the number of features"):
        layers.Dense(3)(layers.Input((None,)))


def test_dense_takes_whole_numbers():
    kernel = np.array([[1.0], [2.0]], "float32")
    layer = layers.Dense(1)
    layer.build((None, 2))
    layer.set_weights([kernel, np.zeros(1)])
    assert layer(np.array([[3, 4]], dtype="uint8")).tolist() == [[11.0]]


def test_the_kernel_is_drawn_anew_for_every_layer():
    first, second = layers.Dense(3), layers.Dense(3)
    first.build((None, 4))
    second.build((None, 4))
    assert not np.array_equal(first.kernel, second.kernel)


def test_embedding_takes_a_ready_made_table():
    table = np.arange(6.0).reshape(3, 2)
    layer = layers.Embedding(3, 2, weights=table)
    assert layer(np.array([2, 0])).tolist() == [[4.0, 5.0], [0.0, 1.0]]


def test_embedding_takes_the_length_that_keras_2_wanted():
    assert layers.Embedding(3, 2, input_length=4)(np.array([[1, 2]])).shape == (1, 2, 2)


def test_embedding_looks_up_whole_numbers_that_came_as_floats():
    layer = layers.Embedding(300, 2, dtype="mixed_bfloat16")
    layer.build()
    exact = layer.embeddings.numpy()[257]
    np.testing.assert_allclose(layer(np.array([257.0]))[0].astype("float32"), exact, rtol=0.01)


def test_embedding_masks_zeros_when_asked():
    x = np.array([[1, 2, 0]])
    assert masking.get_mask(layers.Embedding(3, 2)(x)) is None
    assert masking.get_mask(layers.Embedding(3, 2, mask_zero=True)(x)).tolist() == [
        [True, True, False]
    ]


def test_a_number_outside_the_table_is_nan():
    assert bool(jnp.isnan(layers.Embedding(3, 2)(np.array([7]))).all())


def test_identity_hands_on_structures_and_whole_numbers():
    x, y = layers.Identity()([np.array([1, 2]), np.array([0.5])])
    assert (x.dtype, y.dtype) == ("int32", "float32")
    symbol = layers.Identity()(layers.Input((3,), dtype="uint8"))
    assert symbol.dtype == "uint8"
