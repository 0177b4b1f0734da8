"""How well a training went: between guessing and perfect, from its curves and its targets."""

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
    """How far a training came.

    Args:
        guess: The loss of the best constant answer.
        first: The training loss of the first epoch.
        last: The training loss of the last epoch.
        learned: How far the best epoch came from guessing (0) to a loss of 0 (1), in training; may
            be negative.
        validated: The same in validation; None if there was none.
    """

    guess: float
    first: float
    last: float
    learned: float
    validated: float | None


def performance(record: Record) -> Performance | None:
    """How far a training with one output came; None if that cannot be told.

    With weights of classes the loss of guessing is not known.
    """
    if len(record.outputs) != 1 or not record.epochs or record.class_weight:
        return None
    guess = guessing_loss(record.outputs[0])
    losses = [epoch.get("loss", math.nan) for epoch in record.epochs]
    if guess is None or guess <= 0 or not math.isfinite(losses[-1]):
        return None
    validation = [epoch["val_loss"] for epoch in record.epochs if "val_loss" in epoch]
    finite = [loss for loss in losses if math.isfinite(loss)]
    return Performance(
        guess,
        losses[0],
        losses[-1],
        1 - min(finite) / guess,
        1 - min(validation) / guess if validation and all(map(math.isfinite, validation)) else None,
    )


def answers_well(record: Record) -> bool:
    """Whether the last accuracy is far above that of always answering the commonest class."""
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


def guessing_loss(output: OutputFacts) -> float | None:
    """The loss of always giving the best constant answer; None if it is not known."""
    targets = output.targets
    if targets is None:
        return None
    if output.loss in PROBABILITY_LOSSES:
        counts = np.array(targets.counts, dtype=float)
        if not counts.size or targets.form == "numbers":
            return None
        if targets.form == "several classes":
            share = counts / targets.values.samples
            return float(np.mean([_entropy(np.array([p, 1 - p])) for p in share]))
        return _entropy(counts / counts.sum())
    if output.loss in _SQUARED:
        return targets.values.spread**2
    if output.loss in _ABSOLUTE:
        # Of a normal distribution; between 0 for one value and 1 for two values of equal share.
        return targets.values.spread * math.sqrt(2 / math.pi)
    return None


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
