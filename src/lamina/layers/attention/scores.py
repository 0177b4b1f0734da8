"""Attention without projections: Attention, by products, and AdditiveAttention, by sums."""

from typing import Any

import jax
import jax.numpy as jnp

from lamina import random
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Inputs, Masks, Outputs, Shape, Shapes
from lamina.core.variable.seed import SeedGenerator
from lamina.layers.settings import check_fraction, random_generator_of, settings_of
from lamina.ops import products
from lamina.ops.attention_parts import causal_mask


class Attention(Layer):
    """Attention: for every query, a mean of the values weighted by the similarity of their keys.

    Args:
        use_scale: Whether the scores are multiplied by a learned number.
        score_mode: `"dot"`, the product of query and key, or `"concat"`, the sum of
            `tanh(query + key)` times a learned number.
        dropout: Fraction of the weights to drop in training, 0 to 1.
        seed: An integer for reproducible dropout.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Call arguments: a list `[query, value]` or `[query, value, key]`, and `mask`, a list of their
    masks, `(batch, steps)`; `use_causal_mask`, to attend to earlier steps only;
    `return_attention_scores`; `training`.

    Input shape: `(batch, queries, size)` and `(batch, steps, size)`.
    Output shape: `(batch, queries, size)`; with scores a tuple of it and `(batch, queries, steps)`.

    Source: Luong et al., 2015, "Effective Approaches to Attention-based Neural Machine
    Translation", arXiv:1508.04025.

    Example:
        >>> query, value = jnp.ones((2, 3, 4)), jnp.ones((2, 5, 4))
        >>> Attention()([query, value]).shape
        (2, 3, 4)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        kind = type(self).__name__
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                f"{kind}: score_mode must be 'dot' or 'concat'; received {score_mode!r}."
            )
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = check_fraction(kind, "dropout", dropout)
        self.seed = seed
        if self.dropout:
            self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Shapes) -> None:
        self._check(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )

    def call(
        self,
        inputs: list,
        mask: Masks = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """The mean of the values for every query, weighted by the similarity of their keys.

        Args:
            inputs: A list of query `(batch, query steps, features)`, value `(batch, value steps,
                features)` and, if it is not the value, key `(batch, value steps, features)`.
            mask: A list of the masks of query and value, `(batch, steps)`, each may be None.
            training: Whether dropout is applied to the weights.
            return_attention_scores: Whether the weights are returned as well.
            use_causal_mask: Whether a step attends only to itself and to earlier steps.

        Returns:
            Array `(batch, query steps, features)`; with `return_attention_scores` a tuple of it and
            the weights `(batch, query steps, value steps)`.

        Raises:
            ValueError: If the inputs are not such a list, or don't fit.
        """
        self._check([x.shape for x in inputs] if isinstance(inputs, (list, tuple)) else inputs)
        query, value, key = (*inputs, inputs[1])[:3]
        query_mask, value_mask = self._masks(mask)
        scores = self._calculate_scores(query, key)
        score_mask = None if value_mask is None else value_mask[..., None, :]
        if use_causal_mask:
            causal = causal_mask(*scores.shape[-2:])
            score_mask = causal if score_mask is None else score_mask & causal
        if score_mask is not None:
            # Subtracted, as in Keras: if everything is masked, the scores are still used.
            scores = jnp.where(
                score_mask, scores, scores - (65504.0 if scores.dtype == "float16" else 1e9)
            )
        weights = jax.nn.softmax(scores, axis=-1)
        if training and self.dropout:
            weights = random.dropout(weights, self.dropout, seed=random_generator_of(self))
        output = products.matmul(weights, value)
        if query_mask is not None:
            output = jnp.where(query_mask[..., None], output, 0)
        return (output, weights) if return_attention_scores else output

    def _calculate_scores(self, query: Array, key: Array) -> Array:
        """The scores of queries and keys, `(batch, queries, steps)`; may be overridden."""
        scale = 1 if self.scale is None else self.scale.value
        if self.score_mode == "dot":
            return products.matmul(query, jnp.swapaxes(key, -2, -1)) * scale
        sums = jnp.tanh(scale * _pairs(query, key)).sum(axis=-1)
        return sums * self.concat_score_weight.value  # type: ignore[union-attr]

    def compute_mask(self, inputs: Inputs, mask: Masks = None) -> Masks:
        """The mask of the query, which the output has.

        Args:
            inputs: The list that the layer is called on.
            mask: A list of the masks of query and value, each may be None.

        Returns:
            Mask `(batch, query steps)`, or None.
        """
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        self._check(input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(
        self,
        inputs: list,
        mask: Masks = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Outputs:
        shapes = [x.shape for x in inputs]
        output = KerasTensor(self.compute_output_shape(shapes), self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, KerasTensor((*shapes[0][:-1], shapes[-1][-2]), self.compute_dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "use_scale", "score_mode", "dropout", "seed"),
        }

    def _masks(self, mask: Any) -> tuple[Array | None, Array | None]:
        """The masks of query and value."""
        if mask is None:
            return None, None
        if not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3):
            raise ValueError(
                f"{self._label}: mask must be a list [query_mask, value_mask]; received {mask!r}."
            )
        query, value = (None if m is None else jnp.asarray(m).astype(bool) for m in mask[:2])
        return query, value

    def _check(self, shapes: Any) -> None:
        is_list = isinstance(shapes, (list, tuple)) and len(shapes) in (2, 3)
        if not is_list or not all(isinstance(s, (list, tuple)) for s in shapes):
            raise ValueError(
                f"{self._label} takes a list [query, value] or [query, value, key].\n"
                "  Fix: layer([x, x]) for attention of a sequence to itself."
            )
        query, value, key = (*shapes, shapes[1])[:3]
        if query[-1] != key[-1] or value[-2] != key[-2]:
            raise ValueError(
                f"{self._label}: query and key must have the same size, axis -1, and value and key "
                f"the same steps, axis -2.\n  Received: query {query}, value {value}, key {key}."
            )


class AdditiveAttention(Attention):
    """Attention whose scores are a weighted sum of `tanh(query + key)`.

    Args:
        use_scale: Whether the weights of the sum are learned.
        dropout: Fraction of the attention weights to drop in training, 0 to 1.
        **kwargs: `seed`, see `Attention`; `name`, `dtype`, `trainable`, see `Layer`.

    Call arguments, shapes: Those of `Attention`.

    Source: Bahdanau et al., 2014, "Neural Machine Translation by Jointly Learning to Align and
    Translate", arXiv:1409.0473.

    Example:
        >>> query, value = jnp.ones((2, 3, 4)), jnp.ones((2, 5, 4))
        >>> AdditiveAttention()([query, value]).shape
        (2, 3, 4)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Shapes) -> None:
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )

    def _calculate_scores(self, query: Array, key: Array) -> Array:
        sums = jnp.tanh(_pairs(query, key))
        return sums.sum(axis=-1) if self.scale is None else jnp.matmul(sums, self.scale.value)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["score_mode"]
        return config


def _pairs(query: Array, key: Array) -> Array:
    """The sum of every query and every key, `(batch, queries, steps, size)`."""
    return query[..., :, None, :] + key[..., None, :, :]
