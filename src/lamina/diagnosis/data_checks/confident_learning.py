"""Confident learning: which labels are wrong, judged by out-of-sample probabilities.

Source: Northcutt, Jiang and Chuang, 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70, arXiv:1911.00068.
"""

import numpy as np

_MIN_PROBABILITY = 1e-7


def likely_classes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class that each sample confidently belongs to; -1 if there is none.

    A sample confidently belongs to a class if its probability of the class is at least the mean
    probability that samples with this label have of it, `t_j` in the paper. Of several such
    classes, the most probable is chosen.

    Args:
        labels: Given labels, class indices `(samples,)`.
        probabilities: Predicted by models that were trained without the sample,
            `(samples, classes)`.

    Returns:
        Class indices, `(samples,)`.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.95, 0.05]])
        >>> likely_classes(np.array([0, 0, 1, 1]), p).tolist()
        [0, -1, 1, 0]
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    of_label = probabilities[np.arange(len(labels)), labels]
    thresholds = np.bincount(labels, weights=of_label, minlength=classes) / np.maximum(counts, 1)
    # No sample belongs to a class without labels.
    thresholds[counts == 0] = np.inf
    confident = np.where(probabilities >= thresholds - 1e-9, probabilities, -1.0)
    likely = confident.argmax(axis=1)
    return np.where(confident.max(axis=1) >= 0, likely, -1)


def joint_distribution(labels: np.ndarray, likely: np.ndarray, classes: int) -> np.ndarray:
    """The estimated joint distribution of given and true labels.

    Pairs of given label and likely class are counted. Each row is scaled to the number of samples
    with that label, since some samples have no likely class; then all are divided by their sum.

    Args:
        labels: Given labels, `(samples,)`.
        likely: From `likely_classes`.
        classes: Number of classes.

    Returns:
        Fractions of the samples, `(given class, true class)`.

    Example:
        >>> joint_distribution(np.array([0, 0, 1, 1]), np.array([0, -1, 1, 0]), 2).tolist()
        [[0.5, 0.0], [0.25, 0.25]]
    """
    pairs = np.zeros((classes, classes))
    has_class = likely >= 0
    np.add.at(pairs, (labels[has_class], likely[has_class]), 1.0)
    samples_of_label = np.bincount(labels, minlength=classes).astype(float)
    is_empty = pairs.sum(axis=1) == 0
    pairs[is_empty, is_empty] = 1.0
    joint: np.ndarray = pairs * (samples_of_label / pairs.sum(axis=1))[:, None]
    return joint / joint.sum()


def rank_suspects(labels: np.ndarray, probabilities: np.ndarray, rate: float) -> np.ndarray:
    """Samples whose labels are likely wrong, the most doubtful first.

    Samples are ranked by the margin between the log-probabilities of the given class and of the
    most probable other class, and as many are returned as `rate` says. In trials with known noise
    this ranked better than the difference of probabilities in the paper.

    Args:
        labels: Given labels, `(samples,)`.
        probabilities: Predicted by models that were trained without the sample,
            `(samples, classes)`.
        rate: The fraction of wrong labels, 0–1.

    Returns:
        Indices of samples.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.95, 0.05]])
        >>> rank_suspects(np.array([0, 1, 1, 1]), p, 0.5).tolist()
        [3, 1]
    """
    logs = np.log(np.maximum(probabilities, _MIN_PROBABILITY))
    of_label = logs[np.arange(len(labels)), labels]
    logs[np.arange(len(labels)), labels] = -np.inf
    margin = of_label - logs.max(axis=1)
    ranked = np.argsort(margin, kind="stable")[: round(rate * len(labels))]
    # A sample whose given label is the most probable class is not a suspect.
    suspects: np.ndarray = ranked[margin[ranked] < 0]
    return suspects
