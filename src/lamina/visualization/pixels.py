"""Converts batches of images to bytes with channels last, and checks them, for drawings."""

from typing import Any

import numpy as np

from lamina.core.configuration import config


def batch_of_images(images: Any, data_format: str | None) -> np.ndarray:
    """Images as an array `(batch, height, width, channels)`, from either data format.

    Raises:
        ValueError: If they are not a batch, or do not have 1, 3 or 4 channels.
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            "images must be a batch (batch, height, width, channels); received shape "
            f"{images.shape}.\n  Fix: images[None] makes a batch of one picture."
        )
    if config.standardize_data_format(data_format) == "channels_first":
        images = images.transpose(0, 2, 3, 1)
    if images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"images must have 1, 3 or 4 channels; received {images.shape[-1]} in shape "
            f"{images.shape}."
        )
    return images


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Values from 0 to 255 as uint8. If all floats are at most 1, they are scaled by 255 first."""
    if images.dtype.kind == "f" and images.max(initial=0) <= 1:
        images = images * 255
    return np.clip(images, 0, 255).astype("uint8")


def in_data_format(images: np.ndarray, data_format: str | None) -> np.ndarray:
    """Move the channels back to the axis of the data format."""
    if config.standardize_data_format(data_format) == "channels_first":
        return images.transpose(0, 3, 1, 2)
    return images
