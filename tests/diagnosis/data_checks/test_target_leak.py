"""A column that alone tells the target."""

import numpy as np
import pytest

from lamina.diagnosis.data_checks.target_leak import check_target_leak
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import Samples

COUNT = 600


def found(x, y, task):
    def part(rows):
        if isinstance(x, dict):
            return Samples({name: column[rows] for name, column in x.items()}, y[rows])
        return Samples(x[rows], y[rows])

    return list(check_target_leak(task, part(slice(None, 400)), part(slice(400, None))))


@pytest.fixture
def table(rng):
    """Five columns, two classes that depend on two of them, and a number that does."""
    x = rng.normal(size=(COUNT, 5))
    signal = x[:, 0] + x[:, 1] + rng.normal(size=COUNT)
    return x, (signal > 0).astype(int), signal


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_a_column_made_from_the_class_is_a_leak(table, rng, spread):
    x, y, _ = table
    x[:, 3] = 5 - 3 * y + rng.normal(0, spread, COUNT)
    [finding] = found(x, y, Task("classes", 2))
    assert (finding.code, finding.severity) == ("target-leak", "warning")
    assert finding.where == "column 3 of x"


@pytest.mark.parametrize("made", [lambda y: 2 * y + 1, np.exp, lambda y: -(y**3)])
def test_a_column_made_from_a_number_is_a_leak(table, made):
    x, _, y = table
    x[:, 2] = made(y)
    assert [finding.where for finding in found(x, y, Task("numbers"))] == ["column 2 of x"]


def test_the_column_of_a_dict_is_named(table):
    x, y, _ = table
    columns = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "answer": y.astype(float)}
    [finding] = found(columns, np.eye(2)[y], Task("classes", 2))
    assert finding.where == "'answer'"
    assert "x.pop('answer')" in finding.fix


def test_there_is_none_in_a_table_without_such_a_column(table):
    x, y, number = table
    assert found(x, y, Task("classes", 2)) == []
    assert found(x, number, Task("numbers")) == []


def test_a_good_column_beside_others_as_good_is_no_leak(rng):
    length = rng.normal(size=COUNT)
    x = np.stack([length + rng.normal(0, 0.02, COUNT) for _ in range(4)], axis=1)
    assert found(x, length, Task("numbers")) == []
    assert found(x, (length > 0).astype(int), Task("classes", 2)) == []


def test_tables_of_two_columns_are_not_checked(rng):
    x = rng.normal(size=(COUNT, 2))
    assert found(x, (x[:, 0] > 0).astype(int), Task("classes", 2)) == []


def test_in_toy_data_whose_other_columns_say_nothing_it_is_a_hint(rng):
    x = rng.normal(size=(COUNT, 4))
    [finding] = found(x, (x[:, 0] > 0).astype(int), Task("classes", 2))
    assert finding.severity == "hint"


def test_pictures_are_not_checked(rng):
    y = rng.integers(0, 2, COUNT)
    assert found(np.zeros((COUNT, 4, 4)) + y[:, None, None], y, Task("classes", 2)) == []
