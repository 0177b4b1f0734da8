"""Recurrent cells: layers that compute one time step.

A cell divides its step in two, so that a layer can do the first part for all steps at once:
`project` multiplies inputs by the input kernel; `make_step` returns a function that takes the
result and the states, and computes the step.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina import activations, random
from lamina.core.layer.layer import Layer
from lamina.core.types import (
    ActivationLike,
    Array,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    Shapes,
)
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.seed import SeedGenerator
from lamina.layers.recurrent.scan import Step
from lamina.layers.settings import (
    check_fraction,
    make_weight,
    settings_of,
    store_weight_settings,
)
from lamina.ops import products
from lamina.ops.lowering import run_lowering
from lamina.ops.products import add_bias

# Common arguments of the cells with kernels.
COMMON_SETTINGS = (
    "activation", "use_bias",
    "kernel_initializer", "recurrent_initializer", "bias_initializer",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
    "dropout", "recurrent_dropout", "seed",
)  # fmt: skip
Masks = Sequence[Array] | None


class KernelCell(Layer):
    """Base class of the cells with an input kernel, a recurrent kernel and a bias.

    A subclass defines its number of `gates`, the sizes of its states (`state_size`), and the step
    from the projected inputs (`make_step`).

    Args:
        activation, use_bias, dropout, recurrent_dropout, seed: See `SimpleRNNCell`, also
            for the other arguments.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        **kwargs: `implementation`, which is 1 to drop inputs for every gate separately; `name`,
            `dtype`, `trainable`, see `Layer`.
    """

    gates: int
    # Names of the arguments in a cell's config, as in Keras.
    settings: tuple[str, ...]
    # Names of arguments that Keras does not save in the config.
    unsaved_settings: tuple[str, ...] = ()
    state_size: Any
    output_size: int
    bias: Any
    channel_axis = -1

    def __init__(
        self,
        *,
        activation: ActivationLike,
        use_bias: bool,
        kernel_initializer: InitializerLike,
        recurrent_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        recurrent_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        recurrent_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Any,
    ):
        self.implementation = _check_implementation(kwargs.pop("implementation", 2))
        super().__init__(**kwargs)
        layer_type = type(self).__name__
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        store_weight_settings(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        store_weight_settings(
            self, "recurrent", recurrent_initializer, recurrent_regularizer, recurrent_constraint
        )
        store_weight_settings(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.dropout = check_fraction(layer_type, "dropout", dropout)
        self.recurrent_dropout = check_fraction(layer_type, "recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = SeedGenerator(self.seed)
        # The dropout masks of all steps, while a layer runs over a sequence.
        self._current_masks: tuple[Masks, Masks] | None = None
        if self.recurrent_dropout:
            self.implementation = 1  # each gate has its own dropout mask

    def add_weights(self, kernel: Shape, recurrent: Shape, bias: Shape) -> None:
        """Make the three weights; `self.bias` is None without one.

        Args:
            kernel: Shape of the kernel.
            recurrent: Shape of the recurrent kernel.
            bias: Shape of the bias.
        """
        self.kernel = make_weight(self, "kernel", kernel)
        self.recurrent_kernel = make_weight(self, "recurrent", recurrent, name="recurrent_kernel")
        self.bias = None
        if self.use_bias:
            initializer = self._make_bias_initializer(self.bias_initializer)  # type: ignore[attr-defined]
            self.bias = make_weight(self, "bias", bias, initializer=initializer)

    def _make_bias_initializer(self, initializer: Callable) -> Callable:
        return initializer

    # -- one step --------------------------------------------------------------------------------

    def call(self, inputs: Array, states: Any, training: bool = False) -> tuple[Array, Any]:
        """Compute one step.

        Args:
            inputs: Array `(batch, features)`.
            states: The states after the previous step, a list, or one array for a cell with one
                state.
            training: Whether dropout is applied.

        Returns:
            The output `(batch, units)`, and the new states in the same form.
        """
        is_list = isinstance(states, (list, tuple))
        states = list(states) if is_list else [states]
        input_masks, recurrent_masks = self.draw_masks(inputs, states[0], training)
        step = self.make_step(recurrent_masks)
        output, new_states = step(self.project(inputs, input_masks), states)
        return output, new_states if is_list else new_states[0]

    def project(self, inputs: Array, masks: Masks = None) -> Array:
        """Inputs times the input kernel, plus bias.

        Args:
            inputs: `(batch, ...)`, or `(time, batch, ...)` for all steps at once.
            masks: From `draw_masks`, `(batch, ...)`: with the same mask at every step.

        Returns:
            Array `(batch, gates * units)`, or with an axis of steps.
        """
        projected = self.masked_product(inputs, self.kernel.value, masks, self._input_product)
        return projected if self.bias is None else add_bias(projected, self._bias_of_inputs())

    def make_step(self, masks: Masks = None) -> Step:
        """A function `(projected inputs, [states]) → (output, [new states])` that uses the weights.

        Args:
            masks: Factors of the state, one array for each gate or one for all; None for no
                dropout.

        Returns:
            The function.
        """
        raise NotImplementedError(f"{type(self).__name__} has no make_step().")

    def run_all_steps(
        self, inputs: Array, states: list, masks: Masks, mask: Array | None, backwards: bool
    ) -> tuple[Array, Array, list] | None:
        """All steps by one specialised function; None if this cell has none.

        Args:
            inputs: `(time, batch, features)`.
            states: The initial states.
            masks: Dropout masks of the inputs, from `draw_masks`.
            mask: `(time, batch)`; where it is False, nothing changes. None for no mask.
            backwards: Whether to begin with the last step.

        Returns:
            All outputs in the order of execution, the last one, and the states after it.
        """
        return None

    def masked_product(self, x: Array, kernel: Array, masks: Masks, product: Callable) -> Array:
        """`product(x, kernel)` with values of `x` dropped, by one mask or one per gate.

        Args:
            x: Inputs or state, `(batch, ...)`.
            kernel: The kernel, with the gates along its last axis.
            masks: Factors of `x`, one array for each gate or one for all; None for no dropout.
            product: Function of `x` and a kernel.

        Returns:
            The product.
        """
        if masks is None:
            return product(x, kernel)
        if len(masks) == 1:
            return product(x * masks[0], kernel)
        parts = jnp.split(kernel, self.gates, axis=-1)
        sums = [product(x * mask, part) for mask, part in zip(masks, parts, strict=True)]
        return jnp.concatenate(sums, axis=self.channel_axis)

    def recurrent_product(self, state: Array, kernel: Array) -> Array:
        """Multiply a state by the recurrent kernel.

        Args:
            state: Array `(batch, units)`.
            kernel: Array `(units, gates * units)`.

        Returns:
            Array `(batch, gates * units)`.
        """
        return products.matmul(state, kernel)

    def _input_product(self, inputs: Array, kernel: Array) -> Array:
        return products.matmul(inputs, kernel)

    def _bias_of_inputs(self) -> Array:
        return self.bias.value

    def draw_masks(self, inputs: Array, state: Array, training: bool) -> tuple[Masks, Masks]:
        """Draw the dropout masks of inputs and state, for all steps of this call.

        Args:
            inputs: One step or all: the masks have the shape of one, `(batch, ...)`.
            state: Array that is multiplied by the recurrent kernel.
            training: Nothing is dropped outside of training.

        Returns:
            Masks for the inputs and for the state, 0 or `1 / (1 - rate)`: one, or one per gate;
            None where nothing is dropped.
        """
        if self._current_masks is not None:
            return self._current_masks
        step_shape = inputs.shape[inputs.ndim - state.ndim :]
        rates = (self.dropout, step_shape), (self.recurrent_dropout, state.shape)
        masks = [self._draw_mask(rate, shape) if training else None for rate, shape in rates]
        return masks[0], masks[1]

    def _draw_mask(self, rate: float, shape: Shape) -> Masks:
        if rate == 0:
            return None
        count = self.gates if self.implementation == 1 else 1
        ones = jnp.ones((count, *shape), self.compute_dtype)
        return list(random.dropout(ones, rate, seed=self.seed_generator))

    @contextlib.contextmanager
    def same_masks(self, inputs: Array, state: Array, training: bool) -> Iterator[None]:
        """Use the same dropout masks for every step inside.

        Args:
            inputs: Inputs of one step.
            state: The first state.
            training: Whether anything is dropped.

        Returns:
            A context manager.
        """
        masks = self.draw_masks(inputs, state, training)
        object.__setattr__(self, "_current_masks", masks)
        try:
            yield
        finally:
            object.__setattr__(self, "_current_masks", None)

    def get_dropout_mask(self, step_input: Array) -> Any:
        """The dropout mask of the inputs in training, for a custom `call`; None without dropout.

        It is the same at every step of a sequence; a list with a mask for each gate if
        `implementation` is 1.

        Args:
            step_input: Inputs of one step, whose shape the mask gets.

        Returns:
            Array, list of arrays, or None.
        """
        masks = (
            self._draw_mask(self.dropout, step_input.shape)
            if self._current_masks is None
            else self._current_masks[0]
        )
        return masks if masks is None or self.implementation == 1 else masks[0]

    def get_recurrent_dropout_mask(self, step_input: Array) -> Any:
        """The recurrent dropout mask of the state; None without dropout.

        Args:
            step_input: A state, whose shape the mask gets.

        Returns:
            Array, list of arrays, or None.
        """
        rate, current_masks = self.recurrent_dropout, self._current_masks
        masks = (
            self._draw_mask(rate, step_input.shape) if current_masks is None else current_masks[1]
        )
        return masks if masks is None or self.implementation == 1 else masks[0]

    # -- states and shapes -----------------------------------------------------------------------

    def get_initial_state(self, batch_size: int | None = None) -> list[Array]:
        """Zeros, `(batch, units)` for each state.

        Args:
            batch_size: Number of samples.

        Returns:
            A list of arrays.
        """
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [jnp.zeros((batch_size, size), self.compute_dtype) for size in sizes]

    def compute_output_shape(self, inputs_shape: Shape, states_shape: Shapes = None) -> tuple:
        """Shapes of the output and of the states after a step.

        Args:
            inputs_shape: Shape of the inputs of a step, `(batch, features)`.
            states_shape: Shape of the state, or a list of shapes.

        Returns:
            Shape of the output, and a shape or list of shapes for the states.
        """
        output = (inputs_shape[0], self.output_size)
        if isinstance(states_shape, tuple) and states_shape and not _holds_shapes(states_shape):
            return output, output
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return output, [output] * count

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, *self.settings)}


class SimpleRNNCell(KernelCell):
    """One step of `h = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units: Size of the state and of the output.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every sum.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout: Fraction of the inputs to drop in training, 0 to 1, with the same mask at every
            step.
        recurrent_dropout: Fraction of the state to drop in training, 0 to 1.
        seed: An integer for reproducible dropout.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: `(batch, features)` and the state, `(batch, units)`.
    Output shape: `(batch, units)` and the new state.

    Example:
        >>> output, states = SimpleRNNCell(3)(jnp.ones((2, 5)), [jnp.zeros((2, 3))])
        >>> output.shape, len(states)
        ((2, 3), 1)
    """

    gates = 1
    settings = ("units", *COMMON_SETTINGS)

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.units = check_integer("units", units, owner="SimpleRNNCell")
        self.state_size = self.output_size = self.units

    def build(self, input_shape: Shape) -> None:
        features = features_of(self, input_shape)
        self.add_weights((features, self.units), (self.units, self.units), (self.units,))

    def make_step(self, masks: Masks = None) -> Step:
        kernel = self.recurrent_kernel.value

        def step(projected: Array, states: list) -> tuple[Array, list]:
            recurrent = self.masked_product(states[0], kernel, masks, self.recurrent_product)
            output = activations.get(self.activation)(projected + recurrent)
            return output, [output]

        return step


class LSTMCell(KernelCell):
    """One step of a long short-term memory (LSTM).

    With `i, f, g, o` the four parts of `x @ kernel + h @ recurrent_kernel + bias`:
    `c = σ(f) * c + σ(i) * activation(g)` and `h = σ(o) * activation(c)`, where `σ` is the
    recurrent activation.

    Args:
        units: Size of the states and of the output.
        activation: Name or function, for the candidate and the output; None for no activation.
        recurrent_activation: Name or function, for the gates.
        use_bias: Whether to add a bias to every sum.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        unit_forget_bias: Whether the bias of the gate `f` is initialized with 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout: Fraction of the inputs to drop in training, 0 to 1, with the same mask at every
            step.
        recurrent_dropout: Fraction of the state `h` to drop in training, 0 to 1.
        seed: An integer for reproducible dropout.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`. `implementation=1` drops inputs for
            every gate with its own mask.

    Input shape: `(batch, features)` and the states h and c, `(batch, units)` each.
    Output shape: `(batch, units)` and the new states.

    Source: Hochreiter and Schmidhuber, 1997, "Long Short-Term Memory", Neural Computation 9(8);
    the forget gate's bias: Jozefowicz et al., 2015, "An Empirical Exploration of Recurrent
    Network Architectures".

    Example:
        >>> states = [jnp.zeros((2, 3)), jnp.zeros((2, 3))]
        >>> output, states = LSTMCell(3)(jnp.ones((2, 5)), states)
        >>> output.shape, len(states)
        ((2, 3), 2)
    """

    gates = 4
    unsaved_settings = ("implementation",)
    settings = ("units", "recurrent_activation", "unit_forget_bias", *COMMON_SETTINGS)

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.units = check_integer("units", units, owner="LSTMCell")
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]
        self.output_size = self.units

    def build(self, input_shape: Shape) -> None:
        width = 4 * self.units
        self.add_weights((features_of(self, input_shape), width), (self.units, width), (width,))

    def make_step(self, masks: Masks = None) -> Step:
        return long_short_term_memory(self, masks)

    def run_all_steps(
        self, inputs: Array, states: list, masks: Masks, mask: Array | None, backwards: bool
    ) -> tuple[Array, Array, list] | None:
        has_default_activations = (
            self.activation is activations.tanh and self.recurrent_activation is activations.sigmoid
        )
        if type(self) is not LSTMCell or not has_default_activations or len(masks or ()) > 1:
            return None
        weights = self.kernel.value, self.recurrent_kernel.value
        bias = None if self.bias is None else self.bias.value
        x = inputs * masks[0] if masks else inputs
        every_h, c = run_lowering("lstm", x, *weights, bias, *states, mask, backwards)
        return every_h, every_h[-1], [every_h[-1], c]

    def _make_bias_initializer(self, initializer: Callable) -> Callable:
        return forget_bias_initializer(initializer) if self.unit_forget_bias else initializer


class GRUCell(KernelCell):
    """One step of a gated recurrent unit (GRU).

    With `z` (update), `r` (reset) and `g` the three parts of the weighted inputs and state:
    `h = z * h + (1 - z) * activation(g)`, where `r` multiplies the state in `g`.

    Args:
        units: Size of the state and of the output.
        activation: Name or function, for the candidate; None for no activation.
        recurrent_activation: Name or function, for the gates.
        use_bias: Whether to add a bias to the sums.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints on the weights.
        dropout: Fraction of the inputs to drop in training, 0 to 1, with the same mask at every
            step.
        recurrent_dropout: Fraction of the state to drop in training, 0 to 1.
        reset_after: Whether `r` multiplies the state after the kernel, as in cuDNN, or before it,
            as in the paper.
        seed: An integer for reproducible dropout.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`. `implementation=1` drops inputs for
            every gate with its own mask.

    Input shape: `(batch, features)` and the state, `(batch, units)`.
    Output shape: `(batch, units)` and the new state.

    Source: Cho et al., 2014, "Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation", arXiv:1406.1078.

    Example:
        >>> output, states = GRUCell(3)(jnp.ones((2, 5)), [jnp.zeros((2, 3))])
        >>> output.shape, len(states)
        ((2, 3), 1)
    """

    gates = 3
    unsaved_settings = ("implementation",)
    settings = ("units", "recurrent_activation", "reset_after", *COMMON_SETTINGS)

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.units = check_integer("units", units, owner="GRUCell")
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after
        self.state_size = self.output_size = self.units

    def build(self, input_shape: Shape) -> None:
        width = 3 * self.units
        bias = (2, width) if self.reset_after else (width,)  # for the inputs and for the state
        self.add_weights((features_of(self, input_shape), width), (self.units, width), bias)

    def make_step(self, masks: Masks = None) -> Step:
        kernel = self.recurrent_kernel.value
        bias = self.bias.value[1] if self.reset_after and self.use_bias else None

        def step_with_reset_after(projected: Array, states: list) -> tuple[Array, list]:
            recurrent = self.masked_product(states[0], kernel, masks, products.matmul)
            recurrent = recurrent if bias is None else add_bias(recurrent, bias)
            z, r, g = jnp.split(projected, 3, axis=-1)
            recurrent_z, recurrent_r, recurrent_g = jnp.split(recurrent, 3, axis=-1)
            r = activations.get(self.recurrent_activation)(r + recurrent_r)
            return self._mix_states(states[0], z + recurrent_z, g + r * recurrent_g)

        def step_with_reset_before(projected: Array, states: list) -> tuple[Array, list]:
            gates, candidate = kernel[:, : 2 * self.units], kernel[:, 2 * self.units :]
            masked_states = (
                [states[0]] * 3 if masks is None else [states[0] * mask for mask in masks]
            )
            z, r, g = jnp.split(projected, 3, axis=-1)
            if masks is None:
                recurrent_z, recurrent_r = jnp.split(products.matmul(states[0], gates), 2, axis=-1)
            else:
                recurrent_z, recurrent_r = (
                    products.matmul(masked_states[0], gates[:, : self.units]),
                    products.matmul(masked_states[1], gates[:, self.units :]),
                )
            r = activations.get(self.recurrent_activation)(r + recurrent_r)
            product = products.matmul(r * masked_states[2], candidate)
            return self._mix_states(states[0], z + recurrent_z, g + product)

        return step_with_reset_after if self.reset_after else step_with_reset_before

    def _mix_states(self, state: Array, update: Array, candidate: Array) -> tuple[Array, list]:
        z = activations.get(self.recurrent_activation)(update)
        output = z * state + (1 - z) * activations.get(self.activation)(candidate)
        return output, [output]

    def _bias_of_inputs(self) -> Array:
        return self.bias.value[0] if self.reset_after else self.bias.value


def long_short_term_memory(cell: Any, masks: Masks) -> Step:
    """The step of an LSTM cell, with matrices or convolutions as kernels."""
    kernel = cell.recurrent_kernel.value
    gate, activation = map(activations.get, (cell.recurrent_activation, cell.activation))
    axis = cell.channel_axis

    def step(projected: Array, states: list) -> tuple[Array, list]:
        state, cell_state = states
        sums = projected + cell.masked_product(state, kernel, masks, cell.recurrent_product)
        i, f, g, o = jnp.split(sums, 4, axis=axis)
        cell_state = gate(f) * cell_state + gate(i) * activation(g)
        output = gate(o) * activation(cell_state)
        return output, [output, cell_state]

    return step


def forget_bias_initializer(initializer: Callable) -> Callable:
    """Initializer of an LSTM's bias: 1 for the forget gate, the second of four."""

    def initialize(shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Any:
        values = np.array(initializer(shape, dtype=dtype))
        units = shape[0] // 4
        values[units : 2 * units] = 1
        return values

    return initialize


def features_of(cell: Layer, input_shape: Shape) -> int:
    """The number of features, which is the size of the last axis and must be known."""
    if len(input_shape) != 2:
        raise ValueError(
            f"{cell._label} takes one time step (batch, features) and received shape "
            f"{tuple(input_shape)}.\n  Fix: lamina.layers.RNN(cell) runs it over (batch, time, "
            "features)."
        )
    if input_shape[-1] is None:
        raise ValueError(
            f"{cell._label} must know the number of features and received shape "
            f"{tuple(input_shape)}.\n  Fix: give the last axis a size, e.g. in lamina.Input(shape)."
        )
    return int(input_shape[-1])


def _holds_shapes(value: tuple) -> bool:
    return any(isinstance(item, (list, tuple)) for item in value)


def _check_implementation(value: Any) -> int:
    if value not in (0, 1, 2):
        raise ValueError(f"A cell's implementation must be 0, 1 or 2; received {value!r}.")
    return int(value)
