"""Confident learning: which labels are wrong, from probabilities that did not see the labels.

Source: Northcutt, Jiang and Chuang, 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70, arXiv:1911.00068.
"""

import numpy as np

_SMALLEST = 1e-7


def likely_classes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class that each sample is confidently of; -1 where no class is confident.

    A class is confident where its probability is at least the mean probability that samples with
    this label have for it, `t_j` in the paper. The most probable of the confident classes is taken.

    Args:
        labels: Given labels, class indices `(samples,)`.
        probabilities: Of models that were trained without the sample, `(samples, classes)`.

    Returns:
        Class indices, `(samples,)`.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.95, 0.05]])
        >>> likely_classes(np.array([0, 0, 1, 1]), p).tolist()
        [0, -1, 1, 0]
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(len(labels)), labels]
    thresholds = np.bincount(labels, weights=own, minlength=classes) / np.maximum(counts, 1)
    # A class without samples is confident of nothing.
    thresholds[counts == 0] = np.inf
    confident = np.where(probabilities >= thresholds - 1e-9, probabilities, -1.0)
    likely = confident.argmax(axis=1)
    return np.where(confident.max(axis=1) >= 0, likely, -1)


def joint_of(labels: np.ndarray, likely: np.ndarray, classes: int) -> np.ndarray:
    """The estimated joint distribution of given and true labels.

    Pairs of given and confident classes are counted. Each row is scaled to the number of samples
    with that label, because not every sample is confident; then everything sums to 1.

    Args:
        labels: Given labels, `(samples,)`.
        likely: From `likely_classes`.
        classes: Number of classes.

    Returns:
        Shares of the samples, `(given class, true class)`.

    Example:
        >>> joint_of(np.array([0, 0, 1, 1]), np.array([0, -1, 1, 0]), 2).tolist()
        [[0.5, 0.0], [0.25, 0.25]]
    """
    counted = np.zeros((classes, classes))
    sure = likely >= 0
    np.add.at(counted, (labels[sure], likely[sure]), 1.0)
    rows = np.bincount(labels, minlength=classes).astype(float)
    nothing = counted.sum(axis=1) == 0
    counted[nothing, nothing] = 1.0
    joint: np.ndarray = counted * (rows / counted.sum(axis=1))[:, None]
    return joint / joint.sum()


def suspects_of(labels: np.ndarray, probabilities: np.ndarray, rate: float) -> np.ndarray:
    """Samples whose labels are likely wrong, the most doubtful first.

    As many as the rate says, those with the largest margin between the given class and the best
    other one. The margin is a difference of log-probabilities: with known noise this ranks better
    than the difference of probabilities in the paper, where an unsure network counts as much as the
    label.

    Args:
        labels: Given labels, `(samples,)`.
        probabilities: Of models that were trained without the sample, `(samples, classes)`.
        rate: The share of wrong labels, 0–1.

    Returns:
        Indices of samples.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.95, 0.05]])
        >>> suspects_of(np.array([0, 1, 1, 1]), p, 0.5).tolist()
        [3, 1]
    """
    logs = np.log(np.maximum(probabilities, _SMALLEST))
    own = logs[np.arange(len(labels)), labels]
    logs[np.arange(len(labels)), labels] = -np.inf
    margin = own - logs.max(axis=1)
    ranked = np.argsort(margin, kind="stable")[: round(rate * len(labels))]
    # A sample whose own label is the most probable one is not doubtful.
    doubtful: np.ndarray = ranked[margin[ranked] < 0]
    return doubtful
