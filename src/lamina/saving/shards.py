"""Weights in several files of limited size, listed in a `.weights.json`, as in Keras 3.

big.weights.json                        {"metadata": …, "weight_map": {group: file or files}}
big_00000.weights.h5, big_00001 …       parts of the usual layout

The list and all shards of one save contain the same random id, so that shards of different saves
cannot be mixed.
"""

import contextlib
import json
import os
import secrets
from collections import ChainMap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lamina.saving import weights_file
from lamina.saving.atomic import atomic_write
from lamina.saving.hdf5 import HDF5_VERSIONS, DamagedFileError, explain_read_errors, write_array
from lamina.saving.weights_file import StoredWeights, arrays_of, as_bytes

if TYPE_CHECKING:
    from lamina.models.model import Model

SUFFIX = ".weights.json"
_MAX_LIST_BYTES = 64 * 2**20
_MAX_SHARDS = 10_000
_SAVE_ID = "saved_with"  # attribute of every file: the random id of the save

# Path of a group, name of its layer, and some of its arrays.
_LayerArrays = tuple[str, str, dict[str, np.ndarray]]


def write_shards(
    model: "Model", path: Path, max_shard_size: float | None, objects_to_skip: Iterable[Any]
) -> None:
    """Write all weights of a model.

    Args:
        model: A built model.
        path: Path of the list; the shards are written to the same folder.
        max_shard_size: Largest size of a shard in GiB.
        objects_to_skip: Layers whose weights are left out.
    """
    if not path.name.endswith(SUFFIX):
        raise ValueError(
            f"With max_shard_size the name must end in {SUFFIX!r}; received {str(path)!r}.\n"
            f"  Fix: save_weights({str(path.with_suffix('').with_suffix(SUFFIX))!r}, …)."
        )
    if max_shard_size is None or not max_shard_size > 0:
        raise ValueError(
            f"A list of shards needs max_shard_size, in GiB, above 0; received {max_shard_size!r}."
        )
    weight_map: dict[str, Any] = {}
    total = 0
    prefix = path.name.removesuffix(SUFFIX)
    save_id = secrets.token_hex(8)
    layer_arrays = arrays_of(model, objects_to_skip=objects_to_skip)
    for number, (size, shard) in enumerate(_split(layer_arrays, max_shard_size * 2**30)):
        name = f"{prefix}_{number:05}.weights.h5"
        total += size
        with atomic_write(path.with_name(name)) as file:
            file.write(as_bytes(lambda buffer: _write(shard, save_id, buffer)))  # noqa: B023
        for group, _, _ in shard:
            files = weight_map.get(f"/{group}")  # None, the name of a file, or a list of names
            names = files if isinstance(files, list) else [files]
            weight_map[f"/{group}"] = name if files is None else [*names, name]
    # Written last, so that the list never names a missing shard.
    content = {"metadata": {"total_size": total, _SAVE_ID: save_id}, "weight_map": weight_map}
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=4).encode())


def _split(
    layer_arrays: Iterator[_LayerArrays], max_size: float
) -> Iterator[tuple[int, list[_LayerArrays]]]:
    shard: list[_LayerArrays] = []
    size = 0
    for group, name, arrays in layer_arrays:
        for key, value in arrays.items():
            if value.nbytes > max_size:
                raise ValueError(
                    f"Weight {group}/{key} takes {value.nbytes / 2**30:.3g} GiB, more than a "
                    f"shard may.\n  Fix: max_shard_size={value.nbytes / 2**30 * 1.01:.3g} or more."
                )
            if shard and size + value.nbytes > max_size:
                yield size, shard
                shard, size = [], 0
            if not shard or shard[-1][0] != group:
                shard.append((group, name, {}))
            shard[-1][2][key] = value
            size += value.nbytes
    yield size, shard


def _write(shard: list[_LayerArrays], save_id: str, file: Any) -> None:
    with h5py.File(file, "w", libver=HDF5_VERSIONS) as h5:
        h5.attrs[_SAVE_ID] = save_id
        for path, name, arrays in shard:
            group = h5.create_group(path)
            group.attrs["name"] = name
            for key, value in arrays.items():
                write_array(group, key, value)


class StoredShards:
    """Several open weights files, used like one file."""

    def __init__(self, files: list[StoredWeights]):
        self._files = files
        self.size = sum(file.size for file in files)
        self.groups = set().union(*(file.groups for file in files))

    def group_at(self, path: str) -> "_GroupInShards":
        """The arrays of a group, from all files."""
        return _GroupInShards(path, *(file.group_at(path) for file in self._files))


class _GroupInShards(ChainMap[str, Any]):
    def __init__(self, path: str, *maps: Any):
        super().__init__(*maps)
        self.path = path


@contextlib.contextmanager
def open_shards(path: Path) -> Iterator[StoredShards]:
    """Open the shards in a list; each is checked like a separate weights file.

    Raises:
        DamagedFileError: If the list or a shard is damaged, or a shard is missing.
    """
    with contextlib.ExitStack() as stack:
        files = []
        names, save_id = _names_in(path)
        for name in names:
            shard = path.with_name(name)
            if not shard.is_file():
                raise DamagedFileError(
                    f"it lists {name!r}, which is not in the same folder.\n"
                    "  Fix: copy all files of the weights to one folder."
                )
            file = stack.enter_context(shard.open("rb"))
            size = os.fstat(file.fileno()).st_size
            stored = stack.enter_context(weights_file.open_weights(file, size))
            if save_id is not None and _save_id_of(stored.h5) != save_id:
                raise DamagedFileError(
                    f"it lists {name!r}, which was not saved together with it.\n"
                    "  Likely cause: an interrupted save, or a file of another save.\n"
                    "  Fix: copy all files of one save, or save again."
                )
            files.append(stored)
        yield StoredShards(files)


def _save_id_of(h5: h5py.File) -> Any:
    with explain_read_errors():
        return h5.attrs.get(_SAVE_ID)


def _names_in(path: Path) -> tuple[list[str], str | None]:
    """The names of the files in a list, and the id of its save."""
    invalid_list = DamagedFileError("it is not a list of the files of weights.")
    if path.stat().st_size > _MAX_LIST_BYTES:
        raise invalid_list
    try:
        content = json.loads(path.read_bytes())
        values = list(content["weight_map"].values())
        metadata = content.get("metadata")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise invalid_list from None
    listed = [name for value in values for name in (value if isinstance(value, list) else [value])]
    names = list(dict.fromkeys(str(name) for name in listed))
    for name in names:
        # The list is untrusted: it must not name files in other folders.
        if Path(name).name != name or not name.endswith(".h5") or len(names) > _MAX_SHARDS:
            raise DamagedFileError(
                f"it lists {name[:80]!r}, which is not a file in the same folder."
            )
    return names, metadata.get(_SAVE_ID) if isinstance(metadata, dict) else None
