"""One HTML file that shows how a training went: no network, no scripts, light and dark.

The command line writes it with `write_report`; the page itself is `report.html.jinja`.
"""

import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from lamina.diagnosis import pictures
from lamina.diagnosis.measures import confident_mistakes, most_confused
from lamina.diagnosis.outcome import Outcome
from lamina.diagnosis.verdict import percent, wilson
from lamina.models.summary import shape_of_output
from lamina.version import __version__


class Picture(NamedTuple):
    """A picture in both colour schemes, as texts that stand for files."""

    light: str
    dark: str
    alt: str


class Thumbnail(NamedTuple):
    """A small image with what it is and, if that was wrong, what the model said."""

    uri: str
    truth: str
    said: str = ""


class Cell(NamedTuple):
    """One cell of the confusion matrix: its count and how strongly it is coloured."""

    samples: int
    strength: float
    right: bool


def write_report(
    path: Path,
    outcome: Outcome,
    model: Any,
    *,
    title: str,
    settings: Mapping[str, Any],
    code: str,
) -> Path:
    """Write the page.

    Args:
        path: The file to write.
        outcome: What was measured.
        model: The trained model; its layers are listed.
        title: Headline.
        settings: What was chosen for the training, in the order in which it is shown.
        code: The script that does the same; shown at the end.
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
    page = environment.get_template("report.html.jinja").render(
        title=title,
        outcome=outcome,
        verdict=outcome.verdict,
        tiles=_tiles(outcome, model),
        curves=_curves(outcome),
        confusions=_confusions(outcome),
        matrix=_matrix(outcome),
        samples=_samples(outcome),
        mistakes=_mistakes(outcome),
        layers=_layers(model),
        settings=settings,
        code=code,
        made=datetime.now().strftime("%d %B %Y, %H:%M"),
        versions=_versions(),
    )
    path.write_text(page, encoding="utf-8")
    return path


def _tiles(outcome: Outcome, model: Any) -> list[tuple[str, str, str]]:
    accuracy, samples = outcome.test["accuracy"], len(outcome.y_true)
    low, high = wilson(accuracy, samples)
    return [
        ("Test accuracy", percent(accuracy), f"between {percent(low)} and {percent(high)}"),
        ("Training accuracy", percent(outcome.train["accuracy"]), "measured after training"),
        ("Test loss", f"{outcome.test['loss']:.3g}", f"training {outcome.train['loss']:.3g}"),
        (
            "Training time",
            _duration(outcome.seconds),
            f"{outcome.samples_per_second:,.0f} images/s",
        ),
        ("Parameters", f"{model.count_params():,}", "numbers that were learnt"),
    ]


def _curves(outcome: Outcome) -> list[Picture]:
    def draw(name: str, theme: pictures.Theme) -> str:
        return pictures.data_uri(
            pictures.training_curves(outcome.history, outcome.test, only=name, theme=theme)
        )

    return [
        Picture(draw(name, pictures.LIGHT), draw(name, pictures.DARK), f"{name} over the epochs")
        for name in pictures.measures_shown(outcome.history)
    ]


def _matrix(outcome: Outcome) -> list[list[Cell]]:
    strengths = pictures.strengths(outcome.confusion)
    return [
        [
            Cell(int(n), float(s), row == column)
            for column, (n, s) in enumerate(zip(*pair, strict=True))
        ]
        for row, pair in enumerate(zip(outcome.confusion, strengths, strict=True))
    ]


def _samples(outcome: Outcome, count: int = 16) -> list[Thumbnail]:
    images, labels = outcome.dataset.train
    return [
        Thumbnail(_thumbnail(outcome, image), outcome.dataset.class_names[label])
        for image, label in zip(images[:count], labels[:count], strict=True)
    ]


def _mistakes(outcome: Outcome, count: int = 24) -> list[Thumbnail]:
    images, labels = outcome.dataset.test
    names = outcome.dataset.class_names
    found = []
    for number in confident_mistakes(labels, outcome.probabilities, count):
        row = outcome.probabilities[number]
        # Not to be broken between number and sign.
        certainty = percent(float(row.max())).replace(" ", "\N{NO-BREAK SPACE}")
        said = f"{names[row.argmax()]}, {certainty}"
        found.append(
            Thumbnail(_thumbnail(outcome, images[number]), f"is {names[labels[number]]}", said)
        )
    return found


def _thumbnail(outcome: Outcome, image: Any) -> str:
    return pictures.thumbnail(image, outcome.dataset.pixel_max)


def _confusions(outcome: Outcome) -> list[str]:
    names = outcome.dataset.class_names
    return [
        f"{names[true]} taken for {names[said]}: {count:,} of {outcome.confusion[true].sum():,}"
        for true, said, count in most_confused(outcome.confusion)
    ]


def _layers(model: Any) -> list[tuple[str, str, str, str]]:
    return [
        (layer.name, type(layer).__name__, shape_of_output(layer), f"{layer.count_params():,}")
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
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
