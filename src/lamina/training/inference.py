"""InferenceFunction: the forward pass of a model as a pure function, with its parameters and specs.

Code that runs a model elsewhere, such as an export or a server, only needs an `InferenceFunction`.
The programs of `predict` use the same pure step, made by `steps.make_forward_step`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import trace_spec
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Data, PyTree
from lamina.core.user_data.data_kinds import is_text
from lamina.core.variable.stateless import shared_values_of
from lamina.core.variable.variable import Variable
from lamina.training.feeds.conversion import pack_x_y_sample_weight
from lamina.training.learner import Learner
from lamina.training.requests import prediction_inputs
from lamina.training.steps import make_forward_step
from lamina.training.train_state import TrainState

T = TypeVar("T")


@filter_tracebacks_of_methods
@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and dtype of an input or output.

    Args:
        name: Name of the input or output.
        shape: Sizes of the axes, None for an axis of any size, such as the batch axis.
        dtype: Dtype of the values, `"string"` for text.

    Example:
        >>> TensorSpec("pixels", (None, 28, 28), "float32").shape
        (None, 28, 28)
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def one_row(self) -> np.ndarray:
        """A batch with one sample of zeros, or of empty text; axes of any size get size 1.

        Returns:
            Array `(1, …)`.
        """
        shape = (1, *(size or 1 for size in self.shape[1:]))
        return np.full(shape, "", object) if self.dtype == "string" else np.zeros(shape, self.dtype)


@filter_tracebacks_of_methods
@dataclass(frozen=True, eq=False, repr=False)
class InferenceFunction:
    """A model's forward pass as a pure function of its parameters and inputs.

    Made by `model.inference_function()`. It is plain JAX: it may be compiled by `jax.jit`, mapped
    by `jax.vmap`, or traced inside `lowering_for("portable")` for an export. The parameters are the
    weights at the time of the call. Later training changes neither them nor the function.

    Args:
        parameters: All weights and other state that the forward pass reads, by path.
        inputs: A `TensorSpec` for each input, in the structure in which the model takes them.
        outputs: A `TensorSpec` for each output, in the structure in which the model returns them.
        on_host: Preprocessing before the function: converts inputs to arrays, and text to numbers.
            Arrays of numbers are unchanged.
        step: `(parameters, inputs) → (outputs, parameters)`: also returns the changed state,
            for a model whose forward pass changes state, such as a stateful LSTM.

    Example:
        >>> import jax
        >>> import lamina
        >>> import numpy as np
        >>> stack = [lamina.Input((4,)), lamina.layers.Dense(2, name="head")]
        >>> model = lamina.Sequential(stack, name="small")
        >>> function = model.inference_function()
        >>> sorted(function.parameters)
        ['small/head/bias', 'small/head/kernel']
        >>> function.inputs.shape, function.outputs.shape
        ((None, 4), (None, 2))
        >>> x = np.ones((3, 4), "float32")
        >>> outputs = jax.jit(function)(function.parameters, x)
        >>> bool(np.allclose(outputs, model.predict(x), atol=1e-6))
        True
    """

    parameters: dict[str, jax.Array]
    inputs: Any
    outputs: Any
    on_host: Callable[[Any], Any]
    step: Callable[[Any, Any], tuple[Any, dict[str, Any]]]

    def __call__(self, parameters: PyTree, inputs: PyTree) -> PyTree:
        """Compute the outputs. Changes of the state are discarded; see `step`.

        Args:
            parameters: Arrays by path, as in `parameters`.
            inputs: Arrays `(batch, …)` in the structure of `inputs`; the result of `on_host` for a
                model that takes text.

        Returns:
            Arrays `(batch, …)` in the structure of `outputs`.
        """
        return self.step(parameters, inputs)[0]

    def __repr__(self) -> str:
        count = sum(array.size for array in self.parameters.values())
        return (
            f"<InferenceFunction inputs={self.inputs}, outputs={self.outputs}, "
            f"{count:,} numbers in {len(self.parameters)} parameters>"
        )


def inference_function(
    learner: Learner, example: Data = None, has_custom_step: bool = False
) -> InferenceFunction:
    """The inference function of a model.

    Args:
        learner: The model.
        example: Inputs as for `predict`, of which only shapes and dtypes are used; needed for a
            model whose inputs are not known.
        has_custom_step: Whether the user has overridden `predict_step`.

    Raises:
        ValueError: If the inputs are not known.
    """
    example_inputs = None if example is None else prediction_inputs(learner, example)
    if example_inputs is None and not learner.signature.inputs:
        raise ValueError(
            f"The inputs of model {learner.model.name!r} are not known, because it is not a graph "
            "of layers.\n  Fix: pass an example: model.inference_function(x[:1])."
        )
    on_host = None if example_inputs is None else learner.on_host(example_inputs)
    if not learner.model.built:
        learner.prepare(on_host, None, None, training=None)
    variables = learner.state("predict")
    forward = make_forward_step(learner, variables)
    paths = _paths(variables)

    def step(parameters: PyTree, inputs: PyTree) -> tuple[Any, dict[str, Any]]:
        state = _to_state(variables, [parameters[path] for path in paths])
        outputs, state = forward(state, pack_x_y_sample_weight(inputs))
        return outputs, dict(zip(paths, _values(state), strict=True))

    inputs = _input_specs(learner, example_inputs)
    return InferenceFunction(
        parameters=dict(zip(paths, shared_values_of(_values(variables)), strict=True)),
        inputs=inputs,
        outputs=_output_specs(learner, inputs, on_host, has_custom_step),
        on_host=lambda x: learner.on_host(prediction_inputs(learner, x)),
        step=step,
    )


def _values(state: TrainState[T]) -> list[T]:
    return [*state.trainable, *state.non_trainable]


def _to_state(variables: TrainState[Variable], values: list[T]) -> TrainState[T]:
    count = len(variables.trainable)
    return TrainState(
        trainable=values[:count],
        non_trainable=values[count:],
        placement=variables.placement,
    )


def _paths(variables: TrainState[Variable]) -> list[str]:
    """The paths of the Variables; repeated paths get a number: `a`, `a#2`."""
    counts: dict[str, int] = {}
    names = []
    for variable in _values(variables):
        count = counts[variable.path] = counts.get(variable.path, 0) + 1
        names.append(variable.path if count == 1 else f"{variable.path}#{count}")
    return names


def _input_specs(learner: Learner, example: Any) -> PyTree:
    signature = learner.signature
    if example is None:
        leaves, structure = jax.tree.flatten(signature.inputs_as_written)
        pairs = [(tensor.shape, tensor.dtype) for tensor in leaves]
    else:
        leaves, structure = jax.tree.flatten(example)
        pairs = [((None, *array.shape[1:]), _dtype_of(array)) for array in leaves]
    names = signature.input_names
    if len(names) != len(pairs) or isinstance(example, dict):
        names = _names_by_position("input", jax.tree.unflatten(structure, leaves))
    specs = [
        TensorSpec(name, tuple(shape), dtype)
        for name, (shape, dtype) in zip(names, pairs, strict=True)
    ]
    return jax.tree.unflatten(structure, specs)


def _output_specs(learner: Learner, inputs: PyTree, example: Any, has_custom_step: bool) -> PyTree:
    signature = learner.signature
    as_written = signature.outputs_as_written
    if example is not None or has_custom_step or not signature.outputs:
        # The outputs are known only after tracing.
        step = learner.step("predict_step")
        as_written = trace_spec(
            lambda x: step(pack_x_y_sample_weight(x)), _symbolic_inputs(learner, inputs, example)
        )
    leaves, structure = jax.tree.flatten(as_written)
    names = signature.output_names
    if len(names) != len(leaves):
        names = _names_by_position("output", as_written)
    specs = [TensorSpec(n, tuple(t.shape), t.dtype) for n, t in zip(names, leaves, strict=True)]
    return jax.tree.unflatten(structure, specs)


def _symbolic_inputs(learner: Learner, inputs: PyTree, example: Any) -> PyTree:
    """The inputs of the step as symbolic tensors."""
    specs = jax.tree.leaves(inputs)
    if example is None and not any(spec.dtype == "string" for spec in specs):
        return jax.tree.map(lambda spec: KerasTensor(spec.shape, spec.dtype), inputs)
    if example is None:  # the shapes of preprocessed text are known only after preprocessing
        example = learner.on_host(jax.tree.map(TensorSpec.one_row, inputs))
    return jax.tree.map(lambda a: KerasTensor((None, *a.shape[1:]), a.dtype), example)


def _dtype_of(array: Any) -> str:
    return "string" if is_text(array) else str(array.dtype)


def _names_by_position(what: str, structure: PyTree) -> tuple[str, ...]:
    """Names from the keys of a dict, or from positions: `input`, or `input_0`, `input_1`.

    Example:
        >>> _names_by_position("input", {"image": 0.0, "pair": [0.0, 0.0]})
        ('image', 'pair_0', 'pair_1')
    """
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(structure)]
    names = []
    for path in paths:
        keys = [getattr(k, "key", getattr(k, "idx", getattr(k, "name", k))) for k in path]
        if not keys or not isinstance(keys[0], str):
            keys = [what, *keys]
        names.append("_".join(map(str, keys)))
    return tuple(names)
