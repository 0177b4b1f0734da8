"""Base class of attention with learned projections: masks, weights, fused kernels."""

import inspect
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lamina import constraints, initializers, regularizers
from lamina.core.configuration import config
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import (
    Array,
    ConstraintLike,
    InitializerLike,
    Masks,
    Outputs,
    RegularizerLike,
    Shape,
)
from lamina.core.user_data.arguments import check_integer
from lamina.layers.einsum_dense import EinsumDense
from lamina.layers.regularization import Dropout
from lamina.layers.settings import check_fraction, settings_of
from lamina.ops.attention import dot_product_attention
from lamina.ops.attention_parts import attention_logits, causal_mask, weighted_values


class ProjectedAttention(Layer):
    """Base class of the layers in `heads.py`.

    A subclass makes the projections of query, key, value and output in `build`.

    Args:
        dropout, use_bias, use_gate, sliding_window, flash_attention, seed: See
            `MultiHeadAttention`, also for the other arguments.
        kernel_initializer, bias_initializer: Initializers of the projections' weights.
        kernel_regularizer, bias_regularizer: Regularizers of these weights.
        activity_regularizer: Penalty on the output of every projection.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.
    """

    heads: int  # of the query
    head_size: int  # of query and key
    _query_dense: EinsumDense
    _key_dense: EinsumDense
    _value_dense: EinsumDense
    _output_dense: EinsumDense
    _gate_dense: EinsumDense

    def __init__(
        self,
        *,
        dropout: float,
        use_bias: bool,
        use_gate: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        activity_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        seed: int | None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.dropout = check_fraction(kind, "dropout", dropout)
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.sliding_window = None
        if sliding_window is not None:
            self.sliding_window = check_integer("sliding_window", sliding_window, owner=kind)
        self._flash_attention = flash_attention or config.is_flash_attention_enabled()
        if self._flash_attention and self.dropout:
            raise ValueError(
                f"{kind}: flash_attention=True cannot be used with dropout={self.dropout}.\n"
                "  Fix: set one of them to 0 or None."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        # Settings of every projection, as in Keras.
        self._penalty_on_output = regularizers.get(activity_regularizer)
        self.seed = seed
        if self.dropout:
            self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)
        self.supports_masking = True

    def _make_projection(
        self, name: str, equation: str, sizes: tuple, bias: str, input_shape: Shape, **kwargs: Any
    ) -> EinsumDense:
        dense = EinsumDense(
            equation,
            output_shape=sizes,
            bias_axes=bias if self.use_bias else None,
            name=name,
            dtype=self.dtype_policy,
            kernel_initializer=_copy_initializer(self.kernel_initializer),
            bias_initializer=_copy_initializer(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._penalty_on_output,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            **kwargs,
        )
        # This layer uses the mask, so there must be no warning that it is lost.
        dense.supports_masking = True
        dense.build(input_shape)
        return dense

    def call(
        self,
        query: Array,
        value: Array,
        key: Array | None = None,
        query_mask: Masks = None,
        value_mask: Masks = None,
        key_mask: Masks = None,
        attention_mask: Masks = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """The mean of the values for every query, weighted by the similarity of their keys.

        Args:
            query: Array `(batch, query steps, features)`.
            value: Array `(batch, value steps, features)`.
            key: Array `(batch, value steps, features)`; the values themselves for None.
            query_mask: True for the query steps that count, `(batch, query steps)`, or None.
            value_mask: True for the value steps that count, `(batch, value steps)`, or None.
            key_mask: True for the key steps that count, `(batch, value steps)`, or None.
            attention_mask: True where a query step may attend, `(batch, query steps, value steps)`,
                or with an axis of heads before the last two, or None.
            return_attention_scores: Whether the weights are returned as well.
            training: Whether dropout is applied to the weights.
            use_causal_mask: Whether a step attends only to itself and to earlier steps.

        Returns:
            Array `(batch, query steps, features)`; with `return_attention_scores` a tuple of it and
            the weights `(batch, heads, query steps, value steps)`.

        Raises:
            ValueError: If the shapes don't fit.
        """
        key = value if key is None else key
        self._check(query.shape, value.shape, key.shape)
        masks = [_as_bool(m) for m in (query_mask, value_mask, key_mask, attention_mask)]
        mask = self._combine_masks(query, value, *masks)
        gate = self._gate_dense(query) if self.use_gate else None
        causal: dict = {}
        if use_causal_mask:
            mask, causal = self._with_causal_mask(query, key, mask)
        output, scores = self._compute_attention(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            mask,
            training,
            return_attention_scores,
            **causal,
        )
        output = self._output_dense(output if gate is None else output * gate)
        return (output, scores) if return_attention_scores else output

    def _combine_masks(
        self,
        query: Array,
        value: Array,
        query_mask: Any,
        value_mask: Any,
        key_mask: Any,
        attention_mask: Any,
    ) -> Array | None:
        """The combined mask, `(batch, queries, steps)`; the causal mask is added later."""
        masks = [attention_mask]
        new_axes = (None,) * len(self._find_attention_axes(query.ndim + 1))
        if query_mask is not None:
            masks.append(query_mask[(..., *new_axes)])
        for mask in (value_mask, key_mask):
            if mask is not None:
                masks.append(
                    jnp.expand_dims(mask, [-len(new_axes) - 1 - i for i in range(len(new_axes))])
                )
        if self.sliding_window is not None:
            distance = jnp.arange(query.shape[1])[:, None] - jnp.arange(value.shape[1])
            masks.append((jnp.abs(distance) < self.sliding_window)[None])
        combined = None
        for mask in masks:
            combined = mask if combined is None or mask is None else combined & mask
        return combined

    def _with_causal_mask(self, query: Array, key: Array, mask: Any) -> tuple[Any, dict]:
        """Add the causal mask to the mask, or return it as an argument for `_compute_attention`.

        An override of that method may not have the argument.
        """
        parameters = inspect.signature(type(self)._compute_attention).parameters.values()
        if any(p.name == "use_causal_mask" or p.kind is p.VAR_KEYWORD for p in parameters):
            return mask, {"use_causal_mask": True}
        axis = self._find_attention_axes(query.ndim + 1)[0]
        causal = causal_mask(query.shape[axis], key.shape[axis])[None]
        return causal if mask is None else mask & causal, {}

    def _compute_attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        attention_mask: Array | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> tuple[Array, Array | None]:
        """Attention between projected arrays, `(batch, steps, heads, size)`; may be overridden.

        Returns:
            `(batch, queries, heads, value_size)`, and the weights, or None if a fused kernel is
            used.
        """
        scale = 1 / np.sqrt(self.head_size)
        if not self.dropout and not return_attention_scores and query.ndim == 4:
            mask = attention_mask
            if mask is not None:
                shape = (query.shape[0], query.shape[2], query.shape[1], key.shape[1])
                mask = _with_heads(mask, shape, 1)
            output = dot_product_attention(
                query,
                key,
                value,
                mask=mask,
                scale=scale,
                is_causal=use_causal_mask,
                flash_attention=self._flash_attention,
            )
            return output, None
        if self._flash_attention:
            raise ValueError(
                f"{self._label}: flash_attention gives no scores and takes 3 axes only.\n"
                "  Fix: leave flash_attention out."
            )
        return self._attend_without_kernel(
            query, key, value, attention_mask, training, use_causal_mask, scale
        )

    def _attend_without_kernel(
        self, query: Array, key: Array, value: Array, mask: Any, training: Any, causal: bool,
        scale: Any,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Attention without a fused kernel, over any axes; 0 where everything is masked."""
        axes = self._find_attention_axes(query.ndim)
        query, query_layout = _flatten_attention_axes(query, axes)
        key, key_layout = _flatten_attention_axes(key, axes)
        value, _ = _flatten_attention_axes(value, axes)
        logits = attention_logits(query, key, scale)
        # (batch axes, heads, axes of the query, axes of the key): what masks refer to.
        shape = (*query_layout.batch, logits.shape[1], *query_layout.steps, *key_layout.steps)
        if causal:
            if len(axes) > 1:
                raise ValueError(
                    f"{self._label}: use_causal_mask needs one attention axis; received {axes}."
                )
            causal_scores = causal_mask(query_layout.steps[0], key_layout.steps[0])
            mask = causal_scores if mask is None else mask & causal_scores
        if mask is not None:
            full_mask = jnp.broadcast_to(_with_heads(mask, shape, len(axes)), shape)
            mask = full_mask.reshape(logits.shape)
            logits = jnp.where(mask, logits, 0.7 * jnp.finfo(logits.dtype).min)
        weights = jax.nn.softmax(logits)
        weights = (weights if mask is None else jnp.where(mask, weights, 0)).astype(query.dtype)
        dropped_weights = (
            self._dropout_layer(weights, training=training) if self.dropout else weights
        )
        return query_layout.restore(weighted_values(dropped_weights, value)), weights.reshape(shape)

    def _find_attention_axes(self, ndim: int) -> tuple[int, ...]:
        """The axes of attention in a projected array."""
        return (1,)

    # -- shapes ----------------------------------------------------------------------------------

    def compute_output_shape(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        self._check(query_shape, value_shape, key_shape or value_shape)
        return tuple(query_shape)

    def compute_output_spec(
        self,
        query: KerasTensor,
        value: KerasTensor,
        key: KerasTensor | None = None,
        query_mask: Masks = None,
        value_mask: Masks = None,
        key_mask: Masks = None,
        attention_mask: Masks = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Outputs:
        key = value if key is None else key
        shape = self.compute_output_shape(query.shape, value.shape, key.shape)
        output = KerasTensor(shape, self.compute_dtype)
        if not return_attention_scores:
            return output
        axes = self._find_attention_axes(len(query.shape) + 1)
        batch = [s for i, s in enumerate(query.shape[:-1]) if i not in axes]
        steps = [x.shape[axis] for x in (query, key) for axis in axes]
        return output, KerasTensor((*batch, self.heads, *steps), self.compute_dtype)

    def _require_value_shape(self, value_shape: Shape | None) -> Shape:
        if value_shape is None:
            raise ValueError(
                f"{self._label} needs a query and a value.\n"
                "  Fix: layer(x, x) for attention of a sequence to itself."
            )
        return value_shape

    def _check(self, query: Shape, value: Shape, key: Shape) -> None:
        if not (len(query) == len(value) == len(key) >= 3):
            raise ValueError(
                f"{self._label} needs query, value and key of the same 3 or more axes (batch, "
                f"steps, features).\n  Received: query {tuple(query)}, value {tuple(value)}, key "
                f"{tuple(key)}."
            )
        if tuple(value[1:-1]) != tuple(key[1:-1]):
            raise ValueError(
                f"{self._label}: value and key must have the same steps, every axis but the last.\n"
                f"  Received: value {tuple(value)}, key {tuple(key)}."
            )

    def get_config(self) -> dict:
        names = ("dropout", "use_bias", "use_gate", "sliding_window", "seed")
        parts = ("initializer", "regularizer", "constraint")
        weights = (f"{weight}_{part}" for weight in ("kernel", "bias") for part in parts)
        return {
            **super().get_config(),
            **settings_of(self, *names, *weights),
            "activity_regularizer": registry.serialize(self._penalty_on_output),
        }


class _Layout(NamedTuple):
    """Where the axes of an array were, before `_flatten_attention_axes`."""

    batch: tuple[int, ...]
    steps: tuple[int, ...]
    order: list[int]

    def restore(self, y: Array) -> Array:
        y = y.reshape(*self.batch, *self.steps, *y.shape[-2:])
        return jnp.transpose(y, list(np.argsort(self.order)))


def _flatten_attention_axes(x: Array, axes: tuple[int, ...]) -> tuple[Array, _Layout]:
    """`(batch, steps, heads, size)`: the attention axes as one, all before them as another."""
    batch = [axis for axis in range(x.ndim - 2) if axis not in axes]
    order = [*batch, *axes, x.ndim - 2, x.ndim - 1]
    sizes = tuple(x.shape[i] for i in batch), tuple(x.shape[i] for i in axes)
    rows = jnp.transpose(x, order).reshape(*map(math.prod, sizes), *x.shape[-2:])
    return rows, _Layout(*sizes, order)


def _with_heads(mask: Array, shape: tuple, axes: int) -> Array:
    """A mask for scores of a shape `(batch, heads, queries, steps)`; it may leave out the heads."""
    mask_with_heads = mask
    if mask.ndim < 2 * axes:
        mask_with_heads = mask.reshape((1,) * (2 * axes - mask.ndim) + mask.shape)
    while mask_with_heads.ndim < len(shape):
        mask_with_heads = jnp.expand_dims(mask_with_heads, -2 * axes - 1)
    try:
        fits = jnp.broadcast_shapes(mask_with_heads.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"A mask of shape {mask.shape} does not fit scores of shape {shape}: (batch, heads, "
            "queries, steps).\n  Fix: give attention_mask the shape (batch, queries, steps), and "
            "the masks of query, value and key the shape (batch, steps)."
        )
    return mask_with_heads


def _as_bool(mask: Any) -> Array | None:
    return None if mask is None else jnp.asarray(mask).astype(bool)


def _copy_initializer(initializer: Any) -> Any:
    """A copy of an initializer, so that projections do not start with equal values."""
    if hasattr(initializer, "get_config"):
        return type(initializer).from_config(initializer.get_config())
    return initializer
