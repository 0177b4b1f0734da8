"""Samples as the report shows them: pictures, texts or rows, with their predictions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lamina.diagnosis import charts, samples
from lamina.diagnosis.measures import confident_mistakes, most_doubtful
from lamina.diagnosis.outcome import Outcome
from lamina.diagnosis.verdict import percent


class ShownSample(NamedTuple):
    """One sample of the report.

    Args:
        uri: Its image, as a data URI; empty for other samples.
        text: The sample as text, if it is not an image.
        truth: Its label, as text.
        prediction: The prediction of the model, as text; empty if it is not shown.
        is_light_on_dark: Whether the image shows light strokes on a dark background, which a
            light page shows inverted.
    """

    uri: str
    text: str
    truth: str
    prediction: str = ""
    is_light_on_dark: bool = False


class SampleRenderer:
    """Converts test and training samples to images and texts for the page."""

    def __init__(self, outcome: Outcome):
        self.outcome = outcome
        self.test = samples.as_images(outcome.test_data[0])
        train, suspects = outcome.train_data, outcome.suspects
        self.train = None if train is None else samples.as_images(train[0])
        self.suspects = None if suspects is None else samples.as_images(suspects.x)

    def test_sample(self, index: int, truth: str, prediction: str = "") -> ShownSample:
        """A test sample, with its label and the prediction."""
        return self._render_sample(self.test, self.outcome.test_data[0], index, truth, prediction)

    def train_sample(self, index: int, truth: str) -> ShownSample:
        """A training sample, with its label."""
        assert self.outcome.train_data is not None
        return self._render_sample(self.train, self.outcome.train_data[0], index, truth)

    def suspect(self, index: int, truth: str, prediction: str) -> ShownSample:
        """A training sample whose label seems wrong."""
        assert self.outcome.suspects is not None
        return self._render_sample(self.suspects, self.outcome.suspects.x, index, truth, prediction)

    def _render_sample(
        self, images: np.ndarray | None, x: Any, index: int, truth: str, prediction: str = ""
    ) -> ShownSample:
        if images is None:
            return ShownSample("", samples.as_text(x, index), truth, prediction)
        image = np.asarray(images[index], dtype="float64")
        # One scale for all images, from the first few; otherwise a dim image would look bright.
        first_images = np.asarray(images[:64], dtype="float64")
        low = min(0.0, float(first_images.min()))
        top = max(float(first_images.max()) - low, 1e-9)
        edge = (first_images[:, 0] - low) / top
        is_light_on_dark = first_images.shape[3:] in ((), (1,)) and float(np.median(edge)) < 0.1
        return ShownSample(
            charts.thumbnail(image - low, top), "", truth, prediction, is_light_on_dark
        )


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
    if not outcome.are_answers_finite:
        return []
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
    shown = []
    for number in confident_mistakes(outcome.y_true, outcome.probabilities, count):
        row = outcome.probabilities[number]
        prediction = _class_and_probability(names, row, int(row.argmax()))
        shown.append(
            renderer.test_sample(int(number), f"is {names[outcome.y_true[number]]}", prediction)
        )
    return shown


def doubtful(outcome: Outcome, renderer: SampleRenderer, count: int = 16) -> list[ShownSample]:
    """The samples of which a classifier is least sure."""
    if outcome.kind != "classes" or not outcome.are_answers_finite:
        return []
    names = outcome.class_names
    shown = []
    for number in most_doubtful(outcome.probabilities, count):
        row = outcome.probabilities[number]
        first, second = np.argsort(-row, kind="stable")[:2]
        likeliest = (_class_and_probability(names, row, index) for index in (first, second))
        prediction = " or ".join(likeliest)
        shown.append(
            renderer.test_sample(int(number), f"is {names[outcome.y_true[number]]}", prediction)
        )
    return shown


def suspects(outcome: Outcome, renderer: SampleRenderer) -> list[ShownSample]:
    """Training samples whose labels seem wrong, with predictions that differ from the labels."""
    found = outcome.suspects
    if found is None or outcome.kind != "classes":
        return []
    names = outcome.class_names
    return [
        renderer.suspect(
            i,
            f"sample {row}, labelled {names[label]}",
            # If the prediction equals the label, the model has memorised the sample.
            ""
            if (prediction := int(probabilities.argmax())) == label
            else _class_and_probability(names, probabilities, prediction),
        )
        for i, (row, label, probabilities) in enumerate(
            zip(found.rows, found.labels, found.probabilities, strict=True)
        )
    ]


def _class_and_probability(names: Sequence[str], row: np.ndarray, index: int) -> str:
    """A class and its probability, without a line break between number and percent sign."""
    probability = percent(float(row[index])).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{names[index]}, {probability}"
