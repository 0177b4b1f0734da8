"""The table that `model.summary()` prints, and that a notebook shows for a model."""

import html
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax

from lamina.core.messages.errors import did_you_mean

if TYPE_CHECKING:
    from lamina.models.model import Model


def print_summary(
    model: "Model",
    line_length: int | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print a model's layers with their output shapes, parameters and memory.

    Args:
        model: A model; if it is not built, "?" is shown for unknown values.
        line_length: Width in characters; the terminal's by default.
        print_fn: Called with the text instead of printing it.
        expand_nested: Also show the layers inside nested models.
        show_trainable: Also show which layers are frozen.
        layer_range: Names of the first and the last layer to show, or regular expressions.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    recorded = print_fn is not None
    console = Console(
        width=line_length or (100 if recorded else None),
        record=recorded,
        file=io.StringIO() if recorded else None,
    )
    columns = {"Layer (type)": "left", "Output shape": "left", "Parameters": "right"}
    columns["Memory"] = "right"
    if _has_branches(model):
        columns["Connected to"] = "left"
    if show_trainable:
        columns["Trainable"] = "center"
    rows = [
        row
        for part in _in_range(_layers_and_operations(model), layer_range)
        for row in _rows(part, 0, expand_nested)
    ]
    if _width(columns, rows) > console.width:
        del columns["Memory"]  # the memory of the whole model is below the table

    table = Table()
    widths = _wrapped_column_widths(columns, rows, console.width)
    for name, justify in columns.items():
        table.add_column(
            name,
            justify=justify,  # type: ignore[arg-type]
            no_wrap=bool(widths) and name not in widths,
            overflow="fold",
            width=widths.get(name),
        )
    for row in rows:
        table.add_row(*(Text(row[name]) for name in columns))
    console.print(Text(f'Model: "{model.name}"', style="bold"))
    console.print(table)
    for line in parameter_totals(model):
        console.print(line, highlight=False)
    if print_fn is not None:
        lines = console.export_text().rstrip("\n").split("\n")
        print_fn("\n".join(line.rstrip() for line in lines))


def summary_as_html(model: "Model") -> str:
    """The table as HTML; a notebook shows it for a model at the end of a cell."""
    columns = ["Layer (type)", "Output shape", "Parameters"]
    if _has_branches(model):
        columns.append("Connected to")
    rows = [row for part in _layers_and_operations(model) for row in _rows(part, 0, False)]
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(row[name])}</td>' for name in columns)}</tr>"
        for row in rows
    )
    title = html.escape(f'Model "{model.name}" ({type(model).__name__})')
    return (
        f"<div><b>{title}</b><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{'<br>'.join(html.escape(line) for line in parameter_totals(model))}</div>"
    )


def _rows(part: Any, indent: int, expand_nested: bool) -> Iterator[dict[str, str]]:
    """The row of a layer or operation, and those of the layers in it."""
    weights = getattr(part, "weights", [])
    built = getattr(part, "built", True)
    yield {
        "Layer (type)": "  " * indent + f"{part.name} ({type(part).__name__})",
        "Output shape": shape_of_output(part),
        "Parameters": f"{sum(v.size for v in weights):,}" if built else "?",
        "Memory": readable_bytes(bytes_of(weights)) if built else "?",
        "Connected to": ", ".join(_sources(part)),
        "Trainable": _yes_or_no(getattr(part, "trainable", None)),
    }
    if expand_nested and hasattr(part, "layers"):
        for inner in _layers_and_operations(part):
            yield from _rows(inner, indent + 1, expand_nested)


def _yes_or_no(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _layers_and_operations(model: "Model") -> list[Any]:
    """The layers, and in a functional model the operations between them."""
    graph = getattr(model, "_graph", None)
    if graph is None or hasattr(model, "_stack"):
        return model.layers
    ids = {id(operation) for operation in graph.operations}
    return [*graph.operations, *(layer for layer in model.layers if id(layer) not in ids)]


_WRAPPED_COLUMNS = ("Layer (type)", "Connected to")


def _width(columns: Iterable[str], rows: list[dict[str, str]]) -> int:
    """Width of the table, in characters, if no word in it is broken."""
    cells = [
        _longest(rows, name, str.split if name in _WRAPPED_COLUMNS else _as_one_part)
        for name in columns
    ]
    return sum(max(len(name), cell) + 3 for name, cell in zip(columns, cells, strict=True)) + 1


def _wrapped_column_widths(
    columns: Iterable[str], rows: list[dict[str, str]], width: int
) -> dict[str, int | None]:
    """Widths of the columns that may be wrapped; layer names get space first.

    Empty if there is not enough space for the other columns.
    """
    wrapped = [name for name in columns if name in _WRAPPED_COLUMNS]
    plain_columns = [name for name in columns if name not in wrapped]
    space = width - _width(plain_columns, rows) - 3 * len(wrapped)
    if sum(_longest(rows, name, _as_one_part) for name in wrapped) <= space:
        return dict.fromkeys(wrapped)
    connected_width = 0
    if len(wrapped) > 1:
        connected_width = max(12, space - _longest(rows, wrapped[0], str.split))
        connected_width = min(connected_width, _longest(rows, wrapped[1], _as_one_part))
    if space - connected_width < 8:
        return {}
    return dict(zip(wrapped, (space - connected_width, connected_width), strict=False))


def _longest(rows: list[dict[str, str]], column: str, split: Callable) -> int:
    """Length of the longest part of the texts in a column."""
    return max((len(part) for row in rows for part in split(row[column])), default=0)


def _as_one_part(text: str) -> list[str]:
    return [text]


def parameter_totals(model: "Model") -> list[str]:
    """The lines below the table: numbers of all, trainable, frozen and optimizer parameters."""
    if not model.built:
        return [
            "Not built yet: shapes and parameters are known once the model has seen data,",
            "or after model.build((None, …)).",
        ]
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    lines = [
        _format_total("Parameters", [*trainable, *frozen]),
        _format_total("  trainable", trainable),
        _format_total("  not trainable", frozen),
    ]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and getattr(optimizer, "built", False):
        lines.append(_format_total("Optimizer", optimizer.variables))
    return lines


def shape_of_output(layer: Any) -> str:
    """The output shape of a layer; `?` if it is not known yet."""
    outputs = [node.outputs for node in layer._inbound_nodes]
    if not outputs and getattr(layer, "outputs", None):
        outputs = [layer.output]
    if not outputs and getattr(layer, "_build_shapes", None):
        try:
            shapes = layer._build_shapes
            return str(layer.compute_output_shape(*shapes.values()))
        except Exception:  # a user's layer may be unable to compute it
            return "?"
    if not outputs:
        return "?"
    output_shapes = [jax.tree.map(lambda t: t.shape, output) for output in outputs]
    return ", ".join(dict.fromkeys(str(shape) for shape in output_shapes))


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


def _format_total(label: str, variables: list) -> str:
    return f"{label}: {sum(v.size for v in variables):,} ({readable_bytes(bytes_of(variables))})"


def _has_branches(model: "Model") -> bool:
    graph = getattr(model, "_graph", None)
    if graph is None or hasattr(model, "_stack"):
        return False
    return any(len(node.parents) != 1 for node in graph.nodes) or len(graph.input_list) > 1


def _sources(layer: Any) -> list[str]:
    nodes = layer._inbound_nodes
    return list(dict.fromkeys(p.operation.name for node in nodes for p in node.parents))


def _in_range(parts: list, layer_range: Any) -> list:
    if layer_range is None:
        return parts
    names = [part.name for part in parts]
    if len(layer_range) != 2:
        raise ValueError(
            "layer_range takes the names of the first and the last layer; received "
            f"{layer_range!r}."
        )
    matches_by_name = []
    for name in layer_range:
        matches = [i for i, layer_name in enumerate(names) if re.fullmatch(name, layer_name)]
        if not matches:
            raise ValueError(
                f"layer_range has {name!r}, but the model has no such layer."
                f"{did_you_mean(name, names)}\n  Its layers: {', '.join(names)}."
            )
        matches_by_name.append(matches)
    first, last = matches_by_name
    return parts[first[0] : last[-1] + 1]
