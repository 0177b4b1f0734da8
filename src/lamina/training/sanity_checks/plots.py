"""Plots of the results of sanity checks."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lamina.training.sanity_checks.learning_rate_range import LearningRateRange
    from lamina.training.sanity_checks.one_batch import OneBatchTrial

_CURVE_COLOUR, _FAINT_COLOUR, _MARK_COLOUR = "#2563c9", "#b6c8ea", "#c94f0a"


def plot_rates(result: "LearningRateRange") -> "Figure":
    """Plot the losses over the rates, on a logarithmic axis, without opening a window."""
    figure, axes = _make_figure()
    axes.plot(result.rates, result.losses, color=_FAINT_COLOUR, linewidth=1, label="loss")
    axes.plot(result.rates, result.smoothed, color=_CURVE_COLOUR, linewidth=2, label="smoothed")
    axes.set_xscale("log")
    finite = result.smoothed[np.isfinite(result.smoothed)]
    if len(finite):
        low, high = float(finite.min()), float(finite[: max(1, len(finite) // 2)].max())
        margin = 0.15 * max(high - low, 1e-3 * abs(high) or 1.0)
        axes.set_ylim(low - margin, high + 3 * margin)  # cuts off the loss after it diverged
    if result.suggestion is not None:
        axes.axvline(result.suggestion, color=_MARK_COLOUR, linewidth=1.5)
        axes.annotate(
            f"{result.suggestion:.2g}", (result.suggestion, 0.96), (5, 0), ha="left", va="top",
            xycoords=axes.get_xaxis_transform(), textcoords="offset points", color=_MARK_COLOUR,
        )  # fmt: skip
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.legend(frameon=False, loc="lower left")
    return figure


def plot_one_batch(result: "OneBatchTrial") -> "Figure":
    """Plot the loss over the steps, without opening a window."""
    figure, axes = _make_figure()
    steps = np.arange(1, len(result.losses) + 1)
    axes.plot(steps, result.losses, color=_CURVE_COLOUR, linewidth=2)
    if result.guess is not None:
        axes.axhline(result.guess, color=_MARK_COLOUR, linewidth=1, linestyle="--")
        axes.annotate(
            "the best constant answer", (1, result.guess), (0, -4), va="top",
            ha="right", xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            color=_MARK_COLOUR, fontsize=9,
        )  # fmt: skip
    if np.isfinite(result.losses).all() and result.last >= 0:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("step")
    axes.set_ylabel("loss on the batch")
    return figure


def _make_figure() -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
