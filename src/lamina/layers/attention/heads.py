"""MultiHeadAttention and GroupedQueryAttention."""

from collections.abc import Sequence
from typing import Any

from lamina.core.types import ConstraintLike, InitializerLike, RegularizerLike, Shape
from lamina.core.user_data.arguments import check_integer
from lamina.layers.attention.projected import ProjectedAttention
from lamina.layers.einsum_dense import EinsumDense
from lamina.layers.settings import settings_of


class MultiHeadAttention(ProjectedAttention):
    """Multi-head attention: each head has its own projections of query, key and value.

    Self-attention is `layer(x, x)`.

    Args:
        num_heads: Number of heads.
        key_dim: Size of a head's queries and keys.
        value_dim: Size of a head's values; `key_dim` if None.
        dropout: Fraction of the attention weights to drop in training, 0 to 1.
        use_bias: Whether to add a bias to the projections.
        output_shape: Sizes of the output's last axes; the query's last size if None.
        attention_axes: The axes of attention; all between batch and features if None.
        sliding_window: Steps that a query attends to in either direction, including its own.
        flash_attention: Whether a fused kernel is used; see `ops.dot_product_attention`.
        kernel_initializer, bias_initializer: Initializers of the projections' weights.
        kernel_regularizer, bias_regularizer: Regularizers of these weights.
        activity_regularizer: Penalty on the output of every projection.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        use_gate: Whether the heads' results are multiplied by a learned gate of the query.
        seed: An integer for reproducible dropout.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Call arguments: `query`, `value`, and `key`, which is `value` if None. `attention_mask`,
    `(batch, queries, steps)`, True where a query may attend; `query_mask`, `value_mask`,
    `key_mask`, `(batch, steps)`, by default the masks of the inputs; `use_causal_mask`, to attend
    to earlier steps only; `return_attention_scores`; `training`.

    Input shape: `(batch, queries, features)` and `(batch, steps, features)`.
    Output shape: `(batch, queries, features)`; with scores a tuple of it and `(batch, heads,
    queries, steps)`.

    Source: Vaswani et al., 2017, "Attention Is All You Need", arXiv:1706.03762.

    Example:
        >>> import numpy as np
        >>> x = np.ones((2, 5, 8))
        >>> y, scores = MultiHeadAttention(2, key_dim=4)(x, x, return_attention_scores=True)
        >>> y.shape, scores.shape
        ((2, 5, 8), (2, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            **kwargs,
        )
        layer_type = "MultiHeadAttention"
        self.num_heads = self.heads = check_integer("num_heads", num_heads, owner=layer_type)
        self.key_dim = self.head_size = check_integer("key_dim", key_dim, owner=layer_type)
        self.value_dim = check_integer(
            "value_dim", self.key_dim if value_dim is None else value_dim, owner=layer_type
        )
        # `output_shape` has another meaning in models.
        self._output_shape = self.attention_axes = None
        if output_shape is not None:
            self._output_shape = _check_integers("output_shape", output_shape)
        if attention_axes is not None:
            self.attention_axes = _check_integers("attention_axes", attention_axes)

    def build(
        self,
        query_shape: Shape,
        value_shape: Shape | None = None,
        key_shape: Shape | None = None,
    ) -> None:
        """Make the kernels and biases.

        Args:
            query_shape: Shape of the query, `(batch, query steps, features)`.
            value_shape: Shape of the value, `(batch, value steps, features)`.
            key_shape: Shape of the key; that of the value for None.

        Raises:
            ValueError: If the shapes don't fit.
        """
        value_shape = self._require_value_shape(value_shape)
        key_shape = key_shape or value_shape
        self._check(query_shape, value_shape, key_shape)
        self.attention_axes = self._find_attention_axes(len(query_shape) + 1)
        leading_letters = "abcdefgh"[: len(query_shape) - 1]
        key_sizes, value_sizes = (self.heads, self.key_dim), (self.heads, self.value_dim)
        unknown_sizes = (None,) * (len(leading_letters) - 1)

        def project(name: str, sizes: tuple, shape: Shape, **kwargs: Any) -> Any:
            # x: features, y: heads, z: the size of a head
            equation = f"{leading_letters}x,xyz->{leading_letters}yz"
            return self._make_projection(
                name, equation, (*unknown_sizes, *sizes), "yz", shape, **kwargs
            )

        self._query_dense = project("query", key_sizes, query_shape)
        self._key_dense = project("key", key_sizes, key_shape)
        if self.use_gate:
            self._gate_dense = project("gate", value_sizes, query_shape, activation="sigmoid")
        self._value_dense = project("value", value_sizes, value_shape)
        sizes = self._output_shape or (query_shape[-1],)
        output_letters = "ijklmnop"[: len(sizes)]
        self._output_dense = self._make_projection(
            "attention_output",
            f"{leading_letters}yz,yz{output_letters}->{leading_letters}{output_letters}",
            (*unknown_sizes, *sizes),
            output_letters,
            (*query_shape[:-1], *value_sizes),
        )

    # Names of the projections in weights files.

    @property
    def query_dense(self) -> EinsumDense:
        """The projection of the query."""
        return self._query_dense

    @property
    def key_dense(self) -> EinsumDense:
        """The projection of the key."""
        return self._key_dense

    @property
    def value_dense(self) -> EinsumDense:
        """The projection of the value."""
        return self._value_dense

    @property
    def output_dense(self) -> EinsumDense:
        """The projection of the concatenated heads."""
        return self._output_dense

    def compute_output_shape(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        shape = super().compute_output_shape(query_shape, value_shape, key_shape)
        return shape if self._output_shape is None else (*shape[:-1], *self._output_shape)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "num_heads", "key_dim", "value_dim", "attention_axes"),
            "output_shape": self._output_shape,
        }

    def _find_attention_axes(self, ndim: int) -> tuple[int, ...]:
        if self.attention_axes is None:
            return tuple(range(1, ndim - 2))
        # Counted without the axis of the heads.
        return tuple(axis if axis >= 0 else ndim - 1 + axis for axis in self.attention_axes)


class GroupedQueryAttention(ProjectedAttention):
    """Multi-head attention in which neighbouring heads of the query share keys and values.

    Keras's public name is `GroupQueryAttention`.

    Args:
        head_dim: Size of a head.
        num_query_heads: Number of heads.
        num_key_value_heads: Number of heads of keys and values, a divisor of `num_query_heads`.
        dropout: Fraction of the attention weights to drop in training, 0 to 1.
        use_bias: Whether to add a bias to the projections.
        sliding_window: Steps that a query attends to in either direction, including its own.
        flash_attention: Whether a fused kernel is used; see `ops.dot_product_attention`.
        kernel_initializer, bias_initializer: Initializers of the projections' weights.
        kernel_regularizer, bias_regularizer: Regularizers of these weights.
        activity_regularizer: Penalty on the output of the layer and of every projection.
        kernel_constraint, bias_constraint: Constraints on the weights, applied after every update.
        use_gate: Whether the heads' results are multiplied by a learned gate of the query.
        seed: An integer for reproducible dropout.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Call arguments: Those of `MultiHeadAttention`.

    Input shape: `(batch, queries, features)` and `(batch, steps, features)`.
    Output shape: `(batch, queries, features)`; with scores a tuple of it and `(batch, heads,
    queries, steps)`.

    Source: Ainslie et al., 2023, "GQA: Training Generalized Multi-Query Transformer Models from
    Multi-Head Checkpoints", arXiv:2305.13245.

    Example:
        >>> import numpy as np
        >>> x = np.ones((2, 5, 8))
        >>> GroupedQueryAttention(4, num_query_heads=4, num_key_value_heads=2)(x, x).shape
        (2, 5, 8)
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            **kwargs,
        )
        layer_type = "GroupQueryAttention"
        self.head_dim = self.head_size = check_integer("head_dim", head_dim, owner=layer_type)
        self.num_query_heads = self.heads = check_integer(
            "num_query_heads", num_query_heads, owner=layer_type
        )
        self.num_key_value_heads = check_integer(
            "num_key_value_heads", num_key_value_heads, owner=layer_type
        )
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"{layer_type}: {num_query_heads} query heads cannot share {num_key_value_heads} "
                "key and value heads.\n  Fix: make num_query_heads a multiple of "
                "num_key_value_heads."
            )
        self.activity_regularizer = self._penalty_on_output

    def build(
        self,
        query_shape: Shape,
        value_shape: Shape | None = None,
        key_shape: Shape | None = None,
    ) -> None:
        """Make the kernels and biases.

        Args:
            query_shape: Shape of the query, `(batch, query steps, features)`.
            value_shape: Shape of the value, `(batch, value steps, features)`.
            key_shape: Shape of the key; that of the value for None.

        Raises:
            ValueError: If the shapes don't fit.
        """
        value_shape = self._require_value_shape(value_shape)
        key_shape = key_shape or value_shape
        self._check(query_shape, value_shape, key_shape)
        query_heads_shape = (None, self.num_query_heads, self.head_dim)
        key_heads_shape = (None, self.num_key_value_heads, self.head_dim)

        def project(name: str, sizes: tuple, shape: Shape, **kwargs: Any) -> EinsumDense:
            return self._make_projection(name, "btx,xyz->btyz", sizes, "yz", shape, **kwargs)

        self._query_dense = project("query", query_heads_shape, query_shape)
        self._key_dense = project("key", key_heads_shape, key_shape)
        if self.use_gate:
            self._gate_dense = project("gate", query_heads_shape, query_shape, activation="sigmoid")
        self._value_dense = project("value", key_heads_shape, value_shape)
        self._output_dense = self._make_projection(
            "attention_output",
            "btyz,yzx->btx",
            (None, query_shape[-1]),
            "x",
            (*query_shape[:-1], *query_heads_shape[1:]),
        )

    def get_config(self) -> dict:
        names = ("head_dim", "num_query_heads", "num_key_value_heads")
        return {**super().get_config(), **settings_of(self, *names)}

    def _check(self, query: Shape, value: Shape, key: Shape) -> None:
        super()._check(query, value, key)
        if len(query) != 3:
            raise ValueError(
                f"{self._label} takes inputs (batch, steps, features); received shape "
                f"{tuple(query)}."
            )


def _check_integers(name: str, values: Any) -> tuple[int, ...]:
    values = values if isinstance(values, (list, tuple)) else (values,)
    if not values or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        raise ValueError(
            f"MultiHeadAttention: {name} must be an integer or several; received {values!r}."
        )
    return tuple(values)
