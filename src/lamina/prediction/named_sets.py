"""Which named data set a model has learnt from, and what follows: its classes, its images.

Nothing in a model's file says so. Its name does, where `lamina.jobs` has built it.
"""

from importlib import import_module
from typing import Any

from lamina.data.match_dataset import form_of
from lamina.datasets import NAMES
from lamina.datasets.image_form import ImageForm
from lamina.prediction.inputs import input_form


def set_of(model: Any) -> str | None:
    """The named data set that a model was trained on, as far as is known: by the model's name.

    `jobs.architectures.build` and the scripts of jobs give the set's name to the model.
    """
    return next((name for name in NAMES if model.name.startswith(f"{name}_")), None)


def likely_set(model: Any) -> str | None:
    """The set that a model whose name tells nothing has probably learnt from, by sizes.

    Only where one set alone has images of that size: 28×28 may be digits or clothes.
    """
    alike = _sets_of_size(model)
    return alike[0] if len(alike) == 1 else None


def possible_sets(model: Any) -> list[str]:
    """The sets, several of them, that a model may have learnt from; empty where that is known."""
    alike = _sets_of_size(model)
    return [] if set_of(model) is not None or len(alike) < 2 else alike


def _sets_of_size(model: Any) -> list[str]:
    wanted, outputs = input_form(model), getattr(model, "output_shape", None)
    size = (wanted.height, wanted.width, wanted.channels)
    forms = {name: form_of(name) for name in NAMES}
    alike = [name for name, form in forms.items() if (form.height, form.width, 1) == size]
    return alike if isinstance(outputs, tuple) and outputs[-1] == 10 else []


def form_for(model: Any, like: str | None = None) -> ImageForm | None:
    """How the images were made that a model was trained on; None where that is not known.

    Args:
        model: A loaded model.
        like: What the user says: a data set's name, or `"none"`.

    Raises:
        ValueError: If the model takes other images than that set has.
    """
    name = None if like == "none" else (like or set_of(model) or likely_set(model))
    if name is None:
        return None
    form, wanted = form_of(name), input_form(model)
    if (form.height, form.width, 1) == (wanted.height, wanted.width, wanted.channels):
        return form
    if like is None:
        return None
    raise ValueError(
        f"The model takes images of {wanted.height}×{wanted.width} in {wanted.channels} "
        f"channel{'s' * (wanted.channels > 1)}, and those of {name} are "
        f"{form.height}×{form.width} in grey."
    )


def class_names(model: Any, outputs: int) -> tuple[str, ...]:
    """What a model's outputs mean: a known data set's classes, else numbers.

    Args:
        model: A loaded model; `jobs.architectures.build` gave it the data set's name.
        outputs: How many classes it tells apart.
    """
    name = set_of(model)
    if name is not None:
        names: tuple[str, ...] = import_module(f"lamina.datasets.{name}").CLASS_NAMES
        if len(names) == outputs:
            return names
    return tuple(map(str, range(outputs)))
