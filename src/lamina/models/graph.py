"""Graph: the operations between the inputs and outputs of a functional model.

A `Functional` or built `Sequential` model has one and runs it in its `call`.
"""

import collections
import functools
import math
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from lamina import tree
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.operation import Node, Operation
from lamina.core.layer import masking
from lamina.core.layer.layer import Layer
from lamina.core.types import Inputs, Outputs
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import Preprocessed
from lamina.layers.input import Input
from lamina.models.host_part import HostPart
from lamina.ops.lowering import fusion
from lamina.training.structure_matching import TensorTree, match


class Graph:
    """The operations between symbolic inputs and outputs, in execution order.

    Args:
        inputs: A KerasTensor, or a list, tuple or dict of them.
        outputs: A KerasTensor, or a list, tuple or dict of them.
        name: Name of the model, for messages.
    """

    def __init__(self, inputs: Inputs, outputs: Inputs, name: str = "model"):
        self.name = name
        # jax.tree.map would sort the keys of dicts.
        self.inputs = tree.map_structure(_check_symbolic, inputs, none_is_leaf=False)
        self.outputs = tree.map_structure(_check_symbolic, outputs, none_is_leaf=False)
        if not jax.tree.leaves(self.inputs) or not jax.tree.leaves(self.outputs):
            raise ValueError(f"Model {name!r} needs at least one input and one output.")
        if any(_node_of(tensor).input_tensors for tensor in jax.tree.leaves(self.inputs)):
            self.inputs, self.outputs = _with_own_inputs(self.inputs, self.outputs, name)
        self.outputs = _in_outer_graph(jax.tree.leaves(self.inputs), self.outputs, name)
        self.input_list: list[KerasTensor] = jax.tree.leaves(self.inputs)
        self.output_list: list[KerasTensor] = jax.tree.leaves(self.outputs)
        self.nodes, self.operations = _sort_topologically(self.input_list, self.output_list, name)
        _check_names(self.operations, name)

    @property
    def layers(self) -> list[Layer]:
        return [o for o in self.operations if isinstance(o, Layer)]

    @property
    def input_names(self) -> list[str]:
        return [t.history.operation.name for t in self.input_list]  # type: ignore[union-attr]

    @property
    def output_names(self) -> list[str]:
        return [t.history.operation.name for t in self.output_list]  # type: ignore[union-attr]

    @functools.cached_property
    def host_part(self) -> HostPart | None:
        """The part that processes text on the host; None if there is no text."""
        takes_text = any(tensor.dtype == "string" for tensor in self.input_list)
        return HostPart(self) if takes_text else None

    def run(self, inputs: Inputs) -> Outputs:
        """Compute the outputs for arrays (or for other symbolic tensors).

        Args:
            inputs: The inputs, or the result of the host part.
        """
        nodes, values = self.nodes, {}
        if isinstance(inputs, Preprocessed) and self.host_part is not None:
            nodes, values = self.host_part.device_nodes, self.host_part.resume(inputs)
        else:
            values = self.input_values(inputs)
        for node in nodes:
            # If the node calls a nested model whose host part has run: its `Preprocessed` inputs.
            preprocessed = values.get((id(node),))
            call = ((preprocessed,), {}) if preprocessed is not None else (node.args, node.kwargs)
            args, kwargs = self.substitute(values, call)
            self.store_outputs(values, node, node.operation(*args, **kwargs))
            for tensor in node.output_tensors:
                if self._uses[self.key(tensor)] > 1:
                    fusion.record_several_consumers(values[self.key(tensor)])
        return self.substitute(values, self.outputs)

    @functools.cached_property
    def _uses(self) -> collections.Counter:
        """Number of uses of each tensor, by a layer or as an output."""
        arguments = [[node.args, node.kwargs] for node in self.nodes]
        leaves = jax.tree.leaves([arguments, self.outputs])
        return collections.Counter(self.key(t) for t in leaves if isinstance(t, KerasTensor))

    def input_values(self, inputs: Inputs) -> dict[tuple, Any]:
        """The inputs by the keys of their tensors, in the declared shapes and dtypes."""
        pairs = zip(self.input_list, self.arrange(inputs), strict=True)
        return {self.key(tensor): self._fit_input(value, tensor) for tensor, value in pairs}

    def substitute(self, values: dict[tuple, Any], structure: Any) -> Any:
        """The structure with values in place of symbolic tensors."""
        return jax.tree.map(
            lambda leaf: values[self.key(leaf)] if isinstance(leaf, KerasTensor) else leaf,
            structure,
        )

    def store_outputs(self, values: dict[tuple, Any], node: Node, outputs: Inputs) -> None:
        """Add the outputs of a call to the values."""
        for tensor, value in zip(node.output_tensors, jax.tree.leaves(outputs), strict=True):
            values[self.key(tensor)] = value

    @staticmethod
    def key(tensor: KerasTensor) -> tuple:
        """The key of a tensor among the values: operation, call and output."""
        operation, node_index, tensor_index = tensor.history  # type: ignore[misc]
        return (id(operation), node_index, tensor_index)

    def arrange(self, inputs: Inputs) -> list:
        """The inputs in the order of `input_list`; they may be a dict, a list or a single array."""
        structure: Any
        flat, structure = jax.tree.flatten(inputs, is_leaf=_is_none)
        if structure == jax.tree.structure(self.inputs):
            return flat
        if isinstance(inputs, Mapping):
            inputs = self._without_extra_columns(inputs)
        elif len(flat) != len(self.input_list):
            raise ValueError(
                f"Model {self.name!r} takes {len(self.input_list)} inputs "
                f"({', '.join(self.input_names)}) and received {len(flat)}."
            )
        return match(self.input_tree, inputs, "x", _is_tensor)

    @functools.cached_property
    def input_tree(self) -> TensorTree:
        """The structure of the inputs, for matching data to them."""
        return TensorTree(self.inputs, self.input_names)

    def _without_extra_columns(self, inputs: Mapping) -> dict:
        """The named inputs; a table may have more columns than the model takes."""
        input_names = [*self.input_tree.children] if self.input_tree.is_keyed else []
        if not any(key in inputs for key in input_names):
            input_names = self.input_names
        missing = [key for key in input_names if key not in inputs]
        if missing and len(self.input_list) > 1:
            raise ValueError(
                f"Model {self.name!r} takes the inputs {input_names} and received a dict without "
                f"{missing}; its keys are {sorted(map(str, inputs))}."
            )
        return {key: inputs[key] for key in input_names if key in inputs} or dict(inputs)

    def _fit_input(self, value: Any, tensor: KerasTensor) -> Any:
        """An input in the declared shape and dtype; a trailing axis of 1 is optional."""
        if value is None:
            if getattr(tensor.history.operation, "optional", False):  # type: ignore[union-attr]
                return None
            raise ValueError(
                f"Model {self.name!r} received None for the input {tensor.name!r}.\n"
                "  Fix: give an array, or make it lamina.Input(…, optional=True)."
            )
        takes_text = tensor.dtype == "string"
        if takes_text != is_text(value):
            raise TypeError(self._wrong_kind_message(tensor, takes_text))
        shape, expected = tuple(value.shape), tensor.shape
        if takes_text and not isinstance(value, KerasTensor):
            value = value.reshape(_with_rank_of(shape, expected))
        elif not isinstance(value, KerasTensor):
            fitted = value
            if _with_rank_of(shape, expected) != shape:
                fitted = jnp.reshape(value, _with_rank_of(shape, expected))
            wanted_dtype = jax.dtypes.canonicalize_dtype(tensor.dtype)
            if value.dtype != wanted_dtype:
                fitted = fitted.astype(wanted_dtype)
            if fitted is not value:
                value = masking.with_mask_of(value, fitted)
        shape = tuple(value.shape)
        # The number of samples may differ, even if the model was built with a batch size.
        has_shape = len(shape) == len(expected) and all(
            e is None or s is None or e == s for s, e in zip(shape[1:], expected[1:], strict=True)
        )
        if not has_shape:
            raise ValueError(
                f"Model {self.name!r} takes an input {tensor.name!r} of shape {expected} and "
                f"received shape {shape}.\n{_shape_hint(shape, expected)}"
            )
        return value

    def _wrong_kind_message(self, tensor: KerasTensor, takes_text: bool) -> str:
        """The message for numbers in place of text, or text in place of numbers."""
        if takes_text:
            return (
                f"Model {self.name!r} takes text as its input {tensor.name!r} and received "
                "numbers.\n  Fix: x = numpy.asarray(x, str), or build the model for numbers."
            )
        return (
            f"Model {self.name!r} takes numbers as its input {tensor.name!r} and received text.\n"
            "  Fix: lamina.Input(…, dtype='string') and a TextVectorization or StringLookup after "
            "it."
        )


def _with_rank_of(shape: tuple, expected: tuple) -> tuple:
    """The shape with a last axis of 1 added or removed, if that makes the ranks equal."""
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        return shape[:-1]
    return (*shape, 1) if len(shape) == len(expected) - 1 and expected[-1] == 1 else shape


def _is_none(value: Any) -> bool:
    return value is None


def _is_tensor(value: Any) -> bool:
    return not isinstance(value, (Mapping, list, tuple))


def _shape_hint(shape: tuple, expected: tuple) -> str:
    received_sample, expected_sample = shape[1:], expected[1:]  # without the batch axis
    if len(shape) == len(expected_sample) and all(
        e in (None, s) for s, e in zip(shape, expected_sample, strict=True)
    ):
        return "  Likely cause: the batch axis is missing.\n  Fix: x[None], or x[:1] of a batch."
    if (
        len(received_sample) == 2
        and len(expected_sample) == 3
        and expected_sample[0] in (None, received_sample[0])
    ):
        if expected_sample[1] in (None, received_sample[1]):
            gray = (
                "x[..., None]"
                if expected_sample[-1] is None
                else f"np.repeat(x[..., None], {expected_sample[-1]}, -1)"
            )
            return f"  Likely cause: the pictures are gray, without a channel axis.\n  Fix: {gray}."
    new_input = f"lamina.Input({received_sample}) as the input of the model"
    if None not in (*received_sample, *expected_sample) and math.prod(received_sample) == math.prod(
        expected_sample
    ):
        return f"  Fix: x.reshape({(-1, *expected_sample)}), or {new_input}."
    return f"  Fix: {new_input}, or data of the shape that the model takes."


def _check_symbolic(tensor: Any) -> KerasTensor:
    if not isinstance(tensor, KerasTensor) or tensor.history is None:
        raise ValueError(
            f"A functional model is made of symbolic tensors; received {tensor!r}.\n"
            "  Fix: start from x = lamina.Input(shape=(…)) and call layers on it."
        )
    return tensor


# From an output tensor to the model whose `output` it was read from. Both are weak references.
output_of: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _in_outer_graph(inputs: list[KerasTensor], outputs: Inputs, name: str) -> Any:
    """The outputs, with those of a nested model replaced by the outputs of its call.

    `inner.output` belongs to the graph of the inner model. In a model that begins at the inputs of
    the outer model, the output of the call of the inner model is meant.
    """

    def is_connected(tensor: KerasTensor) -> bool:
        try:
            _sort_topologically(inputs, [tensor], name)
        except ValueError:
            return False
        return True

    def in_outer_graph(tensor: KerasTensor) -> KerasTensor:
        model = output_of.get(tensor, _no_model)()
        if model is None or model._graph is None or is_connected(tensor):
            return tensor
        indices = [i for i, output in enumerate(model._graph.output_list) if output is tensor]
        calls = [node.output_tensors[indices[0]] for node in model._inbound_nodes if indices]
        return next(filter(is_connected, calls), tensor)

    return tree.map_structure(in_outer_graph, outputs, none_is_leaf=False)


def _no_model() -> None:
    """Used in place of a weak reference if there is no model."""


def _node_of(tensor: KerasTensor) -> Node:
    history = tensor.history
    return history.operation._inbound_nodes[history.node_index]  # type: ignore[union-attr]


def _with_own_inputs(inputs: Inputs, outputs: Inputs, name: str) -> tuple[Any, Any]:
    """Copy the graph between inner tensors, with an `Input` in place of each of these tensors.

    The layers and their weights are shared; only their calls are recorded again.
    """
    nodes, _ = _sort_topologically(jax.tree.leaves(inputs), jax.tree.leaves(outputs), name)
    new_tensors: dict[tuple, KerasTensor] = {}
    for tensor in jax.tree.leaves(inputs):
        operation, _, index = tensor.history
        if not _node_of(tensor).input_tensors:
            new_tensors[Graph.key(tensor)] = tensor
        else:
            label = f"{operation.name}_output" + (f"_{index}" if index else "")
            new_input = Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=label)
            new_tensors[Graph.key(tensor)] = new_input

    def replace(leaf: Any) -> Any:
        return new_tensors[Graph.key(leaf)] if isinstance(leaf, KerasTensor) else leaf

    for node in nodes:
        args, kwargs = jax.tree.map(replace, (node.args, node.kwargs))
        copies = jax.tree.map(lambda t: KerasTensor(t.shape, t.dtype, name=t.name), node.outputs)
        Node(node.operation, args, kwargs, copies)
        for old, copy in zip(node.output_tensors, jax.tree.leaves(copies), strict=True):
            new_tensors[Graph.key(old)] = copy
    return tree.map_structure(replace, inputs), tree.map_structure(replace, outputs)


def _check_names(operations: list[Operation], name: str) -> None:
    """Refuse layers with equal names: files and dicts identify layers by name."""
    counts = collections.Counter(operation.name for operation in operations)
    duplicate = next((n for n, count in counts.items() if count > 1), None)
    if duplicate is not None:
        raise ValueError(
            f"Model {name!r} has {counts[duplicate]} layers named {duplicate!r}; names must be "
            "unique.\n  Fix: give each its own name=…"
        )


def _missing_input_error(tensor: KerasTensor, name: str) -> ValueError:
    return ValueError(
        f"Model {name!r}: its outputs depend on {tensor!r}, which is not among its inputs.\n"
        "  Fix: add it to the inputs of the model."
    )


def _sort_topologically(
    inputs: list[KerasTensor], outputs: list[KerasTensor], name: str
) -> tuple[list[Node], list[Operation]]:
    """Nodes in execution order, and operations in the order in which Keras lists them.

    Operations are sorted by their distance from the outputs, farthest first. Those at the same
    distance are in the order of a traversal from the outputs. This fixes the order of the weights.
    """
    input_keys = {Graph.key(t) for t in inputs}
    finished: list[Node] = []
    visited: set[int] = set()
    discovery_order: dict[int, int] = {}  # by id of an operation
    # An explicit stack, since some graphs are deeper than Python's recursion limit.
    stack: list[tuple[Node, Iterator[KerasTensor]]] = []

    def push(tensor: KerasTensor) -> None:
        if tensor.history is None:
            raise _missing_input_error(tensor, name)
        node = _node_of(tensor)
        if id(node) in visited:
            return
        visited.add(id(node))
        discovery_order.setdefault(id(node.operation), len(discovery_order))
        is_input = Graph.key(tensor) in input_keys
        if not is_input and not node.input_tensors:
            raise _missing_input_error(tensor, name)
        stack.append((node, iter(() if is_input else node.input_tensors)))

    for output in outputs:
        push(output)
        while stack:
            node, parents = stack[-1]
            tensor = next(parents, None)
            if tensor is not None:
                push(tensor)
            else:
                finished.append(stack.pop()[0])

    depth: dict[int, int] = {}
    operation_depth: dict[int, int] = {}
    for node in reversed(finished):
        level = max(depth.get(id(node), 0), operation_depth.get(id(node.operation), 0))
        depth[id(node)] = operation_depth[id(node.operation)] = level
        for parent in node.parents:
            if id(parent) in visited:
                depth[id(parent)] = max(level + 1, depth.get(id(parent), 0))

    operations = {id(n.operation): n.operation for n in finished}
    for input_tensor in inputs:
        operation = input_tensor.history.operation  # type: ignore[union-attr]
        if id(operation) not in operations:  # an input that no output needs
            operations[id(operation)] = operation
            operation_depth[id(operation)], discovery_order[id(operation)] = 0, -1
    ordered = sorted(
        operations.values(), key=lambda o: (-operation_depth[id(o)], discovery_order[id(o)])
    )
    nodes = [n for n in finished if not any(Graph.key(t) in input_keys for t in n.output_tensors)]
    return nodes, ordered
