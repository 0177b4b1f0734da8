"""Label noise: how many labels are wrong, and which samples have them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data, Targets
from lamina.core.user_data.arguments import check_integer
from lamina.core.user_data.text import Preprocessed
from lamina.diagnosis.data_checks.confident_learning import (
    joint_distribution,
    likely_classes,
    rank_suspects,
)
from lamina.diagnosis.data_checks.noise_or_overlap import noise_rate
from lamina.diagnosis.data_checks.out_of_sample import out_of_sample
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import (
    Samples,
    TrainingSetup,
    training_rows,
    without_side_effects,
)
from lamina.diagnosis.user_model import initial_weights, request_for
from lamina.findings import Finding

_EPOCHS = 10
# Maximum number of samples of a check within a time budget, and its number of folds.
_MAX_SAMPLES, _FOLDS = 5000, 3
# Such a check is left out if there is no time for this many samples.
_MIN_AFFORDABLE = 1000
# Smaller data sets are not checked.
_MIN_SAMPLES = 200
# With fewer samples of a class, a fold may have none of them.
_MIN_SAMPLES_OF_A_CLASS = 10
# Numbers of suspects that a message lists, and that a report shows.
_MAX_LISTED, _MAX_SHOWN = 8, 24
# Rate of wrong labels from which they are a problem.
_SEVERE_RATE = 0.04


@dataclass(frozen=True)
class LabelNoise:
    """Wrong labels in a data set, as estimated by a network.

    Args:
        rate: Estimated fraction of wrong labels, 0–1.
        suspects: Indices of the samples whose labels are likely wrong, the most doubtful first.
        given: The given labels of these samples, as class indices.
        likely: The classes that the network predicts for them.
    """

    rate: float
    suspects: np.ndarray
    given: np.ndarray
    likely: np.ndarray

    def __str__(self) -> str:
        lines = [f"About {self.rate:.1%} of the labels are wrong; {len(self.suspects):,} suspects."]
        rows = list(zip(self.suspects, self.given, self.likely, strict=True))[:_MAX_LISTED]
        lines += [f"  sample {row}: given {given}, likely {likely}" for row, given, likely in rows]
        return "\n".join(lines)


@filter_traceback
def label_noise(
    model: Any,
    x: Data,
    y: Targets,
    folds: int = 4,
    epochs: int | None = None,
    batch_size: int = 32,
    repeats: int = 2,
) -> LabelNoise:
    """Estimate how many labels are wrong, and which.

    Copies of the model are trained, each without one fold of the samples, and predict that fold.
    Labels that contradict confident predictions are counted by confident learning. The model is not
    changed. If classes overlap, some correct labels count as wrong as well.

    Args:
        model: A compiled classifier, trained or not.
        x: Inputs, `(samples, …)`, as for `fit`.
        y: Labels: class indices, zeros and ones, or one-hot.
        folds: Number of folds, and of copies for each division into folds.
        epochs: Maximum number of epochs for each copy; if None, the number of epochs of the model's
            last training, or 10.
        batch_size: Samples in a step of the training.
        repeats: Number of divisions into folds, whose predictions are averaged. With two, the list
            of suspects has fewer correct labels than with one, and it takes twice as long.

    Returns:
        A `LabelNoise`.

    Raises:
        ValueError: If the model is not compiled, `y` is not class labels, or there are too few
            samples.

    Source: Northcutt, Jiang and Chuang, 2021, "Confident Learning: Estimating Uncertainty in
    Dataset Labels", Journal of Artificial Intelligence Research 70, arXiv:1911.00068.

    Example:
        >>> import lamina
        >>> x = np.random.default_rng(0).normal(size=(300, 2))
        >>> y = (x[:, 0] > 0).astype(int)
        >>> sure = np.argsort(-abs(x[:, 0]))[:20]
        >>> y[sure] = 1 - y[sure]
        >>> model = lamina.Sequential([lamina.layers.Dense(2, "softmax")])
        >>> model.compile(lamina.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
        >>> noise = label_noise(model, x, y, folds=3)
        >>> len(set(noise.suspects) & set(sure))
        20
    """
    if not getattr(model, "compiled", False):
        raise ValueError(
            f"label_noise takes a compiled model; {getattr(model, 'name', model)!r} is not "
            "compiled.\n  Fix: model.compile(optimizer='adam', loss=…), as for its training."
        )
    if not isinstance(folds, int) or folds < 2:
        raise ValueError(f"label_noise needs at least 2 folds; received folds={folds!r}.")
    check_integer("repeats", repeats, 1)
    epochs = epochs or len(getattr(getattr(model, "history", None), "epoch", ())) or _EPOCHS
    with without_side_effects():
        setup = _make_setup(model, x, y, epochs, batch_size)
        labels, classes = _check_labels(setup)
    counts = np.bincount(labels)
    if counts[counts > 0].min() < folds:
        rare = int(np.flatnonzero((counts > 0) & (counts < folds))[0])
        raise ValueError(
            f"label_noise needs a sample of each class in each of {folds} folds, but class {rare} "
            f"has only {counts[rare]}.\n  Fix: fewer folds, or leave this class out."
        )
    probabilities = out_of_sample(setup, labels, folds, classes, repeats)
    if probabilities is None:
        raise ValueError(
            f"label_noise needs a model with one output of {classes} finite probabilities or "
            "logits for each sample."
        )
    return estimate_noise(labels, probabilities)


def estimate_noise(labels: np.ndarray, probabilities: np.ndarray) -> LabelNoise:
    """Estimate label noise from probabilities of models that were trained without the sample.

    Args:
        labels: Given labels, class indices `(samples,)`.
        probabilities: `(samples, classes)`.
    """
    classes = probabilities.shape[1]
    joint = joint_distribution(labels, likely_classes(labels, probabilities), classes)
    rate = 1 - float(np.trace(joint))
    suspects = rank_suspects(labels, probabilities, rate)
    given = labels[suspects]
    of_other_classes = probabilities[suspects].copy()
    of_other_classes[np.arange(len(suspects)), given] = -1.0
    return LabelNoise(rate, suspects, given, of_other_classes.argmax(axis=1))


def check_label_noise(
    setup: TrainingSetup, task: Task, seconds: float, seconds_of_training: float
) -> Iterator[Finding | str]:
    """Yield a finding if labels of training samples are wrong at random.

    Args:
        setup: The model, data and settings of the training.
        task: What the output predicts.
        seconds: Remaining time.
        seconds_of_training: How long a training with all samples of `setup` takes.

    Returns:
        An iterator with a `Finding`, with a text that says what was not checked, or with nothing.
    """
    labels = class_indices(setup.train.y, task.classes)
    rows = training_rows(setup)
    if task.kind != "classes" or labels is None or len(labels) < _MIN_SAMPLES:
        return
    affordable = len(labels) * seconds / max(_FOLDS * seconds_of_training, 1e-6)
    limit = int(min(affordable, _MAX_SAMPLES))
    if limit < min(_MIN_AFFORDABLE, len(labels)):
        yield "whether labels are wrong (lamina.diagnosis.label_noise), for lack of time"
        return
    if len(labels) > limit:
        sample = np.sort(np.random.default_rng(setup.seed).permutation(len(labels))[:limit])
        setup = replace(setup, train=setup.train.take(sample))
        labels, rows = labels[sample], None if rows is None else rows[sample]
    counts = np.bincount(labels)
    if (counts[counts > 0] < _MIN_SAMPLES_OF_A_CLASS).any():
        return
    probabilities = out_of_sample(setup, labels, _FOLDS, max(task.classes, 2))
    rate = None if probabilities is None else noise_rate(labels, probabilities)
    if probabilities is None or rate is None:
        return
    noise = estimate_noise(labels, probabilities)
    suspects = () if rows is None else tuple(map(int, rows[noise.suspects[:_MAX_SHOWN]]))
    listed = ", ".join(map(str, suspects[:_MAX_LISTED]))
    inputs = ", x[rows]" if hasattr(setup.train.x, "shape") else ""
    look = f"Look at the most doubtful ones: rows = [{listed}]; print(y[rows]{inputs}). "
    yield Finding(
        "label-noise",
        "warning" if rate < _SEVERE_RATE else "problem",
        title=f"About {rate:.0%} of the labels seem wrong: copies that were trained without these "
        f"samples contradict {len(noise.suspects):,} of {len(labels):,} labels, even where they "
        "are most confident.",
        fix=f"{look if suspects else ''}All of them: lamina.diagnosis.label_noise(model, x, y).",
        evidence={"rate": round(rate, 4), "suspects": len(noise.suspects), "samples": len(labels)},
        where=f"training samples {listed} …" if suspects else "y",
        confidence=0.8,
        others=("labels-unrelated",) if rate > 0.4 else (),
        samples=suspects,
    )


def class_indices(y: Any, classes: int) -> np.ndarray | None:
    """Labels as class indices `(samples,)`; None if they are not labels of a single output."""
    leaves = jax.tree.leaves(y)
    if len(leaves) != 1:
        return None
    labels = np.asarray(leaves[0])
    if labels.ndim == 2 and labels.shape[1] == classes > 1:
        labels = labels.argmax(axis=1)
    if labels.size != len(labels):
        return None
    return labels.reshape(-1).astype("int64")


def _make_setup(model: Any, x: Data, y: Targets, epochs: int, batch_size: int) -> TrainingSetup:
    request = request_for(model, x, y, None, epochs, batch_size)
    data = request.feed.example()
    if isinstance(data[0], Preprocessed) or data[1] is None:
        raise ValueError(
            "label_noise needs inputs that are arrays of numbers, and targets.\n"
            "  Fix: turn texts into numbers first, with lamina.layers.TextVectorization."
        )
    samples = Samples(*jax.tree.map(np.asarray, data))
    first = samples.take(slice(2))
    # Builds the model, and raises errors for data that do not fit it.
    model.evaluate(first.x, first.y, verbose=0)
    return TrainingSetup(
        model=model,
        compile_arguments=model._learner.compile_config or {},
        learning_rate=None,
        initial_weights=initial_weights(model),
        train=samples,
        validation=first,
        epochs=epochs,
        batch_size=batch_size,
    )


def _check_labels(setup: TrainingSetup) -> tuple[np.ndarray, int]:
    y = np.asarray(jax.tree.leaves(setup.train.y)[0])
    columns = y.shape[1] if y.ndim == 2 else 1
    output = setup.model.predict(setup.train.take(slice(2)).x, verbose=0)
    classes = max(int(np.shape(output)[-1]), 2) if hasattr(output, "shape") else 0
    labels = class_indices(setup.train.y, classes)
    is_in_range = labels is not None and labels.min() >= 0 and labels.max() < classes
    one_hot = columns == 1 or (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())
    has_fractions = columns == 1 and (y != np.round(y)).any()
    if labels is None or not is_in_range or not one_hot or has_fractions:
        raise ValueError(
            "label_noise takes one label for each sample: class indices, zeros and ones, or "
            f"one-hot.\n  Received: y of shape {y.shape} and dtype {y.dtype} for a model with "
            f"{classes} classes."
        )
    return labels, classes
