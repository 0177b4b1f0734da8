"""A second model with the same layers and fresh weights."""

from collections.abc import Callable
from typing import Any

from lamina.core.keras_tensor import KerasTensor
from lamina.core.layer import Layer
from lamina.layers.input import InputLayer
from lamina.models.functional import Functional
from lamina.models.model import Model
from lamina.models.sequential import Sequential


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Model:
    """A model with the same architecture and new weights.

    Args:
        model: Sequential or functional; a subclassed model needs a `get_config`.
        input_tensors: A symbolic tensor (or list) that the copy starts from.
        clone_function: Makes the copy of each layer; by default from its config.
        call_function: `(layer, *args, **kwargs)`; called instead of the layer.
        recursive: Also apply `clone_function` inside nested models.

    Example:
        >>> from lamina.layers import Dense, Input
        >>> first = Sequential([Input((3,)), Dense(2)])
        >>> second = clone_model(first)
        >>> second.layers[0] is first.layers[0], second.count_params()
        (False, 8)
    """
    if kwargs:
        raise TypeError(f"clone_model() has no argument {next(iter(kwargs))!r}.")

    def copy(layer: Any) -> Any:
        if recursive and isinstance(layer, (Sequential, Functional)):
            return clone_model(layer, clone_function=clone_function, recursive=True)
        if clone_function is not None and not isinstance(layer, InputLayer):
            return clone_function(layer)
        return type(layer).from_config(layer.get_config())

    if isinstance(model, Sequential):
        clone = Sequential(name=model.name)
        if isinstance(input_tensors, (list, tuple)):
            (input_tensors,) = input_tensors
        if input_tensors is not None:
            clone.add(_input_of(input_tensors))
        for layer in model._stack:
            if not (isinstance(layer, InputLayer) and input_tensors is not None):
                clone.add(copy(layer))
        return clone
    if model._graph is None:
        return copy(model)
    return _clone_graph(model, copy, input_tensors, call_function)


def _clone_graph(
    model: Model, copy: Callable, input_tensors: Any, call_function: Callable | None
) -> Model:
    import jax

    graph = model._graph
    assert graph is not None
    values: dict[int, KerasTensor] = {}
    given = jax.tree.leaves(input_tensors) if input_tensors is not None else None
    for index, tensor in enumerate(graph.input_list):
        operation = tensor.history.operation  # type: ignore[union-attr]
        values[id(tensor)] = given[index] if given else copy(operation).output
    copies: dict[int, Any] = {}

    def fill(leaf: Any) -> Any:
        return values.get(id(leaf), leaf)

    for node in graph.nodes:
        operation = node.operation
        if id(operation) not in copies:
            copies[id(operation)] = copy(operation)
        args, kwargs = jax.tree.map(fill, (node.args, node.kwargs))
        target = copies[id(operation)]
        outputs = (
            call_function(target, *args, **kwargs) if call_function else target(*args, **kwargs)
        )
        for old, new in zip(node.output_tensors, jax.tree.leaves(outputs), strict=True):
            values[id(old)] = new
    return Functional(
        jax.tree.map(fill, graph.inputs), jax.tree.map(fill, graph.outputs), name=model.name
    )


def _input_of(tensor: Any) -> Any:
    if not isinstance(tensor, KerasTensor):
        raise ValueError(f"input_tensors must be made by lamina.Input; received {tensor!r}.")
    return tensor
