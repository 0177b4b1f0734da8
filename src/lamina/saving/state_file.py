"""A file of nested plain data and arrays, in which `BackupAndRestore` stores the state of `fit`.

It is written completely or not at all, has checksums, and passes the same checks as a weights file.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np

from lamina.saving.atomic import atomic_write
from lamina.saving.hdf5 import HDF5_VERSIONS, DamagedFileError, write_array
from lamina.saving.weights_file import StoredGroup, as_bytes, open_weights

_ARRAY = "__array__"  # an array is replaced by a dict of this key and the index of the array


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write nested dicts (with string keys) and lists of numbers, strings and arrays.

    Raises:
        TypeError: If the state has values of other types.
        OSError: If it cannot be written; an older file stays intact.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_without_arrays(state, arrays)).encode()

    def write(file: Any) -> None:
        with h5py.File(file, "w", libver=HDF5_VERSIONS) as h5:
            write_array(h5, "state", np.frombuffer(text, np.uint8))
            group = h5.create_group("arrays")
            for i, array in enumerate(arrays):
                write_array(group, str(i), array)

    content = as_bytes(write)
    with atomic_write(path) as file:
        file.write(content)


def read_state(path: Path) -> dict[str, Any]:
    """Read a file written by `write_state`; tuples become lists.

    Raises:
        FileNotFoundError: If the file does not exist.
        DamagedFileError: If it is damaged, or another type of file.
    """
    content = path.read_bytes()
    try:
        with open_weights(io.BytesIO(content), len(content)) as stored:
            text = StoredGroup(stored.h5, "/")["state"].tobytes()
            arrays = StoredGroup(stored.h5, "arrays")
            state = _with_arrays(json.loads(text), arrays)
    except DamagedFileError as error:
        raise DamagedFileError(
            f"{path} is not a saved training state, or damaged: {error}"
        ) from None
    except (KeyError, ValueError, RecursionError):
        raise DamagedFileError(f"{path} is not a saved training state, or a damaged one.") from None
    if not isinstance(state, dict):
        raise DamagedFileError(f"{path} is not a saved training state.")
    return state


def _without_arrays(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, Mapping):
        invalid_keys = [key for key in value if not isinstance(key, str)]
        if invalid_keys:
            raise TypeError(f"The keys of a state are strings; received {invalid_keys[0]!r}.")
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.ndarray, jax.Array)):
        arrays.append(np.asarray(value))
        return {_ARRAY: len(arrays) - 1}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(
        f"A state holds numbers, texts, arrays, lists and dicts; received {value!r}.\n"
        "  Likely cause: the get_state() or state_names of a callback."
    )


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_ARRAY]:
        return arrays[str(value[_ARRAY])]
    return {key: _with_arrays(item, arrays) for key, item in value.items()}
