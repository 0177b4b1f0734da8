"""Rows in three parts: complete, disjoint, of the wanted sizes, the same every time."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina.data.loading.splits import split_rows


@given(
    rows=st.integers(0, 200),
    how=st.sampled_from(["random", "stratified", "tail"]),
    validation=st.floats(0, 0.45),
    test=st.floats(0, 0.45),
    seed=st.integers(0, 5),
)
def test_every_row_is_in_one_part_and_the_same_one_every_time(rows, how, validation, test, seed):
    labels = np.arange(rows) % 3
    split = split_rows(rows, how, validation, test, seed, labels)
    again = split_rows(rows, how, validation, test, seed, labels)
    assert sorted(np.concatenate(split[1:]).tolist()) == list(range(rows))
    for one, other in zip(split[1:], again[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_stratified_split_keeps_the_mix_of_classes():
    labels = np.repeat([0, 1], [900, 100])
    split = split_rows(1000, "stratified", 0.2, 0.1, labels=labels)
    assert [np.bincount(labels[rows]).tolist() for rows in split[1:]] == [
        [630, 70],
        [180, 20],
        [90, 10],
    ]


def test_the_tail_is_the_test_part_and_what_is_before_it_validates():
    split = split_rows(10, "tail", 0.3, 0.2)
    assert split.val.tolist() == [5, 6, 7]
    assert split.test.tolist() == [8, 9]


@pytest.mark.parametrize("how", ["random", "group", "stratified"])
def test_rows_that_belong_together_are_in_one_part(how):
    together = np.random.default_rng(0).integers(0, 30, 200)
    split = split_rows(200, how, 0.2, 0.2, labels=together % 2, groups=together)
    parts = [set(together[rows].tolist()) for rows in split[1:]]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert len(split.test) > 20


def test_another_seed_is_another_split():
    assert split_rows(50, "random", 0.2, 0.2, 1).test.tolist() != (
        split_rows(50, "random", 0.2, 0.2, 2).test.tolist()
    )


def test_classes_of_a_few_rows_are_held_out_in_turn_rather_than_not_at_all():
    labels = np.arange(60) % 20
    split = split_rows(60, "stratified", 0.15, 0.15, labels=labels)
    assert split.sizes() == {"train": 42, "val": 9, "test": 9}
    assert set(labels[split.train].tolist()) == set(range(20))
