"""HostPart: the text preprocessing of a model, which runs in NumPy on the host.

Text cannot be an input of a compiled program. A graph with text inputs is divided into two parts:
the layers that process text, with everything that they need, run on the host; the rest is compiled.
The host part returns a `Preprocessed`, which the model accepts instead of its inputs.
"""

from typing import Any

from lamina.core.graph.operation import Node
from lamina.core.types import Inputs
from lamina.core.user_data.text import Preprocessed, compute_on_host


class HostPart:
    """The division of a graph with text inputs into a host part and a device part.

    Args:
        graph: The graph.

    Raises:
        ValueError: If a layer with trainable weights would be in the host part.
    """

    def __init__(self, graph: Any):
        self.graph = graph
        text_nodes = [n for n in graph.nodes if any(t.dtype == "string" for t in n.input_tensors)]
        # By id: calls of nested models with text inputs, which have a host and a device part, too.
        self.divided_calls = {id(n): n for n in text_nodes if _has_device_part(n.operation)}
        self.nodes = _with_dependencies(text_nodes, graph.nodes)
        host_ids = {id(n) for n in self.nodes}
        self.device_nodes = [
            n for n in graph.nodes if id(n) not in host_ids or id(n) in self.divided_calls
        ]
        self._refuse_trainable_weights()
        self.boundary = self._boundary_tensors(host_ids - set(self.divided_calls))

    def run(self, inputs: Inputs) -> Preprocessed:
        """Run the host part, and return the inputs of the device part."""
        values = self.graph.input_values(inputs)
        nested_inputs: dict[int, Preprocessed] = {}
        for node in self.nodes:
            args, kwargs = self.graph.substitute(values, (node.args, node.kwargs))
            if id(node) in self.divided_calls:
                model: Any = node.operation
                nested_inputs[id(node)] = model._on_host(args[0])
            else:
                with compute_on_host():
                    outputs = node.operation(*args, **kwargs)
                self.graph.store_outputs(values, node, outputs)
        return Preprocessed((*(values[key] for key in self.boundary), *nested_inputs.values()))

    def resume(self, preprocessed: Preprocessed) -> dict:
        """The inputs of the device part, by the key of a tensor or of a nested model's call."""
        divided_calls = [n for n in self.nodes if id(n) in self.divided_calls]
        keys = [*self.boundary, *((id(node),) for node in divided_calls)]
        return dict(zip(keys, preprocessed.values, strict=True))

    def _boundary_tensors(self, host_ids: set[int]) -> list[tuple]:
        """The tensors that the device part takes from the host part or from the inputs."""
        computed_on_device = {
            self.graph.key(tensor)
            for node in self.graph.nodes
            if id(node) not in host_ids
            for tensor in node.output_tensors
        }
        nodes = [node for node in self.device_nodes if id(node) not in self.divided_calls]
        device_inputs = [tensor for node in nodes for tensor in node.input_tensors]
        device_inputs += self.graph.output_list
        text = next((t for t in device_inputs if t.dtype == "string"), None)
        if text is not None:
            raise TypeError(
                f"Model {self.graph.name!r} has text as an output, but a compiled program returns "
                "only numbers.\n  Fix: leave out the last layer, and call it on the result of "
                "predict()."
            )
        keys = dict.fromkeys(map(self.graph.key, device_inputs))
        return [key for key in keys if key not in computed_on_device]

    def _refuse_trainable_weights(self) -> None:
        for node in self.nodes:
            if id(node) not in self.divided_calls and getattr(
                node.operation, "trainable_variables", None
            ):
                raise ValueError(
                    f"Model {self.graph.name!r}: {node.operation.name!r} has trainable weights and "
                    "comes before a layer that takes text. Such layers run on the host, where "
                    "weights are not trained.\n"
                    "  Fix: pass text only through layers such as TextVectorization, StringLookup "
                    "and Hashing."
                )


def _has_device_part(operation: Any) -> bool:
    graph = getattr(operation, "_graph", None)
    return graph is not None and graph.host_part is not None and bool(graph.host_part.device_nodes)


def _with_dependencies(nodes: list[Node], all_nodes: list[Node]) -> list[Node]:
    """The nodes and all nodes that they depend on, in execution order.

    Args:
        nodes: Some nodes of a graph.
        all_nodes: All nodes of the graph, in execution order.
    """
    ids = {id(node) for node in nodes}
    for node in reversed(all_nodes):
        if id(node) in ids:
            ids |= {id(parent) for parent in node.parents}
    return [node for node in all_nodes if id(node) in ids]
