"""Depthwise and separable convolution, which have fewer weights than a full convolution."""

from typing import Any

from lamina.core.types import (
    ActivationLike,
    Array,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
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
from lamina.ops import nn


class BaseDepthwiseConv(BaseConvolution):
    """Base class of DepthwiseConv1D and DepthwiseConv2D.

    Args:
        kernel_size: Size of the window, one number or one for each axis.
        strides: Step of the window, one number or one for each axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (with zero padding).
        depth_multiplier: Number of kernels, and of outputs, for every channel of the input.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every channel of the output.
        depthwise_initializer, bias_initializer: Initializers of the weights.
        depthwise_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        depthwise_constraint, bias_constraint: Constraints on the weights, applied after every
            update.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.
    """

    def __init__(
        self,
        kernel_size: SizeLike,
        strides: SizeLike = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: SizeLike = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
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
        self.depth_multiplier = check_integer(
            "depth_multiplier", depth_multiplier, owner=type(self).__name__
        )
        store_weight_settings(
            self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )

    def make_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = make_weight(self, "depthwise", shape, name="kernel")

    def convolve(self, inputs: Array) -> Array:
        return nn.depthwise_conv(
            inputs,
            self.kernel.value,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def output_channels_of(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def get_config(self) -> dict:
        settings = settings_of(self, "depth_multiplier")
        return {**super().get_config(), **settings, **weight_settings_of(self, "depthwise")}


class DepthwiseConv1D(BaseDepthwiseConv):
    """Convolves the time steps of every channel with separate kernels.

    Args: See `BaseDepthwiseConv`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, channels * depth_multiplier)`.

    Example:
        >>> import numpy as np
        >>> DepthwiseConv1D(kernel_size=3)(np.zeros((2, 10, 8))).shape
        (2, 8, 8)
    """

    rank = 1


class DepthwiseConv2D(BaseDepthwiseConv):
    """Convolves every channel of an image with separate kernels.

    Args: See `BaseDepthwiseConv`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, channels * depth_multiplier)`.

    Example:
        >>> import numpy as np
        >>> DepthwiseConv2D(3, depth_multiplier=2)(np.zeros((2, 10, 10, 8))).shape
        (2, 8, 8, 16)
    """

    rank = 2


class BaseSeparableConv(BaseConvolution):
    """Base class of SeparableConv1D and SeparableConv2D.

    Args:
        filters: Number of channels of the output.
        kernel_size: Size of the window, one number or one for each axis.
        strides: Step of the window, one number or one for each axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (with zero padding).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.
        depth_multiplier: Number of kernels for every channel, before the channels are mixed.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every channel of the output.
        depthwise_initializer, pointwise_initializer, bias_initializer: Initializers of the weights.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: Penalties on the weights,
            added to the loss.
        activity_regularizer: Penalty on the output.
        depthwise_constraint, pointwise_constraint, bias_constraint: What weights must satisfy
            after every update.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Source: Chollet, 2016, "Xception: Deep Learning with Depthwise Separable Convolutions",
    arXiv:1610.02357.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: SizeLike,
        strides: SizeLike = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: SizeLike = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
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
        self.depth_multiplier = check_integer("depth_multiplier", depth_multiplier, owner=kind)
        store_weight_settings(
            self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        store_weight_settings(
            self, "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint
        )

    def make_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = make_weight(self, "depthwise", shape, name="depthwise_kernel")
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = make_weight(self, "pointwise", shape, name="pointwise_kernel")

    def convolve(self, inputs: Array) -> Array:
        return nn.separable_conv(
            inputs,
            self.depthwise_kernel.value,
            self.pointwise_kernel.value,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def output_channels_of(self, channels: int) -> int:
        return self.filters

    def get_config(self) -> dict:
        settings = settings_of(self, "filters", "depth_multiplier")
        kernels = weight_settings_of(self, "depthwise", "pointwise")
        return {**super().get_config(), **settings, **kernels}


class SeparableConv1D(BaseSeparableConv):
    """A depthwise convolution of a sequence, then a pointwise convolution.

    Args: See `BaseSeparableConv`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, filters)`.

    Example:
        >>> import numpy as np
        >>> SeparableConv1D(filters=4, kernel_size=3)(np.zeros((2, 10, 8))).shape
        (2, 8, 4)
    """

    rank = 1


class SeparableConv2D(BaseSeparableConv):
    """A depthwise convolution of an image, then a pointwise convolution.

    Args: See `BaseSeparableConv`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, filters)`.

    Example:
        >>> import numpy as np
        >>> SeparableConv2D(filters=4, kernel_size=3)(np.zeros((2, 10, 10, 8))).shape
        (2, 8, 8, 4)
    """

    rank = 2


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
