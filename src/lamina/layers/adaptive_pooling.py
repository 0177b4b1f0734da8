"""Pooling to a given size, whatever the size of the input."""

from collections.abc import Callable
from typing import Any

from lamina.core.configuration.config import standardize_data_format
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Shape, SizeLike
from lamina.layers.settings import check_rank, settings_of
from lamina.ops import nn, sliding_windows


class BaseAdaptivePooling(Layer):
    """Base class of adaptive pooling; the number of spatial axes is `rank`.

    Every axis is divided into windows of nearly equal size, which may overlap: window `i` of `n`
    begins at `floor(i * size / n)` and ends before
    `ceil((i + 1) * size / n)`.

    Args:
        output_size: Number of windows, one number or one for each axis.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    rank: int
    pool: Callable

    def __init__(self, output_size: SizeLike, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        name = f"{type(self).__name__}: output_size"
        self.output_size = sliding_windows.to_integers_per_axis(output_size, self.rank, name)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Array) -> Array:
        """Pool windows of nearly equal size, as many as `output_size`.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array `(batch, *output_size, channels)`, or channels first.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        check_rank(self, self.rank, inputs.shape)
        return type(self).pool(inputs, self.output_size, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, self.rank, input_shape)
        if self.data_format == "channels_last":
            return (input_shape[0], *self.output_size, input_shape[-1])
        return (*input_shape[:2], *self.output_size)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "output_size", "data_format")}


class AdaptiveAveragePooling1D(BaseAdaptivePooling):
    """The mean of each of `output_size` windows of a sequence, for each channel.

    Args: See `BaseAdaptivePooling`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, channels)`.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling1D(2)(np.ones((4, 5, 3))).shape
        (4, 2, 3)
    """

    rank, pool = 1, staticmethod(nn.adaptive_average_pool)


class AdaptiveAveragePooling2D(BaseAdaptivePooling):
    """The mean of each of `output_size` windows of an image, for each channel.

    Args: See `BaseAdaptivePooling`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, channels)`.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling2D(2)(np.ones((4, 7, 9, 3))).shape
        (4, 2, 2, 3)
    """

    rank, pool = 2, staticmethod(nn.adaptive_average_pool)


class AdaptiveAveragePooling3D(BaseAdaptivePooling):
    """The mean of each of `output_size` windows of a volume, for each channel.

    Args: See `BaseAdaptivePooling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, slices, rows, columns, channels)`.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling3D(2)(np.ones((4, 3, 4, 5, 3))).shape
        (4, 2, 2, 2, 3)
    """

    rank, pool = 3, staticmethod(nn.adaptive_average_pool)


class AdaptiveMaxPooling1D(BaseAdaptivePooling):
    """The largest value of each of `output_size` windows of a sequence, for each channel.

    Args: See `BaseAdaptivePooling`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, channels)`.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPooling1D(2)(np.ones((4, 5, 3))).shape
        (4, 2, 3)
    """

    rank, pool = 1, staticmethod(nn.adaptive_max_pool)


class AdaptiveMaxPooling2D(BaseAdaptivePooling):
    """The largest value of each of `output_size` windows of an image, for each channel.

    Args: See `BaseAdaptivePooling`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, channels)`.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPooling2D(2)(np.ones((4, 7, 9, 3))).shape
        (4, 2, 2, 3)
    """

    rank, pool = 2, staticmethod(nn.adaptive_max_pool)


class AdaptiveMaxPooling3D(BaseAdaptivePooling):
    """The largest value of each of `output_size` windows of a volume, for each channel.

    Args: See `BaseAdaptivePooling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, slices, rows, columns, channels)`.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPooling3D(2)(np.ones((4, 3, 4, 5, 3))).shape
        (4, 2, 2, 2, 3)
    """

    rank, pool = 3, staticmethod(nn.adaptive_max_pool)
