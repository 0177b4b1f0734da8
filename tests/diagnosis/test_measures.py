import numpy as np
import sklearn.metrics as reference
from hypothesis import given, strategies as st

from lamina.diagnosis.measures import (
    confident_mistakes,
    confusion_matrix,
    most_doubtful,
    most_frequent_confusions,
    per_class,
)

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(labels)
def test_counts_and_fractions_are_scikit_learns(pairs):
    y_true, y_pred = np.array(pairs).T
    confusion = confusion_matrix(y_true, y_pred, classes=4)
    np.testing.assert_array_equal(
        confusion, reference.confusion_matrix(y_true, y_pred, labels=range(4))
    )
    precision, recall, f1, samples = reference.precision_recall_fscore_support(
        y_true, y_pred, labels=range(4), zero_division=0
    )
    found = per_class(confusion, tuple("abcd"))
    np.testing.assert_allclose([c.precision for c in found], precision)
    np.testing.assert_allclose([c.recall for c in found], recall)
    np.testing.assert_allclose([c.f1 for c in found], f1)
    assert [c.samples for c in found] == samples.tolist()


def test_the_most_confident_mistakes_come_first():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    y_true = np.array([1, 0, 0, 0])
    assert confident_mistakes(y_true, probabilities).tolist() == [1, 3, 0]
    assert confident_mistakes(y_true, probabilities, count=1).tolist() == [1]


def test_without_mistakes_there_are_none_to_list():
    assert len(confident_mistakes(np.array([0]), np.array([[1.0, 0.0]]))) == 0
    assert most_frequent_confusions(np.diag([3, 4])) == []


def test_the_most_frequent_confusions_come_first_and_hits_do_not_count():
    confusion = np.array([[90, 1, 7], [0, 50, 2], [3, 0, 60]])
    assert most_frequent_confusions(confusion) == [(0, 2, 7), (2, 0, 3), (1, 2, 2)]


def test_the_most_doubtful_samples_have_the_closest_classes():
    probabilities = np.array([[0.4, 0.35, 0.25], [0.5, 0.5, 0.0], [0.9, 0.05, 0.05]])
    assert most_doubtful(probabilities).tolist() == [1, 0, 2]
    assert most_doubtful(probabilities, 1).tolist() == [1]
