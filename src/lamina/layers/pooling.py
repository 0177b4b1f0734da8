"""Pooling layers: maximum or mean of windows, or of all positions."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from lamina.core.configuration.config import standardize_data_format
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Masks, Shape, SizeLike
from lamina.layers.settings import check_rank, settings_of
from lamina.ops import nn, sliding_windows


class BasePooling(Layer):
    """Base class of pooling over windows; the number of spatial axes is `rank`.

    Args:
        pool_size: Size of the window, one number or one for each axis.
        strides: Step of the window; None for its size, so that windows don't overlap.
        padding: `"valid"` (windows inside the input only) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    rank: int
    pool: Callable

    def __init__(
        self,
        pool_size: SizeLike = 2,
        strides: SizeLike | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.pool_size = sliding_windows.to_integers_per_axis(
            pool_size, self.rank, f"{kind}: pool_size"
        )
        strides = self.pool_size if strides is None else strides
        self.strides = sliding_windows.to_integers_per_axis(strides, self.rank, f"{kind}: strides")
        self.padding = sliding_windows.check_padding(padding)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Array) -> Array:
        """Reduce every window to one value.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array of the same number of axes, `(batch, ..., channels)`, or channels first.

        Raises:
            ValueError: If the inputs have a different number of axes, or are smaller than the
                window.
        """
        self._check(inputs.shape)
        pool = type(self).pool
        return pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        output = list(input_shape)
        for axis, size in zip(self._axes, self._output_sizes(input_shape), strict=True):
            output[axis] = size
        return tuple(output)

    def get_config(self) -> dict:
        settings = settings_of(self, "pool_size", "strides", "padding", "data_format")
        return {**super().get_config(), **settings}

    @property
    def _axes(self) -> tuple[int, ...]:
        return sliding_windows.spatial_axes(self.rank + 2, self.data_format)

    def _output_sizes(self, shape: Shape) -> list[int | None]:
        settings = zip(self._axes, self.pool_size, self.strides, strict=True)
        return [
            sliding_windows.output_size(shape[a], n, step, self.padding) for a, n, step in settings
        ]

    def _check(self, shape: Shape) -> None:
        check_rank(self, self.rank, shape)
        if any(size is not None and size < 1 for size in self._output_sizes(shape)):
            raise ValueError(
                f"{self._label}: a window of {self.pool_size} does not fit into an input of shape "
                f"{tuple(shape)}.\n  Likely cause: earlier layers have shrunk it too far.\n"
                "  Fix: padding='same', a smaller pool_size, or fewer pooling layers."
            )


class MaxPooling1D(BasePooling):
    """The largest value of every window of time steps, for each channel.

    Args: See `BasePooling`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, channels)`.

    Example:
        >>> MaxPooling1D(2)(jnp.zeros((2, 10, 3))).shape
        (2, 5, 3)
    """

    rank, pool = 1, staticmethod(nn.max_pool)


class MaxPooling2D(BasePooling):
    """The largest value of every window of an image, for each channel.

    Args: See `BasePooling`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, channels)`.

    Example:
        >>> MaxPooling2D()(jnp.zeros((2, 28, 28, 3))).shape
        (2, 14, 14, 3)
    """

    rank, pool = 2, staticmethod(nn.max_pool)


class MaxPooling3D(BasePooling):
    """The largest value of every window of a volume, for each channel.

    Args: See `BasePooling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, slices, rows, columns, channels)`.

    Example:
        >>> MaxPooling3D()(jnp.zeros((2, 4, 4, 4, 3))).shape
        (2, 2, 2, 2, 3)
    """

    rank, pool = 3, staticmethod(nn.max_pool)


class AveragePooling1D(BasePooling):
    """The mean of every window of time steps, for each channel; padding does not count.

    Args: See `BasePooling`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, channels)`.

    Example:
        >>> AveragePooling1D(2)(jnp.zeros((2, 10, 3))).shape
        (2, 5, 3)
    """

    rank, pool = 1, staticmethod(nn.average_pool)


class AveragePooling2D(BasePooling):
    """The mean of every window of an image, for each channel; padding does not count.

    Args: See `BasePooling`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, channels)`.

    Example:
        >>> AveragePooling2D(2)(jnp.zeros((2, 28, 28, 3))).shape
        (2, 14, 14, 3)
    """

    rank, pool = 2, staticmethod(nn.average_pool)


class AveragePooling3D(BasePooling):
    """The mean of every window of a volume, for each channel; padding does not count.

    Args: See `BasePooling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, slices, rows, columns, channels)`.

    Example:
        >>> AveragePooling3D(2)(jnp.zeros((2, 4, 4, 4, 3))).shape
        (2, 2, 2, 2, 3)
    """

    rank, pool = 3, staticmethod(nn.average_pool)


class BaseGlobalPooling(Layer):
    """Base class of pooling over all positions; the number of spatial axes is `rank`.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        keepdims: Keep the pooled axes, with size 1.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    rank: int
    reduce: Callable

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims

    def call(self, inputs: Array) -> Array:
        """Reduce all axes between batch and channels.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array `(batch, channels)`; with `keepdims` the axes stay, of size 1.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        check_rank(self, self.rank, inputs.shape)
        return type(self).reduce(inputs, axis=self._axes, keepdims=self.keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, self.rank, input_shape)
        if self.keepdims:
            return tuple(1 if a in self._axes else n for a, n in enumerate(input_shape))
        return tuple(n for a, n in enumerate(input_shape) if a not in self._axes)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "data_format", "keepdims")}

    @property
    def _axes(self) -> tuple[int, ...]:
        return sliding_windows.spatial_axes(self.rank + 2, self.data_format)


class GlobalAveragePooling1D(BaseGlobalPooling):
    """The mean over all time steps, for each channel; masked steps do not count.

    Args: See `BaseGlobalPooling`.

    Input shape: `(batch, steps, channels)`; a mask has the shape `(batch, steps)`.
    Output shape: `(batch, channels)`.

    Example:
        >>> x = jnp.array([[[1.0], [3.0], [50.0]]])
        >>> GlobalAveragePooling1D()(x, mask=jnp.array([[True, True, False]])).tolist()
        [[2.0]]
    """

    rank, reduce = 1, staticmethod(jnp.mean)

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format=data_format, keepdims=keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Array, mask: Masks = None) -> Array:
        """Average over the steps; masked ones don't count.

        Args:
            inputs: Array `(batch, steps, features)`, or features first.
            mask: True for the steps that count, `(batch, steps)`, or None.

        Returns:
            Array `(batch, features)`; with `keepdims` the axis of steps stays, of size 1.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        if mask is None:
            return super().call(inputs)
        check_rank(self, self.rank, inputs.shape)
        channels = -1 if self.data_format == "channels_last" else 1
        is_valid = jnp.expand_dims(jnp.asarray(mask).astype(bool), channels)
        total = jnp.sum(jnp.where(is_valid, inputs, 0), self._axes, keepdims=self.keepdims)
        count = jnp.sum(is_valid, self._axes, inputs.dtype, keepdims=self.keepdims)
        # The mean of a sample that is all padding is 0. In Keras it is NaN, and so is the loss.
        return total / jnp.maximum(count, 1)

    def compute_mask(self, inputs: Array, previous_mask: Masks = None) -> None:
        return None


class GlobalAveragePooling2D(BaseGlobalPooling):
    """The mean over the whole image, for each channel, which turns images into feature vectors.

    Args: See `BaseGlobalPooling`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, channels)`.

    Example:
        >>> GlobalAveragePooling2D()(jnp.ones((2, 4, 4, 3))).shape
        (2, 3)
    """

    rank, reduce = 2, staticmethod(jnp.mean)


class GlobalAveragePooling3D(BaseGlobalPooling):
    """The mean over the whole volume, for each channel.

    Args: See `BaseGlobalPooling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, channels)`.

    Example:
        >>> GlobalAveragePooling3D()(jnp.ones((2, 4, 4, 4, 3))).shape
        (2, 3)
    """

    rank, reduce = 3, staticmethod(jnp.mean)


class GlobalMaxPooling1D(BaseGlobalPooling):
    """The largest value over all time steps, for each channel.

    Args: See `BaseGlobalPooling`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, channels)`.

    Example:
        >>> GlobalMaxPooling1D()(jnp.array([[[1.0], [3.0]]])).tolist()
        [[3.0]]
    """

    rank, reduce = 1, staticmethod(jnp.max)


class GlobalMaxPooling2D(BaseGlobalPooling):
    """The largest value of the whole image, for each channel.

    Args: See `BaseGlobalPooling`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, channels)`.

    Example:
        >>> GlobalMaxPooling2D()(jnp.ones((2, 4, 4, 3))).shape
        (2, 3)
    """

    rank, reduce = 2, staticmethod(jnp.max)


class GlobalMaxPooling3D(BaseGlobalPooling):
    """The largest value of the whole volume, for each channel.

    Args: See `BaseGlobalPooling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, channels)`.

    Example:
        >>> GlobalMaxPooling3D()(jnp.ones((2, 4, 4, 4, 3))).shape
        (2, 3)
    """

    rank, reduce = 3, staticmethod(jnp.max)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalMaxPool1D = GlobalAveragePooling1D, GlobalMaxPooling1D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
GlobalAvgPool3D, GlobalMaxPool3D = GlobalAveragePooling3D, GlobalMaxPooling3D
