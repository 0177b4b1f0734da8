"""Matches the losses, loss weights and metrics of `compile` to the outputs of the model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np

from lamina.training.structure_matching import (
    StructureError,
    TensorTree,
    as_named_dict,
    leaves,
    match,
    match_level,
    only_entry,
)


def identifiers(value: Any) -> list[Any]:
    """All losses or metrics in a structure: names, functions, objects and configs."""
    return [leaf for leaf in leaves(value, _is_identifier) if leaf is not None]


def losses_by_output(
    tree: TensorTree, loss: Any, loss_weights: Any
) -> list[tuple[TensorTree, Any, float]]:
    """Triples of an output (or group of outputs), a loss and its weight.

    Args:
        tree: The outputs.
        loss: A loss for each output, or a structure of them; several for one output are added.
        loss_weights: One number for all outputs, one for each, or a structure like that of the
            losses.
    """
    matched = list(_match_losses(tree, loss, once_per_output=True))
    if loss_weights is None or _is_identifier(loss_weights):
        return [(node, node_loss, _check_weight(loss_weights)) for node, node_loss in matched]
    try:
        weights = match(tree, loss_weights, "loss_weights", _is_identifier)
        return [
            (node, node_loss, _check_weight(weights[node.first_index]))
            for node, node_loss in matched
        ]
    except StructureError:
        weighted = _pair_with_weights(loss, loss_weights)
        if weighted is not None:
            pairs = _match_losses(tree, weighted)
            return [(node, pair.loss, _check_weight(pair.weight)) for node, pair in pairs]
        flat = isinstance(loss_weights, (list, tuple)) and all(map(_is_identifier, loss_weights))
        if not flat or len(loss_weights) != len(matched) or not tree.has_unambiguous_order:
            raise
        # In the order of the outputs, whatever the order of the dict of losses.
        order = sorted(range(len(matched)), key=lambda i: matched[i][0].first_index)
        factors = dict(zip(order, map(_check_weight, loss_weights), strict=True))
        return [(node, node_loss, factors[i]) for i, (node, node_loss) in enumerate(matched)]


def metrics_by_output(tree: TensorTree, metrics_argument: Any, what: str) -> list[list[Any]]:
    """A list of metrics for each output.

    Args:
        tree: The outputs.
        metrics_argument: One or several metrics for all outputs, a structure of them, or None.
        what: Name of the argument, for messages.
    """
    metrics: list[list[Any]] = [[] for _ in tree.tensors]

    def add(node: TensorTree, entry: Any) -> None:
        if _is_identifier(entry) or not identifiers(entry):
            for tensor in node.tensors:
                metrics[tensor.first_index] += identifiers(entry)
        elif len(node.tensors) == 1 and not isinstance(entry, Mapping):
            metrics[node.first_index] += identifiers(entry)
        elif node.index is not None:
            add(node, only_entry(node, entry, what))
        else:
            for child, child_entry in match_level(node, entry, what, _is_identifier):
                add(child, child_entry)

    is_flat_list = isinstance(metrics_argument, (list, tuple)) and all(
        map(_is_identifier, metrics_argument)
    )
    try:
        add(tree, metrics_argument)
    except StructureError:
        if not is_flat_list or len(metrics_argument) == len(metrics):
            raise
        for metric in metrics_argument:  # several for every output
            add(tree, metric)
    return metrics


@dataclass(frozen=True)
class _WeightedLoss:
    loss: Any
    weight: Any


def _is_identifier(value: Any) -> bool:
    """Whether a value is a single loss, metric or weight, rather than a structure of them."""
    if isinstance(value, Mapping):
        return "class_name" in value
    return not isinstance(value, (list, tuple))


def _check_weight(weight: Any) -> float:
    if np.ndim(weight):
        raise ValueError(
            "loss_weights has one number for each output; received an array of shape "
            f"{np.shape(weight)}.\n"
            "  Likely cause: sample weights, which belong in fit(…, sample_weight=…)."
        )
    if weight is None:
        return 1.0
    if isinstance(weight, str) or not isinstance(weight, SupportsFloat):
        raise TypeError(f"loss_weights are numbers, one for each output; received {weight!r}.")
    return float(weight)


def _match_losses(
    node: TensorTree, loss: Any, once_per_output: bool = False
) -> Iterator[tuple[TensorTree, Any]]:
    """Pairs of a node and its loss.

    Args:
        node: The outputs.
        loss: A loss, or a structure of losses.
        once_per_output: Whether a loss for a group of outputs is yielded once for each of them.
    """
    if loss is None:
        return
    if len(node.tensors) == 1 and node.index is None and not isinstance(loss, Mapping):
        node = node.tensors[0]
    if _is_identifier(loss):
        yield from ((tensor, loss) for tensor in (node.tensors if once_per_output else [node]))
    elif node.index is None and _is_for_group(node, loss):
        for group_loss in loss:  # a single loss takes all outputs of the group together
            yield from _match_losses(node, group_loss)
    elif node.index is None:
        for child, child_loss in match_level(node, loss, "loss", _is_identifier):
            yield from _match_losses(child, child_loss)
    elif isinstance(loss, Mapping):
        yield from _match_losses(node, only_entry(node, loss, "loss"))
    else:
        for added_loss in loss:  # several losses of one output are added
            yield from _match_losses(node, added_loss)


def _is_for_group(node: TensorTree, losses: Any) -> bool:
    """Whether a list contains losses for a whole group of outputs, rather than one per output.

    That is so if the group is not a list but e.g. a tuple or dict, and an item has its structure.
    """
    if as_named_dict(losses) is not None or node.kind is None or isinstance(losses, node.kind):
        return False
    return any(
        isinstance(item, node.kind) and not _is_identifier(item) and _has_structure_of(node, item)
        for item in losses
    )


def _has_structure_of(node: TensorTree, losses: Any) -> bool:
    if isinstance(losses, Mapping):
        return set(losses) <= set(node.children)
    return len(losses) == len(node.children)


def _pair_with_weights(loss: Any, weights: Any) -> Any:
    """The structure of losses, with a `_WeightedLoss` for each loss.

    None if the weights have another structure than the losses.
    """
    if loss is None or _is_identifier(weights):
        return _with_common_weight(loss, weights)
    if _is_identifier(loss):
        return None
    loss_dict, weight_dict = as_named_dict(loss), as_named_dict(weights)
    if loss_dict is not None and weight_dict is not None and set(weight_dict) <= set(loss_dict):
        paired = {
            key: _pair_with_weights(child, weight_dict.get(key)) for key, child in loss_dict.items()
        }
        if any(paired[key] is None and loss_dict[key] is not None for key in loss_dict):
            return None
        return paired if isinstance(loss, Mapping) else type(loss)(**paired)
    if isinstance(loss, Mapping) or isinstance(weights, Mapping) or len(loss) != len(weights):
        return None
    items = [_pair_with_weights(*pair) for pair in zip(loss, weights, strict=True)]
    if any(item is None and child is not None for item, child in zip(items, loss, strict=True)):
        return None
    return _to_type_of(loss, items)


def _with_common_weight(loss: Any, weight: Any) -> Any:
    """The structure of losses, with a `_WeightedLoss` of this weight for each loss."""
    if loss is None:
        return None
    if _is_identifier(loss):
        return _WeightedLoss(loss, weight)
    if isinstance(loss, Mapping):
        return {key: _with_common_weight(child, weight) for key, child in loss.items()}
    return _to_type_of(loss, [_with_common_weight(child, weight) for child in loss])


def _to_type_of(losses: Any, items: list[Any]) -> Any:
    """A list converted to the type of the losses: list, tuple or namedtuple."""
    if hasattr(losses, "_fields"):
        return type(losses)(*items)
    return tuple(items) if isinstance(losses, tuple) else items
