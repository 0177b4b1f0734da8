"""Finds the named data set that a model was trained on, and its class names and image format.

A model file does not contain this information, but models built by `lamina.jobs` have the name of
the data set in their name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lamina.data.match_dataset import form_of
from lamina.datasets import DATASET_NAMES
from lamina.datasets.image_form import ImageForm
from lamina.prediction.inputs import input_form

if TYPE_CHECKING:
    from lamina.models.model import Model


def dataset_of(model: Any) -> str | None:
    """The data set in the name of a model, as `jobs.architectures.build` sets it; or None."""
    return next((name for name in DATASET_NAMES if model.name.startswith(f"{name}_")), None)


def dataset_by_size(model: Any) -> str | None:
    """The data set with images of the model's input size, if there is exactly one.

    For 28×28 there are two: digits and clothes.
    """
    sets = _datasets_of_size(model)
    return sets[0] if len(sets) == 1 else None


def candidate_datasets(model: Any) -> list[str]:
    """The data sets that a model may have been trained on, if there are several."""
    sets = _datasets_of_size(model)
    return [] if dataset_of(model) is not None or len(sets) < 2 else sets


def _datasets_of_size(model: "Model") -> list[str]:
    input_size, output_shape = input_form(model), getattr(model, "output_shape", None)
    size = (input_size.height, input_size.width, input_size.channels)
    image_forms = {name: form_of(name) for name in DATASET_NAMES}
    names = [name for name, form in image_forms.items() if (form.height, form.width, 1) == size]
    return names if isinstance(output_shape, tuple) and output_shape[-1] == 10 else []


def form_for(model: Any, like: str | None = None) -> ImageForm | None:
    """The format of the images that a model was trained on; None if it is unknown.

    Args:
        model: A loaded model.
        like: The name of a data set, or `"none"`, if the user has given it.

    Raises:
        ValueError: If the images of that data set do not fit the model.
    """
    name = None if like == "none" else (like or dataset_of(model) or dataset_by_size(model))
    if name is None:
        return None
    form, input_size = form_of(name), input_form(model)
    if (form.height, form.width, 1) == (input_size.height, input_size.width, input_size.channels):
        return form
    if like is None:
        return None
    raise ValueError(
        f"The model takes images of {input_size.height}×{input_size.width} in "
        f"{input_size.channels} channel{'s' * (input_size.channels > 1)}, and those of {name} are "
        f"{form.height}×{form.width} in grey."
    )


def class_names(model: Any, outputs: int) -> tuple[str, ...]:
    """Names of a model's classes: those of its data set if it is known, else numbers.

    Args:
        model: A loaded model.
        outputs: Number of classes.
    """
    name = dataset_of(model)
    if name is not None:
        names: tuple[str, ...] = import_module(f"lamina.datasets.{name}").CLASS_NAMES
        if len(names) == outputs:
            return names
    return tuple(map(str, range(outputs)))
