"""ConvLSTM1D, 2D and 3D: LSTMs whose states are images and whose kernels are convolutions."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from lamina import activations
from lamina.core.configuration.config import standardize_data_format
from lamina.core.types import (
    ActivationLike,
    Array,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    Shapes,
    SizeLike,
)
from lamina.core.user_data.arguments import check_integer
from lamina.layers.recurrent.cells import (
    COMMON_SETTINGS,
    KernelCell,
    Masks,
    forget_bias_initializer,
    long_short_term_memory,
)
from lamina.layers.recurrent.gated import CellLayer, with_own_cell
from lamina.layers.recurrent.scan import Step
from lamina.ops import nn, sliding_windows


class ConvLSTMCell(KernelCell):
    """One step of an LSTM on images: `LSTMCell` with convolutions instead of products.

    Args:
        rank: Number of spatial axes.
        filters, kernel_size, strides, padding: See `BaseConvLSTM`.
        data_format, dilation_rate, recurrent_activation, unit_forget_bias: See `BaseConvLSTM`.
        **kwargs: Arguments of every cell, see `KernelCell`; `name`, `dtype`, `trainable`, see
            `Layer`.
    """

    gates = 4
    settings = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "recurrent_activation", "unit_forget_bias", *COMMON_SETTINGS,
    )  # fmt: skip
    state_size = -1  # a shape, known when the cell is built

    def __init__(
        self,
        rank: int,
        /,
        *,
        filters: int,
        kernel_size: SizeLike,
        strides: SizeLike,
        padding: str,
        data_format: str | None,
        dilation_rate: SizeLike,
        recurrent_activation: ActivationLike,
        unit_forget_bias: bool,
        **kwargs: Any,
    ):
        super().__init__(implementation=1, **kwargs)
        layer_type = f"ConvLSTM{rank}D"
        self.rank = rank
        self.filters = self.output_size = check_integer("filters", filters, owner=layer_type)
        self.kernel_size = sliding_windows.to_integers_per_axis(
            kernel_size, rank, f"{layer_type}: kernel_size"
        )
        self.strides = sliding_windows.to_integers_per_axis(strides, rank, f"{layer_type}: strides")
        self.dilation_rate = sliding_windows.to_integers_per_axis(
            dilation_rate, rank, f"{layer_type}: dilation_rate"
        )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{layer_type}: strides {self.strides} and dilation_rate {self.dilation_rate} "
                "cannot both be above 1."
            )
        self.padding = sliding_windows.check_padding(padding)
        self.data_format = standardize_data_format(data_format)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self._step_shape: Shape = ()

    @property
    def channel_axis(self) -> int:  # type: ignore[override]
        """Counted from the end, so that it is the same for one step and for all."""
        return -1 if self.data_format == "channels_last" else -1 - self.rank

    def build(self, inputs_shape: Shape) -> None:
        if None in inputs_shape[1:]:
            raise ValueError(
                f"{self._label} must know the size of every axis but batch and time; received "
                f"{tuple(inputs_shape)} for a step.\n  Fix: give them in lamina.Input(shape)."
            )
        self._step_shape = tuple(inputs_shape[1:])
        channels, width = inputs_shape[self.channel_axis], 4 * self.filters
        self.add_weights(
            (*self.kernel_size, channels, width),
            (*self.kernel_size, self.filters, width),
            (width,),
        )

    def make_step(self, masks: Masks = None) -> Step:
        return long_short_term_memory(self, masks)

    def get_initial_state(self, batch_size: int | None = None) -> list[Array]:
        shape, _ = self.compute_output_shape((batch_size, *self._step_shape))
        return [jnp.zeros(shape, self.compute_dtype)] * 2

    def compute_output_shape(self, inputs_shape: Shape, states_shape: Shapes = None) -> tuple:
        axes = sliding_windows.spatial_axes(self.rank + 2, self.data_format)
        settings = zip(self.kernel_size, self.strides, self.dilation_rate, strict=True)
        sizes = [
            sliding_windows.output_size(inputs_shape[axis], size, stride, self.padding, dilation)
            for axis, (size, stride, dilation) in zip(axes, settings, strict=True)
        ]
        last = self.data_format == "channels_last"
        sizes_and_filters = (*sizes, self.filters) if last else (self.filters, *sizes)
        output = (inputs_shape[0], *sizes_and_filters)
        return output, [output, output]

    def recurrent_product(self, state: Array, kernel: Array) -> Array:
        return nn.conv(state, kernel, 1, "same", self.data_format)

    def _input_product(self, inputs: Array, kernel: Array) -> Array:
        # All steps at once are one large batch.
        batch = inputs.shape[: -1 - self.rank]
        y = nn.conv(
            inputs.reshape(math.prod(batch), *inputs.shape[-1 - self.rank :]),
            kernel,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return y.reshape(*batch, *y.shape[1:])

    def _bias_of_inputs(self) -> Array:
        return self.bias.value.reshape(-1, *(1,) * (-1 - self.channel_axis))

    def _make_bias_initializer(self, initializer: Callable) -> Callable:
        return forget_bias_initializer(initializer) if self.unit_forget_bias else initializer


class BaseConvLSTM(CellLayer):
    """Base class of ConvLSTM1D, ConvLSTM2D and ConvLSTM3D.

    Args:
        filters: Number of channels of the states and of the output.
        kernel_size: Size of the window, one number or one for each axis; the same for inputs and
            state.
        strides: Step of the window over the inputs, one number or one for each axis.
        padding: Padding of the inputs: `"valid"` (none) or `"same"` (with zeros).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window over the inputs.
        activation, recurrent_activation: Names or functions, see `LSTMCell`.
        use_bias: Whether to add a bias to every channel.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        unit_forget_bias: Whether the bias of the forget gate begins with 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout, recurrent_dropout: Fraction of the inputs, of the state to drop in training.
        seed: An integer for reproducible dropout.
        return_sequences, return_state, go_backwards, stateful: See `RNN`.
        **kwargs: `unroll`, `zero_output_for_mask`, see `RNN`; `name`, `dtype`, `trainable`, see
            `Layer`.
    """

    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: SizeLike,
        strides: SizeLike = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: SizeLike = 1,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ):
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            **kwargs,
        )

    def make_cell(self, settings: dict, **kwargs: Any) -> KernelCell:
        return ConvLSTMCell(self.rank, **settings, **kwargs)

    def compute_output_shape(
        self, sequences_shape: Shape, initial_state_shape: Shapes = None
    ) -> Shapes:
        self._check(sequences_shape)
        batch, time = sequences_shape[:2]
        state, _ = self.cell.compute_output_shape((batch, *sequences_shape[2:]))
        output = (batch, time, *state[1:]) if self.return_sequences else state
        return (output, state, state) if self.return_state else output


@with_own_cell(ConvLSTMCell, "conv_lstm_cell")
class ConvLSTM1D(BaseConvLSTM):
    """An LSTM over time whose inputs and states are sequences.

    Args: See `BaseConvLSTM`.

    Input shape: `(batch, time, steps, channels)`.
    Output shape: `(batch, new_steps, filters)`, or `(batch, time, new_steps, filters)` with
    `return_sequences`.

    Source: Shi et al., 2015, "Convolutional LSTM Network: A Machine Learning Approach for
    Precipitation Nowcasting", arXiv:1506.04214.

    Example:
        >>> import numpy as np
        >>> ConvLSTM1D(4, 3, padding="same")(np.ones((2, 5, 8, 3))).shape
        (2, 8, 4)
    """

    rank, axes = 1, 4


@with_own_cell(ConvLSTMCell, "conv_lstm_cell")
class ConvLSTM2D(BaseConvLSTM):
    """An LSTM over time whose inputs and states are images.

    Args: See `BaseConvLSTM`.

    Input shape: `(batch, time, height, width, channels)`.
    Output shape: `(batch, new_height, new_width, filters)`, or with time as second axis for
    `return_sequences`.

    Source: Shi et al., 2015, "Convolutional LSTM Network: A Machine Learning Approach for
    Precipitation Nowcasting", arXiv:1506.04214.

    Example:
        >>> import numpy as np
        >>> ConvLSTM2D(4, 3, return_sequences=True)(np.ones((2, 5, 6, 6, 3))).shape
        (2, 5, 4, 4, 4)
    """

    rank, axes = 2, 5


@with_own_cell(ConvLSTMCell, "conv_lstm_cell")
class ConvLSTM3D(BaseConvLSTM):
    """An LSTM over time whose inputs and states are volumes.

    Args: See `BaseConvLSTM`.

    Input shape: `(batch, time, depth, height, width, channels)`.
    Output shape: `(batch, new_depth, new_height, new_width, filters)`, or with time as second axis
    for `return_sequences`.

    Source: Shi et al., 2015, "Convolutional LSTM Network: A Machine Learning Approach for
    Precipitation Nowcasting", arXiv:1506.04214.

    Example:
        >>> import numpy as np
        >>> ConvLSTM3D(4, 2)(np.ones((1, 2, 3, 3, 3, 1))).shape
        (1, 2, 2, 2, 4)
    """

    rank, axes = 3, 6
