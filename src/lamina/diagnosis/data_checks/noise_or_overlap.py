"""Tells wrong labels from classes that overlap.

Both make a network contradict labels of samples that it has not seen. Where classes overlap, such
as the survivors of a shipwreck, it contradicts fewer labels, the surer it is. Labels that are wrong
by accident are contradicted as often where it is quite sure as where it is only fairly sure, and
with many classes the given label is any class, not the second most probable one.
"""

import numpy as np

from lamina.diagnosis.verdict import wilson

# At least this share of the labels is wrong, for certain.
_FEWEST = 0.02
# Shares of the samples, the surest first.
_SUREST, _SURE, _MOST = 0.2, 0.5, 0.75
# Among the surest samples contradictions are nearly as frequent as among others.
_AS_FREQUENT = 0.7
_ABOUT_AS_FREQUENT = 0.5
# With so many classes the second most probable class tells more than frequencies do.
_MANY_CLASSES = 5
# By this much the given label may be the second class more often than by chance.
_BEYOND_CHANCE = 0.15
# One-sided 95 %.
_Z = 1.645


def noise_rate(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """The share of wrong labels, if contradictions look like wrong labels.

    Args:
        labels: Given labels, `(samples,)`.
        probabilities: Of models that were trained without the sample, `(samples, classes)`.

    Returns:
        The share among the half of the samples that the models are surest of; None if labels look
        right, or classes overlap, or there are too few samples to tell.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> true = np.arange(2000) % 2
        >>> sure = rng.uniform(0.8, 1.0, 2000)
        >>> p = np.stack([np.where(true == 0, sure, 1 - sure), np.where(true, sure, 1 - sure)], 1)
        >>> noise_rate(true, p) is None
        True
        >>> round(noise_rate(np.where(rng.random(2000) < 0.1, 1 - true, true), p), 1)
        0.1
    """
    classes = probabilities.shape[1]
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    contradicted = (probabilities.argmax(axis=1) != labels)[order]
    surest, sure, most = (
        contradicted[: max(int(len(labels) * share), 1)] for share in (_SUREST, _SURE, _MOST)
    )
    rate = float(sure.mean())
    if wilson(rate, len(sure), _Z)[0] < _FEWEST:
        return None
    if classes < _MANY_CLASSES:
        lowest = wilson(float(surest.mean()), len(surest), _Z)[0]
        return rate if lowest > _AS_FREQUENT * most.mean() else None
    if surest.mean() < _ABOUT_AS_FREQUENT * rate:
        return None
    rows = order[: len(sure)][sure]
    second = np.argsort(-probabilities[rows], axis=1)[:, 1] == labels[rows]
    return rate if second.mean() < 1 / (classes - 1) + _BEYOND_CHANCE else None
