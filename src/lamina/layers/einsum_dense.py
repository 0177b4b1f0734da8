"""EinsumDense: a dense layer whose product is given by an einsum equation."""

import copy
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from lamina import activations
from lamina.core.layer.layer import Layer
from lamina.core.types import (
    ActivationLike,
    Array,
    Config,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
)
from lamina.core.user_data.arguments import check_integer
from lamina.initializers import VarianceScaling
from lamina.layers.settings import (
    enable_lora,
    make_weight,
    refuse_adapters,
    settings_of,
    store_weight_settings,
    weight_settings_of,
)
from lamina.ops.lowering import run_lowering
from lamina.ops.products import add_bias


class EinsumDense(Layer):
    """A dense layer over the axes that an equation names: `activation(einsum(x, kernel) + bias)`.

    Args:
        equation: The product, e.g. `"abc,cd->abd"`: the axes of the input, of the kernel and of
            the output, one letter each. `...` at the left or right of both input and output means
            any number of axes.
        output_shape: Sizes of the output's axes, without the batch and without those of `...`; a
            single number for one axis. None for the size of the input.
        activation: Name or function; None for no activation.
        bias_axes: Letters of the axes of the bias; None for no bias.
        kernel_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, bias_regularizer: Regularizers of the weights.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        lora_rank, lora_alpha, gptq_unpacked_column_size, quantization_config: For compatibility
            with Keras; only None is accepted.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: As the equation says, the batch first.
    Output shape: As the equation says.

    Raises:
        ValueError: If the equation, the shapes and `bias_axes` do not fit together.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
        >>> layer(jnp.ones((2, 32, 128))).shape
        (2, 32, 64)
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Config | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._terms = _parse_equation(equation, bias_axes)
        self.equation = equation
        sizes = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.partial_output_shape = tuple(
            None if size is None else check_integer("output_shape", size, owner="EinsumDense")
            for size in sizes
        )
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        store_weight_settings(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        store_weight_settings(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        refuse_adapters(
            "EinsumDense",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            gptq_unpacked_column_size=gptq_unpacked_column_size,
            quantization_config=quantization_config,
        )
        self.quantization_config = None

    enable_lora = enable_lora

    def build(self, input_shape: Shape) -> None:
        kernel_shape, bias_shape, _ = self._shapes(input_shape)
        letters, output = self._terms.kernel, self._terms.output
        initializer = self.kernel_initializer  # type: ignore[attr-defined]
        if isinstance(initializer, VarianceScaling) and None in (
            initializer.input_axes,
            initializer.output_axes,
        ):
            # Which axes are inputs does not depend on their order here, unlike for Dense.
            initializer = copy.copy(initializer)
            initializer.input_axes = [i for i, c in enumerate(letters) if c not in output]
            initializer.output_axes = [i for i, c in enumerate(letters) if c in output]
        self.kernel = make_weight(self, "kernel", kernel_shape, initializer=initializer)
        self.bias = None if bias_shape is None else make_weight(self, "bias", bias_shape)

    def call(self, inputs: Array) -> Array:
        """Multiply by the kernel as the equation says, add the bias and apply the activation.

        Args:
            inputs: Array whose axes are those of the equation's first term.

        Returns:
            Array whose axes are those of the equation's last term.

        Raises:
            ValueError: If the shape does not fit the equation or the kernel.
        """
        self._shapes(inputs.shape)
        x = run_lowering("einsum_dense", self.equation, inputs, self.kernel.value)
        if self.bias is not None:
            x = add_bias(x, self.bias.value)
        return activations.get(self.activation)(x)  # a user may have set it to None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._shapes(input_shape)[2]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "equation", "activation", "bias_axes", "activity_regularizer"),
            **weight_settings_of(self, "kernel", "bias"),
            "output_shape": self.partial_output_shape,
            "quantization_config": None,
        }

    def _shapes(self, input_shape: Shape) -> tuple[Shape, Shape | None, Shape]:
        """Shapes of kernel, bias and output for one of the input."""
        terms, shape = self._terms, tuple(input_shape)
        ellipsis_axes = len(shape) - len(terms.input)
        if ellipsis_axes < 0 or (ellipsis_axes and not terms.ellipsis):
            raise ValueError(
                f"{self._label}: the equation {self.equation!r} names {len(terms.input)} axes of "
                f"the input, which has shape {shape}."
            )
        left, right = (ellipsis_axes, 0) if terms.ellipsis == "left" else (0, ellipsis_axes)
        output = [
            *shape[:1],
            *shape[1:left],
            *self.partial_output_shape,
            *shape[len(shape) - right :],
        ]
        if len(output) != ellipsis_axes + len(terms.output):
            raise ValueError(
                f"{self._label}: the equation {self.equation!r} and output_shape "
                f"{self.partial_output_shape} do not fit together for inputs of shape {shape}.\n"
                "  Fix: give output_shape one size for every axis of the output, without the batch "
                "and without those of the ellipsis."
            )
        sizes = dict(zip(terms.input, shape[left:], strict=False))
        for axis, letter in enumerate(terms.output, start=left):
            size = sizes.setdefault(letter, output[axis])
            if output[axis] is None:
                output[axis] = size
            elif size is None:
                sizes[letter] = output[axis]
            elif size != output[axis]:
                raise ValueError(
                    f"{self._label}: axis {letter!r} of {self.equation!r} has size {size} in the "
                    f"input and {output[axis]} in the output.\n"
                    f"  Received: an input of shape {shape}, output_shape "
                    f"{self.partial_output_shape}."
                )
        kernel = tuple(self._size(letter, sizes, shape) for letter in terms.kernel)
        self._check_kernel(kernel, shape)
        if not self.bias_axes:
            return kernel, None, tuple(output)
        bias_letters = terms.output[min(terms.output.index(letter) for letter in self.bias_axes) :]
        bias = [self._size(c, sizes, shape) if c in self.bias_axes else 1 for c in bias_letters]
        return kernel, (*bias, *(1,) * right), tuple(output)

    def _size(self, letter: str, sizes: dict, shape: Shape) -> int:
        if sizes[letter] is None and self.built:
            index = self._terms.kernel.find(letter)
            return self.kernel.shape[index] if index >= 0 else 1
        if sizes[letter] is None:
            raise ValueError(
                f"{self._label} must know the size of axis {letter!r} of {self.equation!r} and "
                f"received shape {shape}.\n"
                "  Fix: give it in output_shape, or that axis a size in lamina.Input(shape)."
            )
        return sizes[letter]

    def _check_kernel(self, kernel: Shape, shape: Shape) -> None:
        if self.built and self.kernel.shape != kernel:
            raise ValueError(
                f"{self._label} was built with a kernel of shape {self.kernel.shape} and would "
                f"need one of shape {kernel} for an input of shape {shape}.\n"
                f"  Its equation is {self.equation!r}."
            )


class _Terms(NamedTuple):
    """The letters of an equation, and at which side of them there is an ellipsis."""

    input: str
    kernel: str
    output: str
    ellipsis: str | None


def _parse_equation(equation: Any, bias_axes: Any) -> _Terms:
    pattern = r"(\.{3})?([a-zA-Z]+)(\.{3})?,([a-zA-Z]+)->(\.{3})?([a-zA-Z]+)(\.{3})?"
    parts = re.fullmatch(pattern, equation.replace(" ", "")) if isinstance(equation, str) else None
    if not parts or parts[1] != parts[5] or parts[3] != parts[7] or (parts[1] and parts[3]):
        raise ValueError(
            "EinsumDense: the equation must read 'ab,bc->ac', '...ab,bc->...ac' or "
            f"'ab...,bc->ac...'; received {equation!r}."
        )
    input_letters, kernel, output = parts[2], parts[4], parts[6]
    for letter in kernel:
        if letter not in input_letters + output:
            raise ValueError(
                f"EinsumDense: axis {letter!r} of the kernel is neither in the input nor in the "
                f"output of {equation!r}."
            )
    for letter in output:
        if letter not in input_letters + kernel:
            raise ValueError(
                f"EinsumDense: axis {letter!r} of the output is neither in the input nor in the "
                f"kernel of {equation!r}."
            )
    if bias_axes is not None and (not bias_axes or not set(bias_axes) <= set(output)):
        raise ValueError(
            f"EinsumDense: bias_axes must be letters of the output {output!r}, or None; "
            f"received {bias_axes!r}."
        )
    return _Terms(
        input_letters, kernel, output, "left" if parts[1] else "right" if parts[3] else None
    )
