"""Operation: whatever can stand in the graph of a functional model, and the Node of each call."""

from collections.abc import Callable
from typing import Any

import jax

from lamina.core import naming
from lamina.core.keras_tensor import KerasHistory, KerasTensor, is_symbolic, trace_spec


class Node:
    """One call of an operation on symbolic tensors: its arguments and what came out."""

    def __init__(self, operation: "Operation", args: tuple, kwargs: dict, outputs: Any):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.index = len(operation._inbound_nodes)
        self.input_tensors = [
            leaf for leaf in jax.tree.leaves((args, kwargs)) if isinstance(leaf, KerasTensor)
        ]
        self.output_tensors = jax.tree.leaves(outputs)
        for position, tensor in enumerate(self.output_tensors):
            tensor.history = KerasHistory(operation, self.index, position)
        operation._inbound_nodes.append(self)

    @property
    def parents(self) -> list["Node"]:
        """The nodes that made this node's inputs."""
        histories = [t.history for t in self.input_tensors if t.history is not None]
        return [h.operation._inbound_nodes[h.node_index] for h in histories]


class Operation:
    """Base of layers and of functions that may be called on symbolic tensors."""

    def __init__(self, name: str | None = None):
        self.name = naming.checked(name, type(self).__name__) or naming.auto_name(type(self))
        self._inbound_nodes: list[Node] = []

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} has no call() method.\n"
            "  Fix: write `def call(self, x):` that returns the output."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        outputs = self.compute_output_spec(*args, **kwargs)
        # A node needs outputs of its own, even if the operation returns its input as it is.
        outputs = jax.tree.map(lambda t: KerasTensor(t.shape, t.dtype, t.name), outputs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return trace_spec(self.call, *args, **kwargs)

    def get_config(self) -> dict:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> "Operation":
        return cls(**config)

    @property
    def input(self) -> Any:
        """What the operation was called on; several calls make this ambiguous."""
        node = self._only_node("input")
        return node.input_tensors[0] if len(node.input_tensors) == 1 else node.input_tensors

    @property
    def output(self) -> Any:
        """The symbolic output, for building another model on it (feature extraction)."""
        return self._only_node("output").outputs

    def _only_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no {what} yet: it has not been called "
                "on an Input.\n  Fix: build the model first, e.g. put lamina.Input(shape) in front."
            )
        if len(self._inbound_nodes) > 1:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} was called {len(self._inbound_nodes)} times, "
                f"so its {what} is ambiguous.\n  Fix: keep the tensor that the call you mean "
                "returned."
            )
        return self._inbound_nodes[0]


class FunctionOperation(Operation):
    """A plain function as a node of a graph; made by `symbolic`, one subclass a function."""

    function: Callable

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return type(self).function(*args, **kwargs)


def symbolic(function: Callable, class_name: str) -> tuple[Callable, type[FunctionOperation]]:
    """Let a function of arrays be called on symbolic tensors as well.

    Args:
        function: Any traceable function of arrays.
        class_name: Name of the operation in saved models, Keras's own, e.g. `"Add"`.

    Returns:
        The function to export, and the operation class to register under its namespace.
    """
    operation = type(
        class_name, (FunctionOperation,), {"function": staticmethod(function), "__doc__": None}
    )

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):
            return operation().symbolic_call(*args, **kwargs)
        return function(*args, **kwargs)

    wrapper.__name__ = wrapper.__qualname__ = function.__name__
    wrapper.__doc__ = function.__doc__
    return wrapper, operation
