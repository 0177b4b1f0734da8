"""Forward: runs a model on one sample and gives access to inner layers and to logits.

The model is called once with a tap on every layer (`taps.py`), so no graph is needed: subclassed
and nested models work in the same way.
"""

import collections
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lamina import activations
from lamina.core.configuration.context import context
from lamina.core.layer.layer import Layer
from lamina.core.layer.layer_state import all_layers
from lamina.core.types import PyTree
from lamina.core.variable.stateless import shared_values_of, stateless
from lamina.explanation.taps import call_with_attributes, tapped
from lamina.models import Model
from lamina.training.compiled_function import CompiledFunction

# Identifies a call: id of the layer, and number of earlier calls of it.
Key = tuple[int, int]


class Call(NamedTuple):
    """One call of a layer while the model computes.

    Args:
        layer: The layer.
        key: The key of the call.
        inputs: Shape and dtype of each array that it receives.
        output: Shape and dtype of the array that it returns; None for several arrays.
        output_index: Index of the model's output that it returns; None for an inner layer.
        is_inside_layer: Whether the call is made by another layer, and not by a model.
    """

    layer: Layer
    key: Key
    inputs: tuple[jax.ShapeDtypeStruct, ...]
    output: jax.ShapeDtypeStruct | None
    output_index: int | None
    is_inside_layer: bool


class Run(NamedTuple):
    """The results of one computation: the outputs of the model and of the `kept` layers."""

    outputs: list[Any]
    kept: dict[Key, Any]
    first_inputs: dict[Key, Any]  # the first array that each of these layers received


class Forward:
    """The computation of a model for one sample.

    Args:
        model: A built model.
        inputs: A batch of one sample on the device, as the model's compiled programs take it.

    Attributes:
        calls: The calls of layers, in their order.
        outputs: Shape and dtype of each output of the model.
    """

    def __init__(self, model: Model, inputs: PyTree):
        self.model, self.inputs = model, inputs
        # All Variables that a prediction reads, and where they are; `_values` are their arrays.
        variables = model._learner.state("predict")
        self._values = shared_values_of(variables)
        self._platform = variables.placement.platform
        self._pure = stateless(self._call_model, variables)
        self._all_layers = all_layers(model)
        self._layers = [layer for layer in self._all_layers if not isinstance(layer, Model)]
        self.calls: list[Call] = []
        self.outputs: list[jax.ShapeDtypeStruct] = []
        self._logit_handlers: dict[Key, Callable[..., Any]] = {}
        self._find_calls()

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A compiled version of `function(run, inputs, *arrays)`, which is called with the arrays.

        It is compiled once for all samples of a shape: inputs are arguments, not constants.

        Args:
            function: Pure; `run` is `Forward.run` on the model's weights, and `inputs` the sample.
        """

        # CompiledFunction passes a batch size to each program; the batch is always one sample.
        def program(values: Any, inputs: Any, *arrays: Any, batch_size: int) -> Any:
            def run(*args: Any, **kwargs: Any) -> Run:
                return self.run(values, *args, **kwargs)

            return function(run, inputs, *arrays)

        compiled = CompiledFunction(program, self._platform)
        return lambda *arrays: compiled(self._values, self.inputs, *arrays, batch_size=1)

    def run(
        self,
        values: Any,
        inputs: PyTree,
        replacements: Mapping[Key, Any] | None = None,
        added: Mapping[Key, Any] | None = None,
        kept: Collection[Key] = (),
        handlers: Mapping[Key, Callable[..., Any]] | None = None,
        scores: bool = False,
    ) -> Run:
        """Call the model; to be traced.

        Args:
            values: The weights.
            inputs: A batch of one sample.
            replacements: Outputs of calls, in place of those that the layers compute.
            added: Arrays that are added to the outputs of calls.
            kept: Calls whose inputs and outputs are returned.
            handlers: Functions `(layer, own call, args, kwargs) → outputs` in place of calls.
            scores: Whether the outputs are those before a last softmax or sigmoid.
        """
        replacements, added, handlers = replacements or {}, added or {}, dict(handlers or {})
        if scores:
            handlers = {**self._logit_handlers, **handlers}
        counts: collections.Counter[int] = collections.Counter()
        kept_outputs: dict[Key, Any] = {}
        first_inputs: dict[Key, Any] = {}

        def handler(layer: Layer, own_call: Any, args: Any, kwargs: Any) -> Any:
            key = (id(layer), counts[id(layer)])
            counts[id(layer)] += 1
            if key in handlers:
                outputs = handlers[key](layer, own_call, args, kwargs)
            elif key in replacements:
                outputs = replacements[key].astype(layer.compute_dtype)
            else:
                outputs = own_call(*args, **kwargs)
            if key in added:
                outputs = outputs + added[key].astype(outputs.dtype)
            if key in kept:
                kept_outputs[key] = outputs
                first_inputs[key] = jax.tree.leaves((args, kwargs))[0]
            return outputs

        ids = {i for i, _ in (*replacements, *added, *handlers, *kept)}
        layers = [layer for layer in self._layers if id(layer) in ids]
        with tapped(self._all_layers, dict.fromkeys(layers, handler)):
            outputs, _ = self._pure(values, inputs)
        return Run(jax.tree.leaves(outputs), kept_outputs, first_inputs)

    def _call_model(self, inputs: PyTree) -> Any:
        try:
            return self.model(inputs, training=False)
        finally:
            self.model._learner.clear_losses()

    def _find_calls(self) -> None:
        """Find the calls of layers, and which of them return the outputs of the model."""
        seen: list[tuple[Layer, Key, Any, Any, bool]] = []
        counts: collections.Counter[int] = collections.Counter()
        results: list[Any] = []

        def handler(layer: Layer, own_call: Any, args: Any, kwargs: Any) -> Any:
            key = (id(layer), counts[id(layer)])
            counts[id(layer)] += 1
            outputs = own_call(*args, **kwargs)
            outer = context.call_stack[:-1]
            is_inside_layer = not all(isinstance(one, Model) for one in outer)
            arrays = [a for a in jax.tree.leaves((args, kwargs)) if hasattr(a, "dtype")]
            seen.append((layer, key, arrays, outputs, is_inside_layer))
            return outputs

        def trace(values: Any, inputs: Any) -> Any:
            with tapped(self._all_layers, dict.fromkeys(self._layers, handler)):
                outputs, _ = self._pure(values, inputs)
            results.extend(jax.tree.leaves(outputs))
            return outputs

        shapes = jax.eval_shape(trace, self._values, self.inputs)
        self.outputs = jax.tree.leaves(shapes)
        for layer, key, arrays, outputs, is_inside_layer in seen:
            index = next((i for i, result in enumerate(results) if result is outputs), None)
            output = _spec(outputs) if hasattr(outputs, "dtype") else None
            inputs = tuple(map(_spec, arrays))
            self.calls.append(Call(layer, key, inputs, output, index, is_inside_layer))
            logit_handler = _before_activation(layer)
            if index is not None and logit_handler is not None:
                self._logit_handlers[key] = logit_handler

    def has_scores(self, index: int) -> bool:
        """Whether the logits of an output, before its softmax or sigmoid, are available."""
        return any(
            call.output_index == index and call.key in self._logit_handlers for call in self.calls
        )


def _before_activation(layer: Layer) -> Callable[..., Any] | None:
    """A function in place of the `call` of a layer that leaves out its softmax or sigmoid."""
    if type(layer).__name__ == "Softmax":
        return lambda layer, own_call, args, kwargs: args[0]
    if activation_of(layer) not in ("softmax", "sigmoid"):
        return None
    linear = {"activation": activations.linear}
    return lambda layer, own_call, args, kwargs: call_with_attributes(layer, linear, args, kwargs)


def activation_of(layer: Layer) -> str | None:
    """The name of the activation of a layer."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def _spec(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(np.shape(array)), jnp.result_type(array))
