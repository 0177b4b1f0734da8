"""Dense, Embedding, Identity: what they refuse, and what is special about them."""

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core.layer import masking


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: layers.Dense(0),
            ValueError,
            "units must be an integer",
        ),
        (
            lambda: layers.Dense("10"),
            TypeError,
            "units must be an integer of at least 1; received '10'",
        ),
        (lambda: layers.Dense(2.5), TypeError, "received 2.5"),
        (lambda: layers.Dense(True), TypeError, "received True"),
        (lambda: layers.Dense(3, activation="rleu"), ValueError, "Did you mean 'relu'"),
        (lambda: layers.Dense(3, activaton="relu"), TypeError, "Did you mean 'activation'"),
        (lambda: layers.Dense(3, kernel_initializer="he"), ValueError, "Unknown initializer"),
        (lambda: layers.Dense(3, kernel_regularizer="l3"), ValueError, "Unknown regularizer"),
        (lambda: layers.Dense(3, lora_rank=4), ValueError, "has no lora_rank"),
        (
            lambda: layers.Embedding(0, 3),
            ValueError,
            "input_dim must be an integer of at least 1",
        ),
        (lambda: layers.Embedding(3, None), TypeError, "output_dim must be an integer"),
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


def test_masking_compares_feature_by_feature_with_an_array():
    layer = layers.Masking(mask_value=np.array([1.0, 2.0]))
    y = layer(np.array([[[1.0, 2.0], [1.0, 3.0]]]))
    assert y.tolist() == [[[0.0, 0.0], [1.0, 3.0]]]
    assert y._keras_mask.tolist() == [[False, True]]
    again = layers.deserialize(layers.serialize(layer))
    np.testing.assert_array_equal(again.mask_value, [1.0, 2.0])


def test_masking_needs_an_axis_of_features():
    with pytest.raises(ValueError, match=r"needs inputs \(batch, time, features\)"):
        layers.Masking()(np.ones(3))


def test_a_reversed_embedding_uses_the_same_table_and_caps_its_logits(rng):
    layer = layers.ReversibleEmbedding(5, 3, logit_soft_cap=0.1)
    vectors = rng.normal(size=(2, 4, 3)).astype("float32")
    logits = layer(vectors, reverse=True)
    products = vectors @ layer.embeddings.numpy().T
    np.testing.assert_allclose(logits, 0.1 * np.tanh(products / 0.1), atol=1e-6)
    assert layer(lamina.Input((None, 3)), reverse=True).shape == (None, None, 5)


def test_a_reversed_embedding_computes_in_its_reverse_dtype():
    layer = layers.ReversibleEmbedding(5, 3, dtype="mixed_bfloat16", reverse_dtype="float32")
    assert layer(np.array([1])).dtype == "bfloat16"
    assert layer(np.ones((1, 3)), reverse=True).dtype == "float32"
    layer = layers.ReversibleEmbedding(5, 3, dtype="mixed_bfloat16", tie_weights=False)
    assert layer(np.ones((1, 3)), reverse=True).dtype == "bfloat16"


def test_impossible_reversed_embeddings_are_refused():
    with pytest.raises(ValueError, match="vectors of size 3"):
        layers.ReversibleEmbedding(5, 3)(np.ones((2, 4)), reverse=True)
    with pytest.raises(ValueError, match="logit_soft_cap must be above 0"):
        layers.ReversibleEmbedding(5, 3, logit_soft_cap=0.0)
    with pytest.raises(ValueError, match="reverse_dtype must be a float type"):
        layers.ReversibleEmbedding(5, 3, reverse_dtype="int32")


def test_einsum_dense_takes_sizes_it_is_not_told_from_the_input():
    layer = layers.EinsumDense("abc,cd->abd", output_shape=(None, 6))
    assert layer.compute_output_shape((None, 4, 5)) == (None, 4, 6)
    assert layer(lamina.Input((None, 5))).shape == (None, None, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.EinsumDense("ab,bc", 3), "the equation must read"),
        (lambda: layers.EinsumDense("...ab,bc->ac", 3), "the equation must read"),
        (lambda: layers.EinsumDense("ab,bcd->ac", 3), "'d' of the kernel is neither"),
        (lambda: layers.EinsumDense("ab,bc->acx", 3), "'x' of the output is neither"),
        (lambda: layers.EinsumDense("ab,bc->ac", 3, bias_axes="b"), "letters of the output 'ac'"),
        (lambda: layers.EinsumDense("ab,bc->ac", 3, lora_rank=2), "has no lora_rank"),
        (lambda: layers.EinsumDense("ab,bc->ac", (3, 4))(np.ones((2, 5))), "do not fit together"),
        (lambda: layers.EinsumDense("abc,cd->abd", (3, 4))(np.ones((2, 5, 2))), "size 5 in the"),
        (lambda: layers.EinsumDense("ab,bc->ac", 3)(np.ones((2, 5, 2))), "names 2 axes"),
        (lambda: layers.EinsumDense("ab,bc->ac", 3)(lamina.Input((None,))), "must know the size"),
    ],
)
def test_einsum_dense_refuses_what_does_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_built_einsum_dense_refuses_other_sizes():
    layer = layers.EinsumDense("ab,bc->ac", 3)
    layer(np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"kernel of shape \(5, 3\)"):
        layer(np.ones((2, 4)))


X1, X2, X3 = (np.ones((1, *(4,) * rank, 3), "float32") for rank in (1, 2, 3))


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (lambda: layers.Dense(2, "relu"), X1),
        (lambda: layers.EinsumDense("abc,cd->abd", (None, 2), "relu"), X1),
        (lambda: layers.Conv1D(2, 2, activation="relu"), X1),
        (lambda: layers.Conv2D(2, 2, activation="relu"), X2),
        (lambda: layers.Conv3D(2, 2, activation="relu"), X3),
        (lambda: layers.Conv1DTranspose(2, 2, activation="relu"), X1),
        (lambda: layers.Conv2DTranspose(2, 2, activation="relu"), X2),
        (lambda: layers.SeparableConv1D(2, 2, activation="relu"), X1),
        (lambda: layers.SeparableConv2D(2, 2, activation="relu"), X2),
        (lambda: layers.DepthwiseConv1D(2, activation="relu"), X1),
        (lambda: layers.DepthwiseConv2D(2, activation="relu"), X2),
        (lambda: layers.Activation("relu"), X1),
    ],
)
def test_a_layer_whose_activation_is_taken_away_is_linear(layer, x):
    layer = layer()
    positive = layer(x), layer(-x)
    layer.activation = None
    assert layer.activation is None
    # Without a bias, of x and -x one gives each value and the other nothing after a ReLU.
    np.testing.assert_allclose(layer(x), positive[0] - positive[1], atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "states"),
    [
        (lambda: layers.SimpleRNNCell(2), 1),
        (lambda: layers.GRUCell(2), 1),
        (lambda: layers.LSTMCell(2), 2),
    ],
)
def test_a_cell_whose_activation_is_taken_away_is_linear(cell, states):
    one, other = cell(), cell()
    x, zeros = np.ones((1, 3), "float32"), [np.zeros((1, 2), "float32")] * states
    one(x, zeros), other(x, zeros)
    other.set_weights(one.get_weights())
    one.activation, other.activation = None, lambda x: x
    np.testing.assert_allclose(one(x, zeros)[0], other(x, zeros)[0], rtol=1e-6)
