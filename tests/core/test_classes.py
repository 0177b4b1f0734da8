"""Targets that are classes are told from amounts."""

import numpy as np
import pytest

from lamina.core.user_data.classes import class_indices_of


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([2, 0, 2]), [2, 0, 2]),
        (np.array([[1.0], [0.0]]), [1, 0]),
        (np.array([-1, 1, 1]), [-1, 1, 1]),
        (np.array([True, False]), [1, 0]),
        (np.eye(3)[[2, 0]], [2, 0]),
        (np.arange(1000).repeat(2), list(np.arange(1000).repeat(2))),
        (np.arange(50.0).repeat(20), list(np.arange(50).repeat(20))),
    ],
)
def test_whole_numbers_of_few_values_and_one_hot_rows_are_classes(y, classes):
    assert class_indices_of(y).tolist() == classes


@pytest.mark.parametrize(
    "y",
    [
        np.array([0.5, 1.0]),
        np.arange(50.0),
        np.arange(1001).repeat(2),
        np.arange(100),
        np.array([[1, 1], [0, 1]]),
        np.array([np.nan, 1.0]),
        np.array([np.inf, 1.0]),
        np.array(["a", "b"]),
        np.zeros((2, 2, 2)),
        np.zeros(0),
        [0, 1],
    ],
)
def test_amounts_and_several_classes_for_a_sample_are_none(y):
    assert class_indices_of(y) is None
