"""What can be known to be wrong before the first step is said before the first step."""

import sys
import warnings
from typing import Any

import jax
import numpy as np

from lamina import losses
from lamina.core.errors import LaminaWarning

_said: set[str] = set()


def warn_once(key: str, message: str, model: Any = None) -> None:
    """Say something once: in the life of a model, or of the process."""
    said = _said if model is None else vars(model).setdefault("_said", set())
    if key not in said:
        said.add(key)
        warnings.warn(message, LaminaWarning, stacklevel=_frames_to_user())


def _frames_to_user() -> int:
    """How many frames lie between here and the code that called Lamina."""
    frame: Any = sys._getframe(1)
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("lamina."):
        frame, level = frame.f_back, level + 1
    return level


def compiled(model: Any, what: str) -> None:
    """Refuse `fit` and its like before `compile`."""
    if not model.compiled:
        raise RuntimeError(
            f"Model {model.name!r} must be compiled before {what}().\n"
            "  Fix: model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', "
            "metrics=['accuracy']), with the loss that fits the task."
        )


def finite(structure: Any, what: str) -> None:
    """Refuse data with NaN or infinite numbers in it."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(structure):
        if not np.issubdtype(leaf.dtype, np.floating):
            continue
        # One sum is several times faster than a test of each number, and not finite if any is not.
        with np.errstate(all="ignore"):
            total = leaf.sum()
        if np.isfinite(total):
            continue
        broken = ~np.isfinite(np.asarray(leaf))
        count = int(broken.sum())
        if count == 0:
            continue  # the sum alone was too large
        first = tuple(int(i) for i in np.argwhere(broken)[0])
        name = what + jax.tree_util.keystr(path)
        value = np.asarray(leaf)[first]
        raise ValueError(
            f"{name} holds {count} number(s) that are NaN or infinite; the first is {value} at "
            f"{name}{list(first)}.\n"
            "  Likely cause: missing values in a table, or a division by zero.\n"
            f"  Fix: {name} = numpy.nan_to_num({name}), or leave those rows out."
        )


def targets(model: Any, y: Any, y_pred: Any) -> None:
    """Refuse targets that the losses would silently make nonsense of.

    Args:
        model: A compiled and prepared model.
        y: Targets on the host.
        y_pred: What the model gives, as arrays or shapes.
    """
    given = jax.tree.leaves(y)
    outputs = jax.tree.leaves(y_pred)
    if len(given) != len(outputs):
        return  # said by the objectives, with the names of the outputs
    for loss, target, output in zip(model._objectives._losses, given, outputs, strict=True):
        name = _loss_name(loss)
        if name == "sparse_categorical_crossentropy":
            _class_numbers(loss, target, output)
        elif name == "categorical_crossentropy":
            _one_hot(target, output)
        elif name == "binary_crossentropy":
            _between_zero_and_one(target)


def _class_numbers(loss: Any, y: Any, output: Any) -> None:
    classes = output.shape[-1]
    y = np.asarray(y)
    ignored = getattr(loss, "ignore_class", None)
    if ignored is not None:
        y = y[y != ignored]
    if not y.size:
        return
    low, high = y.min(), y.max()
    if low < 0 or high >= classes:
        fix = f"make the last layer Dense({int(high) + 1})" if low >= 0 else "number them from 0"
        if low == 1 and high == classes:
            fix = "y = y - 1 (they start at 1, and classes are counted from 0)"
        raise ValueError(
            f"The labels run from {low} to {high}, but the model's output has {classes} classes, "
            f"numbered 0 to {classes - 1}.\n"
            "  Likely cause: labels that do not start at 0, or an output layer of the wrong size.\n"
            f"  Fix: {fix}."
        )
    if np.issubdtype(y.dtype, np.floating) and np.any(y != np.round(y)):
        raise ValueError(
            f"sparse_categorical_crossentropy takes class numbers (0 to {classes - 1}) and "
            f"received fractions such as {y[y != np.round(y)].flat[0]}.\n"
            "  Likely cause: the task is a regression.\n"
            "  Fix: loss='mean_squared_error' and Dense(1) as the last layer."
        )


def _one_hot(y: Any, output: Any) -> None:
    if len(y.shape) == len(output.shape) and y.shape[-1] == output.shape[-1]:
        return
    rows = y.shape[0] if y.shape else 0
    raise ValueError(
        f"categorical_crossentropy takes one-hot labels of shape {(rows, *output.shape[1:])} and "
        f"received labels of shape {tuple(y.shape)}.\n"
        "  Likely cause: the labels are class numbers.\n"
        "  Fix: loss='sparse_categorical_crossentropy', or "
        f"y = lamina.utils.to_categorical(y, {output.shape[-1]})."
    )


def _between_zero_and_one(y: Any) -> None:
    y = np.asarray(y)
    if not y.size:
        return
    low, high = y.min(), y.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"binary_crossentropy takes labels between 0 and 1 and received {low} to {high}.\n"
            "  Likely cause: labels of -1 and 1, or more than two classes.\n"
            "  Fix: y = (y > 0), or Dense(classes, activation='softmax') with "
            "loss='sparse_categorical_crossentropy'."
        )


def logits(model: Any) -> None:
    """Refuse probabilities where a loss expects logits, and warn of the reverse."""
    final = _final_activations(model)
    for loss, activation in zip(model._objectives._losses, final, strict=False):
        name = _loss_name(loss)
        # A loss given by name has no such setting, and takes probabilities.
        from_logits = getattr(loss, "from_logits", False)
        if from_logits and activation in ("softmax", "sigmoid"):
            raise ValueError(
                f"The loss {name} was made with from_logits=True, but the last layer already "
                f"applies {activation}, so it would be applied twice and training would crawl.\n"
                f"  Fix: {type(loss).__name__}() without from_logits, or take the activation off "
                "the last layer."
            )
        if not from_logits and activation == "linear" and "crossentropy" in str(name):
            kind = "sigmoid" if "binary" in str(name) else "softmax"
            warn_once(
                "logits",
                f"The loss {name} expects probabilities, but the last layer of {model.name!r} has "
                f"no activation, so its outputs are logits.\n"
                f"  Fix: activation={kind!r} on the last layer, or from_logits=True in the loss.",
                model,
            )


def _final_activations(model: Any) -> list[str | None]:
    """Name of the activation of each output's layer; None where it cannot be known."""
    found: list[str | None] = []
    for tensor in model.outputs or []:
        layer = tensor.history.operation
        while hasattr(layer, "outputs") and getattr(layer, "outputs", None):  # a nested model
            layer = layer.outputs[0].history.operation
        if type(layer).__name__ == "Softmax":
            found.append("softmax")
            continue
        activation = getattr(layer, "activation", None)
        found.append(getattr(activation, "__name__", None))
    return found


def _loss_name(loss: Any) -> str | None:
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", None)
    known = getattr(losses, str(name), None)
    return name if known is function else None
