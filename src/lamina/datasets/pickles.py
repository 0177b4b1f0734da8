"""Reading the pickles inside CIFAR, IMDB and Reuters without running what a pickle may say.

A pickle is a small program: it can call whatever its reader finds for the names in it. These
files need three names, all from NumPy, and the reader below answers each with a class or function
of this module that only notes its arguments. Arrays are put together afterwards, from plain lists
and bytes; any other name is refused.
"""

import io
import pickle
from typing import Any

import numpy as np


def read_pickle(contents: bytes) -> Any:
    """What a pickle holds: lists, dictionaries, text, numbers, and arrays of these.

    Strings of Python 2 come as bytes.

    Raises:
        ValueError: If the pickle names anything else, or is damaged.
    """
    try:
        return _plain(_Reader(io.BytesIO(contents), encoding="bytes").load())
    except ValueError:
        raise
    except Exception as error:  # damaged bytes fail in as many ways as there are bytes
        raise ValueError(f"it is not a pickle, or a damaged one ({error})") from error


def read_npy(contents: bytes) -> np.ndarray:
    """The array of an `.npy` file, also one of objects, which NumPy keeps as a pickle.

    Raises:
        ValueError: As `read_pickle`.
    """
    file = io.BytesIO(contents)
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"version {version} of .npy files is not known here")
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        array = read_pickle(file.read())
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ValueError(f"its pickle is not the array of shape {shape} that its head promises")
        return array
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


class _Dtype:
    """Stands in for `numpy.dtype`: remembers the code, such as `u1`, and the byte order."""

    def __init__(self, code: Any, *_: Any):
        self.code = code.decode("ascii") if isinstance(code, bytes) else str(code)
        self.order = "|"

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else str(order)


class _Array:
    """Stands in for `numpy.ndarray`: remembers what it was to be made of."""

    def __init__(self, *_: Any):
        self.state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def made(self) -> np.ndarray:
        """The array."""
        _, shape, dtype, by_columns, values = self.state
        if isinstance(values, list):
            flat = np.empty(len(values), dtype=object)
            for place, value in enumerate(values):
                flat[place] = _plain(value)
        elif dtype.code[:1] in "biuf":
            flat = np.frombuffer(values, np.dtype(dtype.code).newbyteorder(dtype.order)).copy()
        else:
            raise ValueError(f"it holds an array of type {dtype.code!r}")
        return flat.reshape(shape, order="F" if by_columns else "C")


def _reconstructed(*_: Any) -> _Array:
    return _Array()


def _encoded(text: str, coding: str) -> bytes:
    """Bytes as Python 3 writes them into pickles that Python 2 can read."""
    return text.encode("latin-1")


_KNOWN = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _reconstructed,
    ("numpy._core.multiarray", "_reconstruct"): _reconstructed,
    ("_codecs", "encode"): _encoded,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(
                f"it asks for {module}.{name}, which no data set needs; it was not run"
            )
        return _KNOWN[module, name]


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.made()
    if isinstance(value, list):
        # Reviews are lists of thousands of numbers; only other things need a look.
        return value if all(type(v) is int for v in value) else [_plain(v) for v in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
