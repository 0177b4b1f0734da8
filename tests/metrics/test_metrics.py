"""Every metric against Keras on its JAX backend: results over uneven batches, configs, compiled."""

import json
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import metrics

# Keras's confusion matrix asks for a type that JAX does not have.
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")

SAMPLES, CLASSES = 10, 4
# Few sizes, for every size of batch compiles each operation anew.
BATCHES = [slice(0, 4), slice(4, 8), slice(8, 10)]
FIRST = BATCHES[0]


def _data(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions that suit a metric; the same at every call."""
    rng = np.random.default_rng(seed=3)
    logits = rng.normal(size=(SAMPLES, CLASSES)).astype("float32") * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = rng.integers(0, CLASSES, size=SAMPLES)
    one_hot = np.eye(CLASSES, dtype="float32")[labels]
    yes_or_no = rng.integers(0, 2, size=(SAMPLES, CLASSES)).astype("float32")
    steps = rng.dirichlet(np.ones(CLASSES), size=(SAMPLES, 3)).astype("float32")
    step_labels = rng.integers(0, CLASSES, size=(SAMPLES, 3))
    scores = np.round(rng.random(SAMPLES), 2).astype("float32")
    scores[:3] = 0.0, 0.5, 1.0
    return {
        "numbers": (rng.normal(size=(SAMPLES, CLASSES)).astype("float32"), logits),
        "positive": (rng.random((SAMPLES, CLASSES), "float32") + 0.1, probabilities + 0.1),
        "column": (rng.normal(size=SAMPLES).astype("float32"), logits[:, :1]),
        "small integers": (labels, np.roll(labels, 1)),
        "yes or no": (yes_or_no, probabilities),
        "yes or no, logits": (yes_or_no, logits),
        "yes or no, column": (yes_or_no[:, :1], scores[:, None]),
        "yes or no, flat": (yes_or_no[:, 0], scores),
        "yes or no, flat labels": (yes_or_no[:, 0], scores[:, None]),
        "signs": (2 * yes_or_no - 1, logits),
        "one-hot": (one_hot, probabilities),
        "one-hot, steps": (np.eye(CLASSES, dtype="float32")[step_labels], steps),
        "one-hot, logits": (one_hot, logits),
        "one-hot, ties": (one_hot, np.round(probabilities * 2)),
        "distributions": (steps[:, 0], probabilities),
        "labels": (labels, probabilities),
        "labels, column": (labels[:, None], probabilities),
        "labels, ties": (labels, np.round(probabilities * 2)),
        "labels, steps": (step_labels, steps),
        "labels, logits": (labels, logits),
        "labels, some unknown": (np.where(labels == 1, -1, labels), probabilities),
        "classes, steps": (step_labels, rng.integers(-1, CLASSES + 1, size=(SAMPLES, 3))),
        "labels, ids": (labels, np.argsort(-probabilities, axis=-1)),
    }[kind]


# Without the type they count in integers, and weights lose their fractions.
AREAS = {"num_classes": CLASSES, "dtype": "float32"}
EVEN = [0.0, 0.25, 0.5, 0.75, 1.0]
CASES = [
    ("Accuracy", {}, "small integers"),
    ("BinaryAccuracy", {}, "yes or no"),
    ("BinaryAccuracy", {}, "yes or no, flat labels"),
    ("BinaryAccuracy", {"threshold": 0.0}, "yes or no, logits"),
    ("CategoricalAccuracy", {}, "one-hot"),
    ("CategoricalAccuracy", {}, "one-hot, ties"),
    ("CategoricalAccuracy", {}, "one-hot, steps"),
    ("SparseCategoricalAccuracy", {}, "labels"),
    ("SparseCategoricalAccuracy", {}, "labels, ties"),
    ("SparseCategoricalAccuracy", {}, "labels, column"),
    ("SparseCategoricalAccuracy", {}, "labels, steps"),
    ("TopKCategoricalAccuracy", {}, "one-hot"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one-hot, ties"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one-hot, steps"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "labels"),
    ("SparseTopKCategoricalAccuracy", {"k": 1}, "labels, ties"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "labels, steps"),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, "labels, ids"),
    ("MeanSquaredError", {}, "numbers"),
    ("MeanSquaredError", {}, "column"),
    ("RootMeanSquaredError", {}, "numbers"),
    ("RootMeanSquaredError", {}, "column"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("LogCoshError", {}, "numbers"),
    ("CosineSimilarity", {}, "numbers"),
    ("R2Score", {}, "numbers"),
    ("R2Score", {"class_aggregation": None}, "numbers"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "numbers"),
    ("R2Score", {"num_regressors": 2}, "numbers"),
    ("BinaryCrossentropy", {}, "yes or no"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "yes or no, logits"),
    ("CategoricalCrossentropy", {}, "one-hot"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one-hot, logits"),
    ("SparseCategoricalCrossentropy", {}, "labels"),
    ("SparseCategoricalCrossentropy", {}, "labels, steps"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "labels, logits"),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1}, "labels, some unknown"),
    ("KLDivergence", {}, "distributions"),
    ("Poisson", {}, "positive"),
    ("Hinge", {}, "signs"),
    ("SquaredHinge", {}, "signs"),
    ("CategoricalHinge", {}, "one-hot, logits"),
    ("TruePositives", {}, "yes or no, flat"),
    ("TrueNegatives", {}, "yes or no"),
    ("FalsePositives", {"thresholds": [0.1, 0.6]}, "yes or no"),
    ("FalseNegatives", {"thresholds": EVEN}, "yes or no, flat"),
    ("TrueNegatives", {"thresholds": EVEN}, "yes or no, flat"),
    ("Precision", {}, "yes or no, column"),
    ("Precision", {}, "yes or no, flat labels"),
    ("Precision", {"thresholds": [0.3, 0.7]}, "yes or no"),
    ("Precision", {"thresholds": EVEN}, "yes or no, flat"),
    ("Precision", {"top_k": 2}, "one-hot, ties"),
    ("Precision", {"class_id": 1}, "one-hot"),
    ("Precision", {"class_id": 1, "top_k": 2, "thresholds": 0.3}, "one-hot"),
    ("Recall", {}, "yes or no, column"),
    ("Recall", {"thresholds": [0.3, 0.7]}, "yes or no"),
    ("Recall", {"top_k": 2}, "one-hot"),
    ("Recall", {"class_id": 0}, "one-hot"),
    ("SensitivityAtSpecificity", {"specificity": 0.5}, "yes or no, flat"),
    ("SensitivityAtSpecificity", {"specificity": 0.5, "num_thresholds": 1}, "yes or no, flat"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.4, "class_id": 2}, "yes or no"),
    ("PrecisionAtRecall", {"recall": 0.5}, "yes or no"),
    ("RecallAtPrecision", {"precision": 0.5, "num_thresholds": 10}, "yes or no"),
    ("AUC", {}, "yes or no, flat"),
    ("AUC", {}, "yes or no"),
    ("AUC", {"curve": "PR"}, "yes or no"),
    ("AUC", {"curve": "PR", "summation_method": "majoring"}, "yes or no"),
    ("AUC", {"summation_method": "minoring", "num_thresholds": 5}, "yes or no, flat"),
    ("AUC", {"curve": "PRGAIN"}, "yes or no"),
    ("AUC", {"thresholds": [0.2, 0.5, 0.9]}, "yes or no"),
    ("AUC", {"from_logits": True}, "yes or no, logits"),
    ("AUC", {"multi_label": True}, "yes or no"),
    ("AUC", {"multi_label": True, "thresholds": [0.2, 0.7], "curve": "PR"}, "yes or no"),
    (
        "AUC",
        {"multi_label": True, "num_labels": 4, "label_weights": [0.1, 0.4, 0.3, 0.2]},
        "yes or no",
    ),
    ("AUC", {"label_weights": [0.1, 0.4, 0.3, 0.2]}, "yes or no"),
    ("FBetaScore", {}, "one-hot"),
    ("FBetaScore", {"average": "macro", "beta": 2.0, "threshold": 0.3}, "yes or no"),
    ("F1Score", {"average": "micro"}, "one-hot"),
    ("F1Score", {"average": "weighted"}, "one-hot, ties"),
    ("IoU", {"target_class_ids": [1, 3], **AREAS}, "small integers"),
    ("IoU", {"target_class_ids": [2], "sparse_y_pred": False, **AREAS}, "labels"),
    ("BinaryIoU", {"threshold": 0.4, "dtype": "float32"}, "yes or no, flat"),
    ("BinaryIoU", {"target_class_ids": [1], "dtype": "float32"}, "yes or no, flat"),
    ("MeanIoU", {"ignore_class": 1, **AREAS}, "small integers"),
    ("OneHotIoU", {"target_class_ids": [0, 2], **AREAS}, "one-hot"),
    ("OneHotMeanIoU", AREAS, "one-hot"),
    ("PearsonCorrelation", {}, "numbers"),
    ("PearsonCorrelation", {"axis": 1}, "numbers"),
    ("ConcordanceCorrelation", {}, "numbers"),
]
WEIGHTS = ["unweighted", "weighted", "partly zero"]
SMALL = {"rtol": 2e-5, "atol": 2e-6}


def _id(value: object) -> str:
    return str(value).replace(" ", "") if isinstance(value, dict) else str(value)


every_case = pytest.mark.parametrize(("name", "settings", "kind"), CASES, ids=_id)
one_case_of_each = {name: (name, settings, kind) for name, settings, kind in reversed(CASES)}
every_metric = pytest.mark.parametrize(
    ("name", "settings", "kind"), one_case_of_each.values(), ids=_id
)


def _weights(kind: str) -> np.ndarray | None:
    """One weight per sample."""
    if kind == "unweighted":
        return None
    weights = np.random.default_rng(seed=5).random(SAMPLES, "float32") + 0.5
    return weights if kind == "weighted" else np.where(np.arange(SAMPLES) % 2, weights, 0)


def test_every_public_metric_is_in_the_table():
    classes = {n for n in metrics.__all__ if isinstance(getattr(metrics, n), type)}
    assert set(one_case_of_each) == classes - {"Mean", "MeanMetricWrapper", "Metric", "Sum"}


@pytest.mark.parametrize("weights", WEIGHTS)
@every_case
def test_result_over_uneven_batches_equals_keras_for_all_samples(name, settings, kind, weights):
    y_true, y_pred = _data(kind)
    weight = _weights(weights)
    expected = getattr(keras.metrics, name)(**settings)(y_true, y_pred, weight)
    metric = getattr(metrics, name)(**settings)
    for batch in BATCHES:
        part = None if weight is None else weight[batch]
        metric.update_state(y_true[batch], y_pred[batch], sample_weight=part)
    assert metric.result().shape == expected.shape
    np.testing.assert_allclose(metric.result(), expected, **SMALL)


@every_metric
def test_state_in_a_compiled_loop_equals_eager(name, settings, kind):
    y_true, y_pred = _data(kind)
    metric = getattr(metrics, name)(**settings)
    metric.build(y_true[FIRST].shape, y_pred[FIRST].shape)
    batches = [
        jnp.stack([a[batch] for batch in BATCHES[:2]])
        for a in (y_true, y_pred, _weights("weighted"))
    ]

    @jax.jit
    def run(state):
        def step(i, state):
            return metric.stateless_update_state(state, *(b[i] for b in batches))

        return metric.stateless_result(jax.lax.fori_loop(0, 2, step, state))

    compiled = run(metric.stateless_reset_state())
    for batch in zip(*batches, strict=True):
        metric.update_state(*batch)
    np.testing.assert_allclose(compiled, metric.result(), **SMALL)


@every_case
def test_metric_broadcasts_nothing(name, settings, kind):
    y_true, y_pred = _data(kind)
    if "label_weights" in settings:
        pytest.skip("one weight per label is a row that is meant to be broadcast")
    with jax.numpy_rank_promotion("raise"):
        metric = getattr(metrics, name)(**settings)
        metric.update_state(y_true[FIRST], y_pred[FIRST], _weights("weighted")[FIRST])


@every_case
def test_metric_survives_its_config(name, settings, kind):
    metric = getattr(metrics, name)(name="mine", **settings)
    again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert (type(again), again.name) == (type(metric), "mine")
    y_true, y_pred = (a[FIRST] for a in _data(kind))
    np.testing.assert_array_equal(again(y_true, y_pred), metric(y_true, y_pred))


@every_case
def test_config_equals_keras(name, settings, kind):
    ours = getattr(metrics, name)(**settings)
    theirs = getattr(keras.metrics, name)(**settings)
    # A metric without a name of its own gets a number at its end, and Keras has counted others.
    assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")
    theirs = getattr(keras.metrics, name)(name=ours.name, **settings)
    expected = dict(theirs.get_config())
    if expected.get("label_weights") is not None:
        # Keras keeps an array there, and cannot read what it wrote.
        expected["label_weights"] = np.asarray(expected["label_weights"]).tolist()
    assert ours.get_config() == expected


@every_metric
def test_variables_are_those_of_keras(name, settings, kind):
    ours = getattr(metrics, name)(name="mine", **settings)
    theirs = getattr(keras.metrics, name)(name="mine", **settings)
    if name in ("R2Score", "FBetaScore", "F1Score"):  # they make theirs at the first batch
        for metric in (ours, theirs):
            metric.update_state(*(a[FIRST] for a in _data(kind)))
    described = [(v.path, tuple(v.shape), v.dtype) for v in theirs.variables]
    assert [(v.path, v.shape, v.dtype) for v in ours.variables] == described
    assert ours.direction == getattr(theirs, "_direction", ours.direction)


@pytest.mark.parametrize("weights", [None, 2.0, [1.0, 0.5, 0.0], [[1.0], [2.0], [3.0]]])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 1), (3, 2, 2)])
@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_sum_and_mean_of_values_equal_keras(name, shape, weights):
    values = np.random.default_rng(seed=1).normal(size=shape).astype("float32")
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for metric in (ours, theirs):
        metric.update_state(values, weights)
        metric.update_state(3.0)
    np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-5)
    assert ours.get_config() == theirs.get_config()


def test_a_nan_is_never_the_right_class():
    assert float(metrics.SparseCategoricalAccuracy()([0], [[np.nan, 1.0]])) == 0.0


def test_labels_out_of_range_are_never_right():
    assert float(metrics.SparseCategoricalAccuracy()([7], [[0.5, 1.0]])) == 0.0
    assert float(metrics.SparseTopKCategoricalAccuracy(k=1)([7], [[0.5, 1.0]])) == 0.0


def test_predictions_in_bfloat16_are_summed_in_float32():
    y_pred = jnp.full((1000, 1), 0.1, "bfloat16")
    exact = float(jnp.bfloat16(0.1)) ** 2
    assert float(metrics.MeanSquaredError()(np.zeros((1000, 1)), y_pred)) == pytest.approx(exact)


def test_auc_is_the_chance_that_a_yes_scores_higher_than_a_no():
    rng = np.random.default_rng(seed=0)
    y_true = rng.integers(0, 2, 500)
    y_pred = 0.3 * y_true + 0.7 * rng.random(500)
    pairs = np.sign(y_pred[y_true == 1][:, None] - y_pred[y_true == 0])
    found = float(metrics.AUC(num_thresholds=1000)(y_true, y_pred))
    assert found == pytest.approx(np.mean(pairs / 2 + 0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("metric", "y_true", "fix"),
    [
        ("CategoricalAccuracy", (8,), "sparse_categorical_accuracy"),
        ("SparseCategoricalAccuracy", (8, 10), "'categorical_accuracy'"),
        ("BinaryAccuracy", (8,), "sparse_categorical_accuracy"),
        ("TopKCategoricalAccuracy", (8,), "sparse_top_k_categorical_accuracy"),
        ("SparseTopKCategoricalAccuracy", (8, 10), "'top_k_categorical_accuracy'"),
        ("MeanSquaredError", (8,), r"Dense\(1\)"),
        ("RootMeanSquaredError", (8,), r"Dense\(1\)"),
        ("Precision", (8,), r"y_true of shape \(8,\), y_pred of shape \(8, 10\)"),
        ("AUC", (8, 1), r"y_true of shape \(8, 1\), y_pred of shape \(8, 10\)"),
        ("F1Score", (8,), r"y_true of shape \(8,\), y_pred of shape \(8, 10\)"),
        ("R2Score", (7, 10), "cut, shuffled and batched alike"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(metric, y_true, fix):
    with pytest.raises(ValueError, match=fix):
        getattr(metrics, metric)().update_state(np.zeros(y_true), np.ones((8, 10)) / 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), r"from 0 to 1.*received \[1.5\]"),
        (lambda: metrics.AUC(curve="RCO"), "Did you mean 'ROC'"),
        (lambda: metrics.AUC(summation_method="minor"), "Did you mean 'minoring'"),
        (lambda: metrics.AUC(num_thresholds=1), "2 or more"),
        (lambda: metrics.AUC(num_labels=3), "multi_label=True"),
        (lambda: metrics.AUC(multi_label=True).update_state([1.0], [1.0]), r"\(batch, labels\)"),
        (lambda: metrics.PrecisionAtRecall(1.5), "recall from 0 to 1"),
        (lambda: metrics.RecallAtPrecision(0.5, num_thresholds=0), "1 or more"),
        (lambda: metrics.R2Score(class_aggregation="mean"), "received 'mean'"),
        (lambda: metrics.R2Score(num_regressors=-1), "received -1"),
        (lambda: metrics.R2Score().update_state([1.0], [1.0]), r"reshape\(-1, 1\)"),
        (lambda: metrics.FBetaScore(average="mean"), "received 'mean'"),
        (lambda: metrics.FBetaScore(beta=0.0), "above 0"),
        (lambda: metrics.FBetaScore(beta=None), "above 0; received None"),
        (lambda: metrics.F1Score(threshold=0.0), "above 0"),
        (lambda: metrics.F1Score(threshold="0.5"), "above 0; received '0.5'"),
        (lambda: metrics.F1Score().update_state([1.0], [1.0]), r"\(batch, classes\)"),
        (
            lambda: metrics.Precision(class_id=3).update_state(np.ones((2, 3)), np.ones((2, 3))),
            "class_id must be below",
        ),
        (lambda: metrics.MeanSquaredError().update_state([[1.0]], [[1.0]], [1.0, 2.0]), "does not"),
        (lambda: metrics.IoU(2, [2]), r"classes 0 to 1; received target_class_ids=\[2\]"),
        (
            lambda: metrics.IoU(2, [0]).update_state([0, 1], [0]),
            r"\(2,\) \(class indices\), y_pred",
        ),
        (
            lambda: metrics.OneHotMeanIoU(3).update_state(np.zeros((2, 4)), np.zeros((2, 4, 3))),
            r"y_true of shape \(2, 4\) \(classes on axis -1\)",
        ),
        (lambda: metrics.PearsonCorrelation()([[1.0], [2.0]], [[1.0], [2.0]]), "axis=0 compares"),
    ],
)
def test_a_wrong_setting_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_areas_are_counted_in_whole_numbers_and_unknown_classes_not_at_all():
    y_true, y_pred = _data("classes, steps")
    for ignored in (None, 2):
        ours, theirs = (side.MeanIoU(4, ignore_class=ignored) for side in (metrics, keras.metrics))
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred)
        np.testing.assert_array_equal(ours.total_cm.numpy(), np.asarray(theirs.total_cm))
        assert ours.get_config()["dtype"] == theirs.get_config()["dtype"] == "int32"
        np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-6)


def test_one_weight_per_image_weighs_all_its_pixels():
    y_true, y_pred = np.array([[[0, 1], [1, 1]], [[1, 0], [0, 0]]]), np.ones((2, 2, 2), int)
    metric = metrics.IoU(num_classes=2, target_class_ids=[1])
    metric.update_state(y_true, y_pred, sample_weight=[1, 0])
    assert float(metric.result()) == pytest.approx(0.75)
    assert metric.total_cm.numpy().tolist() == [[0, 1], [0, 3]]


def test_a_fraction_of_a_weight_is_not_lost_without_a_word():
    metric = metrics.MeanIoU(num_classes=2)
    metric.update_state([0, 1], [0, 1], sample_weight=np.array([1.0, 0.0]))
    with pytest.warns(UserWarning, match="fractional parts of weights are lost"):
        metric.update_state([0, 1], [0, 1], sample_weight=[0.5, 1.5])
    assert metric.total_cm.numpy().tolist() == [[1, 0], [0, 1]]


def test_correlations_are_those_of_statistics():
    stats = pytest.importorskip("scipy.stats")
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    found = metrics.pearson_correlation(x, x + y)
    assert float(found) == pytest.approx(stats.pearsonr(x, x + y).statistic, abs=1e-6)
    slope = np.cov(x, x + y, bias=True)
    expected = 2 * slope[0, 1] / (slope[0, 0] + slope[1, 1] + y.mean() ** 2)
    assert float(metrics.concordance_correlation(x, x + y)) == pytest.approx(expected, abs=1e-6)


def test_the_correlation_of_samples_is_not_measured_in_other_batches():
    model = lamina.Sequential([lamina.Input((1,)), lamina.layers.Dense(1)])
    model.compile(loss="mse", metrics=[metrics.PearsonCorrelation(axis=0)])
    x = np.random.default_rng(0).normal(size=(64, 1)).astype("float32")
    found = model.evaluate(x, np.sin(9 * x), batch_size=32, verbose=0)[1]
    assert model.evaluate(x, np.sin(9 * x), verbose=0)[1] == pytest.approx(found, abs=1e-6)


def test_too_few_samples_for_an_adjusted_score_are_reported():
    metric = metrics.R2Score(num_regressors=5)
    metric.update_state([[1.0], [2.0], [3.0]], [[1.0], [2.0], [4.0]])
    with pytest.warns(UserWarning, match="more samples than regressors"):
        assert float(metric.result()) == 0.5


@pytest.mark.parametrize("name", ["AUC", "R2Score", "F1Score"])
def test_before_any_batch_the_result_is_zero(name):
    settings = {"multi_label": True} if name == "AUC" else {}
    assert float(getattr(metrics, name)(**settings).result()) == 0.0


def test_auc_with_thresholds_of_its_own_needs_no_number_of_them():
    metric = lamina.metrics.AUC(num_thresholds=None, thresholds=[0.3, 0.5])
    metric.update_state([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
    assert metric.num_thresholds == 4
    assert float(metric.result()) == 0.625  # as in Keras 3.15
    assert metric.true_positives.numpy().tolist() == [2, 1, 1, 0]
    assert metric.false_negatives.numpy().tolist() == [0, 1, 1, 2]


def test_labels_with_an_axis_of_size_one_elsewhere_are_reshaped():
    metric = lamina.metrics.SparseCategoricalAccuracy()
    metric.update_state([[1], [0]], [[[0.1, 0.9], [0.2, 0.8]]])
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize(
    "metric",
    [
        metrics.IoU(3, [0]),
        metrics.MeanIoU(3),
        metrics.BinaryIoU(),
        metrics.OneHotIoU(3, [0]),
        metrics.OneHotMeanIoU(3),
    ],
    ids=lambda metric: metric.name,
)
@pytest.mark.parametrize("labels", [[0, 1, 2], [[0], [1], [2]]], ids=["(3,)", "(3, 1)"])
def test_class_numbers_beside_probabilities_are_answered_with_one_that_takes_them(metric, labels):
    probabilities = np.eye(3) * 0.8 + 0.1
    with pytest.raises(ValueError, match="compares classes position by position") as caught:
        metric(np.array(labels), probabilities)
    line = re.search(r"Fix: (\w+\(.*\)), where", str(caught.value))[1]
    mended = eval(f"metrics.{line}")
    assert float(mended(np.array(labels), probabilities)) == pytest.approx(1)
