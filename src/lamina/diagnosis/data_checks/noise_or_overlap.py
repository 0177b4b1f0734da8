"""Distinguishes wrong labels from overlapping classes.

Both make a network contradict labels of samples that it was not trained on. If classes overlap,
like survivors and victims of a shipwreck, fewer labels are contradicted where the network is
confident. Labels that are wrong at random are contradicted equally often at any confidence; and
with many classes the given label is then any class, rather than the second most probable one.
"""

import numpy as np

from lamina.diagnosis.verdict import wilson_interval

# Lower end of the confidence interval of the noise rate from which noise is reported.
_MIN_RATE = 0.02
# Fractions of the samples, the most confident predictions first.
_TOP, _HALF, _MOST = 0.2, 0.5, 0.75
# Smallest ratio of the rate of contradictions among the most confident samples (`_TOP`) to the
# rate among more of them: `_MOST` with few classes, `_HALF` with many.
_MIN_RATIO, _MIN_RATIO_OF_MANY_CLASSES = 0.7, 0.5
# From this many classes on, the rank of the given label is used as well.
_MANY_CLASSES = 5
# How much more often than by chance the given label may be the second most probable class.
_MAX_EXCESS_OF_SECOND = 0.15
# Quantile of the normal distribution for a one-sided interval of 95 %.
_Z = 1.645


def noise_rate(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """The fraction of wrong labels; None if there are none, or if classes overlap instead.

    Args:
        labels: Given labels, `(samples,)`.
        probabilities: Predicted by models that were trained without the sample,
            `(samples, classes)`.

    Returns:
        The fraction among the half of the samples with the most confident predictions; None if the
        labels seem right, classes overlap, or there are too few samples to tell.

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
    is_contradicted = (probabilities.argmax(axis=1) != labels)[order]
    top, half, most = (
        is_contradicted[: max(int(len(labels) * fraction), 1)] for fraction in (_TOP, _HALF, _MOST)
    )
    rate = float(half.mean())
    if wilson_interval(rate, len(half), _Z)[0] < _MIN_RATE:
        return None
    if classes < _MANY_CLASSES:
        lower_end = wilson_interval(float(top.mean()), len(top), _Z)[0]
        return rate if lower_end > _MIN_RATIO * most.mean() else None
    if top.mean() < _MIN_RATIO_OF_MANY_CLASSES * rate:
        return None
    rows = order[: len(half)][half]
    is_second = np.argsort(-probabilities[rows], axis=1)[:, 1] == labels[rows]
    return rate if is_second.mean() < 1 / (classes - 1) + _MAX_EXCESS_OF_SECOND else None
