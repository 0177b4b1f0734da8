"""Validation samples that are in the training data, too."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lamina.diagnosis import find_duplicates
from lamina.diagnosis.data_checks.duplicates import check_duplicates
from lamina.diagnosis.experiments.setup import Samples
from lamina.findings import Record


def found(x, x_val, **record):
    return list(check_duplicates(Record("net", **record), Samples(x, None), Samples(x_val, None)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(50, 120), st.integers(2, 30))
def test_planted_rows_are_all_found_and_no_others(seed, columns, count, planted):
    rng = np.random.default_rng(seed)
    x, x_val = rng.normal(size=(200, columns)), rng.normal(size=(count, columns))
    assert find_duplicates(x, x_val).tolist() == []
    rows = np.sort(rng.permutation(count)[:planted])
    x_val[rows] = x[rng.permutation(200)[:planted]]
    assert find_duplicates(x, x_val).tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("x", "x_val"),
    [
        (["a b", "c"], ["d", "c"]),
        (np.array([["a", 1], ["b", 2]], object), np.array([["b", 1], ["b", 2]], object)),
        ({"p": np.arange(4), "q": np.arange(4)}, {"p": np.array([1, 2]), "q": np.array([3, 2])}),
        (np.array([[1, 2], [3, 0]], "int64"), np.array([[3.0, 2.0], [3.0, -0.0]], "float32")),
    ],
    ids=["texts", "objects", "several inputs", "another dtype"],
)  # fmt: skip
def test_the_second_sample_is_the_copy(x, x_val):
    assert find_duplicates(x, x_val).tolist() == [1]


def test_inputs_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"x with \(3,\) per sample, x_val with \(4,\)"):
        find_duplicates(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_a_finding_says_how_many_validation_samples_are_copies(rng, share):
    x, x_val = rng.normal(size=(800, 5)), rng.normal(size=(200, 5))
    rows = rng.permutation(200)[: int(200 * share)]
    x_val[rows] = x[: len(rows)]
    [finding] = found(x, x_val)
    assert (finding.code, finding.severity) == ("leak-between-sets", "problem")
    assert finding.evidence["validation samples with a copy"] == pytest.approx(share)


def test_the_printed_fix_drops_the_copies(rng):
    x, x_val = rng.normal(size=(300, 3)), rng.normal(size=(100, 3))
    x_val[40:] = x[:60]
    names = {"x": x, "x_val": x_val, "y_val": np.arange(100)}
    exec("import numpy, lamina.diagnosis; " + found(x, x_val)[0].fix.rstrip("."), names)
    assert names["y_val"].tolist() == list(range(40))


def test_the_printed_fix_of_a_validation_split_drops_them_from_the_end(rng):
    x = rng.normal(size=(400, 3))
    x[320:360] = x[:40]
    names = {"x": x, "y": np.arange(400)}
    [finding] = found(x[:320], x[320:], validation_split=0.2)
    exec("import numpy, lamina.diagnosis; " + finding.fix.rstrip("."), names)
    assert names["y"].tolist() == [*range(320), *range(360, 400)]


def test_rows_that_repeat_by_chance_are_no_leak(rng):
    x = rng.integers(0, 4, (900, 4))  # 256 different rows
    assert found(x[:700], x[700:]) == []


def test_samples_repeated_everywhere_are_no_leak():
    x = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), (50, 1))
    assert found(x[:120], x[120:]) == []


def test_four_samples_that_are_all_there_are_are_no_leak():
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert found(x, x) == []


def test_copies_are_found_beside_samples_that_repeat_by_themselves(rng):
    """A tenth of the samples are a few that everybody has, which hides copies of the others."""

    def drawn(count):
        common = rng.integers(0, 20, size=(count, 1)) * np.ones((1, 3))
        return np.where(rng.random((count, 1)) < 0.1, common, rng.normal(size=(count, 3)))

    x, x_val = drawn(3000), drawn(1000)
    assert found(x, x_val) == []
    x_val[:25] = x[:25]
    [finding] = found(x, x_val)
    assert finding.evidence["copies found"] < 150
