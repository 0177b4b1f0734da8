"""Graph: the operations between a functional model's inputs and outputs, in order of running."""

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.keras_tensor import KerasTensor
from lamina.core.layer import Layer
from lamina.core.operation import Node, Operation


class Graph:
    """Everything that lies between symbolic inputs and outputs.

    Args:
        inputs: A KerasTensor, or a list, tuple or dict of them.
        outputs: Likewise.
        name: Of the model, for messages.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str = "model"):
        self.name = name
        self.inputs = jax.tree.map(_checked, inputs)
        self.outputs = jax.tree.map(_checked, outputs)
        self.input_list: list[KerasTensor] = jax.tree.leaves(self.inputs)
        self.output_list: list[KerasTensor] = jax.tree.leaves(self.outputs)
        self._structure: Any = jax.tree.structure(self.inputs)
        if not self.input_list or not self.output_list:
            raise ValueError(f"Model {name!r} needs at least one input and one output.")
        self.nodes, self.operations = _in_order(self.input_list, self.output_list, name)

    @property
    def layers(self) -> list[Layer]:
        return [o for o in self.operations if isinstance(o, Layer)]

    @property
    def input_names(self) -> list[str]:
        return [t.history.operation.name for t in self.input_list]  # type: ignore[union-attr]

    @property
    def output_names(self) -> list[str]:
        return [t.history.operation.name for t in self.output_list]  # type: ignore[union-attr]

    def run(self, inputs: Any) -> Any:
        """Compute the outputs for arrays (or for other symbolic tensors)."""
        values: dict[tuple, Any] = {}
        for tensor, value in zip(self.input_list, self.arrange(inputs), strict=True):
            values[_key(tensor)] = self._fit_input(value, tensor)

        def fill(leaf: Any) -> Any:
            return values[_key(leaf)] if isinstance(leaf, KerasTensor) else leaf

        for node in self.nodes:
            args, kwargs = jax.tree.map(fill, (node.args, node.kwargs))
            outputs = node.operation(*args, **kwargs)
            for tensor, value in zip(node.output_tensors, jax.tree.leaves(outputs), strict=True):
                values[_key(tensor)] = value
        return jax.tree.map(fill, self.outputs)

    def arrange(self, inputs: Any) -> list:
        """The inputs in the order of `input_list`; they may come by name, as a list, or alone."""
        if isinstance(inputs, dict):
            by_key = sorted(self.inputs) if isinstance(self.inputs, dict) else None
            names = by_key if by_key and all(k in inputs for k in by_key) else self.input_names
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(
                    f"Model {self.name!r} takes the inputs {names} and received a dict without "
                    f"{missing}; it has {sorted(inputs)}."
                )
            return [inputs[name] for name in names]
        values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(values) != len(self.input_list):
            values = jax.tree.leaves(inputs)
        if len(values) != len(self.input_list):
            raise ValueError(
                f"Model {self.name!r} takes {len(self.input_list)} inputs "
                f"({', '.join(self.input_names)}) and received {len(values)}."
            )
        if isinstance(self.inputs, dict):
            return jax.tree.leaves(dict(zip(self.inputs, values, strict=True)))
        return values

    def _fit_input(self, value: Any, tensor: KerasTensor) -> Any:
        """An input in the declared shape and dtype; a trailing axis of 1 may come or go."""
        shape, wanted = tuple(value.shape), tensor.shape
        if not isinstance(value, KerasTensor):
            if len(shape) == len(wanted) + 1 and shape[-1] == 1:
                value = jnp.squeeze(value, axis=-1)
            elif len(shape) == len(wanted) - 1 and wanted[-1] == 1:
                value = jnp.expand_dims(value, axis=-1)
            if value.dtype != tensor.dtype and tensor.dtype != "string":
                value = value.astype(tensor.dtype)
        shape = tuple(value.shape)
        # The number of samples is free, even where a model was built with the size of a batch.
        fits = len(shape) == len(wanted) and all(
            w is None or s is None or w == s for s, w in zip(shape[1:], wanted[1:], strict=True)
        )
        if not fits:
            raise ValueError(
                f"Model {self.name!r} takes an input {tensor.name!r} of shape {wanted} and "
                f"received shape {shape}.\n{_shape_hint(shape, wanted)}"
            )
        return value


def _shape_hint(shape: tuple, wanted: tuple) -> str:
    if len(shape) == len(wanted) - 1:
        if all(w is None or w == s for s, w in zip(shape, wanted[1:], strict=True)):
            return (
                "  Likely cause: the batch axis is missing.\n  Fix: x[None], or x[:1] of a batch."
            )
        return "  Likely cause: the channel axis is missing.\n  Fix: x[..., None]."
    return f"  Fix: reshape the data to {('n', *wanted[1:])}, or build the model for this shape."


def _checked(tensor: Any) -> KerasTensor:
    if not isinstance(tensor, KerasTensor) or tensor.history is None:
        raise ValueError(
            f"A functional model is made of symbolic tensors; received {tensor!r}.\n"
            "  Fix: start from x = lamina.Input(shape=(…)) and call layers on it."
        )
    return tensor


def _key(tensor: KerasTensor) -> tuple:
    operation, node_index, tensor_index = tensor.history  # type: ignore[misc]
    return (id(operation), node_index, tensor_index)


def _node_of(tensor: KerasTensor) -> Node:
    history = tensor.history
    return history.operation._inbound_nodes[history.node_index]  # type: ignore[union-attr]


def _in_order(
    inputs: list[KerasTensor], outputs: list[KerasTensor], name: str
) -> tuple[list[Node], list[Operation]]:
    """Nodes in order of running, and operations in the order that Keras lists them.

    Operations are sorted by their distance from the outputs, farthest first, and among equals by
    the order in which a walk from the outputs meets them: this fixes the order of the weights.
    """
    given = {_key(t) for t in inputs}
    finished: list[Node] = []
    seen: set[int] = set()
    met: dict[int, int] = {}

    def visit(tensor: KerasTensor) -> None:
        node = _node_of(tensor)
        if id(node) in seen:
            return
        seen.add(id(node))
        met.setdefault(id(node.operation), len(met))
        if _key(tensor) not in given:
            if not node.input_tensors:
                raise ValueError(
                    f"Model {name!r}: its outputs depend on {tensor!r}, which is not among its "
                    f"inputs.\n  Fix: add it to the inputs of the model."
                )
            for parent in node.input_tensors:
                visit(parent)
        finished.append(node)

    for tensor in outputs:
        visit(tensor)

    depth: dict[int, int] = {}
    operation_depth: dict[int, int] = {}
    for node in reversed(finished):
        level = max(depth.get(id(node), 0), operation_depth.get(id(node.operation), 0))
        depth[id(node)] = operation_depth[id(node.operation)] = level
        for parent in node.parents:
            if id(parent) in seen:
                depth[id(parent)] = max(level + 1, depth.get(id(parent), 0))

    operations = {id(n.operation): n.operation for n in finished}
    for tensor in inputs:
        operation = tensor.history.operation  # type: ignore[union-attr]
        if id(operation) not in operations:  # an input that no output needs
            operations[id(operation)] = operation
            operation_depth[id(operation)], met[id(operation)] = 0, -1
    ordered = sorted(operations.values(), key=lambda o: (-operation_depth[id(o)], met[id(o)]))
    running = [n for n in finished if not any(_key(t) in given for t in n.output_tensors)]
    return running, ordered
