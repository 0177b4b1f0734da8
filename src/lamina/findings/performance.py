"""Performance of a training, between guessing and perfect, from its losses and targets."""

import math
from dataclasses import dataclass

import numpy as np

from lamina.findings.properties import PROBABILITY_LOSSES
from lamina.findings.record import OutputFacts, Record

_SQUARED = {"mean_squared_error"}
_ABSOLUTE = {"mean_absolute_error"}
# As in "acc" and "sparse_categorical_accuracy"; chance is another for "top_k".
_ACCURACIES = ("accuracy", "acc")


@dataclass(frozen=True)
class Performance:
    """Losses of a training compared with guessing.

    Args:
        guessing_loss: The loss of the best constant prediction.
        first_loss: The training loss of the first epoch.
        last_loss: The training loss of the last epoch.
        train_progress: How far the lowest training loss is from guessing (0) toward a loss of 0
            (1); negative if it is worse than guessing.
        val_progress: How far the lowest validation loss is; None without validation.
    """

    guessing_loss: float
    first_loss: float
    last_loss: float
    train_progress: float
    val_progress: float | None


def performance(record: Record) -> Performance | None:
    """The performance of a training with one output; None if it is not known.

    With class weights the loss of guessing is not known.
    """
    if len(record.outputs) != 1 or not record.epochs or record.class_weight:
        return None
    guessing_loss = loss_of_guessing(record.outputs[0])
    losses = [epoch.get("loss", math.nan) for epoch in record.epochs]
    if guessing_loss is None or guessing_loss <= 0 or not math.isfinite(losses[-1]):
        return None
    validation = [epoch["val_loss"] for epoch in record.epochs if "val_loss" in epoch]
    is_validated = bool(validation) and all(map(math.isfinite, validation))
    finite = [loss for loss in losses if math.isfinite(loss)]
    return Performance(
        guessing_loss,
        losses[0],
        losses[-1],
        1 - min(finite) / guessing_loss,
        1 - min(validation) / guessing_loss if is_validated else None,
    )


def has_high_accuracy(record: Record) -> bool:
    """Whether the last accuracy is far above that of always predicting the most frequent class."""
    targets = record.outputs[0].targets if len(record.outputs) == 1 else None
    accuracy = _last_accuracy(record)
    if targets is None or not targets.counts or accuracy is None:
        return False
    chance = max(targets.counts) / max(sum(targets.counts), 1)
    return accuracy > chance + 0.7 * (1 - chance)


def _last_accuracy(record: Record) -> float | None:
    """The last accuracy of any kind, in validation if it was measured there."""
    last = record.epochs[-1] if record.epochs else {}
    named = {
        name: value
        for name, value in last.items()
        if name.endswith(_ACCURACIES) and "top_k" not in name
    }
    validated = {name: value for name, value in named.items() if name.startswith("val_")}
    return next(iter((validated or named).values()), None)


def loss_of_guessing(output: OutputFacts) -> float | None:
    """The loss of the best constant prediction; None if it is not known."""
    targets = output.targets
    if targets is None:
        return None
    if output.loss in PROBABILITY_LOSSES:
        counts = np.array(targets.counts, dtype=float)
        if not counts.size or targets.form == "numbers":
            return None
        if targets.form == "several classes":
            fractions = counts / targets.values.samples
            return float(np.mean([_entropy(np.array([p, 1 - p])) for p in fractions]))
        return _entropy(counts / counts.sum())
    if output.loss in _SQUARED:
        return targets.values.std**2
    if output.loss in _ABSOLUTE:
        # Exact for a normal distribution. The factor is 1 for two equally frequent values.
        return targets.values.std * math.sqrt(2 / math.pi)
    return None


def _entropy(fractions: np.ndarray) -> float:
    positive = fractions[fractions > 0]
    return float(-(positive * np.log(positive)).sum())
