"""The graph of a functional model as plain data, in Keras's layout, and back."""

import collections
import heapq
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from lamina import tree
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.operation import Node, Operation
from lamina.core.layer.call_signature import signature_of
from lamina.core.serialization import naming, registry

# Key of a call whose `training` was given by the user; Keras ignores it.
_TRAINING_GIVEN = "training_was_given"


def graph_config(model: Any) -> dict:
    """The graph as plain data: every layer, with its calls and their input tensors."""
    graph = model._graph
    in_graph = {id(node) for node in graph.nodes}
    # By id of an operation, then by index of one of its calls: the index of the call in the file.
    file_index: dict[int, dict[int, int]] = {}
    for operation in graph.operations:
        nodes = [n for n in operation._inbound_nodes if id(n) in in_graph or not n.input_tensors]
        file_index[id(operation)] = {n.index: i for i, n in enumerate(nodes)}

    def reference(tensor: KerasTensor) -> list:
        operation, node_index, tensor_index = tensor.history  # type: ignore[misc]
        return [operation.name, file_index[id(operation)][node_index], tensor_index]

    def argument(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            config = {
                "shape": list(value.shape),
                "dtype": value.dtype,
                "keras_history": reference(value),
            }
            return {"class_name": "__keras_tensor__", "config": config}
        if isinstance(value, (list, tuple)):
            items = [argument(item) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        if isinstance(value, dict):
            return {key: argument(item) for key, item in value.items()}
        return registry.serialize(value)

    def endpoint(tensor: KerasTensor) -> list:
        name, node_index, tensor_index = reference(tensor)
        operation = tensor.history.operation  # type: ignore[union-attr]
        return [name, node_index + _first_call(operation), tensor_index]

    def call(node: Node) -> dict:
        record = {"args": argument(list(node.args)), "kwargs": argument(node.kwargs)}
        if "training" in node.kwargs:
            record[_TRAINING_GIVEN] = True
        return record

    layers = []
    for operation in graph.operations:
        record = registry.serialize(operation)
        record["name"] = operation.name
        calls = [node for node in operation._inbound_nodes if id(node) in in_graph]
        record["inbound_nodes"] = [call(node) for node in calls]
        layers.append(record)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": tree.map_structure(endpoint, graph.inputs, none_is_leaf=False),
        "output_layers": tree.map_structure(endpoint, graph.outputs, none_is_leaf=False),
    }


def model_from_graph_config(cls: type, config: dict, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `graph_config`."""
    # The calls in this model. A layer that is shared with another model has more calls.
    calls: dict[str, list[Node]] = {}
    operations: dict[str, Operation] = {}
    records: list[tuple[str, Any]] = []  # name of the layer and record of each call
    for record in config["layers"]:
        name = record["name"]
        operations[name] = operation = registry.deserialize(_without_graph(record), custom_objects)
        calls[name] = [n for n in operation._inbound_nodes if not n.input_tensors]
        records += [(name, node) for node in record["inbound_nodes"]]

    def tensor(history: list) -> KerasTensor:
        name, node_index, tensor_index = history
        if name not in calls:
            raise ValueError(
                f"The file's graph refers to a layer {name!r} that is not in the file."
            )
        try:
            return calls[name][node_index].output_tensors[tensor_index]
        except LookupError:
            raise ValueError(
                f"The file's graph refers to output {tensor_index} of call {node_index} of layer "
                f"{name!r}, which does not exist."
            ) from None

    for name, node in _sort_topologically(records, calls):
        args, kwargs = _arguments(node, tensor, custom_objects)
        _drop_default_mode(operations[name], node, kwargs)
        operations[name](*args, **kwargs)
        calls[name].append(operations[name]._inbound_nodes[-1])

    def endpoints(references: Any) -> Any:
        if isinstance(references, dict):
            return {
                naming.check_printable(key, "An input or output"): endpoints(value)
                for key, value in references.items()
            }
        if len(references) == 3 and isinstance(references[0], str):
            name, node_index, tensor_index = references
            first = _first_call(operations[name]) if name in operations else 0
            return tensor([name, node_index - first, tensor_index])
        tensors = [endpoints(value) for value in references]
        return tuple(tensors) if isinstance(references, tuple) else tensors

    model = cls(
        inputs=endpoints(config["input_layers"]),
        outputs=endpoints(config["output_layers"]),
        name=config.get("name"),
    )
    if config.get("trainable") is False:
        # Only the model's flag: the flags of the layers were read with the layers.
        model._trainable = False
    return model


def _sort_topologically(
    records: list[tuple[str, Any]], calls: dict[str, list]
) -> Iterator[tuple[str, Any]]:
    """Sort the calls in a file topologically, so that the inputs of each call exist.

    Calls that do not depend on each other, and all calls of one layer, keep their order.

    Args:
        records: Name of the layer and record of each call, in the order of the file.
        calls: From the name of a layer to the calls that exist already.
    """
    calls_made = {name: len(existing) for name, existing in calls.items()}
    numbers = {name: itertools.count(call_number) for name, call_number in calls_made.items()}
    numbered_calls = [(name, next(numbers[name])) for name, _ in records]
    missing_counts: list[int] = []  # for each call, the number of calls that it waits for
    waiting_calls: dict[tuple[str, int], list[int]] = collections.defaultdict(list)
    for index, ((name, call_number), (_, record)) in enumerate(
        zip(numbered_calls, records, strict=True)
    ):
        required_calls = set(_references(record))
        if call_number > 0:
            required_calls.add((name, call_number - 1))
        # Calls that exist already, or whose layer is unknown, are not waited for.
        required_calls = {
            (layer, call)
            for layer, call in required_calls
            if layer in calls_made and call >= calls_made[layer]
        }
        missing_counts.append(len(required_calls))
        for reference in required_calls:
            waiting_calls[reference].append(index)
    ready = [
        index for index, count in enumerate(missing_counts) if not count
    ]  # sorted, so it is a heap
    ready_count = 0
    while ready:
        index = heapq.heappop(ready)
        yield records[index]
        ready_count += 1
        for waiting_call in waiting_calls.pop(numbered_calls[index], ()):
            missing_counts[waiting_call] -= 1
            if not missing_counts[waiting_call]:
                heapq.heappush(ready, waiting_call)
    if ready_count < len(records):
        raise ValueError("The file's graph of layers has calls whose inputs are never computed.")


def _references(record: Any) -> Iterator[tuple[str, int]]:
    """Layer and index of every call whose outputs a call uses."""
    if isinstance(record, list):  # the older layout: [[name, node, tensor, kwargs], …]
        yield from ((entry[0], entry[1]) for entry in record)
        return
    stack = [record]
    while stack:
        value = stack.pop()
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            name, call_number, _ = value["config"]["keras_history"]
            yield name, call_number
        elif isinstance(value, (dict, list, tuple)):
            stack += value.values() if isinstance(value, dict) else value


def _first_call(operation: Operation) -> int:
    """The index of the first call of a nested model in Keras's references: 1, otherwise 0."""
    is_functional = getattr(operation, "_graph", None) is not None
    return 1 if is_functional and not hasattr(operation, "_stack") else 0


def _drop_default_mode(operation: Operation, node: Any, kwargs: dict) -> None:
    """Drop `training` from a call if it is only the default.

    Keras writes the default of `call` into its files as if it had been given, but lets the mode of
    the model override it. In Lamina an argument given in a call is not overridden.
    """
    is_given = isinstance(node, dict) and node.get(_TRAINING_GIVEN)
    default = signature_of(type(operation).call).training_default
    if not is_given and "training" in kwargs and kwargs["training"] is default:
        del kwargs["training"]


def _without_graph(record: dict) -> dict:
    # build_config is kept: a layer is built when it is called, but one that is only stored
    # (shared with another model) is not.
    return {k: v for k, v in record.items() if k not in ("inbound_nodes", "name")}


def _arguments(node: Any, tensor: Any, custom_objects: Mapping | None) -> tuple[list, dict]:
    if isinstance(node, list):  # the older layout: [[name, node, tensor, kwargs], …]
        tensors = [tensor(entry[:3]) for entry in node]
        kwargs = node[0][3] if node and len(node[0]) > 3 else {}
        return [tensors[0] if len(tensors) == 1 else tensors], kwargs

    def value(data: Any) -> Any:
        if isinstance(data, dict):
            if data.get("class_name") == "__keras_tensor__":
                return tensor(data["config"]["keras_history"])
            if "class_name" in data and "config" in data:
                return registry.deserialize(data, custom_objects)
            return {key: value(item) for key, item in data.items()}
        if isinstance(data, (list, tuple)):
            items = [value(item) for item in data]
            return tuple(items) if isinstance(data, tuple) else items
        return data

    return value(node["args"]), value(node["kwargs"])
