"""Transposed convolution layers, which upsample, as in decoders and generators."""

from typing import Any

import numpy as np

from lamina.core.types import (
    ActivationLike,
    Array,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    SizeLike,
)
from lamina.core.user_data.arguments import check_integer
from lamina.layers.convolution import BaseConvolution
from lamina.layers.settings import (
    make_weight,
    settings_of,
    store_weight_settings,
    weight_settings_of,
)
from lamina.ops import nn, sliding_windows


class BaseConvTranspose(BaseConvolution):
    """Base class of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose.

    Args:
        filters: Number of kernels, and of channels of the output.
        kernel_size: Size of the window, one number or one for each axis.
        strides: Distance between the windows of neighbouring values: by how much the output is
            larger than the input.
        padding: `"valid"` (everything that the windows cover) or `"same"` (`strides` times the size
            of the input).
        output_padding: Additional size of the output at the end, less than the strides; None for
            the sizes above.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window; above 1 only with
            strides of 1.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every channel of the output.
        kernel_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Source: Dumoulin and Visin, 2016, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: SizeLike,
        strides: SizeLike = 1,
        padding: str = "valid",
        output_padding: SizeLike | None = None,
        data_format: str | None = None,
        dilation_rate: SizeLike = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        kind = type(self).__name__
        self.filters = check_integer("filters", filters, owner=kind)
        store_weight_settings(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        self._refuse_strides_with_dilation()
        self.output_padding = None
        if output_padding is not None:
            name = f"{kind}: output_padding"
            self.output_padding = sliding_windows.to_integers_per_axis(
                output_padding, self.rank, name, minimum=0
            )
            if any(np.greater_equal(self.output_padding, self.strides)):
                raise ValueError(
                    f"{kind}: output_padding must be less than the strides on every axis; received "
                    f"{self.output_padding} with strides {self.strides}."
                )

    def make_kernels(self, channels: int) -> None:
        self.kernel = make_weight(self, "kernel", (*self.kernel_size, self.filters, channels))

    def convolve(self, inputs: Array) -> Array:
        return nn.conv_transpose(
            inputs,
            self.kernel.value,
            self.strides,
            self.padding,
            self.output_padding,
            self.data_format,
            self.dilation_rate,
        )

    def output_channels_of(self, channels: int) -> int:
        return self.filters

    def get_config(self) -> dict:
        settings = settings_of(self, "filters", "output_padding")
        return {**super().get_config(), **settings, **weight_settings_of(self, "kernel")}

    def _positions(self, shape: Shape) -> list[int | None]:
        axes = sliding_windows.spatial_axes(len(shape), self.data_format)
        extra = self.output_padding or (None,) * self.rank
        settings = zip(self.kernel_size, self.dilation_rate, self.strides, extra, strict=True)
        return [
            sliding_windows.transposed_size(
                shape[axis], (size - 1) * dilation + 1, stride, self.padding, extra_size
            )
            for axis, (size, dilation, stride, extra_size) in zip(axes, settings, strict=True)
        ]

    def _explain_empty_output(self, shape: Shape) -> str:
        return (
            f" has an empty output for an input of shape {shape}: padding='same' with "
            f"output_padding {self.output_padding} crops the whole output.\n"
            "  Fix: padding='valid', or leave out output_padding."
        )


class Conv1DTranspose(BaseConvTranspose):
    """Transposed convolution of sequences, which makes them longer.

    Args: See `BaseConvTranspose`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, filters)`.

    Example:
        >>> Conv1DTranspose(4, kernel_size=3, strides=2, padding="same")(np.zeros((2, 5, 8))).shape
        (2, 10, 4)
    """

    rank = 1


class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution of images, which makes them larger.

    Args: See `BaseConvTranspose`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, filters)`.

    Example:
        >>> layer = Conv2DTranspose(4, kernel_size=3, strides=2, padding="same")
        >>> layer(np.zeros((2, 7, 7, 8))).shape
        (2, 14, 14, 4)
    """

    rank = 2


class Conv3DTranspose(BaseConvTranspose):
    """Transposed convolution of volumes, which makes them larger.

    Args: See `BaseConvTranspose`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, slices, rows, columns, filters)`.

    Example:
        >>> Conv3DTranspose(4, kernel_size=2, strides=2)(np.zeros((1, 2, 3, 3, 8))).shape
        (1, 4, 6, 6, 4)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: SizeLike,
        strides: SizeLike = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: SizeLike | None = None,
        *args: Any,
        **kwargs: Any,
    ):
        # In Keras these two arguments are in the opposite order in this class only.
        arguments = (filters, kernel_size, strides, padding, output_padding, data_format)
        super().__init__(*arguments, *args, **kwargs)


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
