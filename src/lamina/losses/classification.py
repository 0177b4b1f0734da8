"""Losses for classification.

Cross-entropies are in nats. Each function returns one value per sample; each class adds weights,
masks and reduction (`Loss`). The metrics of the same names use the same functions.
"""

import warnings
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.core.user_data.arguments import is_number
from lamina.losses.loss import Loss
from lamina.losses.shapes import align, align_labels, check_labels
from lamina.ops import crossentropy
from lamina.ops.crossentropy import clip_probabilities, value_at_label_or_zero


@filter_traceback
def binary_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Cross-entropy of binary labels, each independent of the others.

    `-(y_true · log(p) + (1 - y_true) · log(1 - p))`, mean over `axis`. Probabilities are kept
    between epsilon and 1 - epsilon.

    Args:
        y_true: Labels 0 and 1 (or probabilities), `(batch, …, labels)`.
        y_pred: Probabilities, or logits if `from_logits`; same shape.
        from_logits: Whether `y_pred` is logits, before the sigmoid.
        label_smoothing: Fraction 0 to 1 by which labels are moved towards 0.5.
        axis: The axis of the mean.

    Returns:
        One value per sample, in nats.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.

    Example:
        >>> round(float(binary_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = align(y_true, y_pred, "binary_crossentropy")
    y_true = _smooth(y_true, label_smoothing, towards=0.5)
    return jnp.mean(crossentropy.binary_crossentropy(y_true, y_pred, from_logits), axis=axis)


@filter_traceback
def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Binary cross-entropy with less weight on samples that are already correct.

    Each term of `binary_crossentropy` is multiplied by `(1 - p of the correct answer)^gamma`.

    Args:
        y_true: Labels 0 and 1, `(batch, …, labels)`.
        y_pred: Probabilities, or logits if `from_logits`; same shape.
        apply_class_balancing: Whether ones have the weight `alpha` and zeros `1 - alpha`.
        alpha: Fraction 0 to 1, the weight of ones.
        gamma: Exponent that reduces the weight of easy samples; 0 for no reduction.
        from_logits: Whether `y_pred` is logits, before the sigmoid.
        label_smoothing: Fraction 0 to 1 by which labels are moved towards 0.5.
        axis: The axis of the mean.

    Returns:
        One loss per sample, `(batch, ...)`.

    Source: Lin et al., 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.

    Example:
        >>> round(float(binary_focal_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.1733
    """
    y_true, y_pred = align(y_true, y_pred, "binary_focal_crossentropy")
    y_true = _smooth(y_true, label_smoothing, towards=0.5)
    if from_logits:
        y_pred = jax.nn.sigmoid(y_pred)
    correct = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    loss = (1.0 - correct) ** gamma * crossentropy.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        loss = loss * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return jnp.mean(loss, axis=axis)


@filter_traceback
def categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Cross-entropy of one-hot labels: one of several classes is correct.

    `-sum(y_true · log(p))` over the classes. Probabilities are divided by their sum and kept
    between epsilon and 1 - epsilon.

    Args:
        y_true: One-hot labels or probabilities, `(batch, …, classes)`.
        y_pred: Probabilities, or logits if `from_logits`; same shape.
        from_logits: Whether `y_pred` is logits, before the softmax.
        label_smoothing: Fraction 0 to 1 of the label that is spread evenly over the classes.
        axis: The axis of the classes.

    Returns:
        One value per sample, in nats.

    Raises:
        ValueError: If the shapes differ, e.g. because the labels are integers.

    Example:
        >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = align(y_true, y_pred, "categorical_crossentropy")
    _warn_if_one_class(y_pred, axis, "categorical_crossentropy")
    y_true = _smooth(y_true, label_smoothing, towards=1.0 / y_pred.shape[axis])
    return crossentropy.categorical_crossentropy(y_true, y_pred, from_logits, axis)


@filter_traceback
def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Categorical cross-entropy with less weight on samples that are already correct.

    `-sum(alpha · (1 - p)^gamma · y_true · log(p))` over the classes.

    Args:
        y_true: One-hot labels, `(batch, …, classes)`.
        y_pred: Probabilities, or logits if `from_logits`; same shape.
        alpha: Weight of all classes, or a list with one weight per class.
        gamma: Exponent that reduces the weight of easy samples; 0 for no reduction.
        from_logits: Whether `y_pred` is logits, before the softmax.
        label_smoothing: Fraction 0 to 1 of the label that is spread evenly over the classes.
        axis: The axis of the classes.

    Returns:
        One loss per sample, `(batch, ...)`.

    Source: Lin et al., 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.

    Example:
        >>> round(float(categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
        0.0433
    """
    y_true, y_pred = align(y_true, y_pred, "categorical_focal_crossentropy")
    _warn_if_one_class(y_pred, axis, "categorical_focal_crossentropy")
    y_true = _smooth(y_true, label_smoothing, towards=1.0 / y_pred.shape[axis])
    if from_logits:
        y_pred = jax.nn.softmax(y_pred, axis=axis)
    p = clip_probabilities(y_pred / jnp.sum(y_pred, axis=axis, keepdims=True))
    focus = jnp.asarray(alpha, p.dtype) * (1.0 - p) ** gamma
    return -jnp.sum(focus * y_true * jnp.log(p), axis=axis)


@filter_traceback
def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array:
    """Cross-entropy of integer labels: one of several classes is correct.

    `-log(p[label])`, with probabilities divided by their sum and kept between epsilon and
    1 - epsilon. The same numbers as `categorical_crossentropy` of the one-hot labels.

    Args:
        y_true: Labels from 0 to classes - 1, `(batch, …)` or `(batch, …, 1)`.
        y_pred: Probabilities, or logits if `from_logits`, `(batch, …, classes)`.
        from_logits: Whether `y_pred` is logits, before the softmax.
        ignore_class: A label whose samples get a loss of 0, e.g. -1 for "unknown".
        axis: The axis of the classes.

    Returns:
        One value per sample, in nats, in the shape of the labels without the class axis.

    Raises:
        ValueError: If the shapes don't fit, e.g. because the labels are one-hot, or if a label
            has no class (labels are not checked inside a compiled step).

    Example:
        >>> round(float(sparse_categorical_crossentropy([1], [[0.5, 0.5]])[0]), 4)
        0.6931
    """
    labels, y_pred = align_labels(y_true, y_pred, "sparse_categorical_crossentropy", axis)
    check_labels(labels, y_pred.shape[axis], "sparse_categorical_crossentropy", ignore_class)
    if ignore_class is None:
        return crossentropy.sparse_categorical_crossentropy(labels, y_pred, from_logits, axis)
    is_counted = labels != ignore_class
    # With scores of 1, ignored samples have a finite loss, so that their gradient is 0.
    y_pred = jnp.where(jnp.expand_dims(is_counted, axis), y_pred, 1.0)
    labels = jnp.where(is_counted, labels, 0)
    loss = crossentropy.sparse_categorical_crossentropy(labels, y_pred, from_logits, axis)
    return jnp.where(is_counted, loss, 0.0)


@filter_traceback
def categorical_generalized_cross_entropy(
    y_true: ArrayLike, y_pred: ArrayLike, q: float
) -> jax.Array:
    """Generalized cross-entropy, between cross-entropy and absolute error, for noisy labels.

    `(1 - p[label]^q) / q`: cross-entropy for q → 0, absolute error for q → 1.

    Args:
        y_true: Integer labels, `(batch, …)`; not one-hot, despite the name.
        y_pred: Probabilities, `(batch, …, classes)`.
        q: Number between 0 and 1, both excluded.

    Returns:
        One loss per sample, `(batch, ...)`.

    Source: Zhang and Sabuncu, 2018, "Generalized Cross Entropy Loss for Training Deep Neural
    Networks with Noisy Labels", arXiv:1805.07836.

    Example:
        >>> float(categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5)[0])
        1.0
    """
    labels, y_pred = align_labels(y_true, y_pred, "categorical_generalized_cross_entropy")
    check_labels(labels, y_pred.shape[-1], "categorical_generalized_cross_entropy")
    return (1.0 - value_at_label_or_zero(y_pred, labels) ** q) / q


@filter_traceback
def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Kullback-Leibler divergence of the distributions `y_true` and `y_pred`.

    `sum(y_true · log(y_true / y_pred))` over the last axis, in nats; both are kept between
    epsilon and 1.

    Args:
        y_true: Probabilities, `(batch, …, classes)`.
        y_pred: Probabilities, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Source: Kullback and Leibler, 1951, "On Information and Sufficiency".

    Example:
        >>> round(float(kl_divergence([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = align(y_true, y_pred, "kl_divergence")
    y_true = jnp.clip(y_true, config.epsilon(), 1.0)
    y_pred = jnp.clip(y_pred, config.epsilon(), 1.0)
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


class BinaryCrossentropy(Loss):
    """Cross-entropy of binary labels; see `binary_crossentropy`.

    Args:
        from_logits: Whether predictions are logits, before the sigmoid.
        label_smoothing: Fraction 0 to 1 by which labels are moved towards 0.5.
        axis: The axis of the mean.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0], [0.0]], [[0.0], [0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return binary_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class BinaryFocalCrossentropy(Loss):
    """Binary cross-entropy with more weight on hard samples; see `binary_focal_crossentropy`.

    Args:
        apply_class_balancing: Whether ones have the weight `alpha` and zeros `1 - alpha`.
        alpha: Fraction 0 to 1, the weight of ones.
        gamma: Exponent that reduces the weight of easy samples; 0 for no reduction.
        from_logits: Whether predictions are logits, before the sigmoid.
        label_smoothing: Fraction 0 to 1 by which labels are moved towards 0.5.
        axis: The axis of the mean.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
        0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return binary_focal_crossentropy(
            y_true,
            y_pred,
            self.apply_class_balancing,
            self.alpha,
            self.gamma,
            self.from_logits,
            self.label_smoothing,
            self.axis,
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
            "apply_class_balancing": self.apply_class_balancing,
            "alpha": self.alpha,
            "gamma": self.gamma,
        }


class CategoricalCrossentropy(Loss):
    """Cross-entropy of one-hot labels; see `categorical_crossentropy`.

    Args:
        from_logits: Whether predictions are logits, before the softmax.
        label_smoothing: Fraction 0 to 1 of the label that is spread evenly over the classes.
        axis: The axis of the classes.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class CategoricalFocalCrossentropy(Loss):
    """Focal cross-entropy of one-hot labels; see `categorical_focal_crossentropy`.

    Args:
        alpha: Weight of all classes, or a list with one weight per class.
        gamma: Exponent that reduces the weight of easy samples; 0 for no reduction.
        from_logits: Whether predictions are logits, before the softmax.
        label_smoothing: Fraction 0 to 1 of the label that is spread evenly over the classes.
        axis: The axis of the classes.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.0433
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return categorical_focal_crossentropy(
            y_true,
            y_pred,
            self.alpha,
            self.gamma,
            self.from_logits,
            self.label_smoothing,
            self.axis,
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
            "alpha": self.alpha,
            "gamma": self.gamma,
        }


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy of integer labels; see `sparse_categorical_crossentropy`.

    Args:
        from_logits: Whether predictions are logits, before the softmax.
        ignore_class: A label whose samples are ignored, in the sum and in the number of samples.
        reduction, name, dtype: See `Loss`.
        axis: The axis of the classes.

    Example:
        >>> loss = SparseCategoricalCrossentropy(ignore_class=-1)
        >>> round(float(loss([1, -1], [[0.5, 0.5], [0.9, 0.1]])), 4)
        0.6931
    """

    has_integer_labels = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return sparse_categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.ignore_class, self.axis
        )

    @property
    def is_sample_mean(self) -> bool:
        # Otherwise the mean would depend on the number of ignored samples of each batch.
        return self.ignore_class is None

    def compute_mask(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array | None:
        if self.ignore_class is None:
            return None
        labels, _ = align_labels(y_true, y_pred, "sparse_categorical_crossentropy", self.axis)
        return labels != self.ignore_class

    def get_config(self) -> dict:
        # Keras does not save the axis, but it can load it.
        extra = {} if self.axis == -1 else {"axis": self.axis}
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            **extra,
        }


class CategoricalGeneralizedCrossEntropy(Loss):
    """For noisy labels; see `categorical_generalized_cross_entropy`.

    Args:
        q: Number between 0 and 1, both excluded; values near 1 tolerate more wrong labels.
        reduction, name, dtype: See `Loss`.

    Raises:
        ValueError: If `q` lies outside its range.

    Example:
        >>> float(CategoricalGeneralizedCrossEntropy(q=0.5)([1], [[0.75, 0.25]]))
        1.0
    """

    has_integer_labels = True

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: DTypePolicyLike = None,
    ):
        if not (is_number(q) and 0 < q < 1):
            raise ValueError(
                "CategoricalGeneralizedCrossEntropy needs a q between 0 and 1, both excluded; "
                f"received {q}."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.q = q

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return categorical_generalized_cross_entropy(y_true, y_pred, self.q)

    def get_config(self) -> dict:
        return {**super().get_config(), "q": self.q}


class KLDivergence(Loss):
    """Kullback-Leibler divergence of two distributions; see `kl_divergence`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(KLDivergence()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return kl_divergence(y_true, y_pred)


def _smooth(y_true: jax.Array, fraction: float, towards: float) -> jax.Array:
    return y_true * (1.0 - fraction) + fraction * towards if fraction else y_true


def _warn_if_one_class(y_pred: jax.Array, axis: int, caller: str) -> None:
    if y_pred.shape[axis] == 1:
        warnings.warn(
            f"{caller} compares classes, and y_pred of shape {y_pred.shape} has only one, so the "
            "loss is always 0. For two classes use 'binary_crossentropy'.",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )
