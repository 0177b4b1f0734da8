"""Judges in one sentence whether a model generalises, from its accuracies and their uncertainty.

The functions take plain numbers, from `outcome`. The command line and the report print the result.
"""

import math
from dataclasses import dataclass

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback

# A gap between training and test accuracy below the first number is normal; above the second, the
# model has memorised its training samples. Fractions of all samples.
SMALL_GAP, LARGE_GAP = 0.02, 0.05
# Below this fraction of the way from chance to perfect accuracy, a model underfits.
UNDERFITTING_LIMIT = 0.5

_ADVICE = {
    "generalises": "More epochs or a larger network may still raise the accuracy.",
    "perfect": "Nothing is left to gain on these samples; harder ones would tell more.",
    "all learnt": "It is right on all that it learnt from: more samples may raise the accuracy, or "
    "augmentation; more epochs hardly can.",
    "begins to memorise": "Stop earlier (callbacks.EarlyStopping), or add layers.Dropout(0.2).",
    "memorises": "Add layers.Dropout(0.3), use a smaller network, or find more samples.",
    "underfits": "Train for more epochs, use a larger network, or a higher learning rate.",
    "guesses": "Check that the labels belong to the images, and try a lower learning rate.",
    "diverged": "Lower the learning rate, e.g. optimizers.Adam(1e-4), and scale the inputs.",
    "too few samples": "Keep more samples for the test, or average over several splits.",
    "easier test": "Check how the two sets were split: shuffle before splitting.",
    "measured": "With the training samples, train=(x, y), the report says whether it generalises.",
    "seen": "Other samples than those of the training would say whether it generalises.",
    "numbers": "Look at predictions far from the line below: are their targets wrong or rare?",
    "no better than the mean": "Check that the targets belong to the samples, and scale both.",
}


@dataclass(frozen=True)
class Verdict:
    """A judgement of a model.

    Args:
        kind: `"generalises"`, `"begins to memorise"`, `"memorises"`, `"underfits"`, `"guesses"`,
            `"diverged"`, `"too few samples"` or `"easier test"`; `"measured"` without training
            samples, `"seen"` on training samples; for numbers `"numbers"` or
            `"no better than the mean"`.
        sentence: One sentence with its numbers.
        is_perfect: Whether all test samples were predicted correctly.
        has_learnt_all: Whether all training samples were predicted correctly.
    """

    kind: str
    sentence: str
    is_perfect: bool = False
    has_learnt_all: bool = False

    @property
    def advice(self) -> str:
        """What to do next."""
        if self.is_perfect:
            return _ADVICE["perfect"]
        all_learnt = self.kind == "generalises" and self.has_learnt_all
        return _ADVICE["all learnt" if all_learnt else self.kind]

    @property
    def is_good(self) -> bool:
        """Whether there is no problem: the model generalises, or there was nothing to compare."""
        return self.kind in ("generalises", "begins to memorise", "numbers", "measured", "seen")


@filter_traceback
def judge(
    train_accuracy: float,
    test_accuracy: float,
    train_samples: int,
    test_samples: int,
    chance: float,
    loss: float = 0.0,
    noun: str = "images",
) -> Verdict:
    """Judge whether a classifier generalises, from its accuracies.

    The gap between the two accuracies counts only if it is significant (95 % interval).

    Args:
        train_accuracy: Accuracy on training samples, after training.
        test_accuracy: Accuracy on test samples.
        train_samples: Number of training samples evaluated.
        test_samples: Number of test samples evaluated.
        chance: Accuracy of always predicting the most frequent class.
        loss: A loss of the training, which is checked for NaN and infinity.
        noun: Word for the samples.

    Returns:
        A `Verdict`: a kind and a sentence.

    Example:
        >>> judge(0.987, 0.973, 60_000, 10_000, chance=0.11).sentence
        'It generalises: 97.3 % right on 10,000 images it has never seen (± 0.3), 98.7 % on what
        it learnt from, a gap of 1.4 points.'
    """
    numbers = (train_accuracy, test_accuracy, loss)
    if not all(map(math.isfinite, numbers)):
        return Verdict("diverged", "Training diverged: the loss is no longer a finite number.")
    low, high = interval_of_difference(train_accuracy, train_samples, test_accuracy, test_samples)
    gap = train_accuracy - test_accuracy
    test_text = (
        f"{percent(test_accuracy)} right on {test_samples:,} {noun} it has never seen "
        f"(± {_margin(test_accuracy, test_samples)})"
    )
    both_accuracies = f"{test_text}, {percent(train_accuracy)} on what it learnt from"
    with_gap = (
        f"{both_accuracies}, a gap of {100 * gap:.1f} points"
        if gap >= 0.0005
        else f"{both_accuracies}, no gap"
    )
    if wilson_interval(train_accuracy, train_samples)[0] <= chance:
        return Verdict(
            "guesses",
            f"It guesses: {test_text}, and always giving the most frequent answer gets "
            f"{percent(chance)}.",
        )
    if low > LARGE_GAP:
        return Verdict("memorises", f"It memorises instead of generalising: {with_gap}.")
    if (train_accuracy - chance) / max(1 - chance, 1e-9) < UNDERFITTING_LIMIT:
        return Verdict(
            "underfits", f"It underfits: {both_accuracies}, where much is left to learn."
        )
    if high < -SMALL_GAP:
        return Verdict(
            "easier test",
            f"The test looks easier than the training: {both_accuracies}; that is unusual.",
        )
    if low > SMALL_GAP:
        return Verdict("begins to memorise", f"It generalises, but begins to memorise: {with_gap}.")
    if gap > SMALL_GAP and high > LARGE_GAP:
        return Verdict(
            "too few samples",
            f"Too few {noun} to tell whether it generalises: {with_gap} that may as well be "
            f"{100 * low:.1f} or {100 * high:.1f}.",
        )
    return Verdict(
        "generalises",
        f"It generalises: {with_gap}.",
        is_perfect=test_accuracy == 1,
        has_learnt_all=train_accuracy == 1,
    )


def judge_classes(
    accuracy: float, samples: int, noun: str = "samples", seen: bool = False
) -> Verdict:
    """The verdict on a classifier without training samples, or on samples that it has seen."""
    margin = _margin(accuracy, samples)
    return Verdict(
        "seen" if seen else "measured",
        f"{percent(accuracy)} right on {samples:,} {noun} {_origin(seen)} (± {margin}).",
    )


def judge_numbers(
    y_true: np.ndarray, y_pred: np.ndarray, noun: str = "samples", seen: bool = False
) -> Verdict:
    """The verdict on a regression: its mean error compared with that of predicting the mean.

    Args:
        y_true: Targets, `(samples,)`.
        y_pred: Predictions, `(samples,)`.
        noun: Word for the samples.
        seen: Whether the model may have been trained on them.

    Example:
        >>> judge_numbers(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.3])).sentence
        'Off by 0.1 on average on 3 samples it has never seen; always saying their mean would be
        off by 0.667.'
    """
    error = float(np.abs(y_true - y_pred).mean())
    if not math.isfinite(error):
        return Verdict("diverged", "Training diverged: predictions are no longer finite numbers.")
    error_of_mean = float(np.abs(y_true - y_true.mean()).mean())
    return Verdict(
        "numbers" if error < error_of_mean else "no better than the mean",
        f"Off by {error:.3g} on average on {len(y_true):,} {noun} {_origin(seen)}; always saying "
        f"their mean would be off by {error_of_mean:.3g}.",
    )


def _origin(seen: bool) -> str:
    return "that it may have been trained on" if seen else "it has never seen"


def wilson_interval(fraction: float, samples: int, z: float = 1.96) -> tuple[float, float]:
    """The confidence interval of a fraction of `samples`, at 95 % for the default `z`.

    Unlike fraction ± z · standard error it stays within 0–1 and has a width even if all samples
    are correct.

    Source: Wilson, 1927, "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 22.

    Example:
        >>> [round(edge, 3) for edge in wilson_interval(1.0, 100)]
        [0.963, 1.0]
    """
    if samples < 1:
        raise ValueError(f"wilson_interval needs at least one sample; received {samples}.")
    middle = (fraction + z * z / (2 * samples)) / (1 + z * z / samples)
    spread = fraction * (1 - fraction) / samples + (z / (2 * samples)) ** 2
    half = z * math.sqrt(spread) / (1 + z * z / samples)
    return max(0.0, middle - half), min(1.0, middle + half)


def interval_of_difference(
    first: float, first_samples: int, second: float, second_samples: int
) -> tuple[float, float]:
    """The 95 % interval of the difference between two independent fractions.

    Source: Newcombe, 1998, "Interval Estimation for the Difference between Independent
    Proportions", Statistics in Medicine 17, method 10.

    Example:
        >>> [round(edge, 4) for edge in interval_of_difference(56 / 70, 70, 48 / 80, 80)]
        [0.0524, 0.3339]
    """
    low1, high1 = wilson_interval(first, first_samples)
    low2, high2 = wilson_interval(second, second_samples)
    difference = first - second
    below = math.hypot(first - low1, high2 - second)
    above = math.hypot(high1 - first, second - low2)
    return difference - below, difference + above


def percent(fraction: float) -> str:
    """A fraction in percent, such as `97.3 %`; less than 1 is never rounded up to 100 %.

    Example:
        >>> percent(0.9731), percent(0.99968), percent(0.999999), percent(1.0)
        ('97.3 %', '99.96 %', '99.99 %', '100 %')
    """
    if fraction == 1:
        return "100 %"
    if fraction >= 0.9995:
        return f"{math.floor(10_000 * fraction) / 100:.2f} %"
    return f"{100 * fraction:.1f} %"


def _margin(fraction: float, samples: int) -> str:
    low, high = wilson_interval(fraction, samples)
    return f"{50 * (high - low):.1f}"
