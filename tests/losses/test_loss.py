"""The base of losses: weights, masks, reductions, losses of one's own, names."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina import losses, ops
from lamina.core.layer import masking
from lamina.core.serialization.registry import register_keras_serializable
from lamina.losses.loss import REDUCTIONS, divide_no_nan, reduce_weighted_values

VALUES = np.arange(6, dtype="float32").reshape(3, 2) + 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "weight",
    [None, 2.0, VALUES / 3, VALUES[:, :1], np.array([[0.0], [0.0], [0.0]], "float32")],
    ids=["none", "one number", "per value", "per row", "all zero"],
)
@pytest.mark.parametrize("masked", [False, True])
def test_reduction_equals_keras(reduction, weight, masked):
    mask = np.array([[True, False], [True, True], [False, False]]) if masked else None
    expected = keras.src.losses.loss.reduce_weighted_values(
        VALUES, sample_weight=weight, mask=mask, reduction=reduction
    )
    found = reduce_weighted_values(VALUES, weight, mask, reduction)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weights_of_one_column_give_keras_shape_when_nothing_is_reduced():
    weight = np.ones((3, 1), "float32")
    expected = keras.losses.MeanSquaredError(reduction=None)(VALUES, VALUES, weight)
    assert losses.MeanSquaredError(reduction=None)(VALUES, VALUES, weight).shape == expected.shape


def test_one_weight_per_sample_weighs_all_its_steps():
    # Keras would multiply the last axis, or fail where its size is another.
    values = np.ones((2, 2), "float32")
    found = reduce_weighted_values(values, [1.0, 3.0], reduction="none")
    assert found.tolist() == [[1.0, 1.0], [3.0, 3.0]]


@pytest.mark.parametrize("shape", [(2,), (3, 3), (2, 3), (3, 2, 1, 1)])
def test_weights_that_fit_nothing_are_refused(shape):
    with pytest.raises(ValueError, match="sample_weight does not fit") as caught:
        reduce_weighted_values(VALUES, np.ones(shape))
    assert str(shape) in str(caught.value)


def test_weights_for_predictions_without_a_class_axis_are_explained():
    with pytest.raises(ValueError, match=r"as \(samples, 1\)"):
        losses.MeanSquaredError()([1.0, 2.0], [1.0, 3.0], sample_weight=[1.0, 2.0])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_mask_of_predictions_leaves_values_out_like_keras(reduction):
    y_true = np.zeros((2, 3, 1), "float32")
    y_pred = jnp.arange(6.0).reshape(2, 3, 1)
    masking.set_mask(y_pred, jnp.array([[True, True, False], [True, False, False]]))
    expected = keras.losses.MeanSquaredError(reduction=reduction)(y_true, y_pred)
    np.testing.assert_allclose(
        losses.MeanSquaredError(reduction=reduction)(y_true, y_pred), expected
    )


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_no_values_give_no_nan(shape, reduction):
    assert not np.isnan(reduce_weighted_values(np.ones(shape), reduction=reduction)).any()


@given(st.integers(-20, 20), st.integers(-3, 3))
def test_division_is_pythons_except_by_zero(a, b):
    expected = 0.0 if b == 0 else a / b
    np.testing.assert_allclose(divide_no_nan(jnp.float32(a), jnp.float32(b)), expected, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_masked_frames_say_nothing(compiled):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 6, 4)).astype("float32")
    lengths = np.array([4, 6])
    labels = np.array([[1, 2], [3, 0]])
    mask = jnp.arange(6) < lengths[:, None]

    def loss(logits):
        y_pred = jnp.asarray(logits) * 1
        masking.set_mask(y_pred, mask)
        return losses.CTC(reduction=None)(labels, y_pred)

    expected = ops.ctc_loss(labels, logits, np.array([2, 1]), lengths)
    np.testing.assert_allclose((jax.jit(loss) if compiled else loss)(logits), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [losses.Dice(), losses.Tversky(alpha=0.2, axis=(1, 2))])
def test_masked_pixels_belong_to_no_area(loss):
    y_true, y_pred = np.random.default_rng(0).random((2, 3, 5, 1)).astype("float32")
    masked = jnp.asarray(y_pred)
    masking.set_mask(masked, jnp.arange(5) < jnp.array([3, 3, 3])[:, None])
    expected = loss(y_true[:, :3], y_pred[:, :3])
    np.testing.assert_allclose(loss(y_true, masked), expected, rtol=1e-6)


class Cubic(losses.Loss):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * jnp.mean(jnp.abs(y_true - y_pred) ** 3, axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_a_loss_of_ones_own_needs_only_call():
    loss = Cubic(factor=2.0)
    assert loss.name == "cubic"
    assert float(loss([[0.0], [0.0]], [[1.0], [2.0]])) == 9.0
    assert float(loss([[0.0], [0.0]], [[1.0], [2.0]], sample_weight=[1, 0])) == 1.0


def test_a_loss_of_ones_own_is_rebuilt_from_its_config():
    config = losses.serialize(Cubic(factor=3.0, reduction="sum"))
    again = losses.deserialize(config, custom_objects={"Cubic": Cubic})
    assert (again.factor, again.reduction) == (3.0, "sum")


def test_a_loss_may_take_structures():
    class Distance(losses.Loss):
        def call(self, y_true, y_pred):
            return jnp.abs(y_true["a"] - y_pred["a"]) + jnp.abs(y_true["b"] - y_pred["b"])

    zeros = {"a": np.zeros(2), "b": [0, 0]}
    assert float(Distance()(zeros, {"a": np.ones(2), "b": [2, 4]})) == 4.0


def test_targets_reach_a_loss_of_ones_own_as_floats():
    class Square(losses.Loss):
        def call(self, y_true, y_pred):
            return (y_true * y_true)[:, 0]

    # 200 squared is 64 in eight bits.
    assert float(Square()(np.array([[200]], "uint8"), [[0.0]])) == 40000.0


def test_a_function_is_not_broadcast():
    def difference(y_true, y_pred):
        return jnp.abs(y_true - y_pred)

    loss = losses.LossFunctionWrapper(difference, reduction="none", name="difference")
    assert loss(np.ones(5), np.zeros((5, 1))).shape == (5, 1)


@register_keras_serializable(package="tests")
def powered(y_true, y_pred, power=2):
    return jnp.mean(jnp.abs(y_true - y_pred) ** power, axis=-1)


def test_a_function_with_settings_survives_its_config():
    loss = losses.LossFunctionWrapper(powered, name="powered", power=3)
    again = losses.deserialize(losses.serialize(loss))
    assert float(again([[0.0]], [[2.0]])) == 8.0


def test_keras_config_of_a_function_is_read():
    theirs = keras.src.losses.losses.LossFunctionWrapper(keras.losses.mean_squared_error)
    loss = losses.LossFunctionWrapper.from_config(theirs.get_config())
    assert float(loss([[0.0]], [[2.0]])) == 4.0


def test_a_loss_without_call_says_what_is_missing():
    class Empty(losses.Loss):
        pass

    with pytest.raises(NotImplementedError, match=r"def call\(self, y_true, y_pred\)"):
        Empty()([[1.0]], [[1.0]])


def test_an_unknown_reduction_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'sum_over_batch_size'"):
        losses.MeanSquaredError(reduction="sum_over_batchsize")


@pytest.mark.parametrize("make", [losses.MeanSquaredError, losses.Huber, losses.Loss, Cubic])
def test_a_misspelt_argument_is_refused_with_the_nearest(make):
    with pytest.raises(TypeError, match="Did you mean 'reduction'"):
        make(reducton="sum")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(None, "float32"), ("bfloat16", "bfloat16"), ("mixed_float16", "float16")],
)
def test_the_loss_is_computed_in_its_dtype(dtype, expected):
    loss = losses.MeanSquaredError(dtype=dtype)
    assert loss.dtype == expected
    assert loss(np.zeros((2, 1)), np.ones((2, 1))).dtype == expected
