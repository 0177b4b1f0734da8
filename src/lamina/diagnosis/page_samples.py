"""Samples as the report shows them: pictures, texts or rows, with what the model said."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lamina.diagnosis import charts, samples
from lamina.diagnosis.measures import confident_mistakes, most_doubtful
from lamina.diagnosis.outcome import Outcome
from lamina.diagnosis.verdict import percent


class ShownSample(NamedTuple):
    """One sample: its image or text, its class, and the prediction if it was wrong.

    Light strokes on a dark background are shown dark on light if the page is light.
    """

    uri: str
    text: str
    truth: str
    said: str = ""
    is_ink: bool = False


class SampleRenderer:
    """Converts test and training samples to images and texts for the page."""

    def __init__(self, outcome: Outcome):
        self.outcome = outcome
        self.test = samples.as_images(outcome.test_data[0])
        train, suspects = outcome.train_data, outcome.suspects
        self.train = None if train is None else samples.as_images(train[0])
        self.suspects = None if suspects is None else samples.as_images(suspects.x)

    def test_sample(self, index: int, truth: str, said: str = "") -> ShownSample:
        """A sample of the test, with its label and what the model said."""
        return self._render_sample(self.test, self.outcome.test_data[0], index, truth, said)

    def train_sample(self, index: int, truth: str) -> ShownSample:
        """A sample of the training, with its label."""
        assert self.outcome.train_data is not None
        return self._render_sample(self.train, self.outcome.train_data[0], index, truth)

    def suspect(self, index: int, truth: str, said: str) -> ShownSample:
        """A training sample whose label seems wrong."""
        assert self.outcome.suspects is not None
        return self._render_sample(self.suspects, self.outcome.suspects.x, index, truth, said)

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


def training_samples(
    outcome: Outcome, renderer: SampleRenderer, count: int = 16
) -> list[ShownSample]:
    """The first training samples."""
    if outcome.train_data is None or outcome.kind == "other":
        return []
    labels = outcome.train_data[1][:count]
    names = outcome.class_names
    return [
        renderer.train_sample(i, names[int(label)] if names else f"{float(np.squeeze(label)):.4g}")
        for i, label in enumerate(labels)
    ]


def mistakes(outcome: Outcome, renderer: SampleRenderer, count: int = 24) -> list[ShownSample]:
    """The most confident mistakes of a classifier, or the largest errors of a regression."""
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
        prediction = _certain(names, row, int(row.argmax()))
        panels.append(
            renderer.test_sample(int(number), f"is {names[outcome.y_true[number]]}", prediction)
        )
    return panels


def doubtful(outcome: Outcome, renderer: SampleRenderer, count: int = 16) -> list[ShownSample]:
    """The samples of which a classifier is least sure."""
    if outcome.kind != "classes" or not np.isfinite(outcome.probabilities).all():
        return []
    names = outcome.class_names
    shown = []
    for number in most_doubtful(outcome.probabilities, count):
        row = outcome.probabilities[number]
        first, second = np.argsort(-row, kind="stable")[:2]
        said = f"{_certain(names, row, first)} or {_certain(names, row, second)}"
        shown.append(renderer.test_sample(int(number), f"is {names[outcome.y_true[number]]}", said))
    return shown


def suspects(outcome: Outcome, renderer: SampleRenderer) -> list[ShownSample]:
    """Training samples whose labels seem wrong, and what the model says where it contradicts."""
    found = outcome.suspects
    if found is None or outcome.kind != "classes":
        return []
    names = outcome.class_names
    return [
        renderer.suspect(
            i,
            f"sample {row}, labelled {names[label]}",
            # A label that the model agrees with is one that it knows by heart.
            ""
            if (said := int(probabilities.argmax())) == label
            else _certain(names, probabilities, said),
        )
        for i, (row, label, probabilities) in enumerate(
            zip(found.rows, found.labels, found.probabilities, strict=True)
        )
    ]


def _certain(names: Sequence[str], row: np.ndarray, index: int) -> str:
    """A class and its probability, without a line break between number and percent sign."""
    certainty = percent(float(row[index])).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{names[index]}, {certainty}"
