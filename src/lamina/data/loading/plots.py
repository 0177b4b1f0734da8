"""Figures of loaded data, for each kind of data."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lamina.data.loading.loaded import LoadedData

_CLASSES, _PER_CLASS = 8, 6
_COLUMNS = 12
_PART_COLOURS = {"train": "#2563c9", "val": "#c94f0a", "test": "#1f8a4c"}


def make_figure(data: "LoadedData") -> "Figure":
    """A matplotlib figure of loaded data, without opening a window."""
    if data.kind == "images":
        return _plot_images(data)
    if data.kind == "series":
        return _plot_series(data)
    return _plot_table(data)


def _plot_images(data: "LoadedData") -> "Figure":
    names = data.class_names or []
    shown = names[:_CLASSES]
    figure = _new_figure(1.1 * _PER_CLASS + 1.6, 1.2 * max(1, len(shown)))
    grid = figure.subplots(len(shown), _PER_CLASS, squeeze=False)
    for label, row in enumerate(grid):
        indices = np.flatnonzero(data.train.y == label)[:_PER_CLASS]
        for axes in row:
            axes.axis("off")
        for axes, index in zip(row, indices, strict=False):
            axes.imshow(data.train.x[index].squeeze(), cmap="gray", vmin=0, vmax=255)
        row[0].set_title(f"{names[label]}", loc="left", fontsize=9)
    return figure


def _plot_table(data: "LoadedData") -> "Figure":
    inputs = data.train.x if isinstance(data.train.x, dict) else {"text": data.train.x}
    shown = list(inputs.items())[: _COLUMNS - 1]
    columns = 4 if len(shown) > 3 else len(shown) + 1
    rows = -(-(len(shown) + 1) // columns)
    figure = _new_figure(3 * columns, 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    _plot_target(grid[0], data)
    for axes, (name, values) in zip(grid[1:], shown, strict=False):
        _plot_column(axes, name, values)
    for axes in grid[len(shown) + 1 :]:
        axes.axis("off")
    return figure


def _plot_target(axes: "Axes", data: "LoadedData") -> None:
    axes.set_title(f"{data.target} (target)", fontsize=9)
    if data.class_names is None:
        axes.hist(data.train.y, bins=30, color=_PART_COLOURS["val"])
        return
    counts = np.bincount(data.train.y, minlength=len(data.class_names))
    _plot_bars(axes, data.class_names, counts.tolist(), _PART_COLOURS["val"])


def _plot_column(axes: "Axes", name: str, values: np.ndarray) -> None:
    axes.set_title(name, fontsize=9)
    if values.dtype.kind == "f":
        axes.hist(values[np.isfinite(values)], bins=30, color=_PART_COLOURS["train"])
        axes.tick_params(labelsize=8)
        return
    distinct, counts = np.unique(values.astype(str), return_counts=True)
    if len(distinct) > 50:
        axes.hist([len(str(v).split()) for v in values], bins=30, color=_PART_COLOURS["train"])
        axes.set_xlabel("words", fontsize=8)
        return
    _plot_bars(axes, distinct.tolist(), counts.tolist(), _PART_COLOURS["train"])


def _plot_bars(axes: "Axes", names: list[str], counts: list[int], colour: str) -> None:
    largest = np.argsort(counts, kind="stable")[::-1][:8]
    labels = [str(names[i]) or "(missing)" for i in largest]
    axes.barh(
        range(len(largest)), [counts[i] for i in largest], color=colour, tick_label=_shorten(labels)
    )
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)


def _shorten(labels: list[str]) -> list[str]:
    return [label if len(label) < 16 else f"{label[:14]}…" for label in labels]


def _plot_series(data: "LoadedData") -> "Figure":
    figure = _new_figure(8, 3)
    axes = figure.subplots()
    for name, part in data.parts.items():
        if not part.size:
            continue
        first = np.array([int(step) for step in part.names])
        steps = np.arange(first[0], first[-1] + part.y.shape[1])
        values = np.full(len(steps), np.nan)
        for start, y in zip(first, part.y, strict=True):
            values[start - steps[0] : start - steps[0] + len(y)] = y
        axes.plot(steps, values, label=name, color=_PART_COLOURS[name])
    axes.set_xlabel("step")
    axes.set_ylabel(data.target)
    axes.legend()
    return figure


def _new_figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
