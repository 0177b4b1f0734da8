"""Evaluates a saved model on the test part of a named data set."""

from typing import TYPE_CHECKING, NamedTuple

from lamina.datasets import Dataset
from lamina.prediction.inputs import expected_range

if TYPE_CHECKING:
    from lamina.models.model import Model


class Evaluation(NamedTuple):
    """Results of an evaluation, and the assumptions that were made.

    Args:
        results: Loss and metrics by name.
        range_was_guessed: Whether the range of pixel values was guessed.
        was_compiled: Whether the model had no loss, so that crossentropy and accuracy were used.
    """

    results: dict[str, float]
    range_was_guessed: bool
    was_compiled: bool


def evaluate(
    model: "Model", data: Dataset, batch_size: int = 256, pixel_max: float | None = None
) -> Evaluation:
    """Measure a model on the test samples of a data set, in the range that the model expects.

    Args:
        model: A loaded model.
        data: The data set.
        batch_size: Samples per step.
        pixel_max: The largest pixel value that it was trained on; found in its layers for None.
    """
    images, labels = data.test
    pixels = expected_range(model, pixel_max)
    scaled = pixels.pixel_max != data.pixel_max
    if scaled:
        images = images * (pixels.pixel_max / data.pixel_max)
    was_compiled = not model.compiled
    if was_compiled:
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    results = model.evaluate(images, labels, batch_size=batch_size, verbose=0, return_dict=True)
    return Evaluation(
        {name: float(value) for name, value in results.items()},
        scaled and not pixels.is_known,
        was_compiled,
    )
