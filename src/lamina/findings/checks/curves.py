"""What the losses of the epochs say of the learning rate, the number of epochs and the batches."""

import math
from collections.abc import Iterator

from lamina.findings.finding import Change, Finding
from lamina.findings.moments import as_evidence, end_of_learning, first_rise
from lamina.findings.performance import Performance, answers_well, performance
from lamina.findings.record import Record

# Rates so many times the usual one are suspect.
_HIGH, _LOW = 20.0, 1 / 20
# From guessing (0) to a loss of 0 (1).
_NOTHING, _LITTLE, _WELL = 0.02, 0.5, 0.9
# Share of the loss of guessing that an epoch takes away while a training is under way.
_STILL_FALLING = 0.02
_FEW_STEPS = 4
# Rise of the validation loss above its minimum that counts.
_RISE = 1.2
_GAP = 0.05
# Share of the loss of guessing that a rise of the validation loss costs at least.
_FELT = 0.05
# The training loss of a model that memorises is at most this share of that of guessing.
_FITTED = 0.9


def check(record: Record) -> Iterator[Finding]:
    """Findings from the losses of the epochs."""
    progress = performance(record)
    if progress is None or len(record.epochs) < 2:
        return
    yield from _rate(record, progress)
    yield from _epochs(record, progress)
    yield from _batches(record, progress)
    yield from _statistics_of_batches(record, progress)
    yield from _memorised(record, progress)
    yield from _nothing_learned(record, progress)


def _losses(record: Record, name: str = "loss") -> list[float]:
    return [float(epoch[name]) for epoch in record.epochs if name in epoch]


def rate_ratio(record: Record) -> float | None:
    """The learning rate relative to the usual one; None if either is not known."""
    if not record.usual_rate or not record.learning_rate:
        return None
    return record.learning_rate / record.usual_rate


def _rate(record: Record, progress: Performance) -> Iterator[Finding]:
    ratio, usual, losses = rate_ratio(record), record.usual_rate, _losses(record)
    if ratio is None or usual is None:
        return
    evidence = {"learning rate": record.learning_rate or 0.0, "usual": usual, "loss": progress.last}
    fix = f"optimizer=lamina.optimizers.{record.optimizer}({usual:g})."
    change = Change("compile", "learning_rate", usual)
    ups = sum(b > a for a, b in zip(losses, losses[1:], strict=False))
    unsteady = len(losses) >= 5 and ups >= 0.35 * (len(losses) - 1)
    diverged = record.ended == "not finite"  # which `failures` tells
    if (
        not diverged
        and ratio >= _HIGH
        and (progress.learned < _LITTLE or (unsteady and progress.learned < _WELL))
    ):
        yield Finding(
            "learning-rate-too-high",
            "problem",
            title=f"The loss went from {losses[0]:.3g} to {losses[-1]:.3g}, where guessing gives "
            f"{progress.guess:.3g}, with a learning rate of {record.learning_rate:g}.",
            fix=fix,
            evidence={**evidence, **as_evidence(first_rise(losses))},
            where="learning_rate",
            change=change,
            confidence=0.8,
            others=("dead-relu",),
        )
    if ratio <= _LOW and progress.learned < _WELL:
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
    """Whether each of the last epochs still took a good part of the loss away."""
    last = losses[-3:]
    return all(a - b > _STILL_FALLING * guess for a, b in zip(last, last[1:], strict=False))


def _epochs(record: Record, progress: Performance) -> Iterator[Finding]:
    losses, validation = _losses(record), _losses(record, "val_loss")
    if record.ended != "finished" or progress.learned > _WELL or answers_well(record):
        return
    if not _is_falling(losses, progress.guess):
        return
    if validation and validation[-1] > min(validation) * 1.02:
        return
    ratio = rate_ratio(record)
    if ratio is not None and ratio <= _LOW:
        return
    epochs = 5 * len(losses)
    slow = record.optimizer == "SGD" and not record.momentum
    yield Finding(
        "optimizer-choice" if slow else "too-few-epochs",
        "warning",
        title=f"The loss was still falling at the end: {losses[-2]:.3g}, then {losses[-1]:.3g}.",
        fix="optimizer='adam', or more epochs." if slow else f"epochs={epochs}.",
        evidence={
            "epoch": len(losses),
            "epochs": len(losses),
            "loss": losses[-1],
            "loss before": losses[-2],
        },
        where="optimizer" if slow else "epochs",
        change=Change("compile", "optimizer", "adam") if slow else Change("fit", "epochs", epochs),
        confidence=0.6,
        others=("too-few-epochs", "learning-rate-too-low") if slow else ("learning-rate-too-low",),
    )


def _batches(record: Record, progress: Performance) -> Iterator[Finding]:
    size, samples = record.batch_size, record.samples
    if size is None or samples is None or progress.learned > _LITTLE:
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
            title=f"A batch has {size} samples, so every step follows their chance.",
            fix="fit(…, batch_size=32).",
            evidence={"batch size": size},
            where="batch_size",
            change=Change("fit", "batch_size", 32),
            confidence=0.5,
        )


def _statistics_of_batches(record: Record, progress: Performance) -> Iterator[Finding]:
    if (
        progress.validated is None
        or record.steps is None
        or progress.learned - progress.validated < 0.3
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
        f"there were {record.steps}: in validation it normalises with values that are not "
        "yet those of the data.",
        fix=f"momentum=0.9 in {names}, or more epochs.",
        evidence={"steps": record.steps, "momentum": momentum},
        where=first.name,
        change=Change.joined(changes),
        confidence=0.8,
        others=("overfitting",),
    )


def _memorised(record: Record, progress: Performance) -> Iterator[Finding]:
    validation, losses = _losses(record, "val_loss"), _losses(record)
    if len(validation) < 4 or len(validation) != len(losses):
        return
    if record.ended == "stopped":
        return  # by early stopping, which is what the fix would say
    if progress.last > _FITTED * progress.guess:
        return  # what is memorised is answered well in training
    best = min(range(len(validation)), key=validation.__getitem__)
    # One bad epoch is chance; a model that memorises stays worse.
    last = sorted(validation[-3:])[1]
    if last < _RISE * validation[best] or losses[-1] > losses[best]:
        return
    if last - validation[best] < _FELT * progress.guess:
        return
    accuracies = _losses(record, "val_accuracy")
    trained = _losses(record, "accuracy")
    if accuracies and trained and trained[-1] - accuracies[-1] < _GAP:
        return  # the losses grow apart, but the answers are still right
    worse = validation[-1] / validation[best]
    evidence = {
        "epoch": best + 1,
        "val_loss then": validation[best],
        "val_loss at the end": validation[-1],
        "loss at the end": losses[-1],
    }
    yield Finding(
        "overfitting",
        "problem" if worse > 2 or validation[-1] > progress.guess else "warning",
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


def _nothing_learned(record: Record, progress: Performance) -> Iterator[Finding]:
    if (record.steps or 0) < 20:
        return
    best, part = progress.learned, "training"
    if best > _NOTHING and progress.validated is not None:
        best, part = progress.validated, "validation"
    if best > _NOTHING:
        return
    lowest = (1 - best) * progress.guess
    ended = end_of_learning(_losses(record)) if part == "training" else None
    title = "Nothing was learned" if part == "training" else "Nothing was learned that holds for "
    title += "" if part == "training" else "the validation data"
    yield Finding(
        "labels-unrelated",
        "problem",
        title=f"{title}: the lowest loss, {lowest:.4g}, is that of a constant answer, "
        f"{progress.guess:.4g}.",
        fix="Check that each row of y belongs to the row of x with its number.",
        evidence={
            "lowest loss": lowest,
            "loss of a constant answer": progress.guess,
            **as_evidence(ended),
        },
        where="y",
        confidence=0.3 if part == "training" else 0.5,
        others=("learning-rate-too-high", "dead-relu", "inputs-not-scaled", "network-too-small")
        if part == "training"
        else ("overfitting", "validation-unlike-training"),
    )
