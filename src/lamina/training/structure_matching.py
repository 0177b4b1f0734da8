"""Matches structures given by the user to the inputs or outputs of a model.

The inputs and outputs of a model may be one tensor, or a list, tuple, dict or namedtuple, nested to
any depth. So may the user's structures for them: arrays, targets, sample weights, losses, loss
weights and metrics. `TensorTree` describes the model's structure. `match_level` matches one level
of it, and `match` all levels.

The rules, in this order:

1. A dict or namedtuple is matched by its keys: those of the model's dict, or the tensors' names.
2. A list or tuple with the structure of the model is matched by position.
3. A flat list with one entry for every tensor is matched by position.

JAX sorts the keys of a dict. If the user wrote the model's dict in another order, a list is
ambiguous, and it is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from lamina.core.messages.errors import did_you_mean
from lamina.core.types import PyTree


class TensorTree:
    """A node of the tree of a model's tensors: a tensor, or a structure of tensors.

    Args:
        structure: Tensors, or anything with their structure.
        names: Names of the tensors, in JAX's order of the structure; None for tensors without
            names.
        as_written: The structure, with dicts in the order in which the user wrote them.

    Attributes:
        path: Keys from the root to this node.
        children: By key, in JAX's order; empty for a tensor.
        index: Position of the tensor among all tensors of the model, in JAX's order; None for a
            structure.
        first_index: `index` of the tensor, or of the first tensor in a structure.
        name: Name of the tensor; None if it has none.
    """

    def __init__(
        self, structure: PyTree, names: list[str] | None = None, as_written: PyTree = None
    ):
        self.path: tuple[Any, ...] = ()
        self.children: dict[Any, TensorTree] = {}
        self.index: int | None = None
        self.name: str | None = None
        self.is_keyed = False  # whether the keys are names; otherwise they are positions in a list
        self.is_dict_entry = False  # whether the node is an entry of a dict
        self.is_in_as_written_order = (
            True  # whether the user wrote the keys in the order of `children`
        )
        self.kind: type | None = None  # the type of a structure: list, tuple, dict …
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(structure)]
        if names is None or len(names) != len(paths):
            names = [None] * len(paths)  # type: ignore[list-item]
        for index, (path, name) in enumerate(zip(paths, names, strict=True)):
            node = self
            for step in path:
                node = node._child(step)
            node.index, node.name = index, name
        self._record_order(structure if as_written is None else as_written)

    def _child(self, step: Any) -> "TensorTree":
        util = jax.tree_util
        self.is_keyed = not isinstance(step, (util.SequenceKey, util.FlattenedIndexKey))
        key = getattr(step, "name", None) or getattr(step, "key", getattr(step, "idx", None))
        if key not in self.children:
            child = TensorTree(())
            child.path = (*self.path, key)
            child.is_dict_entry = isinstance(step, util.DictKey)
            self.children[key] = child
        return self.children[key]

    def _record_order(self, as_written: PyTree) -> None:
        self.kind = type(as_written) if self.children else None
        if isinstance(as_written, dict):
            self.is_in_as_written_order = [key for key in as_written if key in self.children] == [
                *self.children
            ]
        for key, child in self.children.items():
            entry = _get_entry(as_written, key)
            if entry is not None:
                child._record_order(entry)

    @property
    def tensors(self) -> list["TensorTree"]:
        """The tensors in this structure."""
        if self.index is not None:
            return [self]
        return [tensor for child in self.children.values() for tensor in child.tensors]

    @property
    def first_index(self) -> int:
        """`index` of the tensor, or of the first tensor in a structure."""
        first = self.tensors[0].index
        assert first is not None
        return first

    @property
    def named_tensors(self) -> dict[str, "TensorTree"]:
        """The tensors in this structure that have a unique name, by name."""
        tensors = self.tensors
        names = [tensor.name for tensor in tensors]
        return {t.name: t for t in tensors if t.name is not None and names.count(t.name) == 1}

    @property
    def has_unambiguous_order(self) -> bool:
        """Whether a flat list of the tensors in this structure is unambiguous."""
        return self.is_in_as_written_order and all(
            child.has_unambiguous_order for child in self.children.values()
        )

    @property
    def has_no_name(self) -> bool:
        """Whether the node is an unnamed tensor in a list."""
        return self.name is None and [*map(type, self.path)] == [int] and not self.is_dict_entry

    @property
    def label(self) -> str:
        """The part before `_loss` in the logs: `a`, or `n/a` for a tensor in the dict entry `n`."""
        if not self.path and self.children:  # all outputs together
            return "_".join(child.label for child in self.children.values())
        path = list(self.path)
        if self.name is not None and not self.is_dict_entry:
            path[-1:] = [self.name]
        if not path or self.has_no_name:
            return "_".join(["output", *map(str, path)])
        return "/".join(map(str, path))

    def fill(self, values: list[Any]) -> PyTree:
        """The structure with a value in place of every tensor, by its index."""
        if self.index is not None:
            return values[self.index]
        filled = {key: child.fill(values) for key, child in self.children.items()}
        if self.kind is not None and hasattr(self.kind, "_fields"):
            return self.kind(**filled)
        if self.is_keyed:
            return filled
        sequence = tuple if self.kind is tuple else list
        return sequence(filled.values())


class StructureError(ValueError):
    """A structure of the user's cannot be matched to that of the model."""


def match_level(
    tree: TensorTree, value: Any, what: str, is_leaf: Callable[[Any], bool]
) -> Iterator[tuple[TensorTree, Any]]:
    """Match one level of a structure: yields pairs of a node and its part, in the user's order.

    Args:
        tree: A structure of tensors (not a single tensor).
        value: A dict, namedtuple, list or tuple.
        what: Name of the argument, for messages.
        is_leaf: Whether a part is a leaf, such as an array, for one tensor.

    Raises:
        StructureError: If the match is ambiguous, or the model lacks a name.
    """
    user_dict = as_named_dict(value)
    if user_dict is not None:
        nodes_by_name: dict[Any, TensorTree] = dict(tree.named_tensors)
        nodes_by_name.update(tree.children if tree.is_keyed else {})
        if all(key in nodes_by_name for key in user_dict):
            pairs = [(nodes_by_name[key], part) for key, part in user_dict.items()]
            indices = [tensor.index for node, _ in pairs for tensor in node.tensors]
            if len(set(indices)) < len(indices):
                raise structure_error(tree, value, what)
            if not tree.is_keyed:
                pairs.sort(key=lambda pair: pair[0].first_index)
            yield from pairs
            return
        if isinstance(value, Mapping):
            if len(user_dict) == len(tree.tensors) == 1 and tree.tensors[0].name is None:
                yield tree.tensors[0], next(iter(user_dict.values()))
                return
            raise _unknown_name(tree, user_dict, what)
        value = tuple(value)  # a namedtuple with other names is used as a tuple
    if not isinstance(value, (list, tuple)):
        raise structure_error(tree, value, what)
    tensors, children = tree.tensors, list(tree.children.items())
    is_flat = len(value) == len(tensors) and all(part is None or is_leaf(part) for part in value)
    is_by_child = not tree.is_keyed and len(value) == 1 + max(tree.children, default=-1)
    if is_flat or is_by_child or (tree.is_keyed and len(value) == len(children)):
        if not (tree.has_unambiguous_order if is_flat else tree.is_in_as_written_order):
            raise _ambiguous_order_error(tree, value, what)
        if is_flat:
            yield from zip(tensors, value, strict=True)
        elif is_by_child:
            yield from ((child, value[key]) for key, child in children)
        else:
            yield from ((child, value[i]) for i, (_, child) in enumerate(children))
        return
    raise structure_error(tree, value, what)


def match(tree: TensorTree, value: Any, what: str, is_leaf: Callable[[Any], bool]) -> list[Any]:
    """The part for each tensor, in the order of `tree.tensors`; None for tensors without a part.

    A structure of a single tensor matches the tensor itself, and the other way round.

    Example:
        >>> tree = TensorTree([1.0, 2.0], names=["b", "a"])
        >>> match(tree, {"a": 10, "b": 20}, "y", lambda part: not isinstance(part, dict))
        [20, 10]
    """
    matched: list[Any] = [None] * len(tree.tensors)

    def assign(node: TensorTree, part: Any) -> None:
        if part is None:
            return
        if node.index is None and not is_leaf(part):
            for child, child_part in match_level(node, part, what, is_leaf):
                assign(child, child_part)
            return
        if node.index is None and len(node.tensors) == 1:
            node = node.tensors[0]
        if node.index is not None and not is_leaf(part):
            part = _only_leaf(node, part, what, is_leaf)
        if node.index is None:
            raise structure_error(node, part, what)
        matched[node.index - tree.first_index] = part

    assign(tree, value)
    return matched


def _only_leaf(node: TensorTree, value: Any, what: str, is_leaf: Callable[[Any], bool]) -> Any:
    """The only leaf in a structure for a single tensor."""
    while not is_leaf(value):
        if isinstance(value, Mapping):
            value = only_entry(node, value, what)
        elif isinstance(value, (list, tuple)) and len(value) == 1:
            (value,) = value
        else:
            raise structure_error(node, value, what)
    return value


def only_entry(node: TensorTree, entries: Mapping[str, Any], what: str) -> PyTree:
    """The only entry of a dict for a single tensor; the key must be the tensor's name."""
    names = [str(name) for name in (node.name, *node.path[-1:]) if name is not None]
    unknown = [key for key in entries if str(key) not in names and node.name is not None]
    if unknown or len(entries) != 1:
        raise _unknown_name(node, dict(entries), what, names)
    return next(iter(entries.values()))


def is_array(part: Any) -> bool:
    """Whether a part of the data is a single array, such as a list of numbers."""
    if part is None or hasattr(part, "shape"):
        return True
    if isinstance(part, Mapping):
        return False
    if isinstance(part, (list, tuple)):
        return bool(part) and not any(_is_part(leaf) for leaf in _flatten(part))
    return True


def _flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _flatten(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _flatten(part)
    else:
        yield value


def _is_part(leaf: Any) -> bool:
    """Whether a leaf is the part for a tensor: an array with axes, or None."""
    return leaf is None or bool(getattr(leaf, "shape", ()))


def leaves(value: Any, is_leaf: Callable[[Any], bool] = is_array) -> list[Any]:
    """All leaves of a structure, in the order in which it was written."""
    if value is None or is_leaf(value):
        return [value]
    children = value.values() if isinstance(value, Mapping) else value
    return [leaf for part in children for leaf in leaves(part, is_leaf)]


def as_named_dict(value: Any) -> dict[str, Any] | None:
    """A dict or namedtuple as a dict; None for a structure without names."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    return None


def _get_entry(structure: PyTree, key: Any) -> Any:
    try:
        return getattr(structure, key) if hasattr(structure, "_fields") else structure[key]
    except (TypeError, KeyError, IndexError, AttributeError):
        return None


def _unknown_name(
    tree: TensorTree, entries: Mapping[str, Any], what: str, known_names: list[str] | None = None
) -> StructureError:
    known_names = known_names or [
        *map(str, tree.children if tree.is_keyed else ()),
        *tree.named_tensors,
    ]
    missing = next((key for key in entries if str(key) not in known_names), next(iter(entries)))
    names = ", ".join(map(repr, dict.fromkeys(known_names))) or "none"
    return StructureError(
        f"{what} has the name {missing!r}, which the model does not have."
        f"{did_you_mean(str(missing), known_names)}\n  Its names: {names}."
    )


def structure_error(tree: TensorTree, value: Any, what: str) -> StructureError:
    """The error for a structure that is neither like the model's nor a flat list."""
    labels = [tensor.name or tensor.label for tensor in tree.tensors]
    received = "a single one"
    if isinstance(value, (list, tuple, Mapping)):
        received = f"a {type(value).__name__} of {len(value)}"
    names = list(tree.named_tensors)
    if tree.is_keyed and all(child.index is not None for child in tree.children.values()):
        names = list(tree.children)
    fixes = []
    if len(names) == len(labels):
        fixes.append(f"{what}={{{', '.join(f'{name!r}: …' for name in names)}}}")
    if tree.has_unambiguous_order or not fixes:
        fixes.append(f"a list of {len(labels)}")
    return StructureError(
        f"{what} must have a part for each of {len(labels)} tensors of the model "
        f"({', '.join(map(repr, labels))}); received {received}.\n  Fix: {', or '.join(fixes)}."
    )


def _ambiguous_order_error(tree: TensorTree, value: Any, what: str) -> StructureError:
    unordered = tree
    while unordered.is_in_as_written_order:
        unordered = next(c for c in unordered.children.values() if not c.has_unambiguous_order)
    keys = [repr(key) for key in unordered.children]
    example = ", ".join(f"{key}: …" for key in keys)
    return StructureError(
        f"{what} is a {type(value).__name__} without names, but the model has a dict whose "
        "keys were not written in alphabetical order, so that a list could mean either order.\n"
        f"  Its keys: {', '.join(keys)}.\n  Fix: {what}={{{example}}}."
    )
