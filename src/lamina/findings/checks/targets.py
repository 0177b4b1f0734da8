"""Whether targets are balanced, on a usual scale, and alike in training and validation."""

from collections.abc import Iterator

import numpy as np

from lamina.findings.finding import Change, Finding
from lamina.findings.performance import performance
from lamina.findings.record import OutputFacts, Record

_IMBALANCE = 10.0
# An accuracy so close to that of always answering the commonest class is no better than it.
_NO_BETTER = 0.01
# Targets of this spread or mean need large weights in the last layer.
_LARGE = 50.0
# How far chance may move the classes of the validation: chi-square in standard deviations.
_BEYOND_CHANCE = 8.0
# Fewer samples than this, in all or for each class, are few if others are answered worse by this
# share of the loss of guessing.
_FEW, _FEW_FOR_A_CLASS, _GAP = 40, 5, 0.1


def check(record: Record) -> Iterator[Finding]:
    """Findings about the targets."""
    for output in record.outputs:
        yield from _imbalance(record, output)
        yield from _scale(record, output)
        yield from _order(record, output)
        yield from _validation(record, output)
        yield from _few_samples(record, output)


def _last(record: Record, *names: str) -> float | None:
    values = [epoch[name] for epoch in record.epochs for name in names if name in epoch]
    return values[-1] if values else None


def _imbalance(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets = output.targets
    if targets is None or record.class_weight or len(targets.counts) < 2:
        return
    if targets.form in ("several classes", "numbers"):
        return
    counts = [count for count in targets.counts if count]
    ratio, most = max(counts) / min(counts), max(counts) / sum(counts)
    accuracy = _last(record, "val_accuracy", "accuracy")
    if ratio < _IMBALANCE or accuracy is None or accuracy > most + _NO_BETTER:
        return
    yield Finding(
        "class-imbalance",
        "problem",
        title=f"{most:.1%} of the samples are of one class, and the accuracy of {accuracy:.1%} is "
        "no better than always answering that class.",
        fix="fit(…, class_weight='balanced').",
        evidence={
            "share of the commonest class": most,
            "accuracy": accuracy,
            "largest to smallest": ratio,
        },
        where="y",
        change=Change("fit", "class_weight", "balanced"),
        confidence=0.6,
        others=("labels-unrelated", "learning-rate-too-low"),
    )


def _scale(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets, progress = output.targets, performance(record)
    if targets is None or targets.form != "numbers" or progress is None or progress.learned > 0.5:
        return
    values = targets.values
    if output.activation != "linear" or max(values.spread, abs(values.mean)) < _LARGE:
        return
    yield Finding(
        "targets-not-scaled",
        "problem",
        title=f"The targets run from {values.low:.4g} to {values.high:.4g}, and the outputs begin "
        f"near 0: the loss of the last epoch is {progress.last:.3g}, and the mean as a constant "
        f"answer gives {progress.guess:.3g}.",
        fix="Train on (y - y.mean()) / y.std(), and bring predictions back with "
        "lamina.layers.Rescaling.",
        evidence={
            "mean": values.mean,
            "spread": values.spread,
            "loss": progress.last,
            "guess": progress.guess,
        },
        where="y",
        change=Change("data", "standardize-targets"),
        confidence=0.7,
        others=("learning-rate-too-low", "too-few-epochs"),
    )


def _order(record: Record, output: OutputFacts) -> Iterator[Finding]:
    targets = output.targets
    if targets is None or not targets.is_sorted or len(targets.counts) < 2:
        return
    if record.shuffle:
        return
    yield Finding(
        "data-not-shuffled",
        "problem",
        title="The samples are sorted by class and are not shuffled, so whole batches are of one "
        "class.",
        fix="fit(…, shuffle=True), which is the default.",
        evidence={"classes": len(targets.counts)},
        where="shuffle",
        change=Change("fit", "shuffle", True),
        confidence=0.9,
    )


def _validation(record: Record, output: OutputFacts) -> Iterator[Finding]:
    known, seen = output.targets, output.validation_targets
    if known is None or seen is None or not known.counts or not seen.counts:
        return
    if known.form == "several classes":
        return
    size = max(len(known.counts), len(seen.counts))
    train, validation = (_padded(targets.counts, size) for targets in (known, seen))
    together = (train + validation) / (train.sum() + validation.sum())
    there = together > 0
    expected = together[there] * validation.sum()
    chi = float(((validation[there] - expected) ** 2 / expected).sum())
    freedom = max(int(there.sum()) - 1, 1)
    if (chi - freedom) / np.sqrt(2 * freedom) < _BEYOND_CHANCE:
        return
    new = int(((train == 0) & (validation > 0)).sum())
    shares = np.abs(train / train.sum() - validation / validation.sum())
    title = (
        f"{new} of the classes in the validation data are not in the training data."
        if new
        else f"The validation data have another mix of classes: the share of class "
        f"{int(shares.argmax())} differs by {shares.max():.0%} of the samples."
    )
    sorted_tail = known.is_sorted and record.validation_split is not None
    yield Finding(
        "data-not-shuffled" if sorted_tail else "validation-unlike-training",
        "problem" if new or sorted_tail else "warning",
        title=title,
        fix="order = numpy.random.permutation(len(x)); x, y = x[order], y[order], before the "
        "split.",
        evidence={"chi-square": chi, "new classes": new},
        where="validation_split" if record.validation_split else "validation_data",
        change=Change("data", "shuffle-before-split"),
        confidence=0.9,
    )


def _few_samples(record: Record, output: OutputFacts) -> Iterator[Finding]:
    progress, samples = performance(record), record.samples
    if samples is None or progress is None or progress.validated is None or output.targets is None:
        return
    classes = max(len(output.targets.counts), 2)
    if (
        samples >= max(_FEW_FOR_A_CLASS * classes, _FEW)
        or progress.learned - progress.validated < _GAP
    ):
        return
    kinds = f" of {classes} classes" if output.targets.counts else ""
    yield Finding(
        "too-few-samples",
        "problem",
        title=f"There are {samples} training samples{kinds}. The loss fell to {progress.last:.3g} "
        f"on them, and to {(1 - progress.validated) * progress.guess:.3g} on others; guessing "
        f"gives {progress.guess:.3g}.",
        fix="More samples; with so few, a linear model or a network that was trained on others.",
        evidence={"samples": samples, "classes": classes},
        where="x",
        confidence=0.7,
        others=("overfitting", "too-few-epochs"),
    )


def _padded(counts: tuple[int, ...], size: int) -> np.ndarray:
    return np.array([*counts, *[0] * (size - len(counts))], dtype=float)
