"""Checks of the shapes of targets and predictions, for all losses and metrics.

`(n,)` and `(n, 1)` are the same n numbers, but NumPy would broadcast them to `(n, n)`, and the loss
would be wrong without an error. So every loss and metric checks its arguments here. Shapes that do
not fit are refused with both shapes, the likely cause and a fix.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.configuration.dtypes import is_float
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import ArrayLike, DTypeLike
from lamina.core.variable.variable import Variable

# Losses and metrics that accept one target for all outputs of a sample.
_DISTANCES = (
    "huber", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "root_mean_squared_error",
)  # fmt: skip
# Alternatives if labels are integers and the function needs one-hot labels, or the reverse.
_SPARSE_ALTERNATIVE = {
    "binary_crossentropy": "sparse_categorical_crossentropy",
    "binary_focal_crossentropy": "sparse_categorical_crossentropy",
    "categorical_crossentropy": "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy": "sparse_categorical_crossentropy",
    "binary_accuracy": "sparse_categorical_accuracy",
    "categorical_accuracy": "sparse_categorical_accuracy",
    "top_k_categorical_accuracy": "sparse_top_k_categorical_accuracy",
}
_ONE_HOT_ALTERNATIVE = {
    "sparse_categorical_crossentropy": "categorical_crossentropy",
    "categorical_generalized_cross_entropy": "categorical_crossentropy",
    "sparse_categorical_accuracy": "categorical_accuracy",
    "sparse_top_k_categorical_accuracy": "top_k_categorical_accuracy",
}


def to_array(value: Any, name: str, caller: str, dtype: DTypeLike | None = None) -> jax.Array:
    """A JAX array from an array, a Variable, a number or nested lists of numbers.

    Args:
        value: The value that the user passed.
        name: Its name in messages: `"y_true"`, `"y_pred"`, `"sample_weight"`.
        caller: The calling loss or metric.
        dtype: Type to cast to; None keeps the array's own.

    Raises:
        TypeError: If its elements are not numbers, but e.g. strings.
        ValueError: If it is a list whose rows differ in length.
    """
    if isinstance(value, Variable):
        value = value.value
    if not isinstance(value, jax.Array):
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)):
            value = jnp.asarray(value)
        else:
            value = _from_numpy(value, name, caller)
    return value if dtype is None else value.astype(dtype)


def to_arrays(structure: Any, name: str, caller: str, dtype: DTypeLike | None = None) -> Any:
    """Every array of a structure as a JAX array; nested lists of numbers are one array.

    Example:
        >>> {k: v.shape for k, v in to_arrays({"a": [[1, 2]]}, "y_true", caller="demo").items()}
        {'a': (1, 2)}
    """

    def is_array(node: Any) -> bool:
        if isinstance(node, dict):
            return False
        return not isinstance(node, (list, tuple)) or not any(
            isinstance(leaf, (np.ndarray, jax.Array, Variable)) for leaf in jax.tree.leaves(node)
        )

    return jax.tree.map(lambda x: to_array(x, name, caller, dtype), structure, is_leaf=is_array)


def match_rank(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Add or remove a last axis of size 1 that only one of two arrays has, as in Keras.

    `(n,)` with `(n, 1)` become two of `(n, 1)`; `(n, k)` with `(n, k, 1)` two of `(n, k)`. Other
    arrays are returned unchanged.

    Example:
        >>> a, b = match_rank(jnp.zeros(3), jnp.zeros((3, 1)))
        >>> a.shape, b.shape
        ((3, 1), (3, 1))
    """
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[:, None]) if b.ndim == 1 else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[:, None], b) if a.ndim == 1 else (a, b[..., 0])
    return a, b


def same_shape(y_true: ArrayLike, y_pred: ArrayLike, caller: str) -> tuple[jax.Array, jax.Array]:
    """Targets and predictions as arrays of one shape, each in its own dtype.

    A distance such as the mean squared error also accepts targets with an axis of size 1 where the
    predictions have several outputs: each output is compared with the target, with a warning.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.
    """
    true = to_array(y_true, "y_true", caller)
    pred = to_array(y_pred, "y_pred", caller)
    aligned_true, aligned_pred = match_rank(true, pred)
    if caller in _DISTANCES and pred.ndim > 1 and true.shape == (*pred.shape[:-1], 1):
        if pred.shape[-1] > 1:
            warnings.warn(
                f"{caller} compares each of the {pred.shape[-1]} outputs of a sample with its one "
                f"target: y_true has shape {_sample_shape(true)}, y_pred {_sample_shape(pred)}.\n"
                "  Fix, if that is not meant: Dense(1) as the last layer. If it is: "
                f"y = numpy.repeat(y, {pred.shape[-1]}, axis=-1).",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )
        aligned_true = jnp.broadcast_to(true, pred.shape)
    if aligned_true.shape != aligned_pred.shape:
        raise _shape_mismatch_error(true.shape, pred.shape, caller)
    return aligned_true, aligned_pred


def align(y_true: ArrayLike, y_pred: ArrayLike, caller: str) -> tuple[jax.Array, jax.Array]:
    """Targets and predictions as arrays of one shape and one float dtype, that of `y_pred`.

    Args:
        y_true: Targets, `(batch, …)`.
        y_pred: Predictions of the same shape; a last axis of size 1 may differ.
        caller: The calling loss or metric, for its message.

    Raises:
        ValueError: If the shapes differ otherwise.

    Example:
        >>> y_true, y_pred = align([1, 2, 3], [[0.5], [1.0], [1.5]], caller="demo")
        >>> y_true.shape, y_pred.shape, y_true.dtype.name
        ((3, 1), (3, 1), 'float32')
    """
    true, pred = same_shape(y_true, y_pred, caller)
    pred = _as_float(pred)
    return true.astype(pred.dtype), pred


def align_labels(
    y_true: ArrayLike, y_pred: ArrayLike, caller: str, axis: int = -1
) -> tuple[jax.Array, jax.Array]:
    """Integer class labels and one score per class.

    Args:
        y_true: Labels: the shape of `y_pred` without its class axis, or with size 1 there.
        y_pred: Scores, `(batch, …, classes)`.
        caller: The calling loss or metric, for its message.
        axis: The axis of the classes in `y_pred`.

    Returns:
        Labels as int32 without the class axis, and the scores as floats.

    Raises:
        ValueError: If the shapes don't fit, e.g. because the labels are one-hot.

    Example:
        >>> labels, scores = align_labels([[2], [0]], [[0.1, 0.2, 0.7]] * 2, caller="demo")
        >>> labels.tolist(), scores.shape
        ([2, 0], (2, 3))
    """
    labels = to_array(y_true, "y_true", caller)
    scores = _as_float(to_array(y_pred, "y_pred", caller))
    if not -scores.ndim <= axis < scores.ndim:
        raise ValueError(
            f"{caller} looks for the classes on axis {axis} of y_pred, which has shape "
            f"{scores.shape}.\n  Fix: axis=-1, with predictions of shape (samples, classes)."
        )
    labels_shape = labels.shape
    if labels.ndim == scores.ndim and labels.shape[axis] == 1:
        labels = jnp.squeeze(labels, axis)
    shape_without_classes = list(scores.shape)
    classes = shape_without_classes.pop(axis)
    if _without_size_one(labels.shape) == _without_size_one(shape_without_classes):
        labels = labels.reshape(shape_without_classes)  # (2, 1) for scores of (1, 2, classes)
    if labels.shape != tuple(shape_without_classes):
        raise _label_error(
            labels_shape, scores.shape, classes, tuple(shape_without_classes), caller
        )
    return labels.astype("int32"), scores


def _without_size_one(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def check_labels(labels: Any, classes: int, caller: str, ignore_class: int | None = None) -> None:
    """Refuse labels that are not classes; does nothing while JAX traces.

    Args:
        labels: Integer labels of any shape.
        classes: Number of classes of the predictions.
        caller: The calling loss or metric, for its message.
        ignore_class: A label of samples to ignore.

    Raises:
        ValueError: If a label is below 0 or above `classes - 1`.

    Example:
        >>> check_labels([0, 1, 2], classes=3, caller="demo")
    """
    if isinstance(labels, jax.core.Tracer):
        return
    labels_to_check = np.asarray(labels)
    if ignore_class is not None:
        labels_to_check = labels_to_check[labels_to_check != ignore_class]
    if not labels_to_check.size or (labels_to_check.min() >= 0 and labels_to_check.max() < classes):
        return
    low, high = labels_to_check.min(), labels_to_check.max()
    if low >= 1 and high == classes:
        cause, fix = "the labels start at 1; classes are counted from 0", "y = y - 1"
    elif low < 0:
        cause = "a marker for unknown labels"
        fix = (
            f"loss=lamina.losses.SparseCategoricalCrossentropy(ignore_class={low}), or drop these "
            "samples"
        )
    else:
        cause = "the last layer has too few units"
        fix = f"Dense({high + 1}) as the last layer"
    raise ValueError(
        f"{caller} needs labels from 0 to {classes - 1}, because y_pred has {classes} classes.\n"
        f"  Received: labels from {low} to {high}.\n"
        f"  Likely cause: {cause}.\n"
        f"  Fix: {fix}."
    )


def match_weight(
    weight: jax.Array, shape: tuple[int, ...], caller: str, name: str = "sample_weight"
) -> jax.Array:
    """Reshape weights to broadcast to `shape`.

    Weights may be one number, one per value, one per sample, or one per step of each sample: their
    shape is the beginning of `shape`, except for axes of size 1.

    Raises:
        ValueError: If they fit in none of these ways.

    Example:
        >>> match_weight(jnp.ones(2), (2, 3), caller="demo").shape
        (2, 3)
    """
    if weight.ndim == len(shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if 0 < weight.ndim < len(shape) and weight.shape == shape[: weight.ndim]:
        trailing = (1,) * (len(shape) - weight.ndim)
        return jnp.broadcast_to(weight.reshape(weight.shape + trailing), shape)
    broadcasts = weight.ndim == len(shape) and all(
        w in (1, s) for w, s in zip(weight.shape, shape, strict=True)
    )
    if weight.ndim and not broadcasts:
        hint = "y_true and y_pred as (samples, 1)" if shape == () else f"shape {shape[:1]}"
        raise ValueError(
            f"{caller}: {name} does not fit the values that it is multiplied by.\n"
            f"  Received: {name} of shape {weight.shape} for values of shape {shape}.\n"
            f"  Fix: give one weight per sample ({hint}) or one per value."
        )
    return weight


def _from_numpy(value: Any, name: str, caller: str) -> jax.Array:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{caller} cannot make an array of {name}: its rows differ in length.\n"
            "  Fix: pad the rows with zeros to one length before numpy.array(rows)."
        ) from None
    if array.dtype.kind not in "biufcV":
        received = "None" if value is None else f"an array of {array.dtype}"
        raise TypeError(
            f"{caller} needs numbers as {name} and received {received}.\n"
            "  Fix: convert names of classes to integers first, e.g. with "
            "numpy.unique(y, return_inverse=True)[1]."
        )
    return jnp.asarray(array)


def _as_float(array: jax.Array) -> jax.Array:
    return array if is_float(array.dtype) else array.astype(config.floatx())


def _shape_mismatch_error(true: tuple, pred: tuple, caller: str) -> ValueError:
    alternative = _SPARSE_ALTERNATIVE.get(caller)
    one_per_sample = true == pred[:-1] or true == (*pred[:-1], 1)
    if one_per_sample and alternative is not None:
        cause = f"the labels are integers, and {caller} needs one column per class"
        fix = f"use {alternative!r}, or one-hot labels: lamina.utils.to_categorical(y, {pred[-1]})"
    elif one_per_sample:
        cause = f"there is one target per sample, and the model has {pred[-1]} outputs"
        fix = (
            f"for classes, y = lamina.utils.to_categorical(y, {pred[-1]}) with "
            "loss='categorical_crossentropy';\n  for a regression, end the model with Dense(1)"
        )
    elif true and pred in (true[:-1], (*true[:-1], 1)):
        cause = f"there are {true[-1]} targets per sample, and the model has one output"
        fix = f"end the model with Dense({true[-1]})"
    elif true[:1] != pred[:1] and true[1:] == pred[1:]:
        cause = "targets and predictions of different samples"
        fix = "check that inputs and targets were cut, shuffled and batched alike"
    elif len(true) != len(pred):
        cause, fix = _explain_different_rank(true, pred, true, pred)
    else:
        cause = "the last layer does not have one unit per target"
        fix = f"let the model end in shape {true}, or change the targets"
        if true[:-1] == pred[:-1]:
            fix = f"end the model with Dense({true[-1]})"
    return ValueError(
        f"{caller} compares y_true and y_pred number by number, and their shapes differ.\n"
        f"  Received: y_true of shape {true}, y_pred of shape {pred}.\n"
        f"  Likely cause: {cause}.\n"
        f"  Fix: {fix}."
    )


def _explain_different_rank(
    true: tuple, pred: tuple, target_end: tuple, target_shape: tuple
) -> tuple[str, str]:
    """Cause and fix for outputs and targets with different numbers of axes."""
    cause = "an axis is missing, or was not reduced"
    if len(pred) > 2 and len(true) <= 2:
        units = target_end[-1] if len(target_end) > 1 else 1
        dense_layer = f", and Dense({units}) as the last layer" if units != pred[-1] else ""
        return cause, f"lamina.layers.Flatten() before the last layer{dense_layer}"
    fix = f"let the model end in shape {target_end}"
    if math.prod(true) == math.prod(target_shape):
        fix += f", or y = y.reshape({(-1, *target_shape[1:])})"
    return cause, fix


def _label_error(
    true: tuple, pred: tuple, classes: int, expected: tuple, caller: str
) -> ValueError:
    if true == pred:
        cause = "the labels are one-hot"
        fix = f"use {_ONE_HOT_ALTERNATIVE[caller]!r}, or integers: y.argmax(axis=-1)"
    elif true[:1] != pred[:1] and len(true) in (len(pred), len(pred) - 1):
        cause = "labels and predictions of different samples"
        fix = "check that inputs and labels were cut, shuffled and batched alike"
    elif len(true) == len(pred):
        cause = f"one-hot labels of {true[-1]} classes for {classes} outputs"
        fix = (
            f"Dense({true[-1]}) as the last layer, and {_ONE_HOT_ALTERNATIVE.get(caller, caller)!r}"
        )
    else:
        cause, fix = _explain_different_rank(true, pred, (*true[:1], classes), expected)
    return ValueError(
        f"{caller} needs one whole-number label for each row of {classes} class scores.\n"
        f"  Received: y_true of shape {true}, y_pred of shape {pred}; labels of shape {expected} "
        "would fit.\n"
        f"  Likely cause: {cause}.\n"
        f"  Fix: {fix}."
    )


def _sample_shape(array: Any) -> str:
    """A shape as text without the batch size, so that a warning is shown only once."""
    return f"({', '.join(('samples', *map(str, array.shape[1:])))})"
