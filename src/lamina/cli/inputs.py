"""From image files and data sets to what a model takes: size, colours and range of pixels."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lamina.data.alike import form_of, prepare
from lamina.data.pictures import Picture, edge_of, read_picture
from lamina.datasets import NAMES
from lamina.datasets.form import ImageForm

# Larger pictures are averaged down before anything is looked for in them.
_LARGEST = 512


class Range(NamedTuple):
    """The largest pixel value that a model expects, and how that is known."""

    pixel_max: float
    remark: str | None


class InputForm(NamedTuple):
    """What one image must look like: its pixels' height and width, and its array's shape."""

    height: int
    width: int
    channels: int
    shape: tuple[int, ...]


def expected_range(model: Any, chosen: float | None = None) -> Range:
    """Which range of pixels a model was most probably trained on.

    A model that scales its input by itself says so in its first layers. Of any other nothing is
    known for sure; networks are mostly trained on 0 to 1.

    Args:
        model: A loaded model.
        chosen: What the user says, if anything.
    """
    from lamina import layers

    if chosen is not None:
        return Range(chosen, None)
    for layer in model.layers:
        if isinstance(layer, layers.Rescaling):
            scale, offset = float(np.mean(layer.scale)), float(np.mean(layer.offset))
            # 0…255 times 1/255 is 0…1, and 0…255 times 1/127.5 minus 1 is -1…1.
            return Range(round((1 - offset) / scale, 6), None)
        if isinstance(layer, (layers.Normalization, layers.BatchNormalization)):
            return Range(255, None)
        if layer.weights:
            break
    return Range(
        1,
        "The model does not scale its input by itself, so pixels were brought to 0…1; "
        "--pixel-max sets another range.",
    )


def input_form(model: Any) -> InputForm:
    """What one image must look like for a model.

    Raises:
        ValueError: If the model takes no images.
    """
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or any(not isinstance(n, int) for n in shape[1:]):
        raise ValueError(
            f"The model takes inputs of shape {shape}, and an image file cannot be brought to that."
        )
    sizes = shape[1:]
    if len(sizes) == 3 and sizes[-1] in (1, 3):
        return InputForm(sizes[0], sizes[1], sizes[2], sizes)
    if len(sizes) == 2:
        return InputForm(sizes[0], sizes[1], 1, sizes)
    side = math.isqrt(sizes[0]) if len(sizes) == 1 else 0
    if side > 1 and side * side == sizes[0]:
        return InputForm(side, side, 1, sizes)
    raise ValueError(
        f"The model takes {sizes} per sample, which is no image in grey or in three colours."
    )


class Seen(NamedTuple):
    """What the model is shown of a file.

    Args:
        path: The file.
        image: Values from 0 to 1, `(height, width)` or `(height, width, 3)`.
        inverted: Whether light and dark were swapped.
        blank: Whether there is nothing on it.
        note: What was unusual about the file, or None.
        uneven: Whether there is nothing that stands out, but no even ground either, as in noise.
    """

    path: Path
    image: np.ndarray
    inverted: bool
    blank: bool
    note: str | None
    uneven: bool = False


def set_of(model: Any) -> str | None:
    """The named data set that a model was trained on, as far as is known: by the model's name.

    `architectures.build` and the scripts give the set's name to the model.
    """
    return next((name for name in NAMES if model.name.startswith(f"{name}_")), None)


def likely_set(model: Any) -> str | None:
    """The set that a model whose name tells nothing has probably learnt from, by sizes.

    Only where one set alone has images of that size: 28×28 may be digits or clothes.
    """
    alike = _sets_of_size(model)
    return alike[0] if len(alike) == 1 else None


def unknown_set(model: Any) -> str | None:
    """What to say of a model that may have learnt from one of several sets, else None."""
    alike = _sets_of_size(model)
    if set_of(model) is not None or len(alike) < 2:
        return None
    return (
        f"The model's name, {model.name!r}, does not say which images it has learnt from, so the "
        f"pictures were only brought to its size; --like {alike[-1]} or --like {alike[0]} makes "
        "them like that set's."
    )


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
        f"{form.height}×{form.width} in grey.\n  Fix: leave --like out, or name another set."
    )


def see(path: Path, wanted: InputForm, form: ImageForm | None, invert: bool | None) -> Seen:
    """Bring a picture file to what a model takes.

    Args:
        path: The file.
        wanted: The model's input.
        form: How the images of the model's training set were made, if that is known.
        invert: Whether to swap light and dark; found out for None.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no picture.
    """
    if form is not None:
        picture = read_picture(path, _LARGEST)
        made = prepare(picture, form, is_dark=invert)
        return Seen(
            path, made.image, made.inverted, made.is_blank, picture.note, uneven=made.is_uneven
        )
    picture = read_picture(path)
    image = fitted(picture, wanted)
    swap = looks_inverted(image) if invert is None else invert
    note = picture.note
    if picture.is_blank:
        note = f"{note}; and it is" if note else "is"
        note += " of one colour all over: whatever the model says of it means nothing"
    return Seen(path, 1 - image if swap else image, swap, False, note)


def picture_files(paths: list[Path]) -> list[Path]:
    """The files that were named, and those in the folders that were.

    Raises:
        ValueError: If a folder has no picture.
    """
    from PIL import Image

    kinds = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    kinds -= {".h5", ".hdf", ".pdf", ".mpg", ".mpeg"}
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in kinds and p.is_file())
        if not inside:
            raise ValueError(f"The folder {path} has no pictures in it.")
        found += inside
    return found


def read_image(path: Path, form: InputForm) -> np.ndarray:
    """An image file as values from 0 to 1, `(height, width)` or `(height, width, 3)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no image.
    """
    return fitted(read_picture(path), form)


def fitted(picture: Picture, form: InputForm) -> np.ndarray:
    """A picture in the size and colours that a model takes.

    What is not as wide as it is high is filled up at its edges rather than stretched.
    """
    from PIL import Image, ImageOps

    values = picture.pixels if form.channels == 3 else picture.grey
    pixels = np.round(255 * values).astype("uint8")
    edge = np.median(edge_of(pixels), axis=0)
    image = ImageOps.pad(
        Image.fromarray(pixels),
        (form.width, form.height),
        Image.Resampling.LANCZOS,
        color=tuple(edge.astype(int).tolist()) if edge.ndim else int(edge),
    )
    return np.asarray(image, dtype="float32") / 255


def looks_inverted(image: np.ndarray) -> bool:
    """Whether an image is dark on light, unlike the light strokes on dark of MNIST and its kin.

    Args:
        image: Values from 0 to 1, `(height, width)`.

    Example:
        >>> page = np.ones((8, 8))
        >>> page[2:6, 3:5] = 0
        >>> looks_inverted(page), looks_inverted(1 - page)
        (True, False)
    """
    return image.ndim == 2 and float(np.median(edge_of(image))) > 0.5 > float(image.min())
