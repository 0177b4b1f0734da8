"""Checks of the losses of the epochs: learning rate, number of epochs, batch size, overfitting."""

import math
from collections.abc import Iterator

from lamina.findings.finding import Change, Finding
from lamina.findings.moments import as_evidence, end_of_learning, first_rise
from lamina.findings.performance import Performance, has_high_accuracy, performance
from lamina.findings.record import Record

# Learning rates are suspicious above or below these multiples of the usual rate.
_HIGH_RATIO, _LOW_RATIO = 20.0, 1 / 20
# Progress from guessing (0) to a loss of 0 (1).
_NO_PROGRESS, _LITTLE_PROGRESS, _GOOD_PROGRESS = 0.02, 0.5, 0.9
# A loss is falling if each epoch lowers it by this fraction of the loss of guessing.
_MIN_DECREASE = 0.02
_FEW_STEPS = 4
# A model overfits if the validation loss rises to this multiple of its minimum, by this fraction
# of the loss of guessing, and the accuracies differ by the last number.
_MIN_RISE, _MIN_RISE_OF_GUESSING, _MIN_ACCURACY_GAP = 1.2, 0.05, 0.05
# A model that memorises reaches at most this fraction of the loss of guessing in training.
_MAX_MEMORISED_LOSS = 0.9


def check(record: Record) -> Iterator[Finding]:
    """Findings from the losses of the epochs."""
    progress = performance(record)
    if progress is None or len(record.epochs) < 2:
        return
    yield from _check_learning_rate(record, progress)
    yield from _check_epochs(record, progress)
    yield from _check_batch_size(record, progress)
    yield from _check_batch_normalization(record, progress)
    yield from _check_overfitting(record, progress)
    yield from _check_progress(record, progress)


def _losses(record: Record, name: str = "loss") -> list[float]:
    return [float(epoch[name]) for epoch in record.epochs if name in epoch]


def rate_ratio(record: Record) -> float | None:
    """The learning rate relative to the usual one; None if either is not known."""
    if not record.usual_rate or not record.learning_rate:
        return None
    return record.learning_rate / record.usual_rate


def _check_learning_rate(record: Record, progress: Performance) -> Iterator[Finding]:
    ratio, usual, losses = rate_ratio(record), record.usual_rate, _losses(record)
    if ratio is None or usual is None:
        return
    evidence = {
        "learning rate": record.learning_rate or 0.0,
        "usual": usual,
        "loss": progress.last_loss,
    }
    fix = f"optimizer=lamina.optimizers.{record.optimizer}({usual:g})."
    change = Change("compile", "learning_rate", usual)
    ups = sum(b > a for a, b in zip(losses, losses[1:], strict=False))
    unsteady = len(losses) >= 5 and ups >= 0.35 * (len(losses) - 1)
    diverged = record.ended == "not finite"  # which `failures` reports
    if (
        not diverged
        and ratio >= _HIGH_RATIO
        and (
            progress.train_progress < _LITTLE_PROGRESS
            or (unsteady and progress.train_progress < _GOOD_PROGRESS)
        )
    ):
        yield Finding(
            "learning-rate-too-high",
            "problem",
            title=f"The loss went from {losses[0]:.3g} to {losses[-1]:.3g}, where guessing gives "
            f"{progress.guessing_loss:.3g}, with a learning rate of {record.learning_rate:g}.",
            fix=fix,
            evidence={**evidence, **as_evidence(first_rise(losses))},
            where="learning_rate",
            change=change,
            confidence=0.8,
            others=("dead-relu",),
        )
    if ratio <= _LOW_RATIO and progress.train_progress < _GOOD_PROGRESS:
        yield Finding(
            "learning-rate-too-low",
            "problem",
            title=f"In {len(losses)} epochs the loss went from {losses[0]:.3g} to "
            f"{losses[-1]:.3g}, with a learning rate of {record.learning_rate:g}.",
            fix=fix,
            evidence=evidence,
            where="learning_rate",
            change=change,
            confidence=0.8,
            others=("too-few-epochs",),
        )


def _is_falling(losses: list[float], guess: float) -> bool:
    """Whether each of the last epochs still lowered the loss noticeably."""
    last = losses[-3:]
    return all(a - b > _MIN_DECREASE * guess for a, b in zip(last, last[1:], strict=False))


def _check_epochs(record: Record, progress: Performance) -> Iterator[Finding]:
    losses, validation = _losses(record), _losses(record, "val_loss")
    if (
        record.ended != "finished"
        or progress.train_progress > _GOOD_PROGRESS
        or has_high_accuracy(record)
    ):
        return
    if not _is_falling(losses, progress.guessing_loss):
        return
    if validation and validation[-1] > min(validation) * 1.02:
        return
    ratio = rate_ratio(record)
    if ratio is not None and ratio <= _LOW_RATIO:
        return
    epochs = 5 * len(losses)
    is_plain_sgd = record.optimizer == "SGD" and not record.momentum
    yield Finding(
        "optimizer-choice" if is_plain_sgd else "too-few-epochs",
        "warning",
        title=f"The loss was still falling at the end: {losses[-2]:.3g}, then {losses[-1]:.3g}.",
        fix="optimizer='adam', or more epochs." if is_plain_sgd else f"epochs={epochs}.",
        evidence={
            "epoch": len(losses),
            "epochs": len(losses),
            "loss": losses[-1],
            "loss before": losses[-2],
        },
        where="optimizer" if is_plain_sgd else "epochs",
        change=Change("compile", "optimizer", "adam")
        if is_plain_sgd
        else Change("fit", "epochs", epochs),
        confidence=0.6,
        others=("too-few-epochs", "learning-rate-too-low")
        if is_plain_sgd
        else ("learning-rate-too-low",),
    )


def _check_batch_size(record: Record, progress: Performance) -> Iterator[Finding]:
    size, samples = record.batch_size, record.samples
    if size is None or samples is None or progress.train_progress > _LITTLE_PROGRESS:
        return
    if samples >= 500 and math.ceil(samples / size) < _FEW_STEPS:
        yield Finding(
            "batch-size-too-large",
            "warning",
            title=f"A batch has {size:,} of the {samples:,} samples, so there were {record.steps} "
            "steps in all.",
            fix="fit(…, batch_size=32).",
            evidence={"batch size": size, "samples": samples},
            where="batch_size",
            change=Change("fit", "batch_size", 32),
            confidence=0.7,
            others=("too-few-epochs",),
        )
    if size <= 2 and samples >= 200:
        yield Finding(
            "batch-size-too-small",
            "hint",
            title=f"A batch has {size} samples, so the gradient of each step is noisy.",
            fix="fit(…, batch_size=32).",
            evidence={"batch size": size},
            where="batch_size",
            change=Change("fit", "batch_size", 32),
            confidence=0.5,
        )


def _check_batch_normalization(record: Record, progress: Performance) -> Iterator[Finding]:
    if (
        progress.val_progress is None
        or record.steps is None
        or progress.train_progress - progress.val_progress < 0.3
    ):
        return
    unsettled = [
        (layer, float(momentum))
        for layer in record.layers
        if layer.is_from_lamina
        and layer.kind == "BatchNormalization"
        and isinstance(momentum := layer.settings.get("momentum"), float)
        and record.steps < 2 / max(1 - momentum, 1e-6)
    ]
    if not unsettled:
        return
    first, momentum = unsettled[0]
    names = ", ".join(repr(layer.name) for layer, _ in unsettled)
    changes = [Change("layer", "momentum", 0.9, layer.name) for layer, _ in unsettled]
    yield Finding(
        "batch-norm-unsettled",
        "problem",
        title=f"{first.name!r} averages over about {1 / max(1 - momentum, 1e-6):.0f} steps, and "
        f"there were {record.steps}: in validation it normalises with averages that "
        "are still far from those of the data.",
        fix=f"momentum=0.9 in {names}, or more epochs.",
        evidence={"steps": record.steps, "momentum": momentum},
        where=first.name,
        change=Change.joined(changes),
        confidence=0.8,
        others=("overfitting",),
    )


def _check_overfitting(record: Record, progress: Performance) -> Iterator[Finding]:
    validation, losses = _losses(record, "val_loss"), _losses(record)
    if len(validation) < 4 or len(validation) != len(losses):
        return
    if record.ended == "stopped":
        return  # by early stopping, which is what the fix would say
    if progress.last_loss > _MAX_MEMORISED_LOSS * progress.guessing_loss:
        return  # a model that memorises has a low loss in training
    best = min(range(len(validation)), key=validation.__getitem__)
    # The median of the last three epochs, since a single bad epoch may be chance.
    last = sorted(validation[-3:])[1]
    if last < _MIN_RISE * validation[best] or losses[-1] > losses[best]:
        return
    if last - validation[best] < _MIN_RISE_OF_GUESSING * progress.guessing_loss:
        return
    accuracies = _losses(record, "val_accuracy")
    train_accuracies = _losses(record, "accuracy")
    if accuracies and train_accuracies:
        if train_accuracies[-1] - accuracies[-1] < _MIN_ACCURACY_GAP:
            return  # the losses diverge, but the predicted classes are still right
    rise = validation[-1] / validation[best]
    evidence = {
        "epoch": best + 1,
        "val_loss then": validation[best],
        "val_loss at the end": validation[-1],
        "loss at the end": losses[-1],
    }
    yield Finding(
        "overfitting",
        "problem" if rise > 2 or validation[-1] > progress.guessing_loss else "warning",
        title=f"val_loss was lowest in epoch {best + 1} ({validation[best]:.3g}) and rose to "
        f"{validation[-1]:.3g}, while the loss fell to {losses[-1]:.3g}: the model memorises.",
        fix="callbacks=[lamina.callbacks.EarlyStopping(patience=3, restore_best_weights=True)]; a "
        "smaller network, dropout or more samples may gain more.",
        evidence=evidence,
        where="epochs",
        change=Change("fit", "epochs", best + 1),
        confidence=0.8,
        others=("too-many-epochs", "too-few-samples", "label-noise"),
    )


def _check_progress(record: Record, progress: Performance) -> Iterator[Finding]:
    if (record.steps or 0) < 20:
        return
    best, data = progress.train_progress, "training"
    if best > _NO_PROGRESS and progress.val_progress is not None:
        best, data = progress.val_progress, "validation"
    if best > _NO_PROGRESS:
        return
    lowest = (1 - best) * progress.guessing_loss
    ended = end_of_learning(_losses(record)) if data == "training" else None
    name = "loss" if data == "training" else "validation loss"
    yield Finding(
        "labels-unrelated",
        "problem",
        title=f"Nothing was learned: the lowest {name}, {lowest:.4g}, is no better than that of a "
        f"constant prediction, {progress.guessing_loss:.4g}.",
        fix="Check that each row of y belongs to the row of x with the same index.",
        evidence={
            "lowest loss": lowest,
            "loss of a constant answer": progress.guessing_loss,
            **as_evidence(ended),
        },
        where="y",
        confidence=0.3 if data == "training" else 0.5,
        others=("learning-rate-too-high", "dead-relu", "inputs-not-scaled", "network-too-small")
        if data == "training"
        else ("overfitting", "validation-unlike-training"),
    )
