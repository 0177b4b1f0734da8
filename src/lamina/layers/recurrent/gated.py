"""SimpleRNN, LSTM and GRU: recurrent layers with a given cell."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from lamina.core.layer.input_spec import InputSpec
from lamina.core.types import ActivationLike, ConstraintLike, InitializerLike, RegularizerLike
from lamina.layers.recurrent.cells import GRUCell, KernelCell, LSTMCell, SimpleRNNCell
from lamina.layers.recurrent.rnn import RNN
from lamina.layers.settings import settings_of


def with_own_cell(cell_class: type[KernelCell], name: str) -> Callable[[type], type]:
    """Decorator for a layer that makes its own cell and has the cell's settings as attributes.

    Args:
        cell_class: The class of the cell.
        name: The cell's name, which is part of the paths of the weights.
    """

    def decorate(layer_class: Any) -> type:
        layer_class.cell_class, layer_class.cell_name = cell_class, name
        for setting in cell_class.settings:
            setattr(layer_class, setting, property(attrgetter(f"cell.{setting}")))
        return layer_class

    return decorate


class CellLayer(RNN):
    """Base class of the layers that make their own cell.

    Args:
        **kwargs: All arguments of the subclass: the cell is made with those that it takes, the
            layer with the others.
    """

    cell_class: Any  # a subclass of KernelCell
    cell_name: str
    axes = 3

    def __init__(self, **kwargs: Any):
        cell_argument_names = {*self.cell_class.settings, *self.cell_class.unsaved_settings}
        cell_arguments = {k: kwargs.pop(k) for k in cell_argument_names & set(kwargs)}
        has_use_cudnn = "use_cudnn" in kwargs  # LSTM and GRU
        use_cudnn = kwargs.pop("use_cudnn", "auto")
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"use_cudnn must be 'auto', True or False; received {use_cudnn!r}.")
        layer_arguments = {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}
        super().__init__(
            self.make_cell(cell_arguments, name=self.cell_name, **layer_arguments), **kwargs
        )
        if has_use_cudnn:
            self.use_cudnn = use_cudnn
        self.input_spec = InputSpec(ndim=self.axes)

    def make_cell(self, settings: dict, **kwargs: Any) -> KernelCell:
        """The layer's cell.

        Args:
            settings: Arguments of the cell.
            **kwargs: Further arguments, e.g. `name` and `dtype`.

        Returns:
            The cell.
        """
        return self.cell_class(**settings, **kwargs)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["cell"]
        return {
            **config,
            **settings_of(self, "activity_regularizer", *self.cell_class.settings),
        }


@with_own_cell(SimpleRNNCell, "simple_rnn_cell")
class SimpleRNN(CellLayer):
    """A simple recurrent layer: each output is fed back with the next input.

    `h = activation(x @ kernel + h @ recurrent_kernel + bias)` at every step.

    Args:
        units: Size of the state and of the output.
        activation, use_bias: See `SimpleRNNCell`, also for the settings of the weights.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout, recurrent_dropout: Fraction of the inputs, of the state to drop in training.
        return_sequences, return_state, go_backwards, stateful, unroll: See `RNN`.
        seed: An integer for reproducible dropout.
        **kwargs: `zero_output_for_mask`, see `RNN`; `name`, `dtype`, `trainable`, see `Layer`.

    Input shape: `(batch, time, features)`.
    Output shape: `(batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Example:
        >>> import numpy as np
        >>> SimpleRNN(4)(np.ones((2, 6, 5))).shape
        (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            units=units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            seed=seed,
            **kwargs,
        )

    def get_config(self) -> dict:
        config = super().get_config()
        del config["seed"]  # Keras does not save it
        return config


@with_own_cell(LSTMCell, "lstm_cell")
class LSTM(CellLayer):
    """Long short-term memory (LSTM), which can remember values over many steps.

    The inputs of all steps are multiplied by the kernel at once; only the recurrent part runs
    in the loop over time.

    Args:
        units: Size of the states and of the output.
        activation, recurrent_activation, use_bias, unit_forget_bias: See `LSTMCell`, also
            for the settings of the weights.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout, recurrent_dropout: Fraction of the inputs, of the state to drop in training.
        seed: An integer for reproducible dropout.
        return_sequences, return_state, go_backwards, stateful, unroll: See `RNN`. The states are
            h and c.
        use_cudnn: For compatibility with Keras; it has no effect.
        **kwargs: `zero_output_for_mask`, see `RNN`; `name`, `dtype`, `trainable`, see `Layer`.

    Input shape: `(batch, time, features)`.
    Output shape: `(batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Source: Hochreiter and Schmidhuber, 1997, "Long Short-Term Memory", Neural Computation 9(8).

    Example:
        >>> import numpy as np
        >>> output, h, c = LSTM(4, return_sequences=True, return_state=True)(np.ones((2, 6, 5)))
        >>> output.shape, h.shape, c.shape
        ((2, 6, 4), (2, 4), (2, 4))
    """

    def __init__(
        self,
        units: int,
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
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ):
        super().__init__(
            units=units,
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
            unroll=unroll,
            use_cudnn=use_cudnn,
            **kwargs,
        )


@with_own_cell(GRUCell, "gru_cell")
class GRU(CellLayer):
    """Gated recurrent unit (GRU): similar to an LSTM, with one state and one gate less.

    Args:
        units: Size of the state and of the output.
        activation, recurrent_activation, use_bias, reset_after: See `GRUCell`, also for the
            settings of the weights.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout, recurrent_dropout: Fraction of the inputs, of the state to drop in training.
        seed: An integer for reproducible dropout.
        return_sequences, return_state, go_backwards, stateful, unroll: See `RNN`.
        use_cudnn: For compatibility with Keras; it has no effect.
        **kwargs: `zero_output_for_mask`, see `RNN`; `name`, `dtype`, `trainable`, see `Layer`.

    Input shape: `(batch, time, features)`.
    Output shape: `(batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Source: Cho et al., 2014, "Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation", arXiv:1406.1078.

    Example:
        >>> import numpy as np
        >>> GRU(4)(np.ones((2, 6, 5))).shape
        (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ):
        super().__init__(
            units=units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
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
            unroll=unroll,
            reset_after=reset_after,
            use_cudnn=use_cudnn,
            **kwargs,
        )
