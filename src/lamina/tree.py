"""Nested structures: lists, tuples, named tuples and dicts, flattened and mapped.

Dicts are traversed in sorted order of their keys, an `OrderedDict` in its own order. Everything
else, including None, is a leaf.
"""

import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from lamina.core.messages.errors import stacklevel_of_user, suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import PyTree

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


class MAP_TO_NONE:
    """The value that a function returns to `traverse` to replace a part by None."""


@filter_traceback
def is_nested(structure: PyTree) -> bool:
    """True for a list, tuple, named tuple, deque or dict.

    Args:
        structure: Anything.

    Returns:
        True or False.

    Example:
        >>> is_nested([1]), is_nested(1), is_nested(None)
        (True, False, False)
    """
    return _node(structure) is not None


@filter_traceback
def flatten(structure: PyTree) -> list:
    """The leaves of a structure as a list.

    Args:
        structure: Nested lists, tuples and dicts; dicts are traversed in sorted order of keys.

    Returns:
        A list.

    Example:
        >>> flatten({"b": [1, (2, None)], "a": 3})
        [3, 1, 2, None]
    """
    return [leaf for _, leaf in flatten_with_path(structure)]


@filter_traceback
def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """The leaves of a structure with their paths.

    Args:
        structure: Nested lists, tuples and dicts.

    Returns:
        Pairs `(path, leaf)`; a path is a tuple of indices and keys.

    Example:
        >>> flatten_with_path([{"a": 1}, (2,)])
        [((0, 'a'), 1), ((1, 0), 2)]
    """
    node = _node(structure)
    if node is None:
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key, child in zip(node.keys, node.children, strict=True)
        for path, leaf in flatten_with_path(child)
    ]


@filter_traceback
def pack_sequence_as(structure: Any, flat_sequence: Sequence) -> Any:
    """The inverse of `flatten`: put a list of leaves into a structure.

    Args:
        structure: The structure; its leaves are ignored.
        flat_sequence: The new leaves, in the order of `flatten`.

    Returns:
        The structure with the new leaves.

    Raises:
        ValueError: If there are too few leaves or too many.

    Example:
        >>> pack_sequence_as({"b": [0, 0], "a": 0}, [1, 2, 3])
        {'b': [2, 3], 'a': 1}
    """
    if not isinstance(flat_sequence, Iterable):
        raise TypeError(f"pack_sequence_as needs a list of leaves; received {flat_sequence!r}.")
    leaves = list(flat_sequence)
    leaf_count = len(flatten(structure))
    if len(leaves) != leaf_count:
        raise ValueError(
            f"The structure has {leaf_count} leaves; received {len(leaves)} to fill it."
        )
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)


@filter_traceback
def map_structure(func: Callable, *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply a function to every leaf, or to the corresponding leaves of several structures.

    Args:
        func: Function with one argument per structure.
        *structures: Structures of the same form.
        none_is_leaf: Whether the function is called with None as well; otherwise None stays None.

    Returns:
        The results, in the form of the first structure.

    Raises:
        ValueError: If the structures differ in form.

    Example:
        >>> map_structure(lambda x, y: x + y, [1, (2,)], [10, (20,)])
        [11, (22,)]
    """
    _check_mappable("map_structure", func, structures)
    for other in structures[1:]:
        assert_same_structure(structures[0], other)

    def apply(*parts: Any) -> PyTree:
        if not none_is_leaf and parts[0] is None:
            return None
        return func(*parts)

    return _map(structures[0], apply, structures)


@filter_traceback
def map_structure_up_to(shallow_structure: Any, func: Callable, *structures: Any) -> Any:
    """Apply a function to the substructures at the leaves of a shallower structure.

    Args:
        shallow_structure: The structure whose leaves define the substructures.
        func: Function with one argument per structure.
        *structures: Structures that have the form of the shallow one down to its leaves.

    Returns:
        The results, in the form of the shallow structure.

    Raises:
        ValueError: If the form of a structure differs from the shallow one.

    Example:
        >>> map_structure_up_to([None, None], len, [[1, 2], [3]])
        [2, 1]
    """
    _check_mappable("map_structure_up_to", func, structures)
    return _map(shallow_structure, func, structures)


@filter_traceback
def map_shape_structure(func: Callable, structure: Any) -> Any:
    """Apply a function to every shape in a structure; a shape, such as `(None, 3)`, is one leaf.

    Args:
        func: Function of a shape.
        structure: A shape, or a structure of shapes.

    Returns:
        A structure of the results.

    Example:
        >>> map_shape_structure(len, {"x": (None, 3), "y": (2,)})
        {'x': 2, 'y': 1}
    """
    node = None if _is_shape(structure) else _node(structure)
    if node is None:
        return func(structure)
    return node.rebuild([map_shape_structure(func, child) for child in node.children])


@filter_traceback
def traverse(func: Callable, structure: Any, top_down: bool = True) -> Any:
    """Visit every container and leaf of a structure, and replace it by the result of a function.

    Args:
        func: Function of a container or leaf. If it returns None, the container or leaf is kept,
            and with `top_down` its children are visited; `MAP_TO_NONE` replaces it by None.
        structure: Any structure.
        top_down: Whether containers are visited before their children.

    Returns:
        The structure with the replacements.

    Example:
        >>> traverse(lambda part: sum(part) if isinstance(part, tuple) else None, [(1, 2), 3])
        [3, 3]
    """
    if not callable(func):
        raise TypeError(f"traverse needs a function; received {func!r}.")

    def map_children(part: Any) -> PyTree:
        node = _node(part)
        if node is None:
            return part
        return node.rebuild([traverse(func, child, top_down) for child in node.children])

    if not top_down:
        structure = map_children(structure)
    result = func(structure)
    if result is None:
        return map_children(structure) if top_down else structure
    return None if result is MAP_TO_NONE else result


@filter_traceback
def lists_to_tuples(structure: Any) -> Any:
    """Replace every list in a structure by a tuple.

    Args:
        structure: Nested lists, tuples and dicts.

    Returns:
        The structure.

    Example:
        >>> lists_to_tuples([1, [2]])
        (1, (2,))
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


@filter_traceback
def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise an error if two structures differ in containers, keys or lengths.

    All kinds of dict count as the same container; lists, tuples and each named tuple do not.

    Args:
        a, b: Structures.
        check_types: Has no effect, as in Keras; see `assert_same_paths`.

    Raises:
        ValueError: If they differ.

    Example:
        >>> assert_same_structure([1, (2, 3)], ["a", ("b", "c")])
    """
    if check_types is not None:
        warnings.warn(
            "check_types has no effect; assert_same_paths() is the looser check.",
            DeprecationWarning,
            stacklevel=stacklevel_of_user(),
        )
    node_a, node_b = _node(a), _node(b)
    kinds = [None if node is None else node.kind for node in (node_a, node_b)]
    if kinds[0] is not kinds[1]:
        names = ["a leaf" if kind is None else f"a {kind.__name__}" for kind in kinds]
        raise ValueError(
            f"The structures don't have the same form: one has {names[0]}, the other {names[1]}.\n"
            f"  First: {_shorten(a)}\n  Second: {_shorten(b)}"
        )
    if node_a is None or node_b is None:
        return
    if node_a.keys != node_b.keys:
        raise ValueError(
            "The two structures don't have the same form: their keys or lengths differ.\n"
            f"  First: {_shorten(a)}\n  Second: {_shorten(b)}"
        )
    for child, other_child in zip(node_a.children, node_b.children, strict=True):
        assert_same_structure(child, other_child)


@filter_traceback
def assert_same_paths(a: Any, b: Any) -> None:
    """Raise an error if the leaves of two structures have different paths; containers may differ.

    Args:
        a: A structure.
        b: Another structure.

    Raises:
        ValueError: If they differ; the message lists the paths that only one has.

    Example:
        >>> assert_same_paths([1, 2], (3, 4))
    """
    first, second = ({path for path, _ in flatten_with_path(x)} for x in (a, b))
    if first != second:
        raise ValueError(
            "The two structures don't have the same paths.\n"
            f"  Only in the first: {sorted(first - second, key=str)}\n"
            f"  Only in the second: {sorted(second - first, key=str)}"
        )


class _Node(NamedTuple):
    """A container: its type, keys and children, and a function that makes one of new children."""

    kind: type
    keys: list
    children: list
    rebuild: Callable[[list], Any]


def _node(x: Any) -> _Node | None:
    if isinstance(x, dict):
        keys = list(x)
        if not isinstance(x, OrderedDict):
            try:
                keys = sorted(keys)
            except TypeError:
                pass  # keys that cannot be compared keep their order
        return _Node(dict, keys, [x[key] for key in keys], lambda new: _dict_like(x, keys, new))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        kind: type = type(x)
        return _Node(kind, list(range(len(x))), list(x), lambda new: kind(*new))
    if isinstance(x, deque):
        return _Node(deque, list(range(len(x))), list(x), lambda new: deque(new, x.maxlen))
    if isinstance(x, (list, tuple)):
        kind = list if isinstance(x, list) else tuple
        return _Node(kind, list(range(len(x))), list(x), kind)
    return None


def _dict_like(x: dict, keys: list, values: list) -> dict:
    result = dict(zip(keys, values, strict=True))
    in_order = {key: result[key] for key in x}
    if isinstance(x, defaultdict):
        return defaultdict(x.default_factory, in_order)
    return OrderedDict(in_order) if isinstance(x, OrderedDict) else in_order


def _map(template: Any, func: Callable, structures: tuple) -> PyTree:
    node = _node(template)
    if node is None:
        return func(*structures)
    nodes = [_node(structure) for structure in structures]
    for structure, other in zip(structures, nodes, strict=True):
        if other is None or other.kind is not node.kind or other.keys != node.keys:
            raise ValueError(
                "The structures don't have the same form.\n"
                f"  First: {_shorten(template)}\n  Another: {_shorten(structure)}"
            )
    rows = zip(*(other.children for other in nodes if other is not None), strict=True)
    pairs = zip(node.children, rows, strict=True)
    return node.rebuild([_map(child, func, row) for child, row in pairs])


def _check_mappable(caller: str, func: Any, structures: tuple) -> None:
    if not callable(func):
        raise TypeError(f"{caller} needs a function; received {func!r}.")
    if not structures:
        raise ValueError(f"{caller} needs at least one structure.")


def _is_shape(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and all(e is None or isinstance(e, int) for e in x)


def _shorten(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 200 else f"{text[:199]}…"


suggest_similar_names(__name__)
