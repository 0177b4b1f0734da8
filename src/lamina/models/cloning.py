"""clone_model: a copy of a model with new weights."""

from collections.abc import Callable
from typing import Any

import jax

from lamina import tree
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.types import Inputs
from lamina.layers.input import InputLayer
from lamina.models.functional import Functional
from lamina.models.graph import Graph
from lamina.models.model import Model, takes_a_graph
from lamina.models.sequential import Sequential


@filter_traceback
def clone_model(
    model: Model,
    input_tensors: Inputs = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Model:
    """A model with the same architecture and new weights.

    A layer that the model uses twice is one layer in the copy, too. The copy of a compiled model is
    compiled with the same arguments.

    Args:
        model: Sequential or functional; a subclassed model is made from its config.
        input_tensors: A symbolic tensor (or a list) to use as inputs of the copy.
        clone_function: Makes the copy of each layer; by default from its config.
        call_function: `(layer, *args, **kwargs)`; called instead of the layer.
        recursive: Also apply `clone_function` inside nested models.
        **kwargs: Not supported.

    Returns:
        The copy.

    Raises:
        TypeError: If an argument is unknown.

    Example:
        >>> from lamina.layers import Dense, Input
        >>> first = Sequential([Input((3,)), Dense(2)])
        >>> second = clone_model(first)
        >>> second.layers[0] is first.layers[0], second.count_params()
        (False, 8)
    """
    if kwargs:
        raise TypeError(f"clone_model() has no argument {next(iter(kwargs))!r}.")
    if not isinstance(model, Model):
        raise TypeError(f"clone_model() takes a model; received {model!r}.")
    for tensor in jax.tree.leaves(input_tensors):
        if not isinstance(tensor, KerasTensor):
            raise TypeError(f"input_tensors must be made by lamina.Input; received {tensor!r}.")
    if call_function is not None and (isinstance(model, Sequential) or model._graph is None):
        raise ValueError(
            "call_function is for functional models; "
            f"{type(model).__name__} {model.name!r} is not a functional model."
        )
    clone = _clone(model, input_tensors, clone_function, call_function, recursive, {})
    config = model.get_compile_config()
    if config is not None:
        clone.compile_from_config(config)
    return clone


def _clone(
    model: Model,
    input_tensors: Inputs,
    clone_function: Callable | None,
    call_function: Callable | None,
    recursive: bool,
    copies: dict[int, Any],
) -> Model:
    """Implements `clone_model`; `copies` maps the id of each copied layer to its copy."""

    def copy(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = make_copy(layer)
        return copies[id(layer)]

    def make_copy(layer: Any) -> Any:
        has_graph = isinstance(layer, Sequential) or getattr(layer, "_graph", None) is not None
        if recursive and isinstance(layer, Model) and has_graph:
            return _clone(layer, None, clone_function, call_function, recursive, copies)
        if clone_function is not None and not isinstance(layer, InputLayer):
            return clone_function(layer)
        copy_of_layer = type(layer).from_config(layer.get_config())
        if hasattr(copy_of_layer, "copy_vocabulary"):  # the vocabulary is not in the config
            copy_of_layer.copy_vocabulary(layer)
        return copy_of_layer

    if isinstance(model, Sequential):
        clone = Sequential(name=model.name)
        if input_tensors is not None:
            (tensor,) = jax.tree.leaves(input_tensors)
            first = tensor.history.operation if tensor.history else None
            first = first if isinstance(first, InputLayer) else InputLayer(input_tensor=tensor)
            clone.add(first)
        for layer in model._stack:
            if not (isinstance(layer, InputLayer) and input_tensors is not None):
                clone.add(copy(layer))
        clone._trainable = model._trainable
        return clone
    if model._graph is not None:
        inputs, outputs = _clone_graph(model._graph, copy, input_tensors, call_function)
        cls = type(model) if takes_a_graph(type(model)) else Functional
        return cls(inputs, outputs, name=model.name)
    if clone_function is not None or input_tensors is not None:
        raise ValueError(
            f"{type(model).__name__} {model.name!r} has its own call(), so its layers and inputs "
            "cannot be replaced: clone_function and input_tensors are for Sequential and "
            "functional models."
        )
    known_classes = {type(model).__name__: type(model)}
    return registry.deserialize(registry.serialize(model), known_classes)


def _clone_graph(
    graph: Graph, copy: Callable, input_tensors: Inputs, call_function: Callable | None
) -> tuple[Any, Any]:
    """Inputs and outputs of a copy of the graph, made with copies of its layers."""
    tensors = jax.tree.leaves(input_tensors)
    if tensors and len(tensors) != len(graph.input_list):
        raise ValueError(
            f"Model {graph.name!r} has {len(graph.input_list)} inputs, and input_tensors has "
            f"{len(tensors)}."
        )
    tensors = tensors and graph.arrange(input_tensors)
    new_inputs = tensors or [copy(t.history.operation).output for t in graph.input_list]  # type: ignore[union-attr]
    # By id of a tensor of the graph: the tensor of the copy.
    values = {id(old): new for old, new in zip(graph.input_list, new_inputs, strict=True)}

    def substitute(leaf: Any) -> Any:
        return values.get(id(leaf), leaf)

    for node in graph.nodes:
        args, kwargs = jax.tree.map(substitute, (node.args, node.kwargs))
        layer = copy(node.operation)
        outputs = call_function(layer, *args, **kwargs) if call_function else layer(*args, **kwargs)
        for old, new in zip(node.output_tensors, jax.tree.leaves(outputs), strict=True):
            values[id(old)] = new
    return tree.map_structure(substitute, graph.inputs), tree.map_structure(
        substitute, graph.outputs
    )
