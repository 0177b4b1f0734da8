"""Metrics by name, and what `"accuracy"` means for given shapes."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.trainers.compile_utils import get_metric

from lamina import losses, metrics
from lamina.metrics import resolve_metric

pytestmark = pytest.mark.quick

NEED_ARGUMENTS = {
    "IoU", "io_u", "MeanIoU", "mean_io_u", "OneHotIoU", "one_hot_io_u",
    "OneHotMeanIoU", "one_hot_mean_io_u",
    "MeanMetricWrapper", "mean_metric_wrapper",
    "PrecisionAtRecall", "precision_at_recall", "RecallAtPrecision", "recall_at_precision",
    "SensitivityAtSpecificity", "sensitivity_at_specificity",
    "SpecificityAtSensitivity", "specificity_at_sensitivity",
}  # fmt: skip
KERAS_NAMES = sorted(set(keras.src.metrics.ALL_OBJECTS_DICT) - {"Metric", "metric"})
SHAPES = [((8,), (8, 1)), ((8, 1), (8, 1)), ((8,), (8, 4)), ((8, 1), (8, 4)), ((8, 4), (8, 4))]
every_shape = pytest.mark.parametrize(("true_shape", "pred_shape"), SHAPES)


@pytest.mark.parametrize("name", sorted(set(KERAS_NAMES) - NEED_ARGUMENTS))
def test_every_name_that_keras_knows_means_the_same(name):
    ours, theirs = metrics.get(name), keras.metrics.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    # "metric" and others without a name of their own count up, and Keras has counted before.
    assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")


def test_every_public_name_of_keras_is_there():
    assert {n for n in dir(keras.metrics) if not n.startswith("_")} <= set(metrics.__all__)


@pytest.mark.parametrize("identifier", ["accuracy", "acc", "Accuracy", "mse", "AUC", "recall"])
@every_shape
def test_a_name_means_the_metric_that_keras_compiles(identifier, true_shape, pred_shape):
    theirs = get_metric(identifier, np.zeros(true_shape), np.zeros(pred_shape))
    ours = resolve_metric(identifier, true_shape, pred_shape)
    assert (ours.name, type(ours).__name__) == (theirs.name, type(theirs).__name__)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "expected"),
    [
        ((None,), (None, 1), "binary"),
        ((None,), (None,), "binary"),
        ((None,), (None, 10), "sparse_categorical"),
        ((None, 1), (None, 10), "sparse_categorical"),
        ((None, 10), (None, 10), "categorical"),
        ((None, 5), (None, 5, 10), "sparse_categorical"),
    ],
)
def test_the_choice_is_recorded(true_shape, pred_shape, expected):
    accuracy = resolve_metric("accuracy", true_shape, pred_shape)
    assert (accuracy.name, accuracy.resolved_name) == ("accuracy", f"{expected}_accuracy")
    crossentropy = resolve_metric("ce", true_shape, pred_shape)
    assert (crossentropy.name, crossentropy.resolved_name) == ("ce", f"{expected}_crossentropy")


def test_crossentropy_takes_logits_if_the_loss_does():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    metric = resolve_metric("crossentropy", (None,), (None, 10), loss)
    assert metric.from_logits


def test_accuracy_of_binary_logits_is_explained():
    loss = losses.BinaryCrossentropy(from_logits=True)
    with pytest.warns(UserWarning, match=r"BinaryAccuracy\(threshold=0.0\)"):
        metric = resolve_metric("accuracy", (None, 1), (None, 1), loss)
    assert metric.threshold == 0.5


def test_accuracy_in_a_custom_name_is_left_alone():
    metric = metrics.BinaryAccuracy(name="hits")
    assert resolve_metric(metric, (None, 1), (None, 1)) is metric
    assert metric.name == "hits"


def test_a_plain_function_is_a_metric_with_its_name():
    def off_by_one(y_true, y_pred):
        return jnp.abs(y_true - y_pred) == 1

    metric = resolve_metric(off_by_one, (None, 1), (None, 1))
    theirs = get_metric(off_by_one, np.zeros((2, 1)), np.zeros((2, 1)))
    assert type(metric).__name__ == type(theirs).__name__
    assert float(metric([1.0, 2.0], [[2.0], [2.0]])) == 0.5


def test_shapes_are_used_to_make_variables():
    assert len(resolve_metric("r2_score", (None, 3), (None, 3)).variables) == 5


def test_a_misspelt_metric_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Unknown metric 'acuracy'. Did you mean 'accuracy'"):
        resolve_metric("acuracy", (None,), (None, 10))


def test_none_is_no_metric():
    assert metrics.get(None) is None
    with pytest.raises(ValueError, match="leave it out"):
        resolve_metric(None, (None,), (None, 10))


def test_what_is_no_metric_is_refused():
    with pytest.raises(TypeError, match="received 3"):
        metrics.get(3)


def test_a_config_without_a_module_is_a_metric_and_no_loss():
    metric = metrics.get({"class_name": "MeanSquaredError", "config": {"name": "mine"}})
    assert isinstance(metric, metrics.MeanSquaredError)
