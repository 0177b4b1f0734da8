"""Loss, the base class of all losses, which applies weights, masks and reduction."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.configuration.dtypes import get_policy
from lamina.core.layer import masking
from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import naming, registry
from lamina.core.types import ArrayLike, DTypeLike, DTypePolicyLike, Masks, Outputs, Targets
from lamina.core.user_data.arguments import explain_arguments
from lamina.losses.shapes import match_rank, match_weight, to_array, to_arrays

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


@filter_tracebacks_of_methods
class Loss:
    """Base class of all losses. Subclass it and define `call` to make your own.

    `call(y_true, y_pred)` returns one value per sample; the base class multiplies by the sample
    weights, excludes masked values and reduces to one number.

    Args:
        name: Made from the class's name if None.
        reduction: `"sum_over_batch_size"` or `"mean"` divide the weighted sum by the number of
            values, `"mean_with_sample_weight"` by the sum of the weights; `"sum"` is the weighted
            sum itself; `"none"` or None keep one value per sample.
        dtype: Float type that targets and predictions are cast to; `floatx()` if None.

    Call arguments:
        y_true: Targets, an array, a Variable, nested lists, or a structure of them.
        y_pred: Predictions, likewise.
        sample_weight: One number per sample, `(batch,)`, or per value; no unit.

    Example:
        >>> class FourthPower(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return jnp.mean((y_true - y_pred) ** 4, axis=-1)
        >>> loss = FourthPower()
        >>> float(loss([[0.0], [0.0]], [[1.0], [2.0]]))
        8.5
        >>> float(loss([[0.0], [0.0]], [[1.0], [2.0]], sample_weight=[1.0, 0.0]))
        0.5
    """

    # Whether targets are class indices, which are not cast: bfloat16 cannot represent class 257.
    has_integer_labels = False
    # Whether the loss of a batch is the mean of the losses of its samples.
    is_sample_mean: Any = True

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = explain_arguments(cls.__init__)  # type: ignore[method-assign]
        filter_tracebacks_of_methods(cls)

    @explain_arguments
    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: DTypePolicyLike = None,
    ):
        self.name = naming.check_printable(name, type(self).__name__) or naming.auto_name(
            type(self)
        )
        self.reduction = check_reduction(reduction)
        self._dtype = get_policy(dtype or config.floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        """The float type that the loss is computed in."""
        return self._dtype

    @filter_traceback
    def __call__(
        self, y_true: Targets, y_pred: Outputs, sample_weight: Targets = None
    ) -> jax.Array:
        mask = masking.get_mask(y_pred)
        with jax.named_scope(self.name):
            labels_dtype = None if self.has_integer_labels else self.dtype
            y_true = to_arrays(y_true, "y_true", self.name, labels_dtype)
            y_pred = to_arrays(y_pred, "y_pred", self.name, self.dtype)
            values = self.call(y_true, y_pred)
            own_mask = self.compute_mask(y_true, y_pred)
            if mask is None or own_mask is None:
                mask = own_mask if mask is None else mask
            else:
                mask = mask & own_mask
            return reduce_weighted_values(
                values, sample_weight, mask, self.reduction, self.dtype, caller=self.name
            )

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        """One value per sample, before weights and reduction.

        Args:
            y_true: Targets, `(batch, ...)`.
            y_pred: Predictions, `(batch, ...)`.

        Returns:
            One loss per sample, `(batch, ...)`; weights and reduction come after.

        Raises:
            NotImplementedError: If a subclass has no `call`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no call() method.\n"
            "  Fix: write `def call(self, y_true, y_pred):` that returns one value per sample."
        )

    def compute_mask(self, y_true: Any, y_pred: Any) -> jax.Array | None:
        """The mask of values, True for those to include; for losses that ignore some labels.

        Args:
            y_true: Targets, `(batch, ...)`.
            y_pred: Predictions, `(batch, ...)`.

        Returns:
            Mask of the shape of the losses, or None.
        """
        return None

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of arguments of the constructor.
        """
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict) -> "Loss":
        """A loss with the settings that `get_config` gave.

        Args:
            config: Arguments of the constructor.

        Returns:
            The loss.
        """
        return cls(**config)

    @safe_repr
    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class LossFunctionWrapper(Loss):
    """A loss made of a plain function.

    Args:
        fn: `fn(y_true, y_pred, **kwargs)` that returns one value per sample.
        reduction, name, dtype: See `Loss`.
        **kwargs: Passed to `fn` at every call.

    Example:
        >>> def absolute(y_true, y_pred):
        ...     return jnp.abs(y_true - y_pred)
        >>> float(LossFunctionWrapper(absolute, name="absolute")([1.0, 2.0], [[3.0], [2.0]]))
        1.0
    """

    def __init__(
        self,
        fn: Callable,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        if isinstance(y_true, jax.Array) and isinstance(y_pred, jax.Array):
            y_true, y_pred = match_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "fn": registry.serialize(self.fn),
            **registry.serialize(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict) -> "LossFunctionWrapper":
        return cls(**registry.deserialize(config))

    @safe_repr
    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"


def check_reduction(reduction: Any) -> str | None:
    """Check the name of a reduction.

    Raises:
        ValueError: If there is no such reduction.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction must be one of {', '.join(map(repr, REDUCTIONS))}; "
            f"received {reduction!r}.{did_you_mean(str(reduction), map(str, REDUCTIONS))}"
        )
    return reduction


def reduce_weighted_values(
    values: Any,
    sample_weight: ArrayLike | None = None,
    mask: Masks = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: DTypeLike | None = None,
    caller: str = "loss",
) -> jax.Array:
    """Multiply values by weights, leave out masked values, and reduce to one number.

    Args:
        values: One value per sample, or per step of each sample.
        sample_weight: Weights that fit the values, see `match_weight`.
        mask: True for values to include; the mean is over these values only.
        reduction: See `Loss`.
        dtype: Float type of the result; that of the values if None.
        caller: The calling function, for messages.

    Example:
        >>> float(reduce_weighted_values([1.0, 2.0, 6.0], mask=[True, True, False]))
        1.5
    """
    values = to_array(values, "the values", caller, dtype)
    weight = None
    if sample_weight is not None:
        sample_weight = to_array(sample_weight, "sample_weight", caller, values.dtype)
        values, sample_weight = match_rank(values, sample_weight)
        weight = match_weight(sample_weight, values.shape, caller)
    if mask is not None:
        mask = match_weight(to_array(mask, "the mask", caller), values.shape, caller, "the mask")
        mask_weight = mask.astype(values.dtype)
        if reduction in ("sum_over_batch_size", "mean"):
            # Corrects the later division by the number of all values.
            mask_weight = mask_weight * divide_no_nan(mask.size, jnp.sum(mask_weight))
        weight = mask_weight if weight is None else weight * mask_weight
    if weight is not None:
        values = values * weight
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        return divide_no_nan(total, jnp.sum(weight))
    return total / max(values.size, 1)


def divide_no_nan(a: Any, b: Any) -> jax.Array:
    """`a / b`; where b is 0, the value and its gradient are 0.

    Example:
        >>> divide_no_nan(jnp.array([1.0, 1.0]), jnp.array([4.0, 0.0])).tolist()
        [0.25, 0.0]
    """
    b = jnp.asarray(b)
    return jnp.where(b == 0, 0, a / jnp.where(b == 0, 1, b))
