"""Errors for labels that do not match the loss, with the likely cause and the fix."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.types import Outputs, Shape, Targets

_BINARY_FIX = "Dense(1, activation='sigmoid') as the last layer, and loss='binary_crossentropy'"
_REGRESSION_FIX = "loss='mean_squared_error' and Dense(1) as the last layer"
_SPARSE_FIX = "loss='sparse_categorical_crossentropy'"
_NUMBERING_FIX = "y = numpy.unique(y, return_inverse=True)[1]"


def check_class_indices(loss: Any, y: Targets, output: Outputs, prefix: str) -> None:
    """Refuse labels that are not class indices in the range of the output.

    Args:
        loss: A sparse categorical crossentropy.
        y: Labels of one output, on the host.
        output: The output, of which only the shape is used.
        prefix: Prefix of the message, such as `"validation_data: "`.
    """
    classes = output.shape[getattr(loss, "axis", -1)]
    y = np.asarray(y)
    ignored = getattr(loss, "ignore_class", None)
    if ignored is not None:
        y = y[y != ignored]
    if not y.size:
        return
    if has_fractions(y):
        raise ValueError(
            f"{prefix}sparse_categorical_crossentropy takes class indices (0 to {classes - 1}) and "
            f"received fractions such as {y[y != np.round(y)].flat[0]}.\n"
            "  Likely cause: the task is a regression.\n"
            f"  Fix: {_REGRESSION_FIX}."
        )
    low, high = (int(bound) for bound in (y.min(), y.max()))
    if low < 0 or high >= classes:
        cause, fix = _explain_wrong_integers(loss, y, classes)
        if prefix and "last layer" not in fix:
            cause, fix = "other labels than in training", "number them as in training"
        raise ValueError(
            f"{prefix}the labels run from {low} to {high}, but the model's output has {classes} "
            f"class{'' if classes == 1 else 'es'}, numbered 0 to {classes - 1}.\n"
            f"  Likely cause: {cause}.\n"
            f"  Fix: {fix}."
        )


def _explain_wrong_integers(loss: Any, y: np.ndarray, classes: int) -> tuple[str, str]:
    """The likely cause and the fix, for integers that are not class indices."""
    labels = np.unique(y)
    low, high = int(labels[0]), int(labels[-1])
    if classes == 1 and low >= 0 and high <= 1:
        return "one output, which is the probability of the second of two classes", _BINARY_FIX
    if low == 1 and high == classes:
        return "labels that start at 1; classes are counted from 0", "y = y - 1"
    if len(labels) <= classes:
        return "labels that are not numbered from 0", _NUMBERING_FIX
    if low < 0 and len(labels) == classes + 1 and labels[1] >= 0 and high < classes and classes > 1:
        logits = ", from_logits=True" if getattr(loss, "from_logits", False) else ""
        return (
            f"{low} marks samples without a label",
            f"loss=lamina.losses.SparseCategoricalCrossentropy(ignore_class={low}{logits}).\n"
            f"  If {low} is a class like the others: {_NUMBERING_FIX}, and "
            f"{_last_layer(loss, len(labels))}",
        )
    if len(labels) > max(20, y.size // 2):
        return "the task is a regression", _REGRESSION_FIX
    if low < 0 or high >= 2 * len(labels):
        cause = "labels that are not numbered from 0, and an output layer of the wrong size"
        return cause, f"{_NUMBERING_FIX}, and {_last_layer(loss, len(labels))}"
    return "an output layer of the wrong size", _last_layer(loss, high + 1)


def check_one_hot(loss: Any, y: Targets, output: Outputs, prefix: str) -> None:
    """Refuse labels without one column per class; arguments as in `check_class_indices`."""
    classes = output.shape[-1]
    if len(y.shape) == len(output.shape) and y.shape[-1] == classes:
        return
    cause, fix = _explain_not_one_hot(loss, np.asarray(y), tuple(output.shape))
    raise ValueError(
        f"{prefix}categorical_crossentropy takes one-hot labels of shape "
        f"{format_shape(tuple(output.shape))} and received labels of shape {tuple(y.shape)}.\n"
        f"  Likely cause: {cause}.\n"
        f"  Fix: {fix}."
    )


def _explain_not_one_hot(loss: Any, y: np.ndarray, output: tuple[int, ...]) -> tuple[str, str]:
    classes = output[-1]
    columns = y.shape[-1] if y.ndim > 1 else 1
    is_one_hot = y.ndim == 2 and columns > 1 and bool(np.all(y.sum(-1) == 1) and y.min() >= 0)
    if y.size and has_fractions(y) and columns == 1:
        return "the task is a regression", _REGRESSION_FIX
    if len(output) > max(2, y.ndim) and (is_one_hot or y.ndim == 1 or columns == 1):
        units = columns if is_one_hot else int(np.max(y, initial=0)) + 1
        fix = f"lamina.layers.Flatten() before the last layer, and {_last_layer(loss, units)}"
        if not is_one_hot:
            fix += f",\n  with {_SPARSE_FIX}"
        return "the model's output has one axis too many, because a Flatten is missing", fix
    if y.ndim == len(output) and columns > 1:
        return "an output layer of the wrong size", _last_layer(loss, columns)
    low, high = int(np.min(y, initial=0)), int(np.max(y, initial=0))
    if classes == 1:
        if low >= 0 and high <= 1:
            return "one output, which is the probability of the second of two classes", _BINARY_FIX
        return "the labels are class indices", f"{_last_layer(loss, high + 1)}, and {_SPARSE_FIX}"
    if low >= 0 and high < classes:
        fix = f"y = lamina.utils.to_categorical(y, {classes}), or {_SPARSE_FIX}"
        return "the labels are class indices", fix
    cause, fix = _explain_wrong_integers(loss, y, classes)
    return f"the labels are class indices, and {cause}", f"{_SPARSE_FIX}, and {fix}"


def check_between_zero_and_one(loss: Any, y: Targets, output: Outputs, prefix: str) -> None:
    """Refuse targets of a binary crossentropy outside 0 to 1.

    The arguments are as in `check_class_indices`.
    """
    y = np.asarray(y)
    if not y.size:
        return
    low, high = y.min(), y.max()
    if low >= 0 and high <= 1:
        return
    cause, fix = _explain_not_binary(loss, y, tuple(output.shape))
    raise ValueError(
        f"{prefix}binary_crossentropy takes labels between 0 and 1 and received {low:g} to "
        f"{high:g}.\n  Likely cause: {cause}.\n  Fix: {fix}."
    )


def _explain_not_binary(loss: Any, y: np.ndarray, output: tuple[int, ...]) -> tuple[str, str]:
    low, high = y.min(), y.max()
    labels = np.unique(y)
    if len(labels) == 2:
        return f"labels such as {low:g} and {high:g}", f"y = y > {low:g}"
    if len(output) > 1 and output[-1] > 1 or len(output) > 2:
        if low >= 0 and high <= 255:
            return "pixels from 0 to 255", "y = y / 255"
        return "targets that are not scaled", "y = (y - y.min()) / (y.max() - y.min())"
    if has_fractions(y) or len(labels) > 20:
        return "the task is a regression", _REGRESSION_FIX
    is_numbered = low == 0 and high < 2 * len(labels)
    units = int(high) + 1 if is_numbered else len(labels)
    sparse = _SPARSE_FIX
    if getattr(loss, "from_logits", False):
        sparse = "loss=lamina.losses.SparseCategoricalCrossentropy(from_logits=True)"
    fix = f"{_last_layer(loss, units)}, and {sparse}"
    return "more than two classes", fix if is_numbered else f"{_NUMBERING_FIX},\n  with {fix}"


def has_fractions(y: np.ndarray) -> bool:
    """Whether some numbers are not integers."""
    return bool(jnp.issubdtype(y.dtype, jnp.floating) and np.any(y != np.round(y)))


def _last_layer(loss: Any, units: int) -> str:
    """`Dense(3, activation='softmax') as the last layer`."""
    softmax = "" if getattr(loss, "from_logits", False) else ", activation='softmax'"
    return f"Dense({units}{softmax}) as the last layer"


def format_shape(shape: Shape) -> str:
    """`(samples, 28, 28)` for `(None, 28, 28)`."""
    sizes = ["samples" if i == 0 and s is None else str(s) for i, s in enumerate(shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
