"""`image_dataset_from_directory`: a folder of images as batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.contract import Contract, ImageInput
from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import PathLike
from lamina.data.labelled_folder import LabelledFolder, check_format
from lamina.utils import resizing
from lamina.utils.image import check_size, load_img

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


@filter_traceback
def image_dataset_from_directory(
    directory: PathLike,
    labels: str | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Sequence[int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A folder of images as batches, one subfolder for each class.

    Threads read, decode and resize the images while the network trains. Later epochs find them in
    memory if they all fit into half of `lamina.config.resident_budget()`. The subsets are those of
    Keras.

    Args:
        directory: The folder.
        labels: `"inferred"` from the names of subfolders, None for none, or one integer for every
            file, in the order of the sorted paths.
        label_mode: `"int"` (int32, `(batch,)`), `"binary"` (0.0 or 1.0, `(batch, 1)`),
            `"categorical"` (one-hot, `(batch, classes)`) or None for no labels.
        class_names: Subfolders to use, in the order of their labels; all, sorted, for None.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`: 3, 4 channels or 1.
        batch_size: Samples in a batch; None for single samples.
        image_size: `(height, width)` in pixels to which every image is resized.
        shuffle: Whether to shuffle the files, anew in every epoch. `file_paths` has the order
            before that.
        seed: Seed of the shuffling and the split.
        validation_split: Fraction of the files for validation, between 0 and 1.
        subset: `"training"`, `"validation"`, or `"both"` for a pair of data sets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`,
            `"lanczos5"`, `"gaussian"` or `"mitchellcubic"`.
        follow_links: Whether to follow links to folders.
        crop_to_aspect_ratio: Whether to crop images to the aspect ratio of `image_size` first.
        pad_to_aspect_ratio: Whether to pad images to that aspect ratio with black borders first.
        data_format: `"channels_last"` or `"channels_first"`; the default of the process for None.
        format: `"tf"` or `"grain"`; either gives a `Dataset`.
        verbose: Whether to print the number of files found.

    Returns:
        A `Dataset` of `(images, labels)`, or of images alone: float32 from 0 to 255,
        `(batch, height, width, channels)`. It has `class_names` and `file_paths`. A pair of them
        for `subset="both"`. A model that is trained on it remembers the names of the classes and
        how files become pictures.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no images, or an argument is wrong. Later, in iteration: if an
            image cannot be read; the message has the path of the file.
    """
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other; received both."
        )
    if color_mode not in ("rgb", "rgba", "grayscale"):
        raise ValueError(
            f"color_mode must be 'rgb', 'rgba' or 'grayscale'; received {color_mode!r}."
        )
    check_format(format)
    size = check_size(image_size)
    interpolation = resizing.check_interpolation(interpolation)
    channels_first = config.standardize_data_format(data_format) == "channels_first"
    folder = LabelledFolder(
        kind="image",
        formats=FORMATS,
        directory=directory,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )

    method = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"

    def read(path: str) -> np.ndarray:
        image = fit_to_size(np.asarray(load_img(path, color_mode)), size, method, interpolation)
        return image.transpose(2, 0, 1) if channels_first else image

    contract = None
    if color_mode != "rgba" and not channels_first:
        channels = 1 if color_mode == "grayscale" else 3
        form = ImageInput(*size, channels, resized=method, interpolation=interpolation)
        contract = Contract("images", image=form)
    return folder.datasets(read, contract=contract)


def fit_to_size(
    image: np.ndarray, size: tuple[int, int], method: str, interpolation: str
) -> np.ndarray:
    """A picture in the size of the others.

    Args:
        image: Values from 0 to 255, `(height, width)` or `(height, width, channels)`.
        size: `(height, width)`.
        method: `"stretch"`, `"crop"` or `"pad"`, for a picture of another shape.
        interpolation: As for `image_dataset_from_directory`.

    Returns:
        float32, `(height, width, channels)`.
    """
    image = image[..., None] if image.ndim == 2 else image
    if method == "crop":
        rows, columns = resizing.crop_box(image.shape[0], image.shape[1], size)
        image = image[rows, columns]
    elif method == "pad":
        image = resizing.pad_to_ratio(image, size)
    return resizing.resize(image, size, interpolation)
