"""Figures of explanations, neurons, receptive fields and maximizing inputs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.explanation.names import as_picture
from lamina.explanation.view import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lamina.explanation.explanation import Explanation
    from lamina.explanation.maximization import MaximizingInput
    from lamina.explanation.neurons import Neuron
    from lamina.explanation.receptive_fields import ReceptiveField

_RAISED_COLOUR, _LOWERED_COLOUR, _OTHER_COLOUR, _MUTED_COLOUR = (
    "#c94f0a",
    "#2563c9",
    "#b9c0cc",
    "#5f6b7e",
)
_MAX_BARS = 12
_MAX_CLASSES = 5
_MAX_FILTERS = 16


def plot_explanation(explanation: "Explanation") -> "Figure":
    """The sample, its attributions and the probabilities."""
    panels: list[Any] = []
    if explanation.kind == "picture":
        panels += [_draw_sample, _draw_attributions]
        if explanation.grad_cam is not None:
            panels.append(_draw_grad_cam)
    else:
        panels.append(_draw_contributions)
    if explanation.attention:
        panels.append(_draw_attention)
    if explanation.is_class and len(explanation.names) > 1:
        panels.append(_draw_classes)
    widths = [1.6 if panel is _draw_contributions else 1.0 for panel in panels]
    bars = min(len(explanation.contributions), _MAX_BARS)
    height = 3.1 if explanation.kind == "picture" else max(2.6, 0.9 + 0.28 * bars)
    figure = _make_figure(3.0 * sum(widths), height)
    grid = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
    for axes, panel in zip(grid, panels, strict=True):
        panel(axes, explanation)
    return figure


def plot_neuron(neuron: "Neuron") -> "Figure":
    """The largest products from top to bottom, each beginning where the one before ends."""
    rows = [(name, float(text)) for name, _, _, text in neuron.rows(_MAX_BARS)[:-2]]
    if not neuron.bias:
        rows = [row for row in rows if row[0] != "bias"]
    figure = _make_figure(6.4, 1.3 + 0.27 * (len(rows) + 1))
    axes = figure.subplots()
    partial_sum = 0.0
    for i, (_, product) in enumerate(rows):
        colour = _RAISED_COLOUR if product > 0 else _LOWERED_COLOUR
        axes.barh(i, product, left=partial_sum, color=colour, height=0.7)
        partial_sum += product
        axes.plot(
            [partial_sum, partial_sum], [i - 0.35, i + 1.35], color=_MUTED_COLOUR, linewidth=0.8
        )
    axes.barh(len(rows), neuron.total, color="#1c2330", height=0.7)
    axes.axvline(0, color=_MUTED_COLOUR, linewidth=0.8)
    axes.use_sticky_edges = False  # leaves a margin beside the longest bars
    axes.margins(x=0.05)
    axes.set_yticks(range(len(rows) + 1), [*(_shorten(name) for name, _ in rows), "sum"])
    axes.invert_yaxis()
    axes.set_xlabel("input × weight, added up")
    axes.set_title(
        f"{neuron.title}: sum {neuron.total:.3g}, {neuron.activation} {neuron.output:.3g}",
        loc="left", fontsize=10,
    )  # fmt: skip
    return figure


def plot_receptive_field(field: "ReceptiveField", x: Any = None) -> "Figure":
    """The filter, and the part of the input that a position sees."""
    from matplotlib.patches import Rectangle

    filters = [] if field.kernel is None else _filters(field.kernel)
    sample = None if x is None else np.asarray(x, dtype=float)
    has_picture = sample is not None and len(field.start) == 2
    count = has_picture + min(len(filters), _MAX_FILTERS)
    figure = _make_figure(max(2.6 * has_picture + 1.4 * min(count - has_picture, 4), 3.0), 3.0)
    if not count:
        figure.text(0.5, 0.5, str(field), ha="center", va="center", wrap=True)
        return figure
    subfigures = (
        figure.subfigures(1, 2, width_ratios=[1.6, 1.4]) if has_picture and filters else None
    )
    if has_picture:
        assert sample is not None
        axes = (figure if subfigures is None else subfigures[0]).subplots()
        _show_picture(axes, sample[0] if sample.ndim == 4 or sample.shape[0] == 1 else sample)
        (top, left), (bottom, right) = field.start, field.stop
        axes.add_patch(
            Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False,
                      edgecolor=_RAISED_COLOUR, linewidth=2)
        )  # fmt: skip
        axes.set_title(f"field of {field.position}", fontsize=9)
    if filters:
        shown = filters[:_MAX_FILTERS]
        columns = int(np.ceil(np.sqrt(len(shown))))
        grid = (figure if subfigures is None else subfigures[1]).subplots(
            -(-len(shown) // columns), columns, squeeze=False
        )
        largest = max(float(np.abs(one).max()) for one in shown) or 1.0
        for axes in grid.flat:
            axes.axis("off")
        for i, (axes, one) in enumerate(zip(grid.flat, shown, strict=False)):
            axes.imshow(one, cmap="RdBu_r", vmin=-largest, vmax=largest)
            if len(shown) > 1:
                axes.set_title(f"channel {i}", fontsize=7)
        grid.flat[0].set_title(
            f"filter {field.unit}" + (", channel 0" if len(shown) > 1 else ""), fontsize=8
        )
    return figure


def plot_maximizing(maximizing: "MaximizingInput") -> "Figure":
    """The input, and the activation over the steps."""
    figure = _make_figure(6.4, 3.0)
    first, second = figure.subplots(1, 2)
    picture = np.squeeze(maximizing.input)
    side = int(np.sqrt(picture.size))
    if picture.ndim == 1 and side > 7 and side * side == picture.size:
        picture = picture.reshape(side, side)
    if picture.ndim in (2, 3) and (picture.ndim == 2 or picture.shape[-1] in (3, 4)):
        _show_picture(first, picture)
    else:
        first.bar(np.arange(picture.size), np.ravel(picture), color=_LOWERED_COLOUR)
    first.set_title(_shorten(maximizing.unit, 36), fontsize=9)
    second.plot(maximizing.activations, color=_LOWERED_COLOUR, linewidth=2)
    second.set_xlabel("step")
    second.set_ylabel("activation")
    return figure


def _draw_sample(axes: Any, explanation: "Explanation") -> None:
    _show_picture(axes, explanation.picture)
    axes.set_title("the sample", fontsize=9)


def _draw_attributions(axes: Any, explanation: "Explanation") -> None:
    """Attributions, with the outlines of the picture."""
    assert explanation.picture is not None
    values = as_picture(np.asarray(explanation.attributions), explanation.picture.shape)
    flat = values.sum(axis=-1) if values.ndim == 3 else values
    # The quantile keeps a few very large values from making all others pale.
    largest = float(np.quantile(np.abs(flat), 0.995)) or float(np.abs(flat).max()) or 1.0
    axes.imshow(flat, cmap="RdBu_r", vmin=-largest, vmax=largest)
    grey = _grey(explanation.picture)
    is_drawing = explanation.picture.shape[2:] in ((), (1,))  # contours of a photo are too dense
    if is_drawing and np.ptp(grey) > 0:
        axes.contour(
            grey, levels=[(grey.min() + grey.max()) / 2], colors=_MUTED_COLOUR, linewidths=0.6
        )
    axes.set_xticks([])
    axes.set_yticks([])
    name = explanation.names[explanation.target]
    words = (
        f"red: for {_shorten(name, 12)}, blue: against"
        if explanation.is_class
        else "red: raised it"
    )
    axes.set_title(words, fontsize=9)


def _draw_grad_cam(axes: Any, explanation: "Explanation") -> None:
    """The Grad-CAM map over the picture, scaled to its size."""
    assert explanation.picture is not None
    assert explanation.grad_cam is not None
    height, width = explanation.picture.shape[:2]
    axes.imshow(_grey(explanation.picture), cmap="gray")
    if explanation.grad_cam.any():
        axes.imshow(
            explanation.grad_cam, cmap="inferno", alpha=0.55, interpolation="bilinear",
            extent=(-0.5, width - 0.5, height - 0.5, -0.5), vmin=0,
        )  # fmt: skip
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"Grad-CAM, {_shorten(str(explanation.grad_cam_layer), 16)}", fontsize=9)


def _draw_contributions(axes: Any, explanation: "Explanation") -> None:
    """The largest attributions by name, as bars."""
    shown = explanation.contributions[:_MAX_BARS]
    labels = [a.name + (f" = {a.value}" if a.value else "") for a in shown]
    colours = [_RAISED_COLOUR if a.amount > 0 else _LOWERED_COLOUR for a in shown]
    axes.barh(range(len(shown)), [a.amount for a in shown], color=colours, height=0.7)
    axes.set_yticks(range(len(shown)), [_shorten(label) for label in labels], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color=_MUTED_COLOUR, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    name = explanation.names[explanation.target]
    what = (
        f"for (+) and against (-) {_shorten(name, 18)}" if explanation.is_class else "raised it by"
    )
    axes.set_title(what, fontsize=9, loc="left")


def _draw_attention(axes: Any, explanation: "Explanation") -> None:
    """Attention weights of the last layer, averaged over heads, with words on the axes if few."""
    name, maps = list(explanation.attention.items())[-1]
    weights = maps.reshape(-1, *maps.shape[-2:]).mean(axis=0)
    axes.imshow(weights, cmap="viridis", vmin=0)
    words = [a.name for a in explanation.in_order]
    if explanation.kind == "words" and len(words) <= min(weights.shape) <= 24:
        axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7)
        axes.set_yticks(range(len(words)), words, fontsize=7)
    axes.set_title(f"attention, {_shorten(name, 18)}", fontsize=9)


def _draw_classes(axes: Any, explanation: "Explanation") -> None:
    """The likeliest classes and the explained class."""
    ranking = list(np.argsort(-explanation.values, kind="stable")[:_MAX_CLASSES])
    if explanation.target not in ranking:
        ranking[-1] = explanation.target
    values = [float(explanation.values[i]) for i in ranking]
    colours = [_RAISED_COLOUR if i == explanation.target else _OTHER_COLOUR for i in ranking]
    axes.barh(range(len(ranking)), values, color=colours, height=0.6)
    axes.set_yticks(range(len(ranking)), [_shorten(explanation.names[i], 14) for i in ranking])
    for i, value in enumerate(values):
        axes.annotate(percent(value), (value, i), (3, 0), textcoords="offset points", va="center",
                      fontsize=8, annotation_clip=False)  # fmt: skip
    axes.set_xlim(0, 1.35)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.invert_yaxis()
    axes.set_title("probability", fontsize=9, loc="left")


def _show_picture(axes: Any, picture: Any) -> None:
    pixels = np.squeeze(np.asarray(picture, dtype=float))
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    pixels = (pixels - low) / ((high - low) or 1.0)
    axes.imshow(pixels, cmap="gray" if pixels.ndim == 2 else None)
    axes.set_xticks([])
    axes.set_yticks([])


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture[..., :3].mean(axis=-1) if picture.ndim == 3 else picture


def _filters(kernel: np.ndarray) -> list[np.ndarray]:
    """The filter of one output channel as pictures, one for each input channel."""
    if kernel.ndim == 2:  # (steps, channels)
        return [kernel.T]
    if kernel.ndim == 4:  # a filter over volumes: the middle slice
        kernel = kernel[kernel.shape[0] // 2]
    return [kernel[..., i] for i in range(kernel.shape[-1])]


def _shorten(text: str, max_length: int = 28) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def _make_figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
