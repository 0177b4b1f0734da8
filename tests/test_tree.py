"""Nested structures: what Keras does with them, and what is refused."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina import tree
from lamina.core.layer.tracking import TrackedList

pytestmark = pytest.mark.quick

Point = namedtuple("Point", ["x", "y"])
Other = namedtuple("Other", ["x", "y"])

STRUCTURES = [
    1,
    None,
    [],
    [1],
    [1, (2, None), {"b": 3, "a": [4, 5]}],
    {"b": {"d": 1, "c": 2}, "a": ()},
    OrderedDict([("z", 1), ("a", [2])]),
    Point(1, [2, {"k": 3}]),
    deque([1, (2,)], maxlen=3),
    defaultdict(list, {"b": 1, "a": 2}),
]


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_structures_are_flattened_packed_and_mapped_as_in_keras(structure):
    theirs = keras.tree
    assert tree.is_nested(structure) == theirs.is_nested(structure)
    assert tree.flatten(structure) == theirs.flatten(structure)
    assert tree.flatten_with_path(structure) == theirs.flatten_with_path(structure)
    leaves = [f"leaf {i}" for i in range(len(tree.flatten(structure)))]
    for ours, wanted in (
        (tree.pack_sequence_as(structure, leaves), theirs.pack_sequence_as(structure, leaves)),
        (tree.map_structure(str, structure), theirs.map_structure(str, structure)),
        (tree.lists_to_tuples(structure), theirs.lists_to_tuples(structure)),
    ):
        assert ours == wanted
        assert type(ours) is type(wanted)


@pytest.mark.parametrize("top_down", [True, False])
def test_traverse_visits_in_the_order_of_keras_and_replaces(top_down):
    def visit(library, seen):
        def f(part):
            seen.append(part)
            if part == (1, 2):
                return "a pair"
            return library.MAP_TO_NONE if part == 4 else None

        return library.traverse(f, [(1, 2), [3], {"a": 4}], top_down=top_down)

    ours, theirs = [], []
    assert visit(tree, ours) == visit(keras.tree, theirs) == ["a pair", [3], {"a": None}]
    assert ours == theirs


def test_shapes_are_leaves_of_map_shape_structure():
    shapes = {"x": (None, 3), "y": [(2,), [4, None]]}
    assert tree.map_shape_structure(tuple, shapes) == keras.tree.map_shape_structure(tuple, shapes)


def test_several_structures_are_mapped_together():
    a, b = {"x": [1, 2], "y": 3}, {"y": 30, "x": [10, 20]}
    assert tree.map_structure(lambda m, n: m + n, a, b) == {"x": [11, 22], "y": 33}
    assert tree.map_structure(lambda x: 0, [None, 1], none_is_leaf=False) == [None, 0]
    assert tree.map_structure_up_to([None, [None, None]], str, [[1, 1], [2, 2]]) == [
        "[1, 1]",
        ["2", "2"],
    ]


def test_a_list_that_a_layer_tracks_is_a_list():
    owner = type("Owner", (), {"_register": lambda s, v: None, "_untrack": lambda s, v: None})()
    assert tree.map_structure(lambda x: x + 1, TrackedList([1, 2], owner)) == [2, 3]


@pytest.mark.parametrize(
    ("a", "b"),
    [([1], (1,)), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (1, [1]), (Point(1, 2), Other(1, 2))],
    ids=str,
)
def test_structures_of_another_form_are_refused(a, b):
    with pytest.raises(ValueError, match="don't have the same form"):
        tree.assert_same_structure(a, b)
    with pytest.raises(ValueError, match="don't have the same form"):
        tree.map_structure(lambda x, y: x, a, b)


def test_what_is_not_of_one_form_may_have_the_same_paths():
    tree.assert_same_paths([1, (2, 3)], (4, [5, 6]))
    tree.assert_same_structure({"a": 1}, OrderedDict(a=2))
    with pytest.raises(ValueError, match=r"Only in the second: \[\(1, 0\)\]"):
        tree.assert_same_paths([1, 2], [1, [2]])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="has 2 leaves; received 1"):
        tree.pack_sequence_as([0, 0], [1])
    with pytest.raises(TypeError, match="needs a list of leaves"):
        tree.pack_sequence_as([0], 1)
    with pytest.raises(TypeError, match="needs a function"):
        tree.map_structure(3, [1])
    with pytest.raises(TypeError, match="needs a function"):
        tree.traverse(3, [1])
    with pytest.raises(ValueError, match="at least one structure"):
        tree.map_structure(str)
    with pytest.warns(DeprecationWarning, match="no effect"):
        tree.assert_same_structure([1], [2], check_types=True)


NESTED = st.recursive(
    st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(NESTED)
def test_packing_what_was_flattened_gives_the_same_again(structure):
    assert tree.pack_sequence_as(structure, tree.flatten(structure)) == structure
    assert tree.flatten(structure) == keras.tree.flatten(structure)


def test_arrays_are_leaves():
    x = np.ones((2, 2))
    assert tree.flatten({"a": x})[0] is x
