"""The diagram of a model: boxes for layers, groups for nested models, and edges.

`model_layout` computes positions, `model_visualization` draws the diagram or writes it as DOT.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax

from lamina.core.types import ActivationLike

if TYPE_CHECKING:
    from lamina.models.model import Model


@dataclass(frozen=True)
class Cell:
    """One field of a box: `Output shape: (None, 10)`, or a coloured word alone."""

    label: str
    value: str
    kind: str = "plain"  # or "trainable", "frozen"

    @property
    def text(self) -> str:
        """Label and value in one line."""
        return f"{self.label}: {self.value}" if self.label else self.value


@dataclass
class Box:
    """One layer or operation.

    Args:
        title: The line at the top.
        rows: The lines below it, each of one field or several side by side.
    """

    title: str
    rows: list[list[Cell]] = field(default_factory=list)


@dataclass
class Group:
    """A nested model whose layers are shown.

    Args:
        title: The model's name; empty for the model itself.
        parts: Boxes and groups by key, in topological order.
        edges: Pairs of keys of boxes; the outermost group has all edges.
    """

    title: str
    parts: dict[str, "Box | Group"] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def boxes(self) -> Iterator[tuple[str, Box]]:
        """All boxes, those of nested groups included, with their keys."""
        for key, part in self.parts.items():
            if isinstance(part, Box):
                yield key, part
            else:
                yield from part.boxes()


@dataclass(frozen=True)
class Contents:
    """The properties of a layer that are shown; see `plot_model`."""

    shapes: bool = False
    dtype: bool = False
    names: bool = False
    activations: bool = False
    trainable: bool = False

    def make_box(self, part: Any) -> Box:
        """The box of a layer or an operation between layers."""
        kind = type(part).__name__
        box = Box(f"{part.name} ({kind})" if self.names else kind)
        activation = getattr(part, "activation", None)
        if self.activations and activation is not None:
            box.rows.append([Cell("Activation", _name_of(activation))])
        cells = []
        if self.shapes:
            if kind != "InputLayer":
                cells.append(Cell("Input shape", _describe_tensors(part, "input", "shape")))
            cells.append(Cell("Output shape", _describe_tensors(part, "output", "shape")))
        if self.dtype:
            cells.append(Cell("Output dtype", _describe_tensors(part, "output", "dtype")))
        if self.trainable and getattr(part, "weights", None):
            if part.trainable:
                cells.append(Cell("", "Trainable", "trainable"))
            else:
                cells.append(Cell("", "Non-trainable", "frozen"))
        if cells:
            box.rows.append(cells)
        return box


def build_diagram(model: "Model", contents: Contents, expand_nested: bool = False) -> Group:
    """Boxes and edges of a model.

    Args:
        model: Built; one that has no graph, such as a subclassed one, is a single box.
        contents: Contents of the boxes.
        expand_nested: Whether to show the layers of nested models.

    Raises:
        ValueError: If the model is not built.
    """
    if not hasattr(model, "built"):
        raise TypeError(f"Only models can be drawn; received {model!r}.")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so nothing is known of its shapes and "
            "connections.\n  Fix: model.build((None, …)), or call it on a batch first."
        )
    builder = _Builder(contents, expand_nested)
    root = Group("")
    if getattr(model, "_graph", None) is None:
        builder.add_part(root, model)
    else:
        builder.add_model(root, model)
    root.edges = list(builder.edges)
    return root


class _Builder:
    """Makes the boxes and edges of a model.

    Its methods return the keys of the boxes at the inputs of a part, and of those at its outputs.
    """

    def __init__(self, contents: Contents, expand_nested: bool):
        self.contents = contents
        self.expand_nested = expand_nested
        self.keys: dict[int, str] = {}
        self.edges: dict[tuple[str, str], None] = {}  # used as an ordered set

    def add_part(self, group: Group, part: Any) -> tuple[list[str], list[str]]:
        key = self.keys.setdefault(id(part), str(len(self.keys)))
        if self.expand_nested and getattr(part, "_graph", None) is not None:
            group.parts[key] = new_group = Group(part.name)
            return self.add_model(new_group, part)
        group.parts[key] = self.contents.make_box(part)
        return [key], [key]

    def add_model(self, group: Group, model: Any) -> tuple[list[str], list[str]]:
        if hasattr(model, "_stack"):  # a Sequential; its input is not one of its layers
            return self._add_stack(group, model.layers)
        graph = model._graph
        keys_of = {id(part): self.add_part(group, part) for part in graph.operations}
        for node in graph.nodes:
            input_keys = keys_of[id(node.operation)][0]
            for position, tensor in enumerate(node.input_tensors):
                source = _key_at(
                    keys_of[id(tensor.history.operation)][1], tensor.history.tensor_index
                )
                self.edges[source, _key_at(input_keys, position)] = None
        inputs = [keys_of[id(tensor.history.operation)][0][0] for tensor in graph.input_list]
        outputs = [
            _key_at(keys_of[id(tensor.history.operation)][1], tensor.history.tensor_index)
            for tensor in graph.output_list
        ]
        return inputs, outputs

    def _add_stack(self, group: Group, layers: list) -> tuple[list[str], list[str]]:
        keys_of_layers = [self.add_part(group, layer) for layer in layers]
        for (_, outputs), (inputs, _) in zip(keys_of_layers, keys_of_layers[1:], strict=False):
            self.edges[outputs[0], inputs[0]] = None
        return keys_of_layers[0][0], keys_of_layers[-1][1]


def _key_at(keys: list[str], position: int) -> str:
    """The box of a tensor; a part drawn as one box has the same box for all its tensors."""
    return keys[min(position, len(keys) - 1)]


def _name_of(activation: ActivationLike) -> str:
    name = getattr(activation, "name", None) or getattr(activation, "__name__", None)
    return str(name or type(activation).__name__)


def _describe_tensors(part: Any, side: str, attribute: str) -> str:
    """The shapes or dtypes of the inputs or outputs of a part; `?` if unknown."""
    try:
        tensors = getattr(part, side)
    except (AttributeError, ValueError, RuntimeError):
        return "?"
    if isinstance(tensors, dict):
        return ", ".join(f"{key}: {getattr(tensors[key], attribute)}" for key in tensors)
    return ", ".join(str(getattr(tensor, attribute)) for tensor in jax.tree.leaves(tensors)) or "?"
