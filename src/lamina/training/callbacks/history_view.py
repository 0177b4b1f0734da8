"""Representation of a History: a table of its epochs, and learning curves in a notebook."""

import html
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lamina.training.feeds.epochs import is_validated

_MAX_ROWS = 12  # if there are more epochs, the first six and the last six are shown
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 300, 190, 52, 28, 26
_COLOURS = ("#2a78c2", "#d9730d")  # of the curves for training and validation


def as_text(
    history: Mapping[str, Sequence[Any]],
    epochs: Sequence[int],
    validation_freq: int | Collection[int] = 1,
) -> str:
    """The table in numeric text, one line per epoch.

    Args:
        history: Lists of values, by the name of the loss or metric.
        epochs: Numbers of the epochs, from 0.
        validation_freq: The argument of `fit`, which decides the epochs of shorter lists.

    Example:
        >>> print(as_text({"loss": [0.5, 0.25]}, [0, 1]))
        epoch    loss
            1  0.5000
            2  0.2500
    """
    columns = _columns(history, epochs, validation_freq)
    cells = [["epoch", *columns]]
    for row in _rows_to_show(len(epochs)):
        if row is None:
            cells.append(["…"] * len(cells[0]))
        else:
            cells.append(
                [str(epochs[row] + 1), *(_format_entry(columns[name], row) for name in columns)]
            )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    )


def as_html(
    history: Mapping[str, Sequence[Any]],
    epochs: Sequence[int],
    validation_freq: int | Collection[int] = 1,
) -> str:
    """HTML without scripts: the curves of each loss and metric, above the table."""
    columns = _columns(history, epochs, validation_freq)
    names = [name for name in columns if not name.startswith("val_")]
    curves = [
        _curves(name, epochs, columns[name], columns.get(f"val_{name}"))
        for name in names
        if len(epochs) > 1
    ]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("epoch", *columns))
    body = ""
    for row in _rows_to_show(len(epochs)):
        cells = ["…"] * (len(columns) + 1)
        if row is not None:
            cells = [str(epochs[row] + 1), *(_format_entry(columns[name], row) for name in columns)]
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return (
        f'<div class="lamina-history">{"".join(curves)}'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _columns(
    history: Mapping[str, Sequence[Any]],
    epochs: Sequence[int],
    validation_freq: int | Collection[int],
) -> dict[str, list[Any]]:
    """The values of each loss and metric that is a number: one value or None for each epoch.

    The loss comes first, values of the validation last.
    """
    numeric = [name for name in history if all(_is_number(value) for value in history[name])]
    numeric.sort(key=lambda name: (name.startswith("val_"), name.removeprefix("val_") != "loss"))
    validated = [is_validated(epoch, validation_freq) for epoch in epochs]
    columns = {}
    for name in numeric:
        values = iter([float(value) for value in history[name]])
        in_every_epoch = len(history[name]) >= len(epochs)
        columns[name] = [next(values, None) if in_every_epoch or v else None for v in validated]
    return columns


def _is_number(value: Any) -> bool:
    return getattr(value, "ndim", 0) == 0 and not isinstance(value, (str, bytes, list, dict))


def _rows_to_show(count: int) -> list[int | None]:
    if count <= _MAX_ROWS:
        return list(range(count))
    half = _MAX_ROWS // 2
    return [*range(half), None, *range(count - half, count)]


def _format_entry(values: Sequence[Any], row: int) -> str:
    return "" if values[row] is None else _format_number(values[row])


def _format_number(value: float) -> str:
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or not value else f"{value:.3g}"


def _curves(name: str, epochs: Sequence[int], values: Sequence[Any], validation: Any) -> str:
    """An SVG plot of a loss or metric over the epochs, for training and validation."""
    lines = [("training", values), ("validation", validation or [])]
    lines = [(label, _finite_points(epochs, line)) for label, line in lines if line]
    finite = [value for _, line in lines for _, value in line]
    if not finite:
        return ""
    low, high = _axis_limits(min(finite), max(finite))
    first, last = epochs[0], epochs[-1]

    def position(epoch: float, value: float) -> str:
        x = _LEFT + (epoch - first) / (last - first) * (_WIDTH - _LEFT - 12)
        y = _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{x:.1f},{y:.1f}"

    elements = []
    for i, (label, line) in enumerate(lines):
        points = [position(epoch, value) for epoch, value in line]
        elements.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{_COLOURS[i]}" '
            f'stroke-width="2"/><text x="{_LEFT + 4 + 76 * i}" y="{_HEIGHT - 4}" font-size="11" '
            f'fill="{_COLOURS[i]}">{label}</text>'
        )
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - 12
    title = html.escape(name)
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{title} over the epochs" font-family="sans-serif">'
        f'<text x="{_LEFT}" y="16" font-size="13" fill="currentColor">{title}</text>'
        f'<path d="M{_LEFT},{_TOP}V{bottom}H{right}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.4"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" {_TICK}>{_format_number(high)}</text>'
        f'<text x="{_LEFT - 6}" y="{bottom}" {_TICK}>{_format_number(low)}</text>'
        f'<text x="{right}" y="{bottom + 14}" {_TICK}>epoch {last + 1}</text>'
        f"{''.join(elements)}</svg>"
    )


def _finite_points(epochs: Sequence[int], values: Sequence[Any]) -> list[tuple[int, float]]:
    pairs = zip(epochs, values, strict=True)
    return [(epoch, v) for epoch, v in pairs if v is not None and math.isfinite(v)]


_TICK = 'font-size="10" text-anchor="end" fill="currentColor"'


def _axis_limits(low: float, high: float) -> tuple[float, float]:
    """Limits of the vertical axis, with a minimum range, so that noise does not look large."""
    min_range = 0.1 * max(abs(low), abs(high)) or 1.0
    if high - low < min_range:
        middle = (low + high) / 2
        low, high = middle - min_range / 2, middle + min_range / 2
    return low, high
