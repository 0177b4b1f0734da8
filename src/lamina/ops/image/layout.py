"""Layouts of images: batches or single images, channels last or first."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from lamina.core.configuration.config import standardize_data_format
from lamina.core.types import Array, ArrayLike, Shape


def check_rank(caller: str, shape: Shape, data_format: str | None = None) -> str:
    """Check the shape of an image or a batch of images; returns the data format."""
    data_format = standardize_data_format(data_format)
    if len(shape) not in (3, 4):
        last = data_format == "channels_last"
        axes = "height, width, channels" if last else "channels, height, width"
        raise ValueError(
            f"{caller} takes an image ({axes}) or a batch of them (batch, {axes}); "
            f"received shape {tuple(shape)}."
        )
    return data_format


def size_axes(data_format: str) -> tuple[int, int]:
    """The axes of height and width."""
    return (-3, -2) if data_format == "channels_last" else (-2, -1)


def channel_axis(data_format: str) -> int:
    return -1 if data_format == "channels_last" else -3


def as_batch(
    caller: str, images: ArrayLike, data_format: str | None
) -> tuple[Array, Callable[[Array], Array]]:
    """Images as `(batch, height, width, channels)`, and a function to restore the layout."""
    images = jnp.asarray(images)
    data_format = check_rank(caller, images.shape, data_format)
    single, first = images.ndim == 3, data_format == "channels_first"
    if single:
        images = images[None]
    if first:
        images = jnp.moveaxis(images, 1, -1)

    def restore_layout(batch: Array) -> Array:
        batch = jnp.moveaxis(batch, -1, 1) if first else batch
        return batch[0] if single else batch

    return images, restore_layout


def round_and_clip(values: Array, dtype: Any) -> Array:
    """Cast floats to a dtype; for integers, round first, and clip to the range of the dtype."""
    if values.dtype == dtype:
        return values
    if not jnp.issubdtype(dtype, jnp.integer):
        return values.astype(dtype)
    limits = jnp.iinfo(dtype)
    return jnp.clip(jnp.round(values), limits.min, limits.max).astype(dtype)
