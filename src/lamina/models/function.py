"""Function: the operations between symbolic tensors as one operation, without training."""

from typing import Any

import jax

from lamina import tree
from lamina.core.graph.keras_tensor import KerasTensor, is_symbolic
from lamina.core.graph.operation import Node, Operation
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Inputs, Outputs, Shapes
from lamina.models.graph import Graph
from lamina.ops.arrays import as_array


@filter_tracebacks_of_methods
class Function(Operation):
    """A graph of operations between inputs and outputs, to be called on arrays or symbolic tensors.

    Unlike a `Model`, it can only be called, not trained or saved.

    Args:
        inputs: A symbolic tensor, or a list, tuple or dict of them.
        outputs: Results of operations on the inputs.
        name: Name of the function.

    Example:
        >>> from lamina import Input
        >>> x = Input((2,))
        >>> Function(x, x * 2 + 1)([[1.0, 2.0]]).tolist()
        [[3.0, 5.0]]
    """

    def __init__(self, inputs: Inputs, outputs: Inputs, name: str | None = None):
        super().__init__(name=name)
        for tensor in jax.tree.leaves(inputs):
            if isinstance(tensor, KerasTensor) and tensor.history is None:
                Node(_Source(), (), {}, tensor)
        self._graph = Graph(inputs, outputs, name=self.name)

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        """Shapes of the outputs for shapes of the inputs, in their structure.

        Args:
            input_shape: Shape of the input, or a structure of shapes, with the batch axis.

        Returns:
            Shape of the output, or a structure of shapes.
        """
        dtypes = iter([tensor.dtype for tensor in self._graph.input_list])
        tensors = tree.map_shape_structure(lambda s: KerasTensor(s, next(dtypes)), input_shape)
        return jax.tree.map(lambda t: t.shape, self.compute_output_spec(tensors))

    def call(self, inputs: Inputs) -> Outputs:
        """Compute the outputs of the graph.

        Args:
            inputs: Arrays in the structure of the inputs.

        Returns:
            Arrays in the structure of the outputs.
        """
        return self._graph.run(inputs)

    def __call__(self, inputs: Inputs) -> Outputs:
        # A single input may be nested lists of numbers; several must be in their structure.
        if isinstance(self._graph.inputs, KerasTensor) and not is_symbolic(inputs):
            inputs = as_array(inputs)
        inputs = jax.tree.map(_as_tensor, inputs)
        tensors = jax.tree.leaves(inputs)
        if len(tensors) == len(self.inputs):
            for tensor, expected in zip(tensors, self.inputs, strict=True):
                self._check_shape(tensor, expected)
        return super().__call__(inputs)

    def _check_shape(self, tensor: Any, expected: KerasTensor) -> None:
        sizes = zip(tensor.shape, expected.shape, strict=False)
        sizes_differ = any(e is not None and size not in (e, None) for size, e in sizes)
        if tensor.ndim != expected.ndim or sizes_differ:
            raise ValueError(
                f"Function {self.name!r} was created for an input of shape {expected.shape}; "
                f"received {tuple(tensor.shape)}."
            )

    @property
    def inputs(self) -> list:
        """The symbolic inputs."""
        return list(self._graph.input_list)

    @property
    def outputs(self) -> list:
        """The symbolic outputs."""
        return list(self._graph.output_list)

    @property
    def operations(self) -> list[Operation]:
        """The operations between inputs and outputs, in the order of a model's weights."""
        return [o for o in self._graph.operations if not isinstance(o, _Source)]


class _Source(Operation):
    """The operation of a symbolic input that was not made by `Input`."""


def _as_tensor(leaf: Any) -> Any:
    return leaf if isinstance(leaf, KerasTensor) else as_array(leaf)
