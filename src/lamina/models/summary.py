"""The table that `model.summary()` prints."""

import io
from collections.abc import Callable
from typing import Any

import jax

from lamina.core.layer import Layer


def print_summary(
    model: Any,
    line_length: int | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print a model's layers, the shapes they give, their parameters and the memory these take.

    Args:
        model: Built or not; an unbuilt model shows "?" for what is not known yet.
        line_length: Width in characters; the terminal's by default.
        print_fn: Called with the text instead of printing it.
        expand_nested: Also show the layers inside nested models.
        show_trainable: Also show which layers are frozen.
        layer_range: First and last name of a stretch of layers to show.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f'Model: "{model.name}"', title_justify="left", title_style="bold")
    table.add_column("Layer (type)", overflow="fold")
    table.add_column("Output shape", overflow="fold")
    table.add_column("Parameters", justify="right")
    table.add_column("Memory", justify="right")
    inputs_matter = _has_branches(model)
    if inputs_matter:
        table.add_column("Connected to", overflow="fold")
    if show_trainable:
        table.add_column("Trainable", justify="center")

    def add(layer: Layer, indent: int) -> None:
        row: list[Any] = [
            Text("  " * indent + f"{layer.name} ({type(layer).__name__})"),
            Text(shape_of_output(layer)),
            f"{sum(v.size for v in layer.weights):,}" if layer.built else "?",
            readable_bytes(bytes_of(layer.weights)) if layer.built else "?",
        ]
        if inputs_matter:
            row.append(Text(", ".join(_sources(layer))))
        if show_trainable:
            row.append("yes" if layer.trainable else "no")
        table.add_row(*row)
        if expand_nested and hasattr(layer, "layers"):
            for inner in layer.layers:
                add(inner, indent + 1)

    for layer in _in_range(model.layers, layer_range):
        add(layer, 0)

    recorded = print_fn is not None
    console = Console(
        width=line_length or (100 if recorded else None),
        record=recorded,
        file=io.StringIO() if recorded else None,
    )
    console.print(table)
    for line in totals(model):
        console.print(line, highlight=False)
    if print_fn is not None:
        print_fn(console.export_text())


def totals(model: Any) -> list[str]:
    """The lines below the table: parameters in all, trainable, frozen, and the optimizer's."""
    if not model.built:
        return [
            "Not built yet: shapes and parameters are known once the model has seen data,",
            "or after model.build((None, …)).",
        ]
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    lines = [
        _total("Parameters", [*trainable, *frozen]),
        _total("  trainable", trainable),
        _total("  not trainable", frozen),
    ]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and getattr(optimizer, "built", False):
        lines.append(_total("Optimizer", optimizer.variables))
    return lines


def shape_of_output(layer: Any) -> str:
    """The shape a layer gives, `?` if it is not known yet."""
    outputs = [node.outputs for node in layer._inbound_nodes]
    if not outputs and getattr(layer, "outputs", None):
        outputs = [layer.output]
    if not outputs and getattr(layer, "_build_shapes", None):
        try:
            shapes = layer._build_shapes
            return str(layer.compute_output_shape(*shapes.values()))
        except Exception:  # a user's layer may not know; then it is not known
            return "?"
    if not outputs:
        return "?"
    shown = [jax.tree.map(lambda t: t.shape, o) for o in outputs]
    return ", ".join(dict.fromkeys(str(s) for s in shown))


def readable_bytes(count: float) -> str:
    """`472.6 KiB` for 483,968.

    Example:
        >>> readable_bytes(483_968)
        '472.6 KiB'
    """
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count /= 1024
        if count < 1024 or unit == "TiB":
            break
    return f"{count:.1f} {unit}"


def bytes_of(variables: list) -> int:
    return sum(v._value.nbytes for v in variables)


def _total(label: str, variables: list) -> str:
    return f"{label}: {sum(v.size for v in variables):,} ({readable_bytes(bytes_of(variables))})"


def _has_branches(model: Any) -> bool:
    graph = getattr(model, "_graph", None)
    if graph is None or hasattr(model, "_stack"):
        return False
    return any(len(node.parents) != 1 for node in graph.nodes) or len(graph.input_list) > 1


def _sources(layer: Any) -> list[str]:
    nodes = layer._inbound_nodes
    return list(dict.fromkeys(p.operation.name for node in nodes for p in node.parents))


def _in_range(layers: list, layer_range: Any) -> list:
    if layer_range is None:
        return layers
    names = [layer.name for layer in layers]
    unknown = [name for name in layer_range if name not in names]
    if len(layer_range) != 2 or unknown:
        raise ValueError(
            f"layer_range takes the names of two layers of the model; received {layer_range!r}.\n"
            f"  Its layers: {', '.join(names)}."
        )
    first, last = (names.index(name) for name in layer_range)
    return layers[first : last + 1]
