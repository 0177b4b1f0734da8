"""Wrong labels: how many there are, and which samples have them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data, Targets
from lamina.core.user_data.text import Preprocessed
from lamina.diagnosis.data_checks.confident_learning import joint_of, likely_classes, suspects_of
from lamina.diagnosis.data_checks.noise_or_overlap import noise_rate
from lamina.diagnosis.data_checks.out_of_sample import out_of_sample
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import (
    Samples,
    TrainingSetup,
    training_rows,
    undisturbed,
)
from lamina.diagnosis.user_model import initial_weights, request_for
from lamina.findings import Finding

_EPOCHS = 10
# A check within a time budget takes at most so many samples, in so many folds.
_MOST_SAMPLES, _FOLDS = 5000, 3
# It leaves samples out where time is short, but not more than these are enough for.
_FEW_SAMPLES = 1000
_FEWEST_SAMPLES = 200
# Samples of a class below which folds may lack it.
_FEWEST_OF_A_CLASS = 10
# Suspects that a message names, and that a report shows.
_NAMED, _SHOWN = 8, 24
# A rate from which wrong labels are a problem.
_SEVERE = 0.04


@dataclass(frozen=True)
class LabelNoise:
    """Wrong labels in a data set, as far as a network can tell.

    Args:
        rate: Estimated share of wrong labels, 0–1.
        suspects: Indices of the samples whose labels are likely wrong, the most doubtful first.
        given: Their labels, as class indices.
        likely: The class that the network takes them for.
    """

    rate: float
    suspects: np.ndarray
    given: np.ndarray
    likely: np.ndarray

    def __str__(self) -> str:
        lines = [f"About {self.rate:.1%} of the labels are wrong; {len(self.suspects):,} suspects."]
        rows = list(zip(self.suspects, self.given, self.likely, strict=True))[:_NAMED]
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
) -> LabelNoise:
    """Estimate how many labels are wrong, and which.

    Copies of the model are trained, each without one part of the samples, and predict that part.
    Labels that contradict confident predictions are counted by confident learning. The model is not
    changed. Where classes overlap, samples of the other class count as wrong labels, too.

    Args:
        model: A compiled classifier, trained or not.
        x: Its inputs, `(samples, …)`, as for `fit`.
        y: Their labels: class indices, zeros and ones, or one-hot.
        folds: Number of parts, and of copies.
        epochs: At most so many epochs for each copy; those of its last training, or 10.
        batch_size: Samples in a step of the training.

    Returns:
        A `LabelNoise`.

    Raises:
        ValueError: If the model is not compiled, y has no classes, or there are too few samples.

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
        >>> found = label_noise(model, x, y, folds=3)
        >>> len(set(found.suspects) & set(sure))
        20
    """
    if not getattr(model, "compiled", False):
        raise ValueError(
            f"label_noise takes a compiled model; {getattr(model, 'name', model)!r} is not "
            "compiled.\n  Fix: model.compile(optimizer='adam', loss=…), as for its training."
        )
    if not isinstance(folds, int) or folds < 2:
        raise ValueError(f"label_noise needs at least 2 folds; received folds={folds!r}.")
    epochs = epochs or len(getattr(getattr(model, "history", None), "epoch", ())) or _EPOCHS
    with undisturbed():
        setup = _setup(model, x, y, epochs, batch_size)
        labels, classes = _labels(setup)
    counts = np.bincount(labels)
    if counts[counts > 0].min() < folds:
        rare = int(np.flatnonzero((counts > 0) & (counts < folds))[0])
        raise ValueError(
            f"label_noise needs a sample of each class for each of {folds} folds, and class {rare} "
            f"has {counts[rare]}.\n  Fix: fewer folds, or leave this class out."
        )
    probabilities = out_of_sample(setup, labels, folds, classes)
    if probabilities is None:
        raise ValueError(
            f"label_noise takes a model with one output of {classes} probabilities or logits a "
            "sample, and its outputs are others, or not finite."
        )
    return noise_of(labels, probabilities)


def noise_of(labels: np.ndarray, probabilities: np.ndarray) -> LabelNoise:
    """Wrong labels, from probabilities of models that were trained without the sample.

    Args:
        labels: Given labels, class indices `(samples,)`.
        probabilities: `(samples, classes)`.
    """
    classes = probabilities.shape[1]
    joint = joint_of(labels, likely_classes(labels, probabilities), classes)
    rate = 1 - float(np.trace(joint))
    suspects = suspects_of(labels, probabilities, rate)
    given = labels[suspects]
    others = probabilities[suspects].copy()
    others[np.arange(len(suspects)), given] = -1.0
    return LabelNoise(rate, suspects, given, others.argmax(axis=1))


def check_label_noise(
    setup: TrainingSetup, task: Task, seconds: float, seconds_of_training: float
) -> Iterator[Finding | str]:
    """A finding if labels of training samples are wrong by accident.

    Args:
        setup: What the training began with.
        task: What the output predicts.
        seconds: Time that is left.
        seconds_of_training: How long a training with all samples of `setup` takes.

    Returns:
        An iterator of a `Finding`, of nothing, or of a text that says why it was not checked.
    """
    labels = class_indices(setup.train.y, task.classes)
    rows = training_rows(setup)
    if task.kind != "classes" or labels is None or len(labels) < _FEWEST_SAMPLES:
        return
    affordable = len(labels) * seconds / max(_FOLDS * seconds_of_training, 1e-6)
    most = int(min(affordable, _MOST_SAMPLES))
    if most < min(_FEW_SAMPLES, len(labels)):
        yield "whether labels are wrong (lamina.diagnosis.label_noise), for lack of time"
        return
    if len(labels) > most:
        chosen = np.sort(np.random.default_rng(setup.seed).permutation(len(labels))[:most])
        setup = replace(setup, train=setup.train.take(chosen))
        labels, rows = labels[chosen], None if rows is None else rows[chosen]
    counts = np.bincount(labels)
    if (counts[counts > 0] < _FEWEST_OF_A_CLASS).any():
        return
    probabilities = out_of_sample(setup, labels, _FOLDS, max(task.classes, 2))
    rate = None if probabilities is None else noise_rate(labels, probabilities)
    if probabilities is None or rate is None:
        return
    found = noise_of(labels, probabilities)
    numbers = () if rows is None else tuple(map(int, rows[found.suspects[:_SHOWN]]))
    listed = ", ".join(map(str, numbers[:_NAMED]))
    inputs = ", x[rows]" if hasattr(setup.train.x, "shape") else ""
    look = f"Look at the most doubtful ones: rows = [{listed}]; print(y[rows]{inputs}). "
    yield Finding(
        "label-noise",
        "warning" if rate < _SEVERE else "problem",
        title=f"About {rate:.0%} of the labels seem wrong: copies that were trained without these "
        f"samples contradict {len(found.suspects):,} of {len(labels):,} labels, even where they "
        "are surest.",
        fix=f"{look if numbers else ''}All of them: lamina.diagnosis.label_noise(model, x, y).",
        evidence={"rate": round(rate, 4), "suspects": len(found.suspects), "samples": len(labels)},
        where=f"training samples {listed} …" if numbers else "y",
        confidence=0.8,
        others=("labels-unrelated",) if rate > 0.4 else (),
        samples=numbers,
    )


def class_indices(y: Any, classes: int) -> np.ndarray | None:
    """Labels as class indices `(samples,)`; None if they are none of one output."""
    leaves = jax.tree.leaves(y)
    if len(leaves) != 1:
        return None
    labels = np.asarray(leaves[0])
    if labels.ndim == 2 and labels.shape[1] == classes > 1:
        labels = labels.argmax(axis=1)
    if labels.size != len(labels):
        return None
    return labels.reshape(-1).astype("int64")


def _setup(model: Any, x: Data, y: Targets, epochs: int, batch_size: int) -> TrainingSetup:
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
        start=initial_weights(model),
        train=samples,
        validation=first,
        epochs=epochs,
        batch_size=batch_size,
    )


def _labels(setup: TrainingSetup) -> tuple[np.ndarray, int]:
    y = np.asarray(jax.tree.leaves(setup.train.y)[0])
    columns = y.shape[1] if y.ndim == 2 else 1
    output = setup.model.predict(setup.train.take(slice(2)).x, verbose=0)
    classes = max(int(np.shape(output)[-1]), 2) if hasattr(output, "shape") else 0
    labels = class_indices(setup.train.y, classes)
    whole = labels is not None and labels.min() >= 0 and labels.max() < classes
    one_hot = columns == 1 or (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())
    if labels is None or not whole or not one_hot or (columns == 1 and (y != np.round(y)).any()):
        raise ValueError(
            "label_noise takes one label for each sample: class indices, zeros and ones, or "
            f"one-hot.\n  Received: y of shape {y.shape} and dtype {y.dtype} for a model with "
            f"{classes} classes."
        )
    return labels, classes
