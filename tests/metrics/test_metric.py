"""The base of metrics: state, resetting, tracking, metrics of one's own."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import metrics
from lamina.core.layer import masking
from lamina.core.serialization.registry import register_keras_serializable
from lamina.core.variable.variable import Variable


class LargestError(metrics.Metric):
    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.largest = self.add_weight(shape=(), initializer="ones", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = jnp.max(jnp.abs(jnp.asarray(y_true) - jnp.asarray(y_pred)))
        self.largest.assign(jnp.maximum(self.largest.value, self.scale * error))

    def result(self):
        return {"largest": self.largest.value, "scale": self.scale}

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def test_a_metric_of_ones_own_may_return_a_dict():
    metric = LargestError(scale=2.0)
    assert metric.name == "largest_error"
    result = metric([1.0, 2.0], [1.0, 5.0])
    assert {key: float(value) for key, value in result.items()} == {"largest": 6.0, "scale": 2.0}


def test_a_metric_of_ones_own_is_rebuilt_from_its_config():
    config = metrics.serialize(LargestError(scale=3.0, name="mine"))
    again = metrics.deserialize(config, custom_objects={"LargestError": LargestError})
    assert (again.scale, again.name) == (3.0, "mine")


def test_reset_makes_every_variable_zero_like_keras():
    metric = LargestError()
    assert float(metric.largest) == 1.0
    metric.reset_state()
    assert float(metric.largest) == 0.0


def test_variables_and_metrics_in_attributes_are_found():
    class Several(metrics.Metric):
        def __init__(self):
            super().__init__()
            self.own = Variable(1.0, trainable=False)
            self.mean = metrics.Mean()
            self.parts = [metrics.Sum(name="first")]
            self.named = {"auc": metrics.AUC(num_thresholds=3)}

        def result(self):
            return self.mean.result()

    metric = Several()
    metric.parts.append(metrics.Sum(name="second"))
    assert [v.path for v in metric.variables] == [
        "variable",
        "mean/total",
        "mean/count",
        "first/total",
        "auc/true_positives",
        "auc/false_positives",
        "auc/true_negatives",
        "auc/false_negatives",
        "second/total",
    ]
    metric.mean.update_state(3.0)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_resetting_compiles_nothing(compilations):
    metric = metrics.AUC(num_thresholds=17)
    metric.update_state([0, 1], [0.2, 0.7])
    compilations.reset()
    metric.reset_state()
    assert compilations.names == []
    assert all((v.numpy() == 0).all() for v in metric.variables)


def test_stateless_functions_leave_the_metric_alone():
    metric = metrics.Mean()
    metric.update_state([1.0, 3.0])
    state = metric.stateless_update_state(metric.stateless_reset_state(), [5.0])
    assert [float(value) for value in state] == [5.0, 1.0]
    assert float(metric.stateless_result(tuple(state))) == 5.0
    assert float(metric.result()) == 2.0


def test_a_state_of_another_length_is_refused():
    with pytest.raises(ValueError, match="has 2 variables and received 1 values"):
        metrics.Mean().stateless_result([1.0])


def test_a_metric_that_forgot_its_parent_says_so():
    class Forgetful(metrics.Metric):
        def __init__(self):
            self.add_variable(shape=())

    with pytest.raises(RuntimeError, match=r"super\(\).__init__"):
        Forgetful()


def test_a_metric_without_methods_says_what_is_missing():
    metric = metrics.Metric(name="empty")
    with pytest.raises(NotImplementedError, match="def update_state"):
        metric.update_state([1.0], [1.0])
    with pytest.raises(NotImplementedError, match="def result"):
        metric.result()


@pytest.mark.parametrize("make", [metrics.Mean, metrics.AUC, metrics.Metric, LargestError])
def test_a_misspelt_argument_is_refused_with_the_nearest(make):
    with pytest.raises(TypeError, match="Did you mean 'name'"):
        make(nam="sum")


def test_a_plain_function_is_averaged_and_not_broadcast():
    def off(y_true, y_pred):
        return jnp.abs(y_true - y_pred)

    metric = metrics.MeanMetricWrapper(off)
    assert metric.name == "mean_metric_wrapper"
    assert float(metric(np.array([1.0, 2.0]), np.array([[1.0], [4.0]]))) == 1.0


@register_keras_serializable(package="tests")
def within(y_true, y_pred, tolerance=0.1):
    return jnp.abs(y_true - y_pred) <= tolerance


def test_a_function_with_settings_survives_its_config():
    metric = metrics.MeanMetricWrapper(within, name="within", tolerance=2.0)
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.name == "within"
    assert float(again([1.0, 2.0], [2.0, 7.0])) == 0.5


def test_keras_reads_a_wrapped_function_and_the_reverse():
    ours = metrics.MeanMetricWrapper(metrics.mean_squared_error, name="mse")
    theirs = keras.metrics.MeanMetricWrapper(keras.metrics.mean_squared_error, name="mse")
    assert metrics.serialize(ours) == keras.metrics.serialize(theirs)
    assert float(metrics.deserialize(keras.metrics.serialize(theirs))([[1.0]], [[3.0]])) == 4.0
    assert float(keras.metrics.deserialize(metrics.serialize(ours))([[1.0]], [[3.0]])) == 4.0


@pytest.mark.parametrize("weights", [None, np.array([1.0, 0.5], "float32")])
def test_the_mask_of_predictions_is_a_weight_like_in_keras(weights):
    y_true = np.zeros((2, 3, 1), "float32")
    y_pred = jnp.arange(6.0).reshape(2, 3, 1)
    masking.set_mask(y_pred, jnp.array([[True, True, False], [True, False, False]]))
    weights = None if weights is None else np.repeat(weights[:, None], 3, axis=1)
    expected = keras.metrics.MeanSquaredError()
    expected.update_state(y_true, y_pred, weights)
    found = metrics.MeanSquaredError()(y_true, y_pred, weights)
    np.testing.assert_allclose(found, expected.result(), rtol=1e-6)


def test_a_weight_per_sample_goes_with_a_mask_per_step():
    y_pred = jnp.ones((2, 3, 1))
    masking.set_mask(y_pred, jnp.array([[True, True, False], [True, False, False]]))
    found = metrics.MeanSquaredError()(np.zeros((2, 3, 1)), y_pred, np.array([1.0, 2.0]))
    assert float(found) == pytest.approx(1.0)


def test_the_state_keeps_its_dtype():
    metric = metrics.Mean(dtype="bfloat16")
    metric.update_state(jnp.ones(3))
    assert {v.dtype for v in metric.variables} == {"bfloat16"}
    assert metric.result().dtype == "bfloat16"
