"""Dense, Embedding and Identity."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina import activations
from lamina.core.layer.layer import Layer
from lamina.core.types import (
    ActivationLike,
    Array,
    ArrayLike,
    Config,
    ConstraintLike,
    InitializerLike,
    Inputs,
    Masks,
    Outputs,
    RegularizerLike,
    Shape,
    Shapes,
)
from lamina.core.user_data.arguments import check_integer
from lamina.layers.settings import (
    enable_lora,
    known_sizes,
    make_weight,
    refuse_adapters,
    same_dtype,
    settings_of,
    store_weight_settings,
    weight_settings_of,
)
from lamina.ops import numpy as ops
from lamina.ops.encoding import embedding_lookup
from lamina.ops.lowering import run_lowering
from lamina.ops.products import add_bias


class Dense(Layer):
    """A fully connected layer: `activation(x @ kernel + bias)`.

    Args:
        units: Number of outputs.
        activation: Name or function; None for no activation.
        use_bias: Whether to add a bias to every output.
        kernel_initializer, bias_initializer: Initializers of the weights.
        kernel_regularizer, bias_regularizer: Regularizers of the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        lora_rank, lora_alpha, quantization_config: For compatibility with Keras; only None is
            accepted.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: `(batch, ..., features)`.
    Output shape: `(batch, ..., units)`.

    Example:
        >>> Dense(3, activation="relu")(np.ones((2, 5))).shape
        (2, 3)
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Config | None = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = check_integer("units", units, owner="Dense")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        store_weight_settings(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        store_weight_settings(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        refuse_adapters(
            "Dense",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            quantization_config=quantization_config,
        )
        self.quantization_config = None
        self.supports_masking = True

    enable_lora = enable_lora

    def build(self, input_shape: Shape) -> None:
        self._check(input_shape)
        self.kernel = make_weight(self, "kernel", (input_shape[-1], self.units))
        self.bias = make_weight(self, "bias", (self.units,)) if self.use_bias else None

    def call(self, inputs: Array) -> Array:
        """Multiply by the kernel, add the bias and apply the activation.

        Args:
            inputs: Array `(batch, ..., features)`.

        Returns:
            Array `(batch, ..., units)`.

        Raises:
            ValueError: If the number of features is not the one that the layer was built for.
        """
        self._check(inputs.shape)
        x = run_lowering("dense", inputs, self.kernel.value)
        if self.bias is not None:
            x = add_bias(x, self.bias.value)
        return activations.get(self.activation)(x)  # a user may have set it to None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "units", "activation", "use_bias"),
            **weight_settings_of(self, "kernel", "bias"),
            "quantization_config": None,
        }

    def _check(self, shape: Shape) -> None:
        shape = tuple(shape)
        if len(shape) < 2:
            raise ValueError(
                f"{self._label} needs inputs (batch, ..., features) of at least 2 axes and "
                f"received shape {shape}.\n"
                "  Fix: x[:, None] for one feature per sample, or x[None] for a batch of one "
                "sample."
            )
        if not self.built:
            if shape[-1] is None:
                raise ValueError(
                    f"{self._label} must know the number of features and received shape {shape}."
                    "\n  Fix: give the last axis a size, e.g. in lamina.Input(shape)."
                )
        elif shape[-1] not in (None, self.kernel.shape[0]):
            needs_flatten = len(shape) > 2 and _product(shape[1:]) == self.kernel.shape[0]
            raise ValueError(
                f"{self._label} was built for {self.kernel.shape[0]} features and received "
                f"{shape[-1]}.\n"
                f"  Received: an input of shape {shape}; the last axis counts the features.\n"
                + (
                    f"  Fix: put lamina.layers.Flatten() before {self.name!r}."
                    if needs_flatten
                    else "  Fix: give it inputs of the shape it was built for, or build a new "
                    "layer for this shape."
                )
            )


class Embedding(Layer):
    """Learns a vector for every integer from 0 to `input_dim - 1`: tokens, users, products.

    Args:
        input_dim: Number of different inputs: the largest plus 1.
        output_dim: Size of the vectors.
        embeddings_initializer: Initializer of the table.
        embeddings_regularizer: Penalty on the table, added to the loss.
        embeddings_constraint: Constraint of the table, applied after every update.
        mask_zero: Whether 0 is padding, which later layers that support masks ignore.
        weights: Initial values as an array, `(input_dim, output_dim)`.
        lora_rank, lora_alpha, quantization_config: For compatibility with Keras; only None is
            accepted.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: `(batch, ...)`, integers. The vector of an integer out of range is NaN.
    Output shape: `(batch, ..., output_dim)`.

    Example:
        >>> Embedding(input_dim=10, output_dim=4)(np.array([[1, 2, 3]])).shape
        (1, 3, 4)
    """

    enable_lora = enable_lora

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: Sequence[ArrayLike] | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Config | None = None,
        **kwargs: Any,
    ):
        # `input_length` of Keras 2, which is not needed.
        kwargs.pop("input_length", None)
        super().__init__(**kwargs)
        self.input_dim = check_integer("input_dim", input_dim, owner="Embedding")
        self.output_dim = check_integer("output_dim", output_dim, owner="Embedding")
        store_weight_settings(
            self,
            "embeddings",
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
        )
        self.mask_zero = mask_zero
        refuse_adapters(
            "Embedding",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            quantization_config=quantization_config,
        )
        self.quantization_config = None
        self.supports_masking = mask_zero
        self.autocast = False  # integers above 256 are not exact in bfloat16
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, (list, tuple)) else [weights])

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings = make_weight(self, "embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Array) -> Array:
        """Look up a row of the table for every number.

        Args:
            inputs: Integers from 0 to `input_dim - 1`, `(batch, ...)`.

        Returns:
            Array `(batch, ..., output_dim)`.
        """
        if not jnp.issubdtype(inputs.dtype, jnp.integer):
            inputs = inputs.astype("int32")
        # Cast after the lookup, so that only the rows needed are cast.
        return embedding_lookup(self.embeddings.value, inputs).astype(self.compute_dtype)

    def compute_mask(self, inputs: Array, previous_mask: Masks = None) -> Masks:
        if not self.mask_zero:
            return None
        # Also for symbolic inputs, since a model may return the mask.
        return ops.not_equal(inputs, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "input_dim", "output_dim", "mask_zero", "activity_regularizer"),
            **weight_settings_of(self, "embeddings"),
            "quantization_config": None,
        }


class Identity(Layer):
    """Returns its input unchanged; a placeholder where a layer is expected.

    Args:
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> Identity()(np.array([1, 2])).tolist()
        [1, 2]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Inputs) -> Outputs:
        """Return the inputs.

        Args:
            inputs: Array, or structure of arrays.

        Returns:
            The inputs, unchanged.
        """
        return inputs

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        return input_shape

    def compute_output_spec(self, inputs: Inputs) -> Outputs:
        return jax.tree.map(lambda x: same_dtype(self, x, x.shape), inputs)


def _product(shape: Shape) -> int | None:
    sizes = known_sizes(shape)
    return None if sizes is None else int(np.prod(sizes))
