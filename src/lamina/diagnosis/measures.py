"""Measures of a classifier's answers in NumPy: confusions, precision, recall, doubtful samples."""

from typing import NamedTuple

import numpy as np


class ClassMeasures(NamedTuple):
    """Measures of one class.

    Args:
        name: Name of the class.
        samples: Number of samples of the class.
        precision: Fraction of the samples predicted as this class that belong to it.
        recall: Fraction of the samples of this class that are predicted as it.
        predicted: Number of samples predicted as this class.
    """

    name: str
    samples: int
    precision: float
    recall: float
    predicted: int = 0

    @property
    def missed(self) -> int:
        """Number of samples of the class that were predicted as another (false negatives)."""
        return round(self.samples * (1 - self.recall))

    @property
    def false_alarms(self) -> int:
        """Number of samples of other classes that were predicted as this one (false positives)."""
        true_positives = self.samples - self.missed
        return self.predicted - true_positives

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix: counts of samples by true class and predicted class.

    Args:
        y_true: Class indices, `(samples,)`.
        y_pred: Class indices, `(samples,)`.
        classes: Number of classes.

    Returns:
        Counts, `(true class, predicted class)`.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), classes=2).tolist()
        [[1, 0], [1, 1]]
    """
    cells = np.asarray(y_true, dtype="int64") * classes + np.asarray(y_pred, dtype="int64")
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def per_class(confusion: np.ndarray, class_names: tuple[str, ...]) -> list[ClassMeasures]:
    """Precision and recall of every class; 0 if there are no such samples or predictions."""
    columns = (confusion.sum(axis=1), np.diag(confusion), confusion.sum(axis=0))
    return [
        ClassMeasures(
            name,
            samples=int(samples),
            precision=_fraction(correct, predicted),
            recall=_fraction(correct, samples),
            predicted=int(predicted),
        )
        for name, samples, correct, predicted in zip(class_names, *columns, strict=True)
    ]


def confident_mistakes(
    y_true: np.ndarray, probabilities: np.ndarray, count: int = 20
) -> np.ndarray:
    """Indices of the wrong predictions with the highest probability, worst first.

    Args:
        y_true: Class indices, `(samples,)`.
        probabilities: `(samples, classes)`.
        count: Number of indices, at most.

    Example:
        >>> confident_mistakes(np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]])).tolist()
        [1]
    """
    y_pred = probabilities.argmax(axis=1)
    mistakes = np.flatnonzero(y_pred != np.asarray(y_true))
    probability = probabilities[mistakes, y_pred[mistakes]]
    return mistakes[np.argsort(-probability, kind="stable")][:count]


def most_doubtful(probabilities: np.ndarray, count: int = 20) -> np.ndarray:
    """Indices of the samples whose two likeliest classes are closest, the closest first.

    Args:
        probabilities: `(samples, classes)`.
        count: Number of indices, at most.

    Source: Scheffer, Decomain and Wrobel, 2001, "Active Hidden Markov Models for Information
    Extraction", Advances in Intelligent Data Analysis, which calls the difference the margin.

    Example:
        >>> most_doubtful(np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8]]), 2).tolist()
        [1, 2]
    """
    highest = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.argsort(highest[:, 1] - highest[:, 0], kind="stable")[:count]


def most_frequent_confusions(confusion: np.ndarray, count: int = 3) -> list[tuple[int, int, int]]:
    """The most frequent mistakes as `(true class, predicted class, count)`.

    Example:
        >>> most_frequent_confusions(np.array([[5, 2], [1, 4]]))
        [(0, 1, 2), (1, 0, 1)]
    """
    mistakes = confusion.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    cells = [divmod(int(cell), len(mistakes)) for cell in order]
    return [(i, j, int(mistakes[i, j])) for i, j in cells if mistakes[i, j]]


def _fraction(count: int, total: int) -> float:
    return float(count / total) if total else 0.0
