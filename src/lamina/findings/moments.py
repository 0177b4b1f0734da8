"""When a fault began: the epoch, from 1, according to losses or layer statistics."""

import math
from collections.abc import Callable, Sequence

from lamina.findings.record import LayerStatistics, Record

# A training has stopped learning when less than this fraction of the fall of the loss is left.
_LITTLE_PROGRESS = 0.01
# Minimum number of epochs without progress, and their minimum fraction of all epochs.
_MIN_EPOCHS, _MIN_FRACTION = 3, 0.25


def epoch_of_step(record: Record, step: int) -> int | None:
    """The epoch in which a step was made; the first one for step 0."""
    if not record.epochs or not record.steps:
        return None
    return max(math.ceil(step * len(record.epochs) / record.steps), 1)


def first_rise(losses: Sequence[float]) -> int | None:
    """The first epoch whose loss is higher than that of the epoch before.

    Example:
        >>> first_rise([0.5, 0.4, 0.6, 0.3])
        3
    """
    rises = (i for i, (a, b) in enumerate(zip(losses, losses[1:], strict=False)) if b > a)
    return next((i + 2 for i in rises), None)


def end_of_learning(losses: Sequence[float]) -> int | None:
    """The epoch after which the loss hardly fell; None if it fell until the end.

    Example:
        >>> end_of_learning([2.3, 1.0, 0.8, 0.8, 0.8, 0.8])
        3
        >>> end_of_learning([2.3, 1.0, 0.8, 0.7])
    """
    if not losses or not all(map(math.isfinite, losses)):
        return None
    lowest = min(losses)
    low_enough = lowest + _LITTLE_PROGRESS * abs(losses[0] - lowest)
    epoch_reached = next(i for i, loss in enumerate(losses) if loss <= low_enough)
    after = len(losses) - 1 - epoch_reached
    return epoch_reached + 1 if after >= max(_MIN_EPOCHS, _MIN_FRACTION * len(losses)) else None


def seen_since(record: Record, layer: str, is_bad: Callable[[LayerStatistics], bool]) -> int | None:
    """The epoch since which all measurements of a layer are bad.

    Args:
        record: The record of the training.
        layer: Name of the layer.
        is_bad: Whether a measurement is bad.
    """
    measured = [one for one in record.statistics if one.layer == layer]
    first_bad_step = None
    for one in sorted(measured, key=lambda one: -one.step):
        if not is_bad(one):
            break
        first_bad_step = one.step
    return None if first_bad_step is None else epoch_of_step(record, first_bad_step)


def as_evidence(epoch: int | None) -> dict[str, float]:
    """The entry of the evidence that says when."""
    return {} if epoch is None else {"epoch": epoch}
