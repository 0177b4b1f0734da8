"""Upsampling of sequences, images and volumes, by repetition or interpolation."""

from typing import Any

import jax.numpy as jnp

from lamina.core.configuration.config import standardize_data_format
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import unknown_name
from lamina.core.types import Array, Shape, SizeLike
from lamina.core.user_data.arguments import check_integer
from lamina.layers.settings import check_rank, same_dtype, settings_of
from lamina.ops import image, sliding_windows

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class BaseUpSampling(Layer):
    """Base class of UpSampling1D, UpSampling2D and UpSampling3D.

    Args:
        size: Factor for every spatial axis; one number or one for each axis.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    rank: int

    def __init__(self, size: SizeLike = 2, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.size: Any = sliding_windows.to_integers_per_axis(
            size, self.rank, f"{type(self).__name__}: size"
        )

    def call(self, inputs: Array) -> Array:
        """Repeat rows, columns or steps.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array of the same number of axes.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        check_rank(self, self.rank, inputs.shape)
        for axis, factor in self._factors.items():
            inputs = jnp.repeat(inputs, factor, axis=axis)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, self.rank, input_shape)
        factors = self._factors
        return tuple(n if n is None else n * factors.get(a, 1) for a, n in enumerate(input_shape))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "size", "data_format")}

    @property
    def _factors(self) -> dict[int, int]:
        return dict(
            zip(
                sliding_windows.spatial_axes(self.rank + 2, self.data_format),
                self.size,
                strict=True,
            )
        )


class UpSampling1D(BaseUpSampling):
    """Repeats every time step.

    Args:
        size: Number of repetitions.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, steps * size, channels)`.

    Example:
        >>> UpSampling1D(2)(jnp.array([[[1.0], [2.0]]]))[0, :, 0].tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__(
            check_integer("size", size, owner="UpSampling1D"), "channels_last", **kwargs
        )

    def get_config(self) -> dict:
        config = super().get_config()
        del config["data_format"]
        return {**config, "size": self.size[0]}


class UpSampling2D(BaseUpSampling):
    """Enlarges images by repeating pixels, or by interpolation.

    Args:
        size: Factors for height and width; one number or two.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`, `"lanczos3"` and
            `"lanczos5"` interpolate.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, height * size, width * size, channels)`.

    Example:
        >>> UpSampling2D((1, 2))(jnp.array([[[[1.0], [2.0]]]]))[0, :, :, 0].tolist()
        [[1.0, 1.0, 2.0, 2.0]]
    """

    rank = 2

    def __init__(
        self,
        size: SizeLike = 2,
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ):
        super().__init__(size, data_format, **kwargs)
        self.interpolation = str(interpolation).lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise unknown_name("interpolation", interpolation, _INTERPOLATIONS)

    def call(self, inputs: Array) -> Array:
        """Enlarge images by integers.

        Args:
            inputs: Array `(batch, height, width, channels)`, or channels first.

        Returns:
            Array of the same number of axes.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        if self.interpolation == "nearest":
            return super().call(inputs)
        check_rank(self, self.rank, inputs.shape)
        size = [inputs.shape[axis] * factor for axis, factor in self._factors.items()]
        return image.resize(inputs, size, self.interpolation, data_format=self.data_format)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "interpolation")}


class UpSampling3D(BaseUpSampling):
    """Enlarges volumes by repeating every value.

    Args: See `BaseUpSampling`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, depth * size, height * size, width * size, channels)`.

    Example:
        >>> UpSampling3D(2)(jnp.ones((1, 2, 3, 4, 5))).shape
        (1, 4, 6, 8, 5)
    """

    rank = 3
