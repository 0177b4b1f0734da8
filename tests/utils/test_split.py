import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from lamina.utils import split_dataset

pytestmark = pytest.mark.quick


@given(
    st.integers(2, 60),
    st.one_of(st.none(), st.integers(1, 60), st.floats(0.05, 0.95)),
    st.one_of(st.none(), st.integers(1, 60), st.floats(0.05, 0.95)),
    st.booleans(),
)
def test_the_parts_never_overlap_and_have_the_sizes_asked_for(total, left, right, shuffle):
    x = np.arange(total)
    try:
        a, b = split_dataset(x, left, right, shuffle=shuffle, seed=1)
    except ValueError:
        return
    assert len(set(a) & set(b)) == 0
    for part, size in ((a, left), (b, right)):
        if size is not None:
            assert len(part) == (size if isinstance(size, int) else round(size * total))
    if left is None or right is None:
        assert len(a) + len(b) == total


def test_the_right_part_is_taken_from_the_end():
    left, right = split_dataset(np.arange(10), left_size=2, right_size=3)
    assert left.tolist() == [0, 1]
    assert right.tolist() == [7, 8, 9]


@pytest.mark.parametrize("kind", [tuple, list])
def test_images_and_labels_stay_together(kind):
    x = np.arange(20)
    left, right = split_dataset(kind([x, x * 10]), left_size=0.7, shuffle=True, seed=3)
    assert type(left) is type(right) is kind
    np.testing.assert_array_equal(left[0] * 10, left[1])
    assert sorted([*left[0], *right[0]]) == x.tolist()


def test_a_dictionary_gives_dictionaries():
    left, right = split_dataset({"a": np.arange(4), "b": np.arange(4)}, right_size=1)
    assert left["b"].tolist() == [0, 1, 2]
    assert right["a"].tolist() == [3]


def test_a_seed_gives_the_order_that_keras_gives():
    order = list(range(10))
    random.Random(5).shuffle(order)  # what Keras does to its list of samples
    left, right = split_dataset(np.arange(10), left_size=6, shuffle=True, seed=5)
    assert [*left, *right] == order


def test_without_a_seed_the_global_one_counts():
    draws = []
    for _ in range(2):
        random.seed(4)
        draws.append(split_dataset(np.arange(50), 0.5, shuffle=True)[0].tolist())
    assert draws[0] == draws[1]
    assert split_dataset(np.arange(50), 0.5, shuffle=True)[0].tolist() != draws[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs left_size or right_size"),
        ({"left_size": 0}, "received 0"),
        ({"left_size": 10}, "from 1 to 9"),
        ({"right_size": 1.5}, r"received 1\.5"),
        ({"left_size": 8, "right_size": 3}, "together take 11 samples, and there are 10"),
        ({"left_size": 0.01}, "would leave 0 on the left"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        split_dataset(np.arange(10), **arguments)


def test_a_size_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="must be an int or a float; received 'half'"):
        split_dataset(np.arange(10), left_size="half")


@pytest.mark.parametrize("data", [[1, 2, 3], iter([1]), (), "text", np.array(1)])
def test_what_cannot_be_split_is_named(data):
    with pytest.raises(TypeError, match="needs an array, or a tuple"):
        split_dataset(data, left_size=0.5)


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"lengths \[3, 4\]"):
        split_dataset((np.arange(3), np.arange(4)), left_size=0.5)


def test_a_dataset_is_split_between_its_elements():
    from lamina.data import Dataset

    dataset = Dataset.from_tensor_slices(np.arange(10))
    left, right = split_dataset(dataset, left_size=0.7)
    assert ([int(x) for x in left], [int(x) for x in right]) == (list(range(7)), [7, 8, 9])
    left, right = split_dataset(dataset, right_size=4, shuffle=True, seed=3)
    together = [int(x) for x in left] + [int(x) for x in right]
    assert sorted(together) == list(range(10))
    assert together != list(range(10))
    with pytest.raises(TypeError, match="never ends"):
        split_dataset(dataset.repeat(), left_size=0.5)


def test_rows_of_tables_are_taken_by_position():
    table = pd.DataFrame({"a": [0.5, 1.5, 2.5, 3.5]}, index=[3.0, 2.0, 1.0, 0.0])
    for shuffle in (False, True):
        (x, y), (x_rest, _) = split_dataset(
            (table, table["a"].to_numpy()), left_size=3, shuffle=shuffle, seed=1
        )
        assert x["a"].tolist() == y.tolist()
        assert len(x_rest) == 1
    left, _ = split_dataset(dict(table), left_size=2)
    assert left["a"].tolist() == [0.5, 1.5]
