"""`image_dataset_from_directory`: a folder of pictures as batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.data.labelled_folder import Folder, check_format
from lamina.utils import resizing
from lamina.utils.image import checked_size, load_img

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


@filter_traceback
def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
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
    """A folder of pictures as batches to train on, one subfolder for each class.

    Pictures are read, decoded and resized by a few threads while the network trains. The same
    files fall into the same subset as with Keras.

    Args:
        directory: The folder.
        labels: `"inferred"` from the names of subfolders, None for none, or one whole number for
            every file, in the order of the sorted paths.
        label_mode: `"int"` (int32, `(batch,)`), `"binary"` (0.0 or 1.0, `(batch, 1)`),
            `"categorical"` (one-hot, `(batch, classes)`) or None for no labels.
        class_names: Subfolders to take, in the order of their labels; all, sorted, for None.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`: 3, 4 channels or 1.
        batch_size: Samples in a batch; None for single samples.
        image_size: `(height, width)` in pixels that every picture is brought to.
        shuffle: Whether to mix the files, anew in every epoch. `file_paths` has the order before
            that.
        seed: For the mixing and the split.
        validation_split: Fraction between 0 and 1 of the files kept for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a pair of data sets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`,
            `"lanczos5"`, `"gaussian"` or `"mitchellcubic"`.
        follow_links: Whether to go into linked folders.
        crop_to_aspect_ratio: Whether to cut off what would distort a picture.
        pad_to_aspect_ratio: Whether to add black borders where it would be distorted.
        data_format: `"channels_last"` or `"channels_first"`; the default of the process for None.
        format: `"tf"` or `"grain"`; either gives a `Dataset`.
        verbose: Whether to say how many files were found.

    Returns:
        A `Dataset` of `(images, labels)`, or of images alone: float32 from 0 to 255,
        `(batch, height, width, channels)`. It has `class_names` and `file_paths`. A pair of them
        for `subset="both"`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no pictures, or an argument does not fit; while training, if a
            picture cannot be read: the text names the file.
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
    size = checked_size(image_size)
    interpolation = resizing.check_interpolation(interpolation)
    channels_first = config.standardize_data_format(data_format) == "channels_first"
    folder = Folder(
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

    def read(path: str) -> np.ndarray:
        image = np.asarray(load_img(path, color_mode))
        image = image[..., None] if image.ndim == 2 else image
        if crop_to_aspect_ratio:
            rows, columns = resizing.crop_box(image.shape[0], image.shape[1], size)
            image = image[rows, columns]
        elif pad_to_aspect_ratio:
            image = resizing.pad_to_ratio(image, size)
        image = resizing.resize(image, size, interpolation)
        return image.transpose(2, 0, 1) if channels_first else image

    return folder.datasets(read)
