"""Checks whether targets are balanced, scaled, and similar in training and validation."""

from collections.abc import Iterator

import numpy as np

from lamina.findings.finding import Change, Finding
from lamina.findings.performance import performance
from lamina.findings.record import OutputFacts, Record

# Classes are imbalanced if the largest has this many times the samples of the smallest.
_MIN_IMBALANCE = 10.0
# An accuracy must exceed the fraction of the most frequent class by this much to be better.
_MIN_ADVANTAGE = 0.01
# Targets with such a standard deviation or mean need large weights in the last layer.
_LARGE = 50.0
# Class frequencies in training and validation differ if the chi-square statistic exceeds its mean
# by this many standard deviations.
_MAX_DEVIATIONS = 8.0
# There are too few samples, in all or for each class, if there are fewer than this and the progress
# in validation is less than in training by the last number.
_FEW, _FEW_FOR_A_CLASS, _MIN_GAP = 40, 5, 0.1


def check(record: Record) -> Iterator[Finding]:
    """Findings about the targets."""
    for output in record.outputs:
        yield from _check_imbalance(record, output)
        yield from _check_scale(record, output)
        yield from _check_order(record, output)
        yield from _check_validation(record, output)
        yield from _check_sample_count(record, output)


def _last_value(record: Record, *names: str) -> float | None:
    values = [epoch[name] for epoch in record.epochs for name in names if name in epoch]
    return values[-1] if values else None


def _check_imbalance(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets = output.targets
    if targets is None or record.class_weight or len(targets.counts) < 2:
        return
    if targets.form in ("several classes", "numbers"):
        return
    counts = [count for count in targets.counts if count]
    ratio, largest_share = max(counts) / min(counts), max(counts) / sum(counts)
    accuracy = _last_value(record, "val_accuracy", "accuracy")
    if ratio < _MIN_IMBALANCE or accuracy is None or accuracy > largest_share + _MIN_ADVANTAGE:
        return
    yield Finding(
        "class-imbalance",
        "problem",
        title=f"{largest_share:.1%} of the samples are of one class, and the accuracy of "
        f"{accuracy:.1%} is no better than always predicting that class.",
        fix="fit(…, class_weight='balanced').",
        evidence={
            "share of the commonest class": largest_share,
            "accuracy": accuracy,
            "largest to smallest": ratio,
        },
        where="y",
        change=Change("fit", "class_weight", "balanced"),
        confidence=0.6,
        others=("labels-unrelated", "learning-rate-too-low"),
    )


def _check_scale(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets, progress = output.targets, performance(record)
    if (
        targets is None
        or targets.form != "numbers"
        or progress is None
        or progress.train_progress > 0.5
    ):
        return
    values = targets.values
    if output.activation != "linear" or max(values.std, abs(values.mean)) < _LARGE:
        return
    yield Finding(
        "targets-not-scaled",
        "problem",
        title=f"The targets run from {values.low:.4g} to {values.high:.4g}, but the outputs begin "
        f"near 0: the loss of the last epoch is {progress.last_loss:.3g}, and that of always "
        f"predicting the mean is {progress.guessing_loss:.3g}.",
        fix="Train on (y - y.mean()) / y.std(), and bring predictions back with "
        "lamina.layers.Rescaling.",
        evidence={
            "mean": values.mean,
            "spread": values.std,
            "loss": progress.last_loss,
            "guess": progress.guessing_loss,
        },
        where="y",
        change=Change("data", "standardize-targets"),
        confidence=0.7,
        others=("learning-rate-too-low", "too-few-epochs"),
    )


def _check_order(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets = output.targets
    if targets is None or not targets.is_sorted or len(targets.counts) < 2:
        return
    if record.shuffle:
        return
    yield Finding(
        "data-not-shuffled",
        "problem",
        title="The samples are sorted by class and not shuffled, so whole batches have one class.",
        fix="fit(…, shuffle=True), which is the default.",
        evidence={"classes": len(targets.counts)},
        where="shuffle",
        change=Change("fit", "shuffle", True),
        confidence=0.9,
    )


def _check_validation(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets, validation_targets = output.targets, output.validation_targets
    if targets is None or validation_targets is None or targets.form == "several classes":
        return
    if not targets.counts or not validation_targets.counts:
        return
    size = max(len(targets.counts), len(validation_targets.counts))
    train = _pad(targets.counts, size)
    validation = _pad(validation_targets.counts, size)
    pooled = (train + validation) / (train.sum() + validation.sum())
    present = pooled > 0
    expected = pooled[present] * validation.sum()
    chi_square = float(((validation[present] - expected) ** 2 / expected).sum())
    degrees_of_freedom = max(int(present.sum()) - 1, 1)
    deviations = (chi_square - degrees_of_freedom) / np.sqrt(2 * degrees_of_freedom)
    if deviations < _MAX_DEVIATIONS:
        return
    new_classes = int(((train == 0) & (validation > 0)).sum())
    differences = np.abs(train / train.sum() - validation / validation.sum())
    title = (
        f"{new_classes} of the classes in the validation data are not in the training data."
        if new_classes
        else f"The validation data have other class frequencies: that of class "
        f"{int(differences.argmax())} differs by {differences.max():.0%} of the samples."
    )
    sorted_tail = targets.is_sorted and record.validation_split is not None
    yield Finding(
        "data-not-shuffled" if sorted_tail else "validation-unlike-training",
        "problem" if new_classes or sorted_tail else "warning",
        title=title,
        fix="order = numpy.random.permutation(len(x)); x, y = x[order], y[order], before the "
        "split.",
        evidence={"chi-square": chi_square, "new classes": new_classes},
        where="validation_split" if record.validation_split else "validation_data",
        change=Change("data", "shuffle-before-split"),
        confidence=0.9,
    )


def _check_sample_count(record: Record, output: OutputFacts) -> Iterator[Finding]:
    progress, samples = performance(record), record.samples
    if (
        samples is None
        or progress is None
        or progress.val_progress is None
        or output.targets is None
    ):
        return
    classes = max(len(output.targets.counts), 2)
    if (
        samples >= max(_FEW_FOR_A_CLASS * classes, _FEW)
        or progress.train_progress - progress.val_progress < _MIN_GAP
    ):
        return
    kinds = f" of {classes} classes" if output.targets.counts else ""
    val_loss = (1 - progress.val_progress) * progress.guessing_loss
    yield Finding(
        "too-few-samples",
        "problem",
        title=f"There are {samples} training samples{kinds}. The loss fell to "
        f"{progress.last_loss:.3g} on them, and to {val_loss:.3g} on others; guessing gives "
        f"{progress.guessing_loss:.3g}.",
        fix="More samples; with so few, a linear model or a pretrained network.",
        evidence={"samples": samples, "classes": classes},
        where="x",
        confidence=0.7,
        others=("overfitting", "too-few-epochs"),
    )


def _pad(counts: tuple[int, ...], size: int) -> np.ndarray:
    return np.array([*counts, *[0] * (size - len(counts))], dtype=float)
