"""Reads the pickles in CIFAR, IMDB and Reuters without running code from them.

A pickle is a small program that can call any function by name. These files need only three names,
all from NumPy. The reader below replaces each by a class or function of this module that only
stores its arguments, and refuses all other names. The arrays are made afterwards.
"""

import io
import math
import pickle
from typing import Any

import numpy as np

from lamina.core.messages.messages import escape_control_characters


def read_pickle(contents: bytes) -> Any:
    """Read a pickle of lists, dictionaries, text, numbers and arrays.

    Strings of Python 2 become bytes.

    Raises:
        ValueError: If the pickle names anything else, or is damaged.
    """
    try:
        return _to_plain_values(_Reader(io.BytesIO(contents), encoding="bytes").load(), {})
    except _RefusedError:
        raise
    except Exception as error:  # damaged bytes fail in as many ways as there are bytes
        reason = escape_control_characters(str(error))[:200] or type(error).__name__
        raise ValueError(f"it is not a pickle, or a damaged one ({reason})") from None


class _RefusedError(ValueError):
    """A pickle uses a name that no data set needs."""


def read_npy(contents: bytes, pickled: bool = True) -> np.ndarray:
    """The array of an `.npy` file.

    Args:
        contents: The file.
        pickled: Whether it may be one of objects, which NumPy keeps as a pickle.

    Raises:
        ValueError: As `read_pickle`.
    """
    try:
        return _array_in(contents, pickled)
    except ValueError:
        raise
    except Exception as error:  # NumPy reads the head as Python's own syntax
        reason = escape_control_characters(str(error))[:200] or type(error).__name__
        raise ValueError(f"it is not an array of NumPy, or a damaged one ({reason})") from None


def _array_in(contents: bytes, pickled: bool) -> np.ndarray:
    file = io.BytesIO(contents)
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"version {version} of .npy files is not known here")
    shape, _, dtype = read_header(file)
    if dtype.hasobject and not pickled:
        raise ValueError("it holds a pickle of Python objects, and this data set has none")
    if dtype.hasobject:
        array = read_pickle(file.read())
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ValueError(
                f"its pickle is not the array of shape {shape} that its header declares"
            )
        return array
    declared, available = math.prod(shape) * dtype.itemsize, len(contents) - file.tell()
    if declared != available:
        raise ValueError(f"it holds {available:,} bytes, and its header declares {declared:,}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


class _Dtype:
    """Replaces `numpy.dtype`: stores the code, such as `u1`, and the byte order."""

    def __init__(self, code: Any, *_: Any):
        self.code = code.decode("ascii") if isinstance(code, bytes) else str(code)
        self.order = "|"

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else str(order)


class _Array:
    """Replaces `numpy.ndarray`: stores the arguments for the array."""

    def __init__(self, *_: Any):
        self.state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def to_array(self, known: dict[int, Any]) -> np.ndarray:
        """The array; see `_to_plain_values`."""
        _, shape, dtype, by_columns, values = self.state
        if isinstance(values, list):
            flat = np.empty(len(values), dtype=object)
            for i, value in enumerate(values):
                flat[i] = _to_plain_values(value, known)
        elif dtype.code[:1] in "biuf":
            flat = np.frombuffer(values, np.dtype(dtype.code).newbyteorder(dtype.order)).copy()
        else:
            raise ValueError(f"it holds an array of type {dtype.code!r}")
        return flat.reshape(shape, order="F" if by_columns else "C")


def _make_array(*_: Any) -> _Array:
    return _Array()


def _to_bytes(text: str, coding: str) -> bytes:
    """Bytes as Python 3 writes them into pickles that Python 2 can read."""
    return text.encode("latin-1")


_KNOWN = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _make_array,
    ("numpy._core.multiarray", "_reconstruct"): _make_array,
    ("_codecs", "encode"): _to_bytes,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            class_name = escape_control_characters(f"{module}.{name}")[:200]
            raise _RefusedError(
                f"it asks for {class_name}, which no data set needs; it was not run"
            )
        return _KNOWN[module, name]


def _to_plain_values(value: Any, known: dict[int, Any]) -> Any:
    """A value with real arrays in it.

    Args:
        value: Result of the reader.
        known: Results for earlier values, by id. A small pickle may contain the same list so often
            that it could not be copied each time.
    """
    if not isinstance(value, (_Array, list, dict)):
        return value
    if id(value) not in known:
        if isinstance(value, _Array):
            known[id(value)] = value.to_array(known)
        elif isinstance(value, dict):
            known[id(value)] = {key: _to_plain_values(item, known) for key, item in value.items()}
        else:
            # Reviews are long lists of integers, which need no conversion.
            are_integers = all(type(v) is int for v in value)
            known[id(value)] = (
                value if are_integers else [_to_plain_values(v, known) for v in value]
            )
    return known[id(value)]
