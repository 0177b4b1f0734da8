"""Calibration of a classifier: whether it is right as often as its probabilities say."""

from dataclasses import dataclass

import numpy as np

# A difference between mean probability and accuracy below this is small.
_SMALL = 0.02


@dataclass(frozen=True)
class Calibration:
    """The accuracy of a classifier as a function of the probability of its predictions.

    Args:
        edges: Ends of the bins of probabilities, `(bins + 1,)`.
        counts: Samples in each bin, `(bins,)`.
        confidence: Mean probability of the predictions in each bin; NaN for an empty one.
        accuracy: Fraction of correct predictions in each bin; NaN for an empty one.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean difference over samples, 0–1."""
        nonempty = self.counts > 0
        gaps = np.abs(self.accuracy[nonempty] - self.confidence[nonempty])
        return float((gaps * self.counts[nonempty]).sum() / max(self.counts.sum(), 1))

    @property
    def overconfidence(self) -> float:
        """Mean probability of the predictions minus their accuracy, -1–1."""
        nonempty = self.counts > 0
        gaps = self.confidence[nonempty] - self.accuracy[nonempty]
        return float((gaps * self.counts[nonempty]).sum() / max(self.counts.sum(), 1))

    @property
    def sentence(self) -> str:
        """The result in a sentence."""
        points = f"{100 * abs(self.overconfidence):.1f} points"
        if self.expected_error < _SMALL:
            return "The probabilities can be taken as they are."
        if abs(self.overconfidence) < _SMALL:
            return "The model is too sure of some answers and too unsure of others."
        if self.overconfidence > 0:
            return f"The model is too sure: its probabilities are {points} too high on average."
        return f"The model is too unsure: its probabilities are {points} too low on average."


def calibration(y_true: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> Calibration:
    """Divide predictions into bins of equal width by their probability.

    Args:
        y_true: Class numbers, `(samples,)`.
        probabilities: `(samples, classes)`.
        bins: Number of bins between 0 and 1; a probability at an edge is in the lower one.

    Source: Guo, Pleiss, Sun and Weinberger, 2017, "On Calibration of Modern Neural Networks",
    arXiv:1706.04599, section 2.

    Example:
        >>> found = calibration(np.array([0, 0, 1, 1]), np.array([[0.75, 0.25]] * 4))
        >>> found.expected_error, found.overconfidence
        (0.25, 0.25)
    """
    confidence = probabilities.max(axis=1)
    is_correct = probabilities.argmax(axis=1) == y_true
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Calibration(
            edges,
            counts,
            np.bincount(index, confidence, bins) / counts,
            np.bincount(index, is_correct, bins) / counts,
        )
