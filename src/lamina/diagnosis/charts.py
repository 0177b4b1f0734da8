"""Charts of a trained model: sample images, learning curves, confusion matrix, mistakes.

Each function returns a Matplotlib figure without changing global state, so that no window is
opened; `save` and `data_uri` write it.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.diagnosis.measures import confident_mistakes as most_confident
from lamina.diagnosis.verdict import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a picture."""

    background: str
    text: str
    muted: str
    line: str
    tile: str
    first: str
    second: str


LIGHT = Theme("#ffffff", "#1c2330", "#5f6b7e", "#e3e7ee", "#f4f6fa", "#2563c9", "#c94f0a")
DARK = Theme("#161b24", "#e8ecf3", "#97a3b6", "#2b3342", "#202734", "#6ea8ff", "#ff9a55")

# Maximum side of an image in a page, in pixels.
_THUMBNAIL = 96
# In inches: the size of a small image, the gap around it, a line of the caption below it.
_IMAGE, _GAP, _CAPTION = 0.96, 0.17, 0.17


def sample_grid(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    rows: int = 2,
    columns: int = 8,
    theme: Theme = LIGHT,
) -> "Figure":
    """The first images, with the names of their classes.

    Args:
        images: `(samples, height, width)` or `(samples, height, width, channels)`.
        labels: Class numbers, `(samples,)`.
        class_names: Names of the classes.
        rows: Number of rows of images.
        columns: Number of images in a row.
        theme: Colours.
    """
    count = min(rows * columns, len(images))
    captions = [((class_names[int(label)], theme.text),) for label in labels[:count]]
    return _images(images[:count], captions, columns, theme)


def confident_mistakes(
    images: np.ndarray,
    y_true: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    rows: int = 3,
    columns: int = 8,
    theme: Theme = LIGHT,
) -> "Figure":
    """The wrongly classified images with the highest probability, worst first.

    Args:
        images: As for `sample_grid`.
        y_true: Class numbers, `(samples,)`.
        probabilities: `(samples, classes)`.
        class_names: Names of the classes.
        rows: Number of rows of images.
        columns: Number of images in a row.
        theme: Colours.
    """
    worst = most_confident(y_true, probabilities, rows * columns)
    if not len(worst):
        return _text_figure("No mistakes.", theme)
    verb = "says " if max(map(len, class_names)) < 6 else ""
    captions = []
    for index in worst:
        predicted = int(probabilities[index].argmax())
        probability = percent(float(probabilities[index, predicted]))
        captions.append(
            (
                (f"{verb}{class_names[predicted]} ({probability})", theme.second),
                (f"is {class_names[int(y_true[index])]}", theme.muted),
            )
        )
    return _images(images[worst], captions, columns, theme)


def training_curves(
    history: Mapping[str, Sequence[float]],
    test: Mapping[str, float] | None = None,
    only: str | None = None,
    theme: Theme = LIGHT,
    marks: Mapping[str, int] | None = None,
) -> "Figure":
    """Loss and accuracy over the epochs, on training and validation samples.

    The axes begin at 0 for losses and span at least 10 percentage points of accuracy, so that small
    changes look small.

    Args:
        history: From the name of a measure to its values per epoch, as `History.history`.
        test: Measures on the test samples after the last epoch, shown as a point.
        only: The measure to show; None for loss and accuracy side by side.
        theme: Colours.
        marks: Epochs, from 1, at which a line is drawn, by the label that is written on it.
    """
    names = [only] if only else measures_to_show(history)
    figure = new_figure(4.4 * len(names), 2.9, theme)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        style_axes(axes, theme)
        epochs = np.arange(1, len(history[name]) + 1)
        values = _finite(history[name])
        last_points = [("training", values[-1], theme.first)]
        _curve(axes, epochs, values, theme.first)
        if f"val_{name}" in history:
            # A callback or validation_freq may have left epochs out.
            validation_values = _finite(history[f"val_{name}"])
            last_points.append(("validation", validation_values[-1], theme.second))
            _curve(
                axes,
                epochs[len(epochs) - len(validation_values) :],
                validation_values,
                theme.second,
            )
        elif test is not None and name in test:
            last_points.append(("test", test[name], theme.second))
            axes.plot(epochs[-1], test[name], "D", color=theme.second, markersize=7)
        axes.set_title(name.replace("_", " "), loc="left", color=theme.text, fontsize=11)
        axes.set_xlabel("epoch", color=theme.muted)
        axes.set_xticks(epochs[:: -(-len(epochs) // 8)])
        axes.margins(0.08, 0.15)
        _set_limits(axes, name)
        if name.endswith("accuracy"):
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        _mark(axes, marks or {}, theme)
        last = max([epochs[-1], *(marks or {}).values()])
        _label_ends(axes, last, last_points, name)
    return figure


def _mark(axes: Any, marks: Mapping[str, int], theme: Theme) -> None:
    """Draw a line at each epoch, with all its labels above it."""
    labels: dict[int, list[str]] = {}
    for label, epoch in marks.items():
        labels.setdefault(epoch, []).append(label)
    for epoch, of_epoch in labels.items():
        axes.axvline(epoch, color=theme.text, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            ", ".join(of_epoch), (epoch, 1), (0, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", va="bottom", color=theme.text, fontsize=9,
            fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def all_measures(history: Mapping[str, Any]) -> list[str]:
    """Everything that was measured in training, the loss and the accuracy first.

    Example:
        >>> all_measures({"auc": [0.9], "val_loss": [1.0], "accuracy": [0.5], "loss": [0.8]})
        ['loss', 'accuracy', 'auc']
    """
    names = [name for name in history if not name.startswith("val_")]
    first = [name for name in measures_to_show(history) if name in names]
    return [*first, *(name for name in names if name not in first)]


def measures_to_show(history: Mapping[str, Any]) -> list[str]:
    """The loss, and the accuracy if there is one.

    Example:
        >>> measures_to_show({"val_loss": [], "loss": [], "accuracy": [], "val_accuracy": []})
        ['loss', 'accuracy']
    """
    accuracies = [n for n in history if n.endswith("accuracy") and not n.startswith("val_")]
    return ["loss", *accuracies[:1]]


def confusion_matrix(
    confusion: np.ndarray, class_names: Sequence[str], theme: Theme = LIGHT
) -> "Figure":
    """The confusion matrix: correct predictions in one colour, mistakes in another.

    Args:
        confusion: Counts, `(true class, predicted class)`.
        class_names: Names of the classes.
        theme: Colours.
    """
    from matplotlib.colors import to_rgb

    classes = len(confusion)
    size = 0.52 * classes + 1.6
    figure = new_figure(size + 0.3, size, theme)
    axes = figure.subplots()
    intensities = colour_intensities(confusion)
    is_diagonal = np.eye(classes, dtype=bool)[..., None]
    colour = np.where(is_diagonal, to_rgb(theme.first), to_rgb(theme.second))
    background = np.array(to_rgb(theme.background))
    cells = background + intensities[..., None] * (colour - background)
    axes.imshow(cells)
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            ink = _readable_on(cells[row, column], (theme.text, theme.background))
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=ink, fontsize=8)
    long = max(map(len, class_names)) > 3
    axes.set_xticks(
        range(classes), class_names, rotation=40 if long else 0, ha="right" if long else "center"
    )
    axes.set_yticks(range(classes), class_names)
    axes.set_xlabel("what the model says", color=theme.muted)
    axes.set_ylabel("what it is", color=theme.muted)
    axes.tick_params(length=0, colors=theme.text, labelsize=9)
    axes.set_xticks(np.arange(-0.5, classes), minor=True)
    axes.set_yticks(np.arange(-0.5, classes), minor=True)
    axes.grid(which="minor", color=theme.line, linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_color(theme.line)
    return figure


def predictions(y_true: np.ndarray, y_pred: np.ndarray, theme: Theme = LIGHT) -> "Figure":
    """A scatter plot of predictions against targets, with the line of equality.

    Args:
        y_true: Targets, `(samples,)`.
        y_pred: Predictions, `(samples,)`.
        theme: Colours.
    """
    figure = new_figure(5.2, 4.2, theme)
    axes = figure.subplots()
    style_axes(axes, theme)
    all_values = np.concatenate([y_true, y_pred])
    value_range = (float(all_values.min()), float(all_values.max()))
    axes.plot(value_range, value_range, color=theme.muted, linewidth=1)
    axes.scatter(y_true, y_pred, s=10, alpha=0.5, color=theme.first, linewidths=0)
    axes.set_xlabel("target", color=theme.muted)
    axes.set_ylabel("prediction", color=theme.muted)
    return figure


def colour_intensities(confusion: np.ndarray) -> np.ndarray:
    """The colour intensity of each cell of a confusion matrix, 0 to 1.

    It is the square root of the fraction of the class, so that one percent of mistakes is visible
    and large fractions can be distinguished.

    Args:
        confusion: Counts, `(true class, predicted class)`.
    """
    fractions = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    is_diagonal = np.eye(len(confusion), dtype=bool)
    return np.where(is_diagonal, 0.8 * fractions, np.sqrt(fractions))


def thumbnail(image: np.ndarray, top: float) -> str:
    """One image, pixel by pixel, as a data URI.

    Args:
        image: `(height, width)` or `(height, width, channels)`.
        top: The value to show as white.
    """
    from PIL import Image

    pixels = np.clip(np.asarray(image, dtype="float64") / top * 255, 0, 255).astype("uint8")
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    small = Image.fromarray(pixels)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, format="png")
    return _as_uri(buffer)


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure as PNG."""
    figure.savefig(path, format="png", dpi=160)
    return path


def data_uri(figure: "Figure") -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return _as_uri(buffer)


def _as_uri(png: io.BytesIO) -> str:
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def new_figure(width: float, height: float, theme: Theme, use_layout: bool = True) -> "Figure":
    """An empty figure, in inches; `use_layout` makes room for its labels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1) if use_layout else None  # inches
    figure = Figure((width, height), facecolor=theme.background, layout=layout)
    FigureCanvasAgg(figure)  # independent of the backend that the user chose for pyplot
    return figure


def style_axes(axes: Any, theme: Theme) -> None:
    """Give axes the colours of a theme, and a grid instead of a frame."""
    axes.set_facecolor(theme.background)
    axes.grid(color=theme.line, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(theme.line)
    axes.tick_params(colors=theme.muted, length=0, labelsize=9)


def _set_limits(axes: Any, name: str) -> None:
    """Set limits of the y-axis that do not exaggerate small changes."""
    low, high = axes.get_ylim()
    if name.endswith("accuracy"):
        middle, half = (low + high) / 2, max((high - low) / 2, 0.05)
        top = min(1.005, middle + half)
        axes.set_ylim(max(-0.005, top - 2 * half), top)
    elif low > -0.2 * high:  # most losses are never below 0
        axes.set_ylim(0, high if high > 0 else 1)


def _finite(values: Sequence[float]) -> np.ndarray:
    """Values with gaps (NaN) where they are not finite."""
    array = np.asarray(values, dtype="float64")
    return np.where(np.isfinite(array), array, np.nan)


def _curve(axes: Any, epochs: np.ndarray, values: Any, colour: str) -> None:
    marker = "o" if len(epochs) <= 20 else ""
    axes.plot(epochs, values, marker=marker, color=colour, linewidth=2, markersize=5)


def _label_ends(axes: Any, x: float, last_points: list[tuple[str, float, str]], name: str) -> None:
    """Write the name and value of every curve at its last point, without overlaps."""
    low, high = axes.get_ylim()
    min_distance = 0.1 * (high - low)
    y = -float("inf")
    finite = [point for point in last_points if np.isfinite(point[1])]
    for label, value, colour in sorted(finite, key=lambda end: end[1]):
        y = max(value, y + min_distance)
        axes.annotate(
            f"{label} {_format_value(name, value)}", (x, y), (10, 0),
            textcoords="offset points", va="center", color=colour, fontsize=9,
            annotation_clip=False,
        )  # fmt: skip


def _format_value(name: str, value: float) -> str:
    return percent(value) if name.endswith("accuracy") else f"{value:.3g}"


def _images(
    images: np.ndarray,
    captions: Sequence[tuple[tuple[str, str], ...]],
    columns: int,
    theme: Theme,
) -> "Figure":
    """A grid of images, each above its caption: lines of text with their colours."""
    from matplotlib.colors import LinearSegmentedColormap

    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    cell_width = _IMAGE + _GAP
    cell_height = _IMAGE + _GAP + _CAPTION * len(captions[0])
    width, height = cell_width * columns + _GAP, cell_height * rows + _GAP
    figure = new_figure(width, height, theme, use_layout=False)
    # Strokes are drawn in the text colour of the theme, on its tile colour.
    ink = LinearSegmentedColormap.from_list("ink", [theme.tile, theme.text])
    for index, (image, lines) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(index, columns)
        left = _GAP + column * cell_width
        bottom = height - _GAP - row * cell_height - _IMAGE
        axes = figure.add_axes((left / width, bottom / height, _IMAGE / width, _IMAGE / height))
        axes.imshow(image, cmap=ink, vmin=0, vmax=images.max())
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(theme.line)
        for line, (text, colour) in enumerate(lines):
            figure.text(
                (left + _IMAGE / 2) / width, (bottom - 0.06 - _CAPTION * line) / height, text,
                ha="center", va="top", fontsize=7.5, color=colour,
            )  # fmt: skip
    return figure


def _readable_on(background: np.ndarray, text_colours: Sequence[str]) -> str:
    """The text colour with the higher contrast (WCAG 2) on a background colour."""
    from matplotlib.colors import to_rgb

    def luminance(colour: Any) -> float:
        channels = np.asarray(colour)
        linear = np.where(channels <= 0.04, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05

    ground_luminance = luminance(background)
    return max(
        text_colours,
        key=lambda ink: (
            max(ground_luminance, c := luminance(to_rgb(ink))) / min(ground_luminance, c)
        ),
    )


def _text_figure(text: str, theme: Theme) -> "Figure":
    figure = new_figure(4, 1, theme)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=theme.text)
    return figure
