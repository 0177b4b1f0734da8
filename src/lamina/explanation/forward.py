"""Forward: runs a model on one sample and gives access to inner layers and to logits.

The model is called once with a hook on every layer (`hooks.py`), so no graph is needed: subclassed
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
from lamina.explanation.hooks import call_hooks, call_with_attributes
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
        is_inside_layer: Whether another layer makes the call, rather than a model.
    """

    layer: Layer
    key: Key
    inputs: tuple[jax.ShapeDtypeStruct, ...]
    output: jax.ShapeDtypeStruct | None
    output_index: int | None
    is_inside_layer: bool


class Run(NamedTuple):
    """The results of one computation: the outputs of the model and of captured calls."""

    outputs: list[Any]
    captured: dict[Key, Any]
    first_inputs: dict[Key, Any]  # the first array that each captured call received


class Forward:
    """The computation of a model for one sample.

    Args:
        model: A built model.
        inputs: A batch of one sample on the device, as the model's compiled programs take it.

    Attributes:
        calls: The calls of layers, in the order in which they are made.
        outputs: Shape and dtype of each output of the model.
    """

    def __init__(self, model: Model, inputs: PyTree):
        self.model, self.inputs = model, inputs
        # All Variables that a prediction reads, with their placement; `_values` are their arrays.
        variables = model._learner.state("predict")
        self._values = shared_values_of(variables)
        self._platform = variables.placement.platform
        self._stateless_call = stateless(self._call_model, variables)
        self._all_layers = all_layers(model)
        self._layers = [layer for layer in self._all_layers if not isinstance(layer, Model)]
        self.calls: list[Call] = []
        self.outputs: list[jax.ShapeDtypeStruct] = []
        self._logit_hooks: dict[Key, Callable[..., Any]] = {}
        self._find_calls()

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile `function(run, inputs, *arrays)` to a function of `*arrays`.

        The program has the inputs as arguments, so it is compiled once for all samples of a shape.

        Args:
            function: A pure function; `run` is `Forward.run` on the model's weights, and `inputs`
                is the sample.
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
        perturbations: Mapping[Key, Any] | None = None,
        capture: Collection[Key] = (),
        hooks: Mapping[Key, Callable[..., Any]] | None = None,
        return_logits: bool = False,
    ) -> Run:
        """Call the model; to be traced.

        Args:
            values: The weights.
            inputs: A batch of one sample.
            replacements: Outputs of calls, in place of those that the layers compute.
            perturbations: Arrays that are added to the outputs of calls.
            capture: Calls whose inputs and outputs are returned.
            hooks: Functions `(layer, own_call, args, kwargs) → outputs` in place of calls.
            return_logits: Whether to leave out a softmax or sigmoid at the end of the model.
        """
        replacements, perturbations = replacements or {}, perturbations or {}
        hooks = dict(hooks or {})
        if return_logits:
            hooks = {**self._logit_hooks, **hooks}
        counts: collections.Counter[int] = collections.Counter()
        captured: dict[Key, Any] = {}
        first_inputs: dict[Key, Any] = {}

        def hook(layer: Layer, own_call: Any, args: Any, kwargs: Any) -> Any:
            key = (id(layer), counts[id(layer)])
            counts[id(layer)] += 1
            if key in hooks:
                outputs = hooks[key](layer, own_call, args, kwargs)
            elif key in replacements:
                outputs = replacements[key].astype(layer.compute_dtype)
            else:
                outputs = own_call(*args, **kwargs)
            if key in perturbations:
                outputs = outputs + perturbations[key].astype(outputs.dtype)
            if key in capture:
                captured[key] = outputs
                first_inputs[key] = jax.tree.leaves((args, kwargs))[0]
            return outputs

        ids = {i for i, _ in (*replacements, *perturbations, *hooks, *capture)}
        layers = [layer for layer in self._layers if id(layer) in ids]
        with call_hooks(self._all_layers, dict.fromkeys(layers, hook)):
            outputs, _ = self._stateless_call(values, inputs)
        return Run(jax.tree.leaves(outputs), captured, first_inputs)

    def _call_model(self, inputs: PyTree) -> Any:
        try:
            return self.model(inputs, training=False)
        finally:
            self.model._learner.clear_losses()

    def _find_calls(self) -> None:
        """Find the calls of layers, and which of them return the outputs of the model."""
        traced_calls: list[tuple[Layer, Key, Any, Any, bool]] = []
        counts: collections.Counter[int] = collections.Counter()
        results: list[Any] = []

        def hook(layer: Layer, own_call: Any, args: Any, kwargs: Any) -> Any:
            key = (id(layer), counts[id(layer)])
            counts[id(layer)] += 1
            outputs = own_call(*args, **kwargs)
            outer_layers = context.call_stack[:-1]
            is_inside_layer = not all(isinstance(outer, Model) for outer in outer_layers)
            arrays = [a for a in jax.tree.leaves((args, kwargs)) if hasattr(a, "dtype")]
            traced_calls.append((layer, key, arrays, outputs, is_inside_layer))
            return outputs

        def trace(values: Any, inputs: Any) -> Any:
            with call_hooks(self._all_layers, dict.fromkeys(self._layers, hook)):
                outputs, _ = self._stateless_call(values, inputs)
            results.extend(jax.tree.leaves(outputs))
            return outputs

        shapes = jax.eval_shape(trace, self._values, self.inputs)
        self.outputs = jax.tree.leaves(shapes)
        for layer, key, arrays, outputs, is_inside_layer in traced_calls:
            index = next((i for i, result in enumerate(results) if result is outputs), None)
            output = _spec(outputs) if hasattr(outputs, "dtype") else None
            inputs = tuple(map(_spec, arrays))
            self.calls.append(Call(layer, key, inputs, output, index, is_inside_layer))
            logit_hook = _hook_without_activation(layer)
            if index is not None and logit_hook is not None:
                self._logit_hooks[key] = logit_hook

    def has_logits(self, index: int) -> bool:
        """Whether the logits of an output, before its softmax or sigmoid, are available."""
        return any(
            call.output_index == index and call.key in self._logit_hooks for call in self.calls
        )


def _hook_without_activation(layer: Layer) -> Callable[..., Any] | None:
    """A hook that calls a layer without its softmax or sigmoid; None if the layer has neither."""
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
