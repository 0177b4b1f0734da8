"""Convolution layers over one, two or three spatial axes."""

from typing import Any

from lamina import activations
from lamina.core.configuration.config import standardize_data_format
from lamina.core.layer.layer import Layer
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
from lamina.layers.settings import (
    enable_lora,
    make_weight,
    settings_of,
    store_weight_settings,
    weight_settings_of,
)
from lamina.ops import nn, sliding_windows
from lamina.ops.lowering import fusion
from lamina.ops.products import add_bias

# Names of the inputs and of the spatial axes in messages, by number of spatial axes.
_INPUTS = {
    1: ("sequences", "steps"),
    2: ("images", "height, width"),
    3: ("volumes", "depth, height, width"),
}


class BaseConvolution(Layer):
    """Base class of all convolutions: plain, transposed, depthwise and separable.

    Subclasses make the kernel and define the number of output channels; the number of spatial axes
    is `rank`.

    Args:
        kernel_size: Size of the window, one number or one for each axis.
        strides: Step of the window, one number or one for each axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (with zero padding); for
            Conv1D also `"causal"`, where outputs depend on earlier steps only.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every channel of the output.
        bias_initializer, bias_regularizer, bias_constraint: Settings of the bias.
        activity_regularizer: Penalty on the output.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.
    """

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: SizeLike,
        strides: SizeLike,
        padding: str,
        data_format: str | None,
        dilation_rate: SizeLike,
        activation: ActivationLike,
        use_bias: bool,
        bias_initializer: InitializerLike,
        bias_regularizer: RegularizerLike,
        bias_constraint: ConstraintLike,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.kernel_size = sliding_windows.to_integers_per_axis(
            kernel_size, self.rank, f"{kind}: kernel_size"
        )
        self.strides = sliding_windows.to_integers_per_axis(strides, self.rank, f"{kind}: strides")
        self.dilation_rate = sliding_windows.to_integers_per_axis(
            dilation_rate, self.rank, f"{kind}: dilation_rate"
        )
        self.padding = sliding_windows.check_padding(padding, self.paddings)
        self.data_format = standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        store_weight_settings(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.bias: Any = None
        self._channels: int | None = None  # of the input, if it is known

    def build(self, input_shape: Shape) -> None:
        self._check(input_shape)
        channels = self._channels = self._channels_of(input_shape)
        self.make_kernels(channels)
        if self.use_bias:
            self.bias = make_weight(self, "bias", (self.output_channels_of(channels),))

    def make_kernels(self, channels: int) -> None:
        """Make the weights except for the bias.

        Args:
            channels: Number of channels of the inputs.
        """
        raise NotImplementedError

    def convolve(self, inputs: Array) -> Array:
        """The convolution itself, without bias and activation.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array `(batch, ..., filters)`, or channels first.
        """
        raise NotImplementedError

    def output_channels_of(self, channels: int) -> int:
        """The number of output channels.

        Args:
            channels: Number of channels of the inputs.

        Returns:
            Number of channels of the outputs.
        """
        raise NotImplementedError

    def call(self, inputs: Array) -> Array:
        """Convolve, add the bias and apply the activation.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array `(batch, ..., filters)`, or channels first.

        Raises:
            ValueError: If the inputs have a different number of axes or of channels.
        """
        self._check(inputs.shape)
        x = self.convolve(inputs)
        if self.bias is not None:
            last = self.data_format == "channels_last"
            shape = (-1,) if last else (-1, *(1,) * self.rank)
            x = add_bias(x, self.bias.value.reshape(shape))
        return activations.get(self.activation)(x)  # a user may have set it to None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        filters = self.output_channels_of(self._channels_of(input_shape))
        sizes = self._positions(input_shape)
        if self.data_format == "channels_last":
            return (input_shape[0], *sizes, filters)
        return (input_shape[0], filters, *sizes)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "kernel_size", "strides", "padding", "data_format"),
            **settings_of(self, "dilation_rate", "activation", "use_bias", "activity_regularizer"),
            **weight_settings_of(self, "bias"),
        }

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _refuse_strides_with_dilation(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__}: strides {self.strides} and dilation_rate "
                f"{self.dilation_rate} cannot both be above 1."
            )

    def _positions(self, shape: Shape) -> list[int | None]:
        axes = sliding_windows.spatial_axes(len(shape), self.data_format)
        settings = zip(self.kernel_size, self.strides, self.dilation_rate, strict=True)
        return [
            sliding_windows.output_size(shape[axis], size, stride, self.padding, dilation)
            for axis, (size, stride, dilation) in zip(axes, settings, strict=True)
        ]

    def _channels_of(self, shape: Shape) -> int:
        size = shape[self._channel_axis]
        channels = self._channels if size is None else size
        assert channels is not None  # otherwise _check has refused the shape
        return channels

    def _check(self, shape: Shape) -> None:
        shape = tuple(shape)
        inputs_name, axis_names = _INPUTS[self.rank]
        last = self.data_format == "channels_last"
        layout = f"(batch, {axis_names}, channels)" if last else f"(batch, channels, {axis_names})"
        if len(shape) != self.rank + 2:
            raise ValueError(
                f"{self._label} needs {inputs_name} {layout} and received shape {shape}.\n"
                + self._fix_for_rank(shape)
            )
        channels = shape[self._channel_axis]
        if self._channels is None and channels is None:
            raise ValueError(
                f"{self._label} must know the number of channels and received shape {shape}.\n"
                "  Fix: give the channel axis a size, e.g. in lamina.Input(shape)."
            )
        if self._channels is not None and channels not in (None, self._channels):
            other = "channels_first" if last else "channels_last"
            swapped = shape[1 if last else -1] == self._channels
            raise ValueError(
                f"{self._label} was built for {self._channels} channels and received {channels}.\n"
                f"  Received: an input of shape {shape}, read as {layout}."
                + (f"\n  Fix: data_format={other!r}, if axis order is meant." if swapped else "")
            )
        if any(size is not None and size < 1 for size in self._positions(shape)):
            raise ValueError(f"{self._label}{self._explain_empty_output(shape)}")

    def _explain_empty_output(self, shape: Shape) -> str:
        return (
            f": a window of {self.kernel_size} does not fit into an input of shape {shape}.\n"
            "  Likely cause: earlier layers have shrunk it too far.\n"
            "  Fix: padding='same', a smaller kernel_size, or less pooling before it."
        )

    def _fix_for_rank(self, shape: Shape) -> str:
        if len(shape) != self.rank + 1:
            return f"  Fix: give it inputs with {self.rank + 2} axes."
        if self.data_format == "channels_first":
            return "  Fix: x[:, None] adds a channel axis; x[None] makes a batch of one sample."
        return (
            "  Likely cause: there is no channel axis.\n"
            "  Fix: x[..., None] adds one to the data, or put "
            f"lamina.layers.Reshape({(*shape[1:], 1)}) before {self.name!r}.\n"
            "       For one sample without its batch axis: x[None]."
        )


class BaseConv(BaseConvolution):
    """Base class of Conv1D, Conv2D and Conv3D.

    Args:
        filters: Number of kernels, and of channels of the output.
        kernel_size: Size of the window, one number or one for each axis.
        strides: Step of the window, one number or one for each axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (with zero padding); for
            Conv1D also `"causal"`, where outputs depend on earlier steps only.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window; above 1 only with
            strides of 1.
        groups: Number of groups of channels that are convolved separately.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every channel of the output.
        kernel_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: SizeLike,
        strides: SizeLike = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: SizeLike = 1,
        groups: int = 1,
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
        self.groups = check_integer("groups", groups, owner=kind)
        store_weight_settings(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        if self.filters % self.groups:
            raise ValueError(
                f"{kind}: {self.filters} filters cannot be divided into {self.groups} groups.\n"
                "  Fix: make filters a multiple of groups."
            )
        self._refuse_strides_with_dilation()

    enable_lora = enable_lora

    def make_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = make_weight(self, "kernel", shape)

    def convolve(self, inputs: Array) -> Array:
        return nn.conv(
            inputs,
            self.kernel.value,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def call(self, inputs: Array) -> Array:
        """Convolve, add the bias and apply the activation.

        Args:
            inputs: Array `(batch, ..., channels)`, or channels first.

        Returns:
            Array `(batch, ..., filters)`, or channels first.

        Raises:
            ValueError: If the inputs have a different number of axes or of channels.
        """
        y = super().call(inputs)
        relu = self.activation is activations.relu
        can_be_fused = (
            type(self).convolve is BaseConv.convolve and self.activity_regularizer is None
        )
        if can_be_fused and (relu or self.activation is activations.linear):
            convolution = fusion.Convolution(
                inputs,
                self.kernel.value,
                self.bias.value if self.use_bias else None,
                relu,
                self.strides,
                self.padding,
                self.data_format,
                self.dilation_rate,
            )
            fusion.record_convolution(y, convolution)
        return y

    def output_channels_of(self, channels: int) -> int:
        return self.filters

    def get_config(self) -> dict:
        settings = settings_of(self, "filters", "groups")
        return {**super().get_config(), **settings, **weight_settings_of(self, "kernel")}

    def _check(self, shape: Shape) -> None:
        super()._check(shape)
        channels = shape[self._channel_axis]
        if channels is not None and channels % self.groups:
            raise ValueError(
                f"{self._label}: {channels} channels cannot be divided into {self.groups} "
                f"groups.\n  Received: an input of shape {tuple(shape)}, {self.data_format}."
            )


class Conv1D(BaseConv):
    """Convolution over time steps, which detects short patterns at any position.

    Args: See `BaseConv`.

    Input shape: `(batch, steps, channels)`.
    Output shape: `(batch, positions, filters)`.

    Example:
        >>> import numpy as np
        >>> Conv1D(filters=4, kernel_size=3)(np.zeros((2, 10, 8))).shape
        (2, 8, 4)
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(BaseConv):
    """Convolution over images, which detects small patterns at any position.

    Args: See `BaseConv`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, rows, columns, filters)`.

    Example:
        >>> import numpy as np
        >>> Conv2D(filters=4, kernel_size=3, padding="same")(np.zeros((2, 28, 28, 1))).shape
        (2, 28, 28, 4)
    """

    rank = 2


class Conv3D(BaseConv):
    """Convolution over volumes or videos.

    Args: See `BaseConv`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: `(batch, slices, rows, columns, filters)`.

    Example:
        >>> import numpy as np
        >>> Conv3D(filters=4, kernel_size=2)(np.zeros((1, 3, 4, 5, 2))).shape
        (1, 2, 3, 4, 4)
    """

    rank = 3


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
