"""Charts of the report in both colour schemes, with alternative texts."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lamina.diagnosis import charts, diagnostic_charts
from lamina.diagnosis.calibration import Calibration
from lamina.diagnosis.outcome import Outcome
from lamina.diagnosis.verdict import percent
from lamina.findings import Finding, LearningCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More measures than this are not drawn.
_MOST_CURVES = 8


class Picture(NamedTuple):
    """A picture in both colour schemes, as data URIs."""

    light: str
    dark: str
    alt: str


class Moment(NamedTuple):
    """The epoch in which a finding began, and the number that marks it in the curves."""

    number: int
    code: str
    epoch: int


def moments(findings: Sequence[Finding], epochs: int) -> list[Moment]:
    """The moments of findings that fall into a training of so many epochs, in order.

    The loss may have stopped being finite in the epoch after the last complete one.
    """
    known = sorted(
        (finding.epoch, finding.code)
        for finding in findings
        if finding.epoch is not None and 1 <= finding.epoch <= epochs + 1
    )
    return [Moment(number, code, epoch) for number, (epoch, code) in enumerate(known, start=1)]


def training_curves(outcome: Outcome, marked: Sequence[Moment]) -> list[Picture]:
    """A picture for each measure of the training."""
    marks = {str(moment.number): moment.epoch for moment in marked}
    names = [
        name
        for name in charts.all_measures(outcome.history)
        if any(map(math.isfinite, outcome.history.get(name, ())))
    ]
    return [
        _draw_in_both_schemes(
            lambda theme, name=name: charts.training_curves(  # type: ignore[misc]
                outcome.history, outcome.test, only=name, theme=theme, marks=marks
            ),
            _describe_curve(outcome, name, marked),
        )
        for name in names[:_MOST_CURVES]
    ]


def _describe_curve(outcome: Outcome, name: str, marked: Sequence[Moment]) -> str:
    parts = []
    for label, values in (
        ("training", outcome.history[name]),
        ("validation", outcome.history.get(f"val_{name}")),
    ):
        if values:
            parts.append(f"{label} from {values[0]:.3g} to {values[-1]:.3g}")
    parts += [f"{moment.code} marked in epoch {moment.epoch}" for moment in marked]
    return f"{name.replace('_', ' ')} over {len(outcome.history[name])} epochs: {', '.join(parts)}"


def scatter(outcome: Outcome) -> Picture:
    """Predictions of a regression against their targets."""
    correlation = 0.0
    if np.ptp(outcome.y_true) and np.ptp(outcome.probabilities):
        correlation = np.corrcoef(outcome.y_true, outcome.probabilities)[0, 1]
    return _draw_in_both_schemes(
        lambda theme: charts.predictions(outcome.y_true, outcome.probabilities, theme),
        f"predictions beside their targets: correlation {correlation:.3f}",
    )


def reliability(calibration: Calibration) -> Picture:
    """The reliability diagram of a classifier."""
    nonempty = np.flatnonzero(calibration.counts)
    bins = ", ".join(
        f"{percent(float(accuracy))} right at {percent(float(probability))}"
        for accuracy, probability in zip(
            calibration.accuracy[nonempty], calibration.confidence[nonempty], strict=True
        )
    )
    return _draw_in_both_schemes(
        lambda theme: diagnostic_charts.reliability_diagram(calibration, theme),
        f"accuracy by the probability of the answer: {bins}",
    )


def learning_curve(curve: LearningCurve) -> Picture:
    """The score against the number of training samples."""
    points = ", ".join(
        f"{score:.3g} with {samples:,}"
        for score, samples in zip(curve.scores, curve.samples, strict=True)
    )
    return _draw_in_both_schemes(
        lambda theme: diagnostic_charts.learning_curve(curve, theme),
        f"{curve.measure} in validation by the number of training samples: {points}",
    )


def _draw_in_both_schemes(draw: "Callable[[charts.Theme], Figure]", alt: str) -> Picture:
    light, dark = (charts.data_uri(draw(theme)) for theme in (charts.LIGHT, charts.DARK))
    return Picture(light, dark, alt)
