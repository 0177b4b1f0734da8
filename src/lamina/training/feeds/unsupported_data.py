"""Errors for arguments that are not arrays of numbers, with the code that converts them."""

import os
import types
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from lamina.core.user_data.masked_arrays import remove_mask

_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, partial)


def refuse_unsupported_data(value: Any, what: str) -> None:
    """Refuse a function, class, path, iterator or the like; the error shows the missing step.

    Args:
        value: The value that the user passed.
        what: Name for messages: `"x"`, `"y"`.

    Raises:
        TypeError: If `value` is one of them.
    """
    if isinstance(value, _FUNCTIONS):
        name = getattr(value, "__name__", "") or type(value).__name__
        raise TypeError(
            f"{what} is the function {name!r} itself, not its result.\n  Fix: {what} = {what}()."
        )
    if isinstance(value, type):
        raise TypeError(
            f"{what} is the class {value.__name__} itself, not an object of it.\n"
            f"  Fix: {what} = {value.__name__}(…)."
        )
    if is_path(value) or isinstance(value, str):
        raise TypeError(
            f"{what} is text or a path, {str(value)[:60]!r}, instead of numbers.\n"
            f"  Likely cause: the name of a file in place of its contents.\n"
            f"  Fix: read the file first, e.g. {what} = pandas.read_csv({what})."
        )
    if hasattr(value, "dense_shape") and hasattr(value, "indices"):
        raise TypeError(
            f"{what} is a {type(value).__name__} of TensorFlow, and a network takes dense arrays.\n"
            f"  Fix: {what} = tensorflow.sparse.to_dense({what})."
        )
    if hasattr(value, "row_splits") and hasattr(value, "to_tensor"):
        raise TypeError(
            f"{what} is a {type(value).__name__} of TensorFlow, whose rows differ in length.\n"
            f"  Fix: {what} = {what}.to_tensor()."
        )
    if isinstance(value, (set, frozenset)):
        raise TypeError(
            f"{what} is a {type(value).__name__}, whose items have no order, so they cannot be "
            f"matched to samples.\n  Fix: {what} = sorted({what})."
        )
    if isinstance(value, Iterable) and not hasattr(value, "__getitem__"):
        if hasattr(value, "__array__") or hasattr(value, "to_numpy"):
            return
        raise TypeError(
            f"{what} is a {type(value).__name__}, which is an iterable and not an array.\n"
            f"  Fix: {what} = numpy.array(list({what}))."
        )


def ragged_error(what: str) -> ValueError:
    """The error for rows that differ in length."""
    return ValueError(
        f"{what} is a list whose rows differ in length, so it is not an array.\n"
        "  Fix: pad the rows to one length, or crop them to the shortest length:\n"
        f"  {what} = [row[:min(map(len, {what}))] for row in {what}]"
    )


def sample_iterator_error(value: Any, what: str) -> TypeError:
    """The error for an object that returns samples by index, such as PyTorch's data sets."""
    return TypeError(
        f"{what} is a {type(value).__name__}, which returns one sample at a time and is "
        "not an array.\n"
        "  Fix, if they are pairs of sample and label:\n"
        f"  x, y = map(numpy.stack, zip(*({what}[i] for i in range(len({what})))))"
    )


def is_path(value: Any) -> bool:
    """Whether a value is the path of a file: a `PathLike`, or text with a file extension."""
    if isinstance(value, str):
        return " " not in value and bool(os.path.splitext(value)[1])
    return isinstance(value, os.PathLike)


def to_supported_array(value: np.ndarray, what: str) -> np.ndarray:
    """Convert an array to one that JAX supports: without mask, in native byte order.

    Raises:
        TypeError: For record arrays.
        ValueError: For masked arrays with masked values.
    """
    mask_line = f"keep = ~numpy.ma.getmaskarray({what}).reshape(len({what}), -1).any(axis=1)"
    fill_line = f"\n  or put 0 there: {what} = {what}.filled(0)" if what == "x" else ""
    fix = f"leave those rows out:\n  {mask_line}\n  x, y = x[keep], y[keep]{fill_line}"
    value = remove_mask(value, what, fix)
    if value.dtype.names:
        raise TypeError(
            f"{what} is a record array with the fields "
            f"{', '.join(map(repr, value.dtype.names))}, and a network takes a row of numbers.\n"
            f"  Fix: {what} = numpy.stack([{what}[name] for name in {what}.dtype.names], axis=-1)."
        )
    if value.dtype.kind == "f" and value.dtype.itemsize > 8:
        value = value.astype(np.float64)
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    return value


def refuse_text(value: np.ndarray, what: str) -> None:
    """Refuse an array of words, or of words and numbers."""
    words = [part for part in value.reshape(-1) if not _is_number(part)]
    if not words:
        words = [*value.reshape(-1)[:1]]
    first, fix = str(words[0])[:40] if words else "", _text_advice(value, words, what)
    raise TypeError(
        f"{what} holds text or objects (for example {first!r}), and a network computes with "
        f"numbers.\n{fix}"
    )


def _text_advice(value: np.ndarray, words: list[Any], what: str) -> str:
    """The likely cause, and the code that converts the text."""
    if value.ndim > 1 and value.dtype.kind == "O" and len(words) < value.size:
        return (
            "  Likely cause: a table with columns of words.\n"
            f"  Fix: {what} = pandas.get_dummies(pandas.DataFrame({what}).infer_objects()) makes a "
            "column of 0 and 1 for each word."
        )
    if words and all(isinstance(word, (str, bytes)) and _reads_as_number(word) for word in words):
        kind = "int32" if all(str(_to_str(word)).strip("+- ").isdigit() for word in words) else (
            "float32"
        )  # fmt: skip
        return (
            "  Likely cause: numbers that were read from a file as text.\n"
            f"  Fix: {what} = numpy.asarray({what}, {kind!r})."
        )
    text = f"{what}" if value.dtype.kind != "O" else f"numpy.asarray({what}, str)"
    return (
        "  Likely cause: class names instead of class indices, or a column of words.\n"
        f"  Fix: names, {what} = numpy.unique({text}, return_inverse=True) turns names into "
        "numbers."
    )


def _is_number(part: Any) -> bool:
    return isinstance(part, (bool, int, float, complex, np.number, np.bool_))


def _to_str(word: Any) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def _reads_as_number(word: Any) -> bool:
    try:
        return bool(np.isfinite(float(_to_str(word))))
    except ValueError:
        return False
