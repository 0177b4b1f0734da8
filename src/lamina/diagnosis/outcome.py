"""Outcome: all measures of a trained model, computed once.

The command line and `write_report` compute an `Outcome` and pass it to `charts` and `html_page`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.diagnosis import measures, samples
from lamina.diagnosis.measured_layers import measured_layers
from lamina.diagnosis.measures import ClassMeasures
from lamina.diagnosis.verdict import Verdict, judge, judge_classes, judge_numbers
from lamina.findings import Findings, LayerStatistics
from lamina.prediction.probabilities import as_probabilities

if TYPE_CHECKING:
    from lamina.models.model import Model

# Maximum number of training samples to evaluate: evaluating all takes about as long as an epoch.
_MAX_TRAIN_SAMPLES = 10_000


class Suspects(NamedTuple):
    """Training samples whose labels seem wrong.

    Args:
        rows: Their numbers in the training data.
        x: The samples.
        labels: Class numbers, `(samples,)`.
        probabilities: What the model says of them, `(samples, classes)`.
    """

    rows: tuple[int, ...]
    x: Any
    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """Measures of a trained model on test samples and on training samples.

    Args:
        kind: `"classes"` for a classifier, `"numbers"` for a regression, or `"other"`.
        title: Name of the data.
        class_names: Names of the classes; empty unless it is a classifier.
        noun: Word for the samples: `"images"`, `"samples"`.
        history: From the name of a measure to its values per epoch, as `History.history`.
        train: Measures on training samples, after training; None without training samples.
        test: Measures on the test samples.
        train_data: `(samples, class indices)` of the training, or None.
        train_measured: Number of training samples that were evaluated.
        test_data: `(samples, class indices or targets)` for testing.
        probabilities: Probabilities of the test samples, `(samples, classes)`; for a regression,
            the predictions, `(samples,)`.
        seconds: Duration of the training, if known.
        samples_trained: Number of samples trained on, summed over the epochs, if known.
        samples_learnt_from: Number of training samples, if known.
        statistics: What layers did at the end of the training, if it was measured.
        suspects: Training samples whose labels seem wrong, if that was checked.
        seen: Whether the model may have been trained on the test samples.
    """

    kind: str
    title: str
    class_names: tuple[str, ...]
    noun: str
    history: dict[str, list[float]]
    train: dict[str, float] | None
    test: dict[str, float]
    train_data: tuple[Any, np.ndarray] | None
    train_measured: int
    test_data: tuple[Any, np.ndarray]
    probabilities: np.ndarray
    seconds: float | None = None
    samples_trained: int | None = None
    samples_learnt_from: int | None = None
    statistics: tuple[LayerStatistics, ...] = ()
    suspects: Suspects | None = None
    seen: bool = False

    @property
    def y_true(self) -> np.ndarray:
        """Targets of the test data, `(samples, ...)`."""
        return self.test_data[1]

    @cached_property
    def are_answers_finite(self) -> bool:
        """Whether all answers are finite numbers; otherwise nothing can be said of them."""
        return bool(np.isfinite(self.probabilities).all())

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts, `(true class, predicted class)`."""
        y_pred = self.probabilities.argmax(axis=1)
        return measures.confusion_matrix(self.y_true, y_pred, len(self.class_names))

    @cached_property
    def per_class(self) -> list[ClassMeasures]:
        """Precision, recall and number of samples of every class, from the confusion matrix."""
        return measures.per_class(self.confusion, self.class_names)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on the model: a category, and a sentence."""
        if self.kind == "numbers":
            return judge_numbers(self.y_true, self.probabilities, self.noun, self.seen)
        if self.kind == "other":
            results = ", ".join(f"{name} {value:.4g}" for name, value in self.test.items())
            count = f"{samples.count_samples(self.test_data[0]):,}"
            origin = "that it may have been trained on" if self.seen else "it has never seen"
            return Verdict("measured", f"On {count} {self.noun} {origin}: {results}.")
        if self.train is None:
            return judge_classes(self.test["accuracy"], len(self.y_true), self.noun, self.seen)
        counts = np.bincount(self.y_true)
        return judge(
            self.train["accuracy"],
            self.test["accuracy"],
            self.train_measured,
            len(self.y_true),
            chance=float(counts.max() / counts.sum()),
            loss=self.train.get("loss", 0.0) + self.test.get("loss", 0.0),
            noun=self.noun,
        )

    @property
    def samples_per_second(self) -> float | None:
        """Speed of training, in samples per second; None if it was not timed."""
        if self.seconds is None or self.samples_trained is None:
            return None
        return self.samples_trained / max(self.seconds, 1e-9)


@filter_traceback
def measure(
    model: "Model",
    x: Any,
    y: Any = None,
    *,
    train: tuple[Any, Any] | None = None,
    history: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "",
    noun: str | None = None,
    seconds: float | None = None,
    samples_trained: int | None = None,
    findings: Findings | None = None,
    seen: bool = False,
) -> Outcome:
    """Measure a trained model.

    Args:
        model: A trained, compiled model.
        x: Test samples, or batches `(x, y)`.
        y: Their targets.
        train: `(x, y)` of the training; at most 10,000 samples are evaluated.
        history: The result of `fit`, or its dict.
        class_names: Names of the classes.
        title: Name of the data.
        noun: Word for the samples; `"images"` or `"samples"` for None.
        seconds: Duration of the training.
        samples_trained: Number of samples trained on, summed over the epochs.
        findings: What is wrong with the training; those of the model's last `fit` for None.
        seen: Whether the model may have been trained on `x`, because there are no other samples.

    Returns:
        An `Outcome`.

    Raises:
        ValueError: If there are no targets, or more classes than names.
    """
    x, y = samples.join_batches(x, y)
    predictions = model.predict(x, verbose=0)
    x, y = _predicted_samples(predictions, x, y)
    kind, y_true, outputs = _classify_task(predictions, y)
    names = _names(class_names, outputs.shape[1]) if kind == "classes" else ()
    test = _evaluate(model, x, y)
    train_measures, train_data, train_count = None, None, 0
    if train is not None:
        train_x, targets = (
            samples.take_evenly_spaced(train[0], _MAX_TRAIN_SAMPLES),
            samples.take_evenly_spaced(train[1], _MAX_TRAIN_SAMPLES),
        )
        train_count = samples.count_samples(train_x)
        train_measures = _evaluate(model, train_x, targets)
        if kind == "classes":
            train_predictions = model.predict(train_x, verbose=0)
            train_x, targets = _predicted_samples(train_predictions, train_x, targets)
            train_probabilities = as_probabilities(np.asarray(train_predictions))
            train_classes = _class_indices(np.asarray(targets), _output_count(predictions))
            train_measures["accuracy"] = float(
                np.mean(train_probabilities.argmax(axis=1) == train_classes)
            )
            train_data = (train_x, train_classes)
        else:
            train_data = (train_x, np.asarray(targets))
    if kind == "classes":
        test["accuracy"] = float(np.mean(outputs.argmax(axis=1) == y_true))
    logs: Mapping[str, Any] = getattr(history, "history", history) or {}
    return Outcome(
        kind,
        title,
        names,
        noun or ("samples" if samples.as_images(x) is None else "images"),
        {name: [float(v) for v in values] for name, values in logs.items() if _are_scalars(values)},
        train_measures,
        test,
        train_data,
        train_count,
        (x, y_true),
        outputs,
        seconds,
        samples_trained,
        None if train is None else samples.count_samples(train[0]),
        measured_layers(model, train),
        _suspects(model, train, findings) if kind == "classes" else None,
        seen,
    )


def _suspects(
    model: Any, train: tuple[Any, Any] | None, findings: Findings | None
) -> Suspects | None:
    """The training samples that a finding of label noise names."""
    if findings is None:
        findings = getattr(getattr(model, "history", None), "findings", None) or Findings()
    rows = next((found.samples for found in findings if found.code == "label-noise"), ())
    if train is None or not rows or max(rows) >= samples.count_samples(train[0]):
        return None
    x, y = (samples.samples_at(part, np.array(rows)) for part in train)
    predictions = model.predict(x, verbose=0)
    classes = _class_indices(np.asarray(y), _output_count(predictions))
    if classes is None:
        return None
    return Suspects(rows, x, classes, as_probabilities(np.asarray(predictions)))


def _classify_task(predictions: Any, y: Any) -> tuple[str, Any, np.ndarray]:
    """The kind of outcome (see `Outcome`), with targets and predictions as it needs them."""
    if (
        isinstance(predictions, (list, tuple, dict))
        or isinstance(y, (list, tuple, dict))
        and (isinstance(y, dict) or (len(y) and hasattr(y[0], "shape") and np.ndim(y[0])))
    ):
        return "other", np.zeros(0), np.zeros((0, 0))
    outputs, targets = np.asarray(predictions), np.asarray(y)
    if outputs.ndim == 2 and targets.dtype.kind in "uifb" and len(outputs):
        classes = outputs.shape[1]
        class_indices = _class_indices(targets, classes)
        if class_indices is not None:
            return "classes", class_indices, as_probabilities(outputs)
        if classes == 1 and targets.size == len(targets):
            return "numbers", targets.reshape(-1).astype("float64"), outputs.reshape(-1)
    if outputs.ndim == 1 and targets.size == len(outputs) and targets.dtype.kind in "uif":
        return "numbers", targets.reshape(-1).astype("float64"), outputs
    return "other", targets, outputs


def _class_indices(targets: np.ndarray, classes: int) -> Any:
    """Class indices of the targets; None if they are not classes."""
    if classes == 1:
        flat = targets.reshape(-1)
        return flat.astype("int64") if np.isin(flat, (0, 1)).all() else None
    if targets.ndim == 2 and targets.shape[1] == classes:
        one_hot = np.isin(targets, (0, 1)).all() and (targets.sum(axis=1) == 1).all()
        return targets.argmax(axis=1) if one_hot else None
    if targets.size != len(targets):
        return None
    flat = targets.reshape(-1)
    are_class_indices = (flat == np.round(flat)).all() and flat.min() >= 0 and flat.max() < classes
    return flat.astype("int64") if are_class_indices else None


def _predicted_samples(predictions: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The samples that were predicted; `config.set_max_steps_per_epoch` may have left some out."""
    if isinstance(predictions, (list, tuple, dict)) or len(predictions) == samples.count_samples(x):
        return x, y
    indices = np.arange(len(predictions))
    return samples.samples_at(x, indices), samples.samples_at(y, indices)


def _output_count(predictions: Any) -> int:
    """The number of outputs per sample."""
    return int(np.shape(predictions)[1])


def _names(class_names: Sequence[str] | None, class_count: int) -> tuple[str, ...]:
    class_count = max(class_count, 2)
    if class_names is None:
        return tuple(map(str, range(class_count)))
    if len(class_names) != class_count:
        raise ValueError(
            f"class_names has {len(class_names)} names, but the model predicts {class_count} "
            "classes."
        )
    return tuple(map(str, class_names))


def _evaluate(model: Any, x: Any, y: Any) -> dict[str, float]:
    """Results as Python numbers; any type of accuracy has the name `accuracy`."""
    if not model.compiled:
        return {}
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    results = {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
    accuracies = [name for name in results if name.endswith("accuracy")]
    if "accuracy" not in results and accuracies:
        results["accuracy"] = results[accuracies[0]]
    return results


def _are_scalars(values: Any) -> bool:
    return bool(len(values)) and all(np.ndim(v) == 0 for v in values)
