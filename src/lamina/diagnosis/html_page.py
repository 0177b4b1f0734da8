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
from lamina.diagnosis import charts, samples
from lamina.diagnosis.layer_statistics import PROBED_ROWS
from lamina.diagnosis.measures import confident_mistakes, most_frequent_confusions
from lamina.diagnosis.outcome import Outcome
from lamina.diagnosis.verdict import percent, wilson
from lamina.findings import LayerStatistics
from lamina.models.summary import shape_of_output
from lamina.version import __version__

if TYPE_CHECKING:
    from lamina.models.model import Model


class Picture(NamedTuple):
    """A picture in both colour schemes, as data URIs."""

    light: str
    dark: str
    alt: str


class ShownSample(NamedTuple):
    """One sample: its image or text, its class, and the prediction if it was wrong.

    Light strokes on a dark background are shown dark on light if the page is light.
    """

    uri: str
    text: str
    truth: str
    said: str = ""
    is_ink: bool = False


class Cell(NamedTuple):
    """One cell of the confusion matrix: its count, its colour and its samples."""

    samples: int
    strength: float
    right: bool
    panel: str


class Panel(NamedTuple):
    """The samples of a cell of the matrix; opened by a link to its name.

    `rest` is the number of samples that are not shown.
    """

    name: str
    title: str
    shown: list[ShownSample]
    rest: int


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
) -> Path:
    """Write the page.

    Args:
        path: The file to write.
        outcome: The measures.
        model: The trained model; its layers are listed.
        title: Title of the page.
        settings: Settings of the training, in the order in which they are shown.
        code: A script that repeats the training; shown at the end.

    Returns:
        The path.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    renderer = _SampleRenderer(outcome)
    classes = outcome.kind == "classes"
    matrix, panels = (
        _matrix(outcome, renderer)
        if classes and len(outcome.class_names) <= _MAX_CLASSES
        else ([], [])
    )
    page = environment.get_template("report.html.jinja").render(
        title=title,
        outcome=outcome,
        verdict=outcome.verdict,
        tiles=_tiles(outcome, model),
        curves=_curves(outcome),
        confusions=_confusions(outcome) if classes else [],
        matrix=matrix,
        panels=panels,
        scatter=_scatter(outcome) if outcome.kind == "numbers" else None,
        samples=_samples(outcome, renderer),
        mistakes=_mistakes(outcome, renderer),
        per_class=outcome.per_class if classes else [],
        worst=max((c.missed + c.false_alarms for c in outcome.per_class), default=0)
        if classes
        else 0,
        counts=_counts(outcome),
        findings=getattr(getattr(model, "history", None), "findings", None),
        statistics=_last_statistics(model),
        probed=PROBED_ROWS,
        layers=_layers(model),
        settings=settings,
        code=code,
        made=datetime.now().strftime("%d %B %Y, %H:%M"),
        versions=_versions(),
    )
    path.write_text(page, encoding="utf-8")
    return path


def _last_statistics(model: "Model") -> list[LayerStatistics]:
    """What layers did at the end of the last training, if it was measured."""
    record = getattr(getattr(model, "history", None), "record", None)
    statistics = () if record is None else record.statistics
    last = max((one.step for one in statistics), default=0)
    return [one for one in statistics if one.step == last]


class _SampleRenderer:
    """Converts test and training samples to images and texts for the page."""

    def __init__(self, outcome: Outcome):
        self.outcome = outcome
        self.test = samples.as_images(outcome.test_data[0])
        train = outcome.train_data
        self.train = None if train is None else samples.as_images(train[0])

    def test_sample(self, index: int, truth: str, said: str = "") -> ShownSample:
        return self._render_sample(self.test, self.outcome.test_data[0], index, truth, said)

    def train_sample(self, index: int, truth: str) -> ShownSample:
        assert self.outcome.train_data is not None
        return self._render_sample(self.train, self.outcome.train_data[0], index, truth)

    def _render_sample(
        self, images: np.ndarray | None, x: Any, index: int, truth: str, said: str = ""
    ) -> ShownSample:
        if images is None:
            return ShownSample("", samples.as_text(x, index), truth, said)
        image = np.asarray(images[index], dtype="float64")
        # One scale for all images, from the first few; otherwise a dim image would look bright.
        first_images = np.asarray(images[:64], dtype="float64")
        low = min(0.0, float(first_images.min()))
        top = max(float(first_images.max()) - low, 1e-9)
        edge = (first_images[:, 0] - low) / top
        is_ink = first_images.shape[3:] in ((), (1,)) and float(np.median(edge)) < 0.1
        return ShownSample(charts.thumbnail(image - low, top), "", truth, said, is_ink)


def _tiles(outcome: Outcome, model: "Model") -> list[tuple[str, str, str]]:
    tiles = []
    if outcome.kind == "classes":
        accuracy, count = outcome.test["accuracy"], len(outcome.y_true)
        low, high = wilson(accuracy, count)
        interval = f"between {percent(low)} and {percent(high)}"
        tiles.append(("Test accuracy", percent(accuracy), interval))
        if outcome.train is not None:
            measured_on = f"after training, on {outcome.train_measured:,} {outcome.noun}"
            tiles.append(("Training accuracy", percent(outcome.train["accuracy"]), measured_on))
    for name, value in outcome.test.items():
        if name == "accuracy" or (name.endswith("accuracy") and outcome.kind == "classes"):
            continue
        train_value = "" if outcome.train is None else f"training {outcome.train.get(name, 0):.3g}"
        tiles.append((f"Test {name.replace('_', ' ')}", f"{value:.3g}", train_value))
    if outcome.seconds is not None:
        rate = outcome.samples_per_second
        speed = "" if rate is None else f"{rate:,.0f} {outcome.noun}/s, compiling included"
        tiles.append(("Training time", _duration(outcome.seconds), speed))
    tiles.append(("Parameters", f"{model.count_params():,}", "numbers in the model"))
    return tiles


def _curves(outcome: Outcome) -> list[Picture]:
    def draw(name: str, theme: charts.Theme) -> str:
        return charts.data_uri(
            charts.training_curves(outcome.history, outcome.test, only=name, theme=theme)
        )

    return [
        Picture(draw(name, charts.LIGHT), draw(name, charts.DARK), f"{name} over the epochs")
        for name in charts.measures_to_show(outcome.history)
        if outcome.history.get(name)
    ]


def _scatter(outcome: Outcome) -> Picture:
    light, dark = (
        charts.data_uri(charts.predictions(outcome.y_true, outcome.probabilities, theme))
        for theme in (charts.LIGHT, charts.DARK)
    )
    return Picture(light, dark, "predictions beside their targets")


def _matrix(outcome: Outcome, renderer: _SampleRenderer) -> tuple[list[list[Cell]], list[Panel]]:
    """The cells row by row, and panels with the samples of cells that are not empty."""
    confusion, names = outcome.confusion, outcome.class_names
    strengths = charts.colour_intensities(confusion)
    y_pred = outcome.probabilities.argmax(axis=1)
    certainty = outcome.probabilities.max(axis=1)
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
        shown_indices = indices[np.argsort(sign * certainty[indices], kind="stable")][
            :_MAX_IN_A_CELL
        ]
        samples_left -= len(shown_indices)
        name = f"cell-{row}-{column}"
        panel_names[row, column] = name
        shown_samples = [
            renderer.test_sample(int(i), percent(float(certainty[i]))) for i in shown_indices
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
        for row, pair in enumerate(zip(confusion, strengths, strict=True))
    ]
    return cells, panels


def _samples(outcome: Outcome, renderer: _SampleRenderer, count: int = 16) -> list[ShownSample]:
    if outcome.train_data is None or outcome.kind == "other":
        return []
    labels = outcome.train_data[1][:count]
    names = outcome.class_names
    return [
        renderer.train_sample(i, names[int(label)] if names else f"{float(np.squeeze(label)):.4g}")
        for i, label in enumerate(labels)
    ]


def _mistakes(outcome: Outcome, renderer: _SampleRenderer, count: int = 24) -> list[ShownSample]:
    if outcome.kind == "numbers":
        errors = np.abs(outcome.y_true - outcome.probabilities)
        return [
            renderer.test_sample(
                int(i), f"is {outcome.y_true[i]:.4g}", f"{float(outcome.probabilities[i]):.4g}"
            )
            for i in np.argsort(-errors, kind="stable")[: count // 2]
        ]
    if outcome.kind == "other":
        return []
    names = outcome.class_names
    panels = []
    for number in confident_mistakes(outcome.y_true, outcome.probabilities, count):
        row = outcome.probabilities[number]
        # No line break between number and percent sign.
        certainty = percent(float(row.max())).replace(" ", "\N{NO-BREAK SPACE}")
        prediction = f"{names[row.argmax()]}, {certainty}"
        panels.append(
            renderer.test_sample(int(number), f"is {names[outcome.y_true[number]]}", prediction)
        )
    return panels


def _counts(outcome: Outcome) -> str:
    """`Digits: 1,350 images to learn from, 297 to be judged by, 10 classes.`"""
    parts = []
    if outcome.train_data is not None:
        train_count = outcome.samples_learnt_from or outcome.train_measured
        parts.append(f"{train_count:,} {outcome.noun} to learn from")
    test_count = f"{samples.count_samples(outcome.test_data[0]):,}"
    parts.append(f"{test_count} to be judged by" if parts else f"{test_count} {outcome.noun}")
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
