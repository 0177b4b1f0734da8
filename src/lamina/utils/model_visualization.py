"""`plot_model` and `model_to_dot`: a picture of a model's layers and connections.

Drawn with Matplotlib; neither Graphviz nor pydot is needed.
"""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import PathLike
from lamina.utils.model_diagram import Box, Cell, Contents, Group, build_diagram
from lamina.utils.model_layout import Layout, compute_layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lamina.models.model import Model

RANK_DIRECTIONS = ("TB", "BT", "LR", "RL")
SPLINES = ("ortho", "curved", "polyline", "spline", "line")
FORMATS = ("png", "jpg", "jpeg", "pdf", "svg", "dot")
_MARGIN = 10.0  # points, as all lengths here
_TITLE_SIZE, _TEXT_SIZE = 10.0, 8.5
_PADDING = 7.0
_INK, _EDGE, _PAPER = "#1c2330", "#5f6b7e", "#ffffff"
_FILLS = {"plain": _PAPER, "trainable": "#227a3c", "frozen": "#b3261e"}
_MAX_PIXELS = 30_000  # along one side; more than most viewers open


@filter_traceback
def plot_model(
    model: "Model",
    to_file: PathLike = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Draws a model's layers and how they are connected, and saves the picture.

    Args:
        model: A built model. One without a graph, such as a subclassed one, is a single box.
        to_file: Path of the picture: `.png`, `.jpg`, `.pdf`, `.svg`, or `.dot` for Graphviz.
        show_shapes: Whether to show the input and output shapes of every layer.
        show_dtype: Whether to show the dtypes of the outputs.
        show_layer_names: Whether to show the names of layers besides their classes.
        rankdir: `"TB"` from top to bottom, `"LR"` from left to right, `"BT"` or `"RL"`.
        expand_nested: Whether to show the layers inside nested models.
        dpi: Pixels per inch; reduced for models whose picture would be too large to open.
        show_layer_activations: Whether to show the activations of layers that have one.
        show_trainable: Whether to show which layers are trained and which are frozen.
        splines: Edges with right angles (`"ortho"`), curved (`"curved"`, `"spline"`) or straight
            (`"line"`, `"polyline"`).
        **kwargs: None; a misspelt name is refused.

    Returns:
        The picture for a notebook to show, if IPython is installed and the format is one that it
        shows; else None.

    Raises:
        ValueError: If the model is not built or an argument has none of the values above.
    """
    dot = model_to_dot(
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi,
        show_layer_activations=show_layer_activations, show_trainable=show_trainable,
        splines=splines, **kwargs,
    )  # fmt: skip
    path = Path(to_file) if Path(to_file).suffix else Path(f"{to_file}.png")
    dot.write(path)
    return _for_notebook(path)


@filter_traceback
def model_to_dot(
    model: "Model",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> "Dot":
    """A model's layers and connections as a graph, to be written in the DOT language or drawn.

    Args:
        model: As for `plot_model`.
        show_shapes: As for `plot_model`.
        show_dtype: As for `plot_model`.
        show_layer_names: As for `plot_model`.
        rankdir: As for `plot_model`.
        expand_nested: As for `plot_model`.
        dpi: As for `plot_model`.
        subgraph: Whether the whole model is framed, as a nested one is.
        show_layer_activations: As for `plot_model`.
        show_trainable: As for `plot_model`.
        splines: As for `plot_model`.
        **kwargs: None; a misspelt name is refused.

    Returns:
        A graph, whose `to_string()` is the DOT text.
    """
    for name in kwargs:
        option_names = ("show_shapes", "show_dtype", "show_layer_names", "rankdir", "expand_nested",
                 "dpi", "show_layer_activations", "show_trainable", "splines")  # fmt: skip
        raise ValueError(f"There is no argument {name!r} here.{did_you_mean(name, option_names)}")
    _check_choice("rankdir", rankdir, RANK_DIRECTIONS)
    _check_choice("splines", splines, SPLINES)
    contents = Contents(
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable
    )
    diagram = build_diagram(model, contents, expand_nested)
    if subgraph:
        root = Group(model.name, diagram.parts)
        diagram = Group("", {"model": root}, diagram.edges)
    return Dot(model.name, diagram, rankdir, dpi, splines)


class Dot:
    """A model as a graph of boxes; has the methods of pydot's `Dot` that scripts use.

    Args:
        name: Name of the graph.
        diagram: Boxes, groups and edges.
        rankdir: See `plot_model`.
        dpi: Pixels per inch.
        splines: See `plot_model`.
    """

    def __init__(self, name: str, diagram: Group, rankdir: str, dpi: int, splines: str):
        self.name = name
        self.diagram = diagram
        self.rankdir = rankdir
        self.dpi = dpi
        self.splines = splines

    def get_nodes(self) -> list[Box]:
        """The boxes, those inside groups included."""
        return [box for _, box in self.diagram.boxes()]

    def get_edges(self) -> list[tuple[Box, Box]]:
        """Pairs of boxes, from and to."""
        boxes = dict(self.diagram.boxes())
        return [(boxes[source], boxes[target]) for source, target in self.diagram.edges]

    def to_string(self) -> str:
        """The graph in the DOT language, for Graphviz and the tools that read it."""
        lines = [
            f"digraph {_quote(self.name)} {{",
            f'  graph [rankdir={self.rankdir}, dpi={self.dpi}, splines="{self.splines}"];',
            '  node [shape=record, fontname="Helvetica"];',
            *_dot_lines(self.diagram, "  "),
            *(f"  {source} -> {target};" for source, target in self.diagram.edges),
            "}",
        ]
        return "\n".join(lines) + "\n"

    def create(self, prog: Any = None, format: str = "png") -> bytes:
        """The picture as the contents of a file; `prog`, an argument of pydot, is ignored."""
        _check_choice("format", format.lower(), FORMATS)
        if format.lower() == "dot":
            return self.to_string().encode()
        buffer = io.BytesIO()
        figure = self.figure()
        longest = max(figure.get_size_inches())
        dpi = min(self.dpi, _MAX_PIXELS / longest)
        figure.savefig(buffer, format=format.lower(), dpi=dpi, facecolor=_PAPER)
        return buffer.getvalue()

    def write(self, path: Any, prog: Any = None, format: str | None = None) -> bool:
        """Writes the picture to a file, in the format of its ending unless one is given."""
        format = format or Path(path).suffix[1:] or "png"
        contents = self.create(format=format)
        Path(path).write_bytes(contents)
        return True

    def figure(self) -> "Figure":
        """The picture as a Matplotlib figure."""
        texts = _TextMeasure()
        sizes = {key: texts.size_of(box) for key, box in self.diagram.boxes()}
        layout = compute_layout(self.diagram, sizes, self.rankdir)
        return _draw_figure(dict(self.diagram.boxes()), layout, texts, self.splines)


class _TextMeasure:
    """Width of texts, which determines the width of boxes."""

    def __init__(self) -> None:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextToPath

        self.fonts = {bold: FontProperties(weight="bold" if bold else "normal") for bold in (0, 1)}
        self.measure = TextToPath().get_text_width_height_descent

    def width(self, text: str, size: float, bold: bool = False) -> float:
        font = self.fonts[bold].copy()
        font.set_size(size)
        return self.measure(text, font, ismath=False)[0]

    def cell_width(self, cell: Cell) -> float:
        return self.width(cell.text, _TEXT_SIZE, bold=cell.kind != "plain") + 2 * _PADDING

    def size_of(self, box: Box) -> tuple[float, float]:
        title = self.width(box.title, _TITLE_SIZE, bold=True) + 2 * _PADDING
        rows = [sum(map(self.cell_width, row)) for row in box.rows]
        return max([title, *rows]), _row_height(0) + sum(_row_height(1) for _ in box.rows)


def _row_height(row: int) -> float:
    return (_TITLE_SIZE if row == 0 else _TEXT_SIZE) + 1.7 * _PADDING


def _draw_figure(
    boxes: dict[str, Box], layout: Layout, texts: _TextMeasure, splines: str
) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = max([layout.width, *(x for corners in layout.edges for x, _ in corners)])
    width, height = width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    figure = Figure((width / 72, height / 72), facecolor=_PAPER)
    FigureCanvasAgg(figure)  # independent of the backend of the user's pyplot
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-_MARGIN, width - _MARGIN)
    axes.set_ylim(height - _MARGIN, -_MARGIN)
    axes.axis("off")
    for title, rectangle in layout.groups:
        _draw_group(axes, title, rectangle)
    for corners in layout.edges:
        _draw_edge(axes, corners, splines)
    for key, rectangle in layout.boxes.items():
        _draw_box(axes, boxes[key], rectangle, texts)
    return figure


def _draw_group(axes: Any, title: str, rectangle: tuple[float, float, float, float]) -> None:
    from matplotlib.patches import Rectangle

    left, top, width, height = rectangle
    axes.add_patch(
        Rectangle((left, top), width, height, facecolor="#f4f6fa", edgecolor=_EDGE, linewidth=0.8,
                  linestyle=(0, (4, 3)))
    )  # fmt: skip
    axes.text(left + _PADDING, top + _PADDING, title, va="top", color=_EDGE, fontsize=_TEXT_SIZE)


def _draw_edge(axes: Any, corners: list[tuple[float, float]], splines: str) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    if splines in ("line", "polyline"):
        # Without the corners inside the gaps between ranks, so that edges are straight lines.
        corners = [corners[0], *corners[2:-1:2], corners[-1]] if len(corners) > 3 else corners
    if splines in ("curved", "spline") and len(corners) > 3:
        path = _smooth(corners, Curve)
    else:
        path = Curve(_without_repeats(corners))
    axes.add_patch(
        FancyArrowPatch(path=path, arrowstyle="-|>,head_length=3.5,head_width=2", linewidth=1.1,
                        color=_EDGE, shrinkA=0, shrinkB=0, capstyle="butt", joinstyle="round")
    )  # fmt: skip


def _smooth(corners: list[tuple[float, float]], curve: Any) -> Any:
    """A curve through the middles of the straight segments, bending at the corners."""
    points, codes = [corners[0]], [curve.MOVETO]
    for corner, next_corner in zip(corners[1:-1], corners[2:], strict=True):
        last = next_corner is corners[-1]
        middle = next_corner
        if not last:
            middle = ((corner[0] + next_corner[0]) / 2, (corner[1] + next_corner[1]) / 2)
        points += [corner, middle]
        codes += [curve.CURVE3, curve.CURVE3]
    return curve(points, codes)


def _without_repeats(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    result = corners[:1]
    for corner in corners[1:]:
        if max(abs(corner[0] - result[-1][0]), abs(corner[1] - result[-1][1])) > 0.01:
            result.append(corner)
    return result


def _draw_box(
    axes: Any, box: Box, box_rectangle: tuple[float, float, float, float], texts: _TextMeasure
) -> None:
    from matplotlib.patches import Rectangle

    def rectangle(x: float, y: float, width: float, height: float, fill: str) -> None:
        axes.add_patch(
            Rectangle((x, y), width, height, facecolor=fill, edgecolor=_INK, linewidth=0.9)
        )

    left, top, width, _ = box_rectangle
    height = _row_height(0)
    rectangle(left, top, width, height, _INK)
    axes.text(
        left + width / 2, top + height / 2, box.title, ha="center", va="center_baseline",
        color=_PAPER, fontsize=_TITLE_SIZE, fontweight="bold",
    )  # fmt: skip
    top += height
    height = _row_height(1)
    for row in box.rows:
        min_widths = [texts.cell_width(cell) for cell in row]
        extra = (width - sum(min_widths)) / len(row)
        x = left
        for cell, min_width in zip(row, min_widths, strict=True):
            plain = cell.kind == "plain"
            rectangle(x, top, min_width + extra, height, _FILLS[cell.kind])
            axes.text(
                x + (min_width + extra) / 2, top + height / 2, cell.text, ha="center",
                va="center_baseline", color=_INK if plain else _PAPER, fontsize=_TEXT_SIZE,
                fontweight="normal" if plain else "bold",
            )  # fmt: skip
            x += min_width + extra
        top += height


def _dot_lines(group: Group, indent: str) -> list[str]:
    lines = []
    for key, part in group.parts.items():
        if isinstance(part, Box):
            rows = [part.title, *("{" + "|".join(_escape(c.text) for c in row) + "}"
                                  for row in part.rows)]  # fmt: skip
            label = "{" + "|".join([_escape(rows[0]), *rows[1:]]) + "}"
            lines.append(f'{indent}{key} [label="{label}"];')
        else:
            lines += [
                f"{indent}subgraph cluster_{key} {{",
                f'{indent}  label={_quote(part.title)}; labeljust="l"; style="dashed";',
                *_dot_lines(part, indent + "  "),
                f"{indent}}}",
            ]
    return lines


def _escape(text: str) -> str:
    for character in '\\{}|<>"':
        text = text.replace(character, f"\\{character}")
    return text


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _check_choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; received {value!r}.")


def _for_notebook(path: Path) -> Any:
    try:
        from IPython.display import SVG, Image
    except ImportError:
        return None
    display_classes = {".png": Image, ".jpg": Image, ".jpeg": Image, ".svg": SVG}
    display_class = display_classes.get(path.suffix.lower())
    return None if display_class is None else display_class(filename=os.fspath(path))
