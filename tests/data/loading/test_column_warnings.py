"""Columns that are not what they seem, and that nothing is said of those that are."""

import numpy as np
import pytest

from lamina.data.loading.column_warnings import missing_value_code, mixed_units, predicts_target


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([*range(80), *[-999] * 3], "-999 occurs 3 times"),
        ([*range(12), *[99] * 5, None], "99 occurs 5 times"),
        ([*range(80), -999], None),
        ([*range(120), *[99] * 5], None),
        ([*range(80), *[-1] * 9], None),
        ([], None),
    ],
)
def test_a_number_far_from_all_others_may_stand_for_what_is_missing(numbers, said):
    found = missing_value_code(np.array(numbers, dtype=float))
    assert found is None if said is None else found.startswith(said)


@pytest.mark.parametrize("texts", [["$5", "7", "$8"], ["5%", "7%"], ["5", "7"], []])
def test_one_unit_is_no_reason_for_doubt(texts):
    assert mixed_units(texts) is None


def said(values, target):
    is_number = target.dtype.kind == "f"
    return predicts_target(values, target, "code", "kind", is_number)


def test_a_column_that_tells_the_target_is_named(rng):
    amounts, kinds = rng.normal(size=200), rng.integers(0, 3, 200)
    codes = np.array(["x", "y", "z"], dtype=object)[kinds]
    codes[::150] = "x"
    for values, target in (
        (amounts * 100 + rng.normal(size=200), amounts),
        (codes, kinds),
        (kinds * 10 + rng.random(200), kinds),
        (codes, kinds * 10.0),
    ):
        (line,) = said(values, target)
        assert line.startswith("alone it predicts 'kind'")
        assert "drop=['code']" in line


def test_a_good_column_is_not_taken_for_the_target(rng):
    amounts, kinds = rng.normal(size=200), rng.integers(0, 3, 200)
    for values, target in (
        (amounts + rng.normal(0, 0.2, 200), amounts),
        (kinds + rng.normal(0, 0.5, 200), kinds),
        (np.array(list("abcde"), dtype=object)[rng.integers(0, 5, 200)], kinds),
        (rng.normal(size=200), (np.arange(200) == 7).astype(int)),
        (rng.integers(0, 2, 200) * 1.0, kinds),
        (np.array([f"name {i}" for i in range(200)], dtype=object), kinds),
        (np.full(200, np.nan), kinds),
    ):
        assert said(values, target) == []
