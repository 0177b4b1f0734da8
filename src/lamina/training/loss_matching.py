"""Matches the losses, loss weights and metrics given to `compile` to the outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np

from lamina.training.structure_matching import (
    StructureError,
    TensorTree,
    by_name,
    entry_of,
    leaves,
    match,
    parts,
)


def identifiers(given: Any) -> list[Any]:
    """Every loss or metric in a structure of them: names, functions, objects, configs."""
    return [one for one in leaves(given, _is_identifier) if one is not None]


def losses_by_output(
    tree: TensorTree, loss: Any, loss_weights: Any
) -> list[tuple[TensorTree, Any, float]]:
    """Triples of an output (or group of outputs), a loss and its weight.

    Args:
        tree: The outputs.
        loss: One for each output, or a structure of them; several for one output are added.
        loss_weights: One for all, one for each output, or a structure like that of the losses.
    """
    found = list(_losses_by_output(tree, loss, for_each=True))
    if loss_weights is None or _is_identifier(loss_weights):
        return [(node, one, _factor(loss_weights)) for node, one in found]
    try:
        of_output = match(tree, loss_weights, "loss_weights", _is_identifier)
        return [(node, one, _factor(of_output[node.number])) for node, one in found]
    except StructureError:
        beside = _beside(loss, loss_weights)
        if beside is not None:
            pairs = _losses_by_output(tree, beside)
            return [(node, pair.loss, _factor(pair.weight)) for node, pair in pairs]
        flat = isinstance(loss_weights, (list, tuple)) and all(map(_is_identifier, loss_weights))
        if not flat or len(loss_weights) != len(found) or not tree.has_one_order:
            raise
        # In the order of the outputs, whichever way the dict of losses was written.
        order = sorted(range(len(found)), key=lambda i: found[i][0].number)
        factor = dict(zip(order, map(_factor, loss_weights), strict=True))
        return [(node, one, factor[i]) for i, (node, one) in enumerate(found)]


def metrics_by_output(tree: TensorTree, given: Any, what: str) -> list[list[Any]]:
    """A list of metrics for each output.

    Args:
        tree: The outputs.
        given: One or several metrics for all outputs, a structure of them, or None.
        what: Name of the argument, for messages.
    """
    found: list[list[Any]] = [[] for _ in tree.tensors]

    def put(node: TensorTree, part: Any) -> None:
        if _is_identifier(part) or not identifiers(part):
            for tensor in node.tensors:
                found[tensor.number] += identifiers(part)
        elif len(node.tensors) == 1 and not isinstance(part, Mapping):
            found[node.number] += identifiers(part)
        elif node.index is not None:
            put(node, entry_of(node, part, what))
        else:
            for child, of_child in parts(node, part, what, _is_identifier):
                put(child, of_child)

    plain = isinstance(given, (list, tuple)) and all(map(_is_identifier, given))
    try:
        put(tree, given)
    except StructureError:
        if not plain or len(given) == len(found):
            raise
        for one in given:  # several for every output
            put(tree, one)
    return found


@dataclass(frozen=True)
class _Weighted:
    loss: Any
    weight: Any


def _is_identifier(given: Any) -> bool:
    """Whether it is a single loss, metric or factor, rather than a structure of them."""
    if isinstance(given, Mapping):
        return "class_name" in given
    return not isinstance(given, (list, tuple))


def _factor(weight: Any) -> float:
    if np.ndim(weight):
        raise ValueError(
            "loss_weights has one number for each output; received an array of shape "
            f"{np.shape(weight)}.\n"
            "  Likely cause: weights of samples. They belong in fit(…, sample_weight=…)."
        )
    if weight is None:
        return 1.0
    if isinstance(weight, str) or not isinstance(weight, SupportsFloat):
        raise TypeError(f"loss_weights are numbers, one for each output; received {weight!r}.")
    return float(weight)


def _losses_by_output(
    node: TensorTree, loss: Any, for_each: bool = False
) -> Iterator[tuple[TensorTree, Any]]:
    """Pairs of a node and a loss.

    Args:
        node: The outputs.
        loss: A loss, or a structure of losses.
        for_each: Whether a loss for a group of outputs is yielded once for each of them.
    """
    if loss is None:
        return
    if len(node.tensors) == 1 and node.index is None and not isinstance(loss, Mapping):
        node = node.tensors[0]
    if _is_identifier(loss):
        yield from ((tensor, loss) for tensor in (node.tensors if for_each else [node]))
    elif node.index is None and _of_the_whole(node, loss):
        for one in loss:  # a single loss takes all outputs of the group together
            yield from _losses_by_output(node, one)
    elif node.index is None:
        for child, of_child in parts(node, loss, "loss", _is_identifier):
            yield from _losses_by_output(child, of_child)
    elif isinstance(loss, Mapping):
        yield from _losses_by_output(node, entry_of(node, loss, "loss"))
    else:
        for one in loss:  # several losses of one output are added
            yield from _losses_by_output(node, one)


def _of_the_whole(node: TensorTree, loss: Any) -> bool:
    """Whether a list holds losses for a whole group of outputs, rather than one for each output.

    It does if the group is another type, such as a tuple or dict, and a part has its structure.
    """
    if by_name(loss) is not None or node.kind is None or isinstance(loss, node.kind):
        return False
    return any(
        isinstance(part, node.kind) and not _is_identifier(part) and _fits(node, part)
        for part in loss
    )


def _fits(node: TensorTree, part: Any) -> bool:
    if isinstance(part, Mapping):
        return set(part) <= set(node.children)
    return len(part) == len(node.children)


def _beside(loss: Any, weights: Any) -> Any:
    """The losses paired with weights of the same structure; None if the structures differ."""
    if loss is None or _is_identifier(weights):
        return _each_with(loss, weights)
    if _is_identifier(loss):
        return None
    names, of_names = by_name(loss), by_name(weights)
    if names is not None and of_names is not None and set(of_names) <= set(names):
        found = {key: _beside(one, of_names.get(key)) for key, one in names.items()}
        missing = any(found[key] is None and names[key] is not None for key in names)
        return None if missing else found if isinstance(loss, Mapping) else type(loss)(**found)
    if isinstance(loss, Mapping) or isinstance(weights, Mapping) or len(loss) != len(weights):
        return None
    row = [_beside(one, weight) for one, weight in zip(loss, weights, strict=True)]
    missing = any(a is None and b is not None for a, b in zip(row, loss, strict=True))
    return None if missing else _like(loss, row)


def _each_with(loss: Any, weight: Any) -> Any:
    if loss is None:
        return None
    if _is_identifier(loss):
        return _Weighted(loss, weight)
    if isinstance(loss, Mapping):
        return {key: _each_with(one, weight) for key, one in loss.items()}
    return _like(loss, [_each_with(one, weight) for one in loss])


def _like(loss: Any, row: list[Any]) -> Any:
    """A list converted to the type of the losses: list, tuple or namedtuple."""
    if hasattr(loss, "_fields"):
        return type(loss)(*row)
    return tuple(row) if isinstance(loss, tuple) else row
