"""What layers do: dead and saturated units, sizes of gradients and updates, ranks of kernels.

They are measured between epochs on a fixed batch, by one program of their own. So the training
program is the same with and without them, and a trained model can be measured as well.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.variable.stateless import stateless, value_and_grad, values_of
from lamina.diagnosis.effective_rank import effective_rank, largest_rank
from lamina.findings import LayerStatistics
from lamina.models.model import Model

PROBED_ROWS = 128
_CUT_OFF = {"relu", "relu6"}
# Outputs beyond these are saturated.
_ENDS = {"sigmoid": (0.02, 0.98), "hard_sigmoid": (0.0, 1.0), "tanh": (-0.96, 0.96)}
_KERNEL_NAMES = ("kernel", "recurrent_kernel")


class LayerProbe:
    """Measures the layers of a model, a graph of layers, on a fixed batch.

    Args:
        model: A compiled and built Sequential or functional model.
        x: Inputs, arrays `(samples, …)`; the first 128 are used.
        y: Targets.

    Raises:
        ValueError: If the model is not a graph of layers.
    """

    def __init__(self, model: Any, x: Any, y: Any):
        graph = getattr(model, "_graph", None)
        if graph is None:
            raise ValueError(f"{model.name!r} is not a graph of layers.")
        self._model = model
        self._batch = jax.tree.map(lambda array: np.asarray(array)[:PROBED_ROWS], (x, y))
        self._layers = [
            (node.operation, node.output_tensors[0])
            for node in graph.nodes
            if _kernel_of(node.operation) is not None or _activation_of(node.operation)
        ]
        inner = Model(graph.inputs, [tensor for _, tensor in self._layers])
        trainable = list(model.trainable_variables)
        kernels = [_kernel_of(layer) for layer, _ in self._layers]
        ranked = [kernel for kernel in kernels if kernel is not None and largest_rank(kernel)]

        def loss(x: Any, y: Any) -> Any:
            return model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)

        def measured(x: Any, y: Any) -> Any:
            _, gradients = value_and_grad(loss, trainable)(x, y)
            outputs = inner(x, training=False)
            outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            of_outputs = [
                _of_output(_activation_of(layer), output)
                for (layer, _), output in zip(self._layers, outputs, strict=True)
            ]
            ranks = [effective_rank(kernel.value) for kernel in ranked]
            return [jnp.sqrt(jnp.mean(jnp.square(g))) for g in gradients], of_outputs, ranks

        self._variables = list(model.variables)
        self._program = jax.jit(stateless(measured, self._variables))
        self._indices = {id(weight): index for index, weight in enumerate(trainable)}
        self._ranked = {id(kernel): index for index, kernel in enumerate(ranked)}
        self._before: dict[str, np.ndarray] = {}

    def measure(self, step: int, steps: int = 0) -> tuple[LayerStatistics, ...]:
        """Statistics of all layers now.

        Args:
            step: Index of the step.
            steps: Steps since the last call, for the size of an update.
        """
        measured, _ = self._program(values_of(self._variables), *self._batch)
        gradients, of_outputs, ranks = measured
        found = []
        for (layer, _), (dead, saturated) in zip(self._layers, of_outputs, strict=True):
            kernel = _kernel_of(layer)
            index = None if kernel is None else self._indices.get(id(kernel))
            place = None if kernel is None else self._ranked.get(id(kernel))
            found.append(
                LayerStatistics(
                    layer=str(layer.name),
                    step=step,
                    gradient=None if index is None else float(gradients[index]),
                    update=None if kernel is None else self._update(layer.name, kernel, steps),
                    dead=None if dead is None else float(dead),
                    saturated=None if saturated is None else float(saturated),
                    rank=None if place is None else float(ranks[place]),
                    largest_rank=None if place is None else largest_rank(kernel),
                )
            )
        return tuple(found)

    def _update(self, name: str, kernel: Any, steps: int) -> float | None:
        now = np.array(kernel)
        before, self._before[name] = self._before.get(name), now
        if before is None or not steps:
            return None
        size = float(np.linalg.norm(before))
        return float(np.linalg.norm(now - before)) / max(size, 1e-12) / steps


def _kernel_of(layer: Any) -> Any:
    for name in _KERNEL_NAMES:
        kernel = getattr(layer, name, None)
        if kernel is not None and hasattr(kernel, "assign"):
            return kernel
    return None


def _activation_of(layer: Any) -> str | None:
    if type(layer).__name__ == "ReLU":
        return "relu"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def _of_output(activation: str | None, output: Any) -> tuple[Any, Any]:
    """Share of dead units and of saturated outputs; None where the activation has none."""
    if not hasattr(output, "ndim") or output.ndim < 2:
        return None, None
    if activation in _CUT_OFF:
        return jnp.mean(jnp.all(output == 0, axis=tuple(range(output.ndim - 1)))), None
    if activation in _ENDS:
        low, high = _ENDS[activation]
        return None, jnp.mean((output <= low) | (output >= high))
    return None, None
