"""Charts of calibration, and of the score against the number of samples."""

from typing import TYPE_CHECKING

import numpy as np

from lamina.diagnosis.calibration import Calibration
from lamina.diagnosis.charts import LIGHT, Theme, new_figure, style_axes
from lamina.findings import LearningCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability_diagram(calibration: Calibration, theme: Theme = LIGHT) -> "Figure":
    """The accuracy of the answers by their probability, above the number of answers.

    A dark bar that ends below the diagonal means that the model is too sure, a pale part above it
    that it is too unsure.

    Args:
        calibration: The bins.
        theme: Colours.
    """
    figure = new_figure(4.4, 4.2, theme)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    full = calibration.counts > 0
    lefts, width = calibration.edges[:-1][full], np.diff(calibration.edges)[full]
    accuracy, confidence = calibration.accuracy[full], calibration.confidence[full]
    style_axes(upper, theme)
    common = np.minimum(accuracy, confidence)
    upper.bar(lefts, common, width, align="edge", color=theme.first, edgecolor=theme.background)
    for difference, colour in (
        (confidence - accuracy, theme.second),
        (accuracy - confidence, theme.first),
    ):
        upper.bar(
            lefts, np.maximum(difference, 0), width, common, align="edge", color=colour,
            alpha=0.45, edgecolor=theme.background,
        )  # fmt: skip
    upper.plot([0, 1], [0, 1], color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    upper.set_ylabel("right", color=theme.muted)
    style_axes(lower, theme)
    lower.bar(
        lefts, calibration.counts[full], width, align="edge", color=theme.muted,
        edgecolor=theme.background,
    )  # fmt: skip
    lower.set_ylabel("answers", color=theme.muted)
    lower.tick_params(axis="x", pad=7)
    lower.set_xlabel("probability of the answer", color=theme.muted)
    for axis in (upper.xaxis, upper.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return figure


def learning_curve(curve: LearningCurve, theme: Theme = LIGHT) -> "Figure":
    """The score in training and in validation against the number of training samples.

    Args:
        curve: The scores.
        theme: Colours.
    """
    figure = new_figure(4.4, 2.9, theme)
    axes = figure.subplots()
    style_axes(axes, theme)
    lines = (
        ("training", curve.train_scores, theme.first),
        ("validation", curve.scores, theme.second),
    )
    lowest = min(*curve.scores, *curve.train_scores)
    for name, scores, colour in lines:
        axes.plot(curve.samples, scores, "o-", color=colour, linewidth=2, markersize=5, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(curve.samples, [f"{samples:,}" for samples in curve.samples])
    axes.minorticks_off()
    axes.set_ylim(min(lowest - 0.05, 0.9), 1.02)
    axes.set_xlabel("training samples", color=theme.muted)
    axes.set_title(curve.measure, loc="left", color=theme.text, fontsize=11)
    if curve.measure != "R²":
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    legend = axes.legend(frameon=False, fontsize=9, loc="lower right")
    for text, (_, _, colour) in zip(legend.get_texts(), lines, strict=True):
        text.set_color(colour)
    return figure
