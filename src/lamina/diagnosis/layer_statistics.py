"""Statistics of layers: dead and saturated units, sizes of gradients and updates, kernel ranks.

They are measured between epochs on a fixed batch, by a separate compiled program. So the training
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
_WITH_DEAD_UNITS = {"relu", "relu6"}
# Outputs outside these ranges are saturated.
_UNSATURATED_RANGES = {"sigmoid": (0.02, 0.98), "hard_sigmoid": (0.0, 1.0), "tanh": (-0.96, 0.96)}
_KERNEL_NAMES = ("kernel", "recurrent_kernel")


class LayerProbe:
    """Measures the layers of a Sequential or functional model on a fixed batch.

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
        layer_outputs_model = Model(graph.inputs, [tensor for _, tensor in self._layers])
        trainable = list(model.trainable_variables)
        kernels = [_kernel_of(layer) for layer, _ in self._layers]
        ranked = [kernel for kernel in kernels if kernel is not None and largest_rank(kernel)]

        def loss(x: Any, y: Any) -> Any:
            return model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)

        def compute_statistics(x: Any, y: Any) -> Any:
            _, gradients = value_and_grad(loss, trainable)(x, y)
            outputs = layer_outputs_model(x, training=False)
            outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            output_statistics = [
                _output_statistics(_activation_of(layer), output)
                for (layer, _), output in zip(self._layers, outputs, strict=True)
            ]
            ranks = [effective_rank(kernel.value) for kernel in ranked]
            return [jnp.sqrt(jnp.mean(jnp.square(g))) for g in gradients], output_statistics, ranks

        self._variables = list(model.variables)
        self._program = jax.jit(stateless(compute_statistics, self._variables))
        self._indices = {id(weight): index for index, weight in enumerate(trainable)}
        self._rank_indices = {id(kernel): index for index, kernel in enumerate(ranked)}
        self._previous_kernels: dict[str, np.ndarray] = {}

    def measure(self, step: int, steps: int = 0) -> tuple[LayerStatistics, ...]:
        """The current statistics of all layers.

        Args:
            step: Number of training steps so far.
            steps: Number of steps since the last call, for the mean size of an update.
        """
        results, _ = self._program(values_of(self._variables), *self._batch)
        gradients, output_statistics, ranks = results
        statistics = []
        for (layer, _), (dead, saturated) in zip(self._layers, output_statistics, strict=True):
            kernel = _kernel_of(layer)
            index = None if kernel is None else self._indices.get(id(kernel))
            rank_index = None if kernel is None else self._rank_indices.get(id(kernel))
            statistics.append(
                LayerStatistics(
                    layer=str(layer.name),
                    step=step,
                    gradient=None if index is None else float(gradients[index]),
                    update=None if kernel is None else self._update(layer.name, kernel, steps),
                    dead=None if dead is None else float(dead),
                    saturated=None if saturated is None else float(saturated),
                    rank=None if rank_index is None else float(ranks[rank_index]),
                    largest_rank=None if rank_index is None else largest_rank(kernel),
                )
            )
        return tuple(statistics)

    def _update(self, name: str, kernel: Any, steps: int) -> float | None:
        current = np.array(kernel)
        previous, self._previous_kernels[name] = self._previous_kernels.get(name), current
        if previous is None or not steps:
            return None
        size = float(np.linalg.norm(previous))
        return float(np.linalg.norm(current - previous)) / max(size, 1e-12) / steps


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


def _output_statistics(activation: str | None, output: Any) -> tuple[Any, Any]:
    """Fractions of dead units and of saturated outputs; None if the activation has none."""
    if not hasattr(output, "ndim") or output.ndim < 2:
        return None, None
    if activation in _WITH_DEAD_UNITS:
        return jnp.mean(jnp.all(output == 0, axis=tuple(range(output.ndim - 1)))), None
    if activation in _UNSATURATED_RANGES:
        low, high = _UNSATURATED_RANGES[activation]
        return None, jnp.mean((output <= low) | (output >= high))
    return None, None
