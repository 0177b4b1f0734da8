"""ReversibleEmbedding: maps tokens to vectors, and vectors to logits with the same table."""

from typing import Any

import jax.numpy as jnp

from lamina.core.configuration.dtypes import is_float, standardize_dtype
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer import masking
from lamina.core.types import Array, ConstraintLike, InitializerLike, RegularizerLike, Shape
from lamina.layers.core import Embedding
from lamina.layers.settings import make_weight, settings_of
from lamina.ops import products


class ReversibleEmbedding(Embedding):
    """An Embedding that can also be called in reverse: from vectors to a logit per token.

    Language models use one table for their first and their last layer, which saves weights.

    Args:
        input_dim: Number of different tokens.
        output_dim: Size of the vectors.
        tie_weights: Whether both directions use one table; False for a second one, made with the
            same initializer.
        embeddings_initializer: Initializer of the table.
        embeddings_regularizer: Penalty on the table, added to the loss.
        embeddings_constraint: Constraint of the table, applied after every update.
        mask_zero: Whether 0 is padding, which later layers that support masks ignore.
        reverse_dtype: Float type of the logits; None for the layer's compute dtype.
        logit_soft_cap: Soft limit of the logits, `cap * tanh(logits / cap)`; None for no limit.
        **kwargs: `name`, `dtype`, `trainable` and the other arguments of `Embedding`.

    Call arguments: `reverse`, True for logits from vectors.

    Input shape: `(batch, ...)`, integers; reversed `(batch, ..., output_dim)`.
    Output shape: `(batch, ..., output_dim)`; reversed `(batch, ..., input_dim)`.

    Source: Press and Wolf, 2016, "Using the Output Embedding to Improve Language Models",
    arXiv:1608.05859.

    Example:
        >>> import numpy as np
        >>> layer = ReversibleEmbedding(input_dim=10, output_dim=4)
        >>> vectors = layer(np.array([[1, 2, 3]]))
        >>> vectors.shape, layer(vectors, reverse=True).shape
        ((1, 3, 4), (1, 3, 10))
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        # Before the parent's __init__, which builds the layer if it is given weights.
        if reverse_dtype is not None and not is_float(standardize_dtype(reverse_dtype)):
            raise ValueError(
                "ReversibleEmbedding: reverse_dtype must be a float type; "
                f"received {reverse_dtype!r}."
            )
        if logit_soft_cap is not None and not logit_soft_cap > 0:
            raise ValueError(
                "ReversibleEmbedding: logit_soft_cap must be above 0, or None; "
                f"received {logit_soft_cap!r}."
            )
        self.tie_weights = tie_weights
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )
        self.reverse_dtype = None if reverse_dtype is None else standardize_dtype(reverse_dtype)
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Shape | None = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            # With the initializer of the table, but without its other settings, as in Keras.
            shape = (self.output_dim, self.input_dim)
            changes = {"name": "reverse_embeddings", "regularizer": None, "constraint": None}
            self.reverse_embeddings = make_weight(self, "embeddings", shape, **changes)

    def call(self, inputs: Array, reverse: bool = False) -> Array:
        """Look up a row of the table for every token, or compute logits from vectors.

        Args:
            inputs: Integers, `(batch, ...)`; with `reverse` vectors, `(batch, ...,
                output_dim)`.
            reverse: Whether to compute logits from vectors.

        Returns:
            Vectors, `(batch, ..., output_dim)`; with `reverse` logits, `(batch, ..., input_dim)`.
        """
        if not reverse:
            vectors = super().call(inputs)
            return self._with_mask(inputs, vectors)
        self._check_vectors(inputs.shape)
        table = self.embeddings.value.T if self.tie_weights else self.reverse_embeddings.value
        dtype = self.reverse_dtype or self.compute_dtype
        logits = products.matmul(inputs.astype(dtype), table.astype(dtype))
        if self.logit_soft_cap is not None:
            logits = jnp.tanh(logits / self.logit_soft_cap) * self.logit_soft_cap
        return logits

    def compute_mask(self, inputs: Array, previous_mask: Any = None) -> None:
        return None  # set by `call`, which knows the direction

    def compute_output_shape(self, input_shape: Shape, reverse: bool = False) -> Shape:
        if reverse:
            self._check_vectors(input_shape)
            return (*input_shape[:-1], self.input_dim)
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs: KerasTensor, reverse: bool = False) -> KerasTensor:
        shape = self.compute_output_shape(inputs.shape, reverse)
        if reverse:
            return KerasTensor(shape, self.reverse_dtype or self.compute_dtype)
        return self._with_mask(inputs, KerasTensor(shape, self.compute_dtype))

    def get_config(self) -> dict:
        settings = settings_of(self, "tie_weights", "reverse_dtype", "logit_soft_cap")
        return {**super().get_config(), **settings}

    def _with_mask(self, inputs: Any, outputs: Any) -> Any:
        mask = super().compute_mask(inputs)
        if mask is not None:
            masking.set_mask(outputs, mask)
        return outputs

    def _check_vectors(self, shape: Shape) -> None:
        if len(shape) < 2 or shape[-1] not in (None, self.output_dim):
            raise ValueError(
                f"{self._label}: with reverse=True the inputs are vectors of size "
                f"{self.output_dim}, on the last axis.\n"
                f"  Received: an input of shape {tuple(shape)}."
            )
