"""Writes the report on a model as one HTML file, without scripts or external files.

The command line and `write_report` call `write_page`; the template is `report.html.jinja`.
"""

import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.diagnosis import charts, page_pictures, page_samples, samples
from lamina.diagnosis.calibration import Calibration, calibration
from lamina.diagnosis.layer_statistics import PROBED_ROWS
from lamina.diagnosis.measures import most_frequent_confusions
from lamina.diagnosis.outcome import Outcome
from lamina.diagnosis.page_pictures import Moment
from lamina.diagnosis.page_samples import SampleRenderer, ShownSample
from lamina.diagnosis.verdict import percent, wilson_interval
from lamina.findings import Findings
from lamina.models.summary import shape_of_output
from lamina.version import __version__

if TYPE_CHECKING:
    from lamina.models.model import Model


class Cell(NamedTuple):
    """One cell of the confusion matrix: its count, its colour and its samples."""

    samples: int
    colour_intensity: float
    is_correct: bool
    panel: str


class Panel(NamedTuple):
    """The samples of a cell of the matrix; opened by a link to its name.

    `not_shown` is the number of further samples.
    """

    name: str
    title: str
    shown: list[ShownSample]
    not_shown: int


# A matrix with more classes cannot be read; a list of the most frequent confusions is shown.
_MAX_CLASSES = 30
# Samples shown for a cell, and for all cells, so that a page stays below some megabytes.
_MAX_IN_A_CELL, _MAX_IN_ALL_CELLS = 12, 1500


@filter_traceback
def write_page(
    path: Path,
    outcome: Outcome,
    model: "Model",
    *,
    title: str,
    settings: Mapping[str, Any],
    code: str = "",
    findings: Findings | None = None,
) -> Path:
    """Write the page.

    Args:
        path: The file to write.
        outcome: The measures.
        model: The trained model; its layers are listed.
        title: Title of the page.
        settings: Settings of the training, in the order in which they are shown.
        code: A script that repeats the training; shown at the end.
        findings: What is wrong with the training; those of the model's last `fit` for None.

    Returns:
        The path.
    """
    import jinja2

    moments = _moments(outcome, model, findings)
    if findings is None:
        findings = getattr(getattr(model, "history", None), "findings", None)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    renderer = SampleRenderer(outcome)
    classes = outcome.kind == "classes" and outcome.are_answers_finite
    matrix, panels = (
        _matrix(outcome, renderer)
        if classes and len(outcome.class_names) <= _MAX_CLASSES
        else ([], [])
    )
    calibrated = _calibration(outcome)
    curve = None if findings is None else findings.learning_curve
    page = environment.get_template("report.html.jinja").render(
        title=title,
        outcome=outcome,
        verdict=outcome.verdict,
        tiles=_tiles(outcome, model),
        curves=page_pictures.training_curves(outcome, moments),
        moments={moment.code: moment for moment in moments},
        confusions=_confusions(outcome) if classes else [],
        matrix=matrix,
        panels=panels,
        scatter=page_pictures.scatter(outcome)
        if outcome.kind == "numbers" and outcome.are_answers_finite
        else None,
        samples=page_samples.training_samples(outcome, renderer),
        mistakes=page_samples.mistakes(outcome, renderer),
        doubtful=page_samples.doubtful(outcome, renderer),
        suspects=page_samples.suspects(outcome, renderer),
        calibration=calibrated,
        reliability=None if calibrated is None else page_pictures.reliability(calibrated),
        learning_curve=curve,
        sizes=None if curve is None else page_pictures.learning_curve(curve),
        per_class=outcome.per_class if classes else [],
        worst=max((c.missed + c.false_alarms for c in outcome.per_class), default=0)
        if classes
        else 0,
        has_answers=outcome.are_answers_finite,
        counts=_counts(outcome),
        findings=findings,
        statistics=outcome.statistics,
        columns=_columns(outcome),
        probed=PROBED_ROWS,
        layers=_layers(model),
        settings=settings,
        code=code,
        made=datetime.now().strftime("%d %B %Y, %H:%M"),
        versions=_versions(),
    )
    path.write_text(page, encoding="utf-8")
    return path


def _moments(outcome: Outcome, model: "Model", findings: Findings | None) -> list[Moment]:
    """When findings began; none if the curves are those of another training."""
    epochs = len(outcome.history.get("loss", ()))
    if findings is None:
        history = getattr(model, "history", None)
        record = getattr(history, "record", None)
        findings = getattr(history, "findings", None)
        if record is None or findings is None or len(record.epochs) != epochs:
            return []
    return page_pictures.moments(findings, epochs) if epochs else []


def _calibration(outcome: Outcome) -> Calibration | None:
    """How far a classifier's probabilities can be trusted; None for other models."""
    if outcome.kind != "classes" or not outcome.are_answers_finite:
        return None
    return calibration(outcome.y_true, outcome.probabilities)


def _columns(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """The columns of the statistics of layers that have values."""

    def number(value: float) -> str:
        return f"{value:.1e}" if np.isfinite(value) else _short(value)

    columns: list[tuple[str, list[float | None], Any]] = [
        ("Gradient", [layer.gradient for layer in outcome.statistics], number),
        ("Update", [layer.update for layer in outcome.statistics], number),
        ("Dead", [layer.dead for layer in outcome.statistics], percent),
        ("Saturated", [layer.saturated for layer in outcome.statistics], percent),
    ]
    shown = [
        (name, ["–" if value is None else show(value) for value in values])
        for name, values, show in columns
        if any(value is not None for value in values)
    ]
    ranks = [
        "–" if layer.rank is None else f"{_short(layer.rank)} / {layer.largest_rank}"
        for layer in outcome.statistics
    ]
    return [*shown, ("Rank", ranks)] if any(rank != "–" for rank in ranks) else shown


def _tiles(outcome: Outcome, model: "Model") -> list[tuple[str, str, str]]:
    tiles = []
    tested = "" if outcome.seen else "test "
    if not outcome.are_answers_finite:
        tiles.append(("Answers", "NaN", "at least one is no finite number"))
    elif outcome.kind == "classes":
        accuracy, count = outcome.test["accuracy"], len(outcome.y_true)
        low, high = wilson_interval(accuracy, count)
        interval = f"between {percent(low)} and {percent(high)}"
        tiles.append((f"{tested}accuracy".capitalize(), percent(accuracy), interval))
        if outcome.train is not None:
            measured_on = f"after training, on {outcome.train_measured:,} {outcome.noun}"
            tiles.append(("Training accuracy", percent(outcome.train["accuracy"]), measured_on))
    for name, value in outcome.test.items():
        if name == "accuracy" or (name.endswith("accuracy") and outcome.kind == "classes"):
            continue
        train_value = ""
        if outcome.train is not None:
            train_value = f"training {_short(outcome.train.get(name, 0.0))}"
        label = f"{tested}{name.replace('_', ' ')}"
        tiles.append((label[0].upper() + label[1:], _short(value), train_value))
    if outcome.seconds is not None:
        rate = outcome.samples_per_second
        speed = "" if rate is None else f"{rate:,.0f} {outcome.noun}/s, compiling included"
        tiles.append(("Training time", _duration(outcome.seconds), speed))
    tiles.append(("Parameters", f"{model.count_params():,}", "numbers in the model"))
    return tiles


def _short(value: float) -> str:
    return "NaN" if np.isnan(value) else f"{value:.3g}"


def _matrix(outcome: Outcome, renderer: SampleRenderer) -> tuple[list[list[Cell]], list[Panel]]:
    """The cells row by row, and panels with the samples of cells that are not empty."""
    confusion, names = outcome.confusion, outcome.class_names
    intensities = charts.colour_intensities(confusion)
    y_pred = outcome.probabilities.argmax(axis=1)
    probability = outcome.probabilities.max(axis=1)
    is_correct = np.eye(len(names), dtype=bool)
    # Mistakes first, if there are too many samples for the page.
    order = sorted(np.ndindex(confusion.shape), key=lambda cell: (is_correct[cell], cell))
    panels, samples_left, panel_names = [], _MAX_IN_ALL_CELLS, {}
    for row, column in order:
        indices = np.flatnonzero((outcome.y_true == row) & (y_pred == column))
        if not len(indices) or samples_left <= 0:
            continue
        # The mistakes with the highest probability, and the correct ones with the lowest.
        sign = 1 if row == column else -1
        shown_indices = indices[np.argsort(sign * probability[indices], kind="stable")][
            :_MAX_IN_A_CELL
        ]
        samples_left -= len(shown_indices)
        name = f"cell-{row}-{column}"
        panel_names[row, column] = name
        shown_samples = [
            renderer.test_sample(int(i), percent(float(probability[i]))) for i in shown_indices
        ]
        title = (
            f"{names[row]}, recognised; the least sure first"
            if row == column
            else f"{names[row]} taken for {names[column]}"
        )
        panels.append(Panel(name, title, shown_samples, len(indices) - len(shown_indices)))
    cells = [
        [
            Cell(int(n), float(s), row == column, panel_names.get((row, column), ""))
            for column, (n, s) in enumerate(zip(*pair, strict=True))
        ]
        for row, pair in enumerate(zip(confusion, intensities, strict=True))
    ]
    return cells, panels


def _counts(outcome: Outcome) -> str:
    """`Digits: 1,350 images for training, 297 for testing, 10 classes.`"""
    parts = []
    if outcome.train_data is not None:
        train_count = outcome.samples_learnt_from or outcome.train_measured
        parts.append(f"{train_count:,} {outcome.noun} for training")
    test_count = f"{samples.count_samples(outcome.test_data[0]):,}"
    parts.append(f"{test_count} for testing" if parts else f"{test_count} {outcome.noun}")
    if outcome.class_names:
        parts.append(f"{len(outcome.class_names)} classes")
    return f"{outcome.title}{': ' if outcome.title else ''}{', '.join(parts)}."


def _confusions(outcome: Outcome) -> list[str]:
    names = outcome.class_names
    return [
        f"{names[true]} taken for {names[predicted]}: {count:,} of "
        f"{outcome.confusion[true].sum():,}"
        for true, predicted, count in most_frequent_confusions(outcome.confusion, 5)
    ]


def _layers(model: "Model") -> list[tuple[str, str, str, str]]:
    return [
        (
            layer.name,
            type(layer).__name__,
            shape_of_output(layer),
            f"{layer.count_params():,}" if layer.built else "",
        )
        for layer in model.layers
    ]


def _versions() -> str:
    import jax

    devices = jax.devices()
    kind = devices[0].platform.upper()
    return (
        f"Lamina {__version__}, JAX {jax.__version__} on {len(devices)} {kind} "
        f"device{'s' if len(devices) > 1 else ''}, Python {platform.python_version()}"
    )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, whole_seconds = divmod(round(seconds), 60)
    return f"{minutes} min {whole_seconds} s"
