"""Folders of checkpoints in the format of Orbax, as `OrbaxCheckpoint` writes them.

Of an array that is divided over devices, each process writes its own parts, and reads those that it
needs, which may be divided in another way. Orbax's metadata list the parts.

Orbax has no checksums for large arrays. Lamina stores its own as an additional item of the
checkpoint. Folders without them can be read, too.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lamina.core import processes
from lamina.saving.hdf5 import DamagedFileError, checksum, damaged_error
from lamina.saving.weights_file import WeightsMismatchError

if TYPE_CHECKING:
    from lamina.models.model import Model

CHECKSUMS = "checksums"
# Files that only a folder of a checkpoint has.
_MARKER_FILES = ("orbax.checkpoint", "pytree.orbax-checkpoint", "checkpoint_metadata", "pytree")


def orbax() -> Any:
    """Orbax's module; an ImportError with the command to install it if it is missing."""
    try:
        # An optional package that is slow to import.
        from orbax.checkpoint import v1
    except ImportError:
        raise ImportError(
            "Checkpoints of Orbax need the orbax-checkpoint package.\n"
            "  Fix: pip install 'lamina[orbax]'"
        ) from None
    return v1


def latest_checkpoint(path: Path) -> Path | None:
    """The folder itself if it is a checkpoint, or the latest checkpoint in it, or None."""
    if not path.is_dir():
        return None
    names = [p.name for p in path.iterdir()]
    if any(name in names for name in _MARKER_FILES):
        return path
    steps = [path / name for name in names if name.isdigit()]
    complete = [
        p for p in steps if p.is_dir() and any((p / marker).exists() for marker in _MARKER_FILES)
    ]
    return max(complete, key=lambda p: int(p.name), default=None)


def config_in(checkpoint: Path) -> str:
    """The architecture as JSON.

    Raises:
        DamagedFileError: If there is none.
    """
    ocp = orbax()
    try:
        loaded = ocp.load_checkpointables(checkpoint, {"model_config": None})
        config = str(loaded["model_config"]["config"])
    except Exception:
        raise DamagedFileError(
            f"{checkpoint} holds no architecture, only weights, or is damaged.\n"
            "  Fix: make the model and call model.load_weights(folder)."
        ) from None
    expected_checksums = _checksums_in(checkpoint)
    if expected_checksums is not None and expected_checksums.get("") != zlib.crc32(config.encode()):
        raise _damaged_error(checkpoint, "model_config")
    return config


def shapes_in(checkpoint: Path) -> dict[str, Any]:
    """Shape and type of every array, without reading one."""
    try:
        shapes = orbax().pytree_metadata(checkpoint, checkpointable_name="pytree").metadata
    except Exception:
        shapes = None
    if not isinstance(shapes, Mapping):
        raise DamagedFileError(f"{checkpoint} is not a complete checkpoint of Orbax.")
    return dict(shapes)


def size_of(shapes: Mapping[str, Any]) -> int:
    """Bytes of all arrays."""
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(shapes))


def read_checkpoint(model: "Model", checkpoint: Path) -> None:
    """Load the arrays into a model, after a check that their shapes are those of the model.

    Raises:
        WeightsMismatchError: If they do not fit.
        DamagedFileError: If one is damaged.
    """
    shapes = shapes_in(checkpoint)
    stored = _flatten_by_path(shapes, model.name)
    state_tree = model.get_state_tree()
    variables = _flatten_by_path(state_tree, model.name)
    for path, variable in variables.items():
        shape, stored_shape = tuple(variable.shape), getattr(stored.get(path), "shape", None)
        is_weight = path[0] in ("trainable_variables", "non_trainable_variables")
        stored_shape = None if stored_shape is None else tuple(stored_shape)
        if stored_shape != shape and (is_weight or stored_shape is not None):
            raise WeightsMismatchError(
                f"{checkpoint}: weight {'/'.join(path)} has shape {shape} in the model and "
                f"{'none' if stored_shape is None else stored_shape} in the checkpoint."
            )
    try:
        wanted = _wanted(shapes, variables, model.name)
        loaded = orbax().load_checkpointables(checkpoint, {"pytree": wanted})["pytree"]
    except Exception:
        raise _damaged_error(checkpoint, "pytree") from None
    _verify_checksums(checkpoint, loaded)
    values = _flatten_by_path(loaded, model.name)
    model.set_state_tree({group: _select_saved(tree, values, model.name, group)
                          for group, tree in state_tree.items()})  # fmt: skip


def as_saved(value: jax.Array) -> Any:
    """What is given to Orbax: an array that is divided over devices, or a copy on the host."""
    # A copy, because the next training step reuses the memory of the array. It copies an array that
    # it finds in use, as a divided one is here.
    return np.array(value) if value.is_fully_replicated else value


def checksums(tree: Mapping[str, Any], config: str | None = None) -> dict[str, str]:
    """The additional item of a checkpoint: checksums of all arrays and of the architecture.

    Of an array that is divided over devices, each part has one. All processes must call it.

    Args:
        tree: Nested dicts of arrays from `as_saved`.
        config: The architecture as JSON, if it is saved.
    """
    leaves = dict(_leaves(tree, ""))
    checksum_of: dict[str, Any] = {
        path: int(checksum(value)) for path, value in leaves.items() if not _is_divided(value)
    }
    checksum_of.update(
        _checksums_of_parts({path: a for path, a in leaves.items() if _is_divided(a)})
    )
    if config is not None:
        checksum_of[""] = zlib.crc32(config.encode())
    return {"crc32": json.dumps(checksum_of)}


def _checksums_of_parts(divided: Mapping[str, jax.Array]) -> dict[str, list[Any]]:
    """For each array pairs of the bounds of a part, `[[start, stop], …]`, and its checksum."""
    parts = [
        (path, bounds)
        for path, array in divided.items()
        for bounds in dict.fromkeys(_bounds_of_devices(array).values())
    ]
    own = np.zeros(len(parts), np.uint32)
    positions = {part: i for i, part in enumerate(parts)}
    for path, array in divided.items():
        bounds_of = _bounds_of_devices(array)
        for shard in array.addressable_shards:
            own[positions[path, bounds_of[shard.device]]] = checksum(np.asarray(shard.data))
    # A process knows the checksums of its own parts, and has 0 for others.
    checksums_of_all = processes.gather(own).max(axis=0)
    found: dict[str, list[Any]] = {path: [] for path in divided}
    for (path, bounds), value in zip(parts, checksums_of_all, strict=True):
        found[path].append([bounds, int(value)])
    return found


def _bounds_of_devices(array: jax.Array) -> dict[Any, tuple[tuple[int, int], ...]]:
    """The bounds of the part of each device."""
    indices = array.sharding.devices_indices_map(array.shape)
    return {device: _bounds(index, array.shape) for device, index in indices.items()}


def _bounds(index: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(axis.indices(size)[:2] for axis, size in zip(index, shape, strict=True))


def _is_divided(array: Any) -> bool:
    return isinstance(array, jax.Array) and not array.is_fully_replicated


def _wanted(
    shapes: Mapping[str, Any], variables: Mapping[tuple[str, ...], Any], name: str
) -> dict[str, Any] | None:
    """What Orbax is to return for each array: one divided as in the model, or one on the host."""
    leaves = jax.tree.leaves(shapes)
    if not all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves):
        return None  # not only arrays: as they were saved
    path_at = {keys: path for path, (keys, _) in _flat(shapes, name).items()}

    def wanted(keys: tuple[Any, ...], stored: Any) -> Any:
        value = variables.get(path_at[tuple(str(key.key) for key in keys)])
        if value is not None and _is_divided(value) and value.dtype == stored.dtype:
            return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=value.sharding)
        return np.broadcast_to(np.zeros((), stored.dtype), stored.shape)  # takes no memory

    tree: dict[str, Any] = jax.tree_util.tree_map_with_path(wanted, dict(shapes))
    return tree


def _checksums_in(checkpoint: Path) -> dict[str, Any] | None:
    if not (checkpoint / CHECKSUMS).is_dir():
        return None
    try:
        loaded = orbax().load_checkpointables(checkpoint, {CHECKSUMS: None})
        return dict(json.loads(loaded[CHECKSUMS]["crc32"]))
    except Exception:
        raise _damaged_error(checkpoint, CHECKSUMS) from None


def _verify_checksums(checkpoint: Path, tree: Mapping[str, Any]) -> None:
    expected_checksums = _checksums_in(checkpoint)
    if expected_checksums is None:
        return
    expected_checksums.pop("", None)
    for path, value in _leaves(tree, ""):
        if not _has_checksum(value, expected_checksums.pop(path, None)):
            raise _damaged_error(checkpoint, path)
    for path in expected_checksums:
        raise _damaged_error(checkpoint, path)


def _has_checksum(value: Any, expected: Any) -> bool:
    """Whether a loaded array, or each of its parts that this process has whole, is intact."""
    if not isinstance(expected, list):
        # Of an array that was saved whole, and is divided now, each process has a part only.
        return _is_divided(value) or expected == int(checksum(np.asarray(value)))
    pieces = [(tuple((0, size) for size in value.shape), value)]
    if _is_divided(value):
        pieces = [(_bounds(s.index, value.shape), s.data) for s in value.addressable_shards]
    return all(
        int(checksum(np.asarray(piece)[_within(bounds, outer)])) == number
        for outer, piece in pieces
        for bounds, number in expected
        if all(a <= b and d <= c for (a, c), (b, d) in zip(outer, bounds, strict=True))
    )


def _within(bounds: Any, outer: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    return tuple(slice(b - a, d - a) for (a, _), (b, d) in zip(outer, bounds, strict=True))


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, Mapping):
        yield path, tree
        return
    for key, value in tree.items():
        yield from _leaves(value, f"{path}/{key}" if path else str(key))


def _damaged_error(checkpoint: Path, where: str) -> DamagedFileError:
    return DamagedFileError(f"{checkpoint}: {damaged_error(where)}")


def _select_saved(tree: Any, values: Mapping[tuple[str, ...], Any], name: str, group: str) -> Any:
    """The part of a state tree of the model for which the checkpoint has values."""
    arrays: dict[str, Any] = {}
    for path, (keys, _) in _flat(tree, name, (group,)).items():
        if path in values:
            target = arrays
            for key in keys[:-1]:
                target = target.setdefault(key, {})
            target[keys[-1]] = values[path]
    return arrays


def _flatten_by_path(tree: Any, name: str) -> dict[tuple[str, ...], Any]:
    return {path: value for path, (_, value) in _flat(tree, name).items()}


def _flat(
    tree: Any, name: str, start: tuple[str, ...] = ()
) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Leaves by their path without the name of the model, with the original keys.

    The paths of weights of a loaded model do not have the model's name.
    """
    flat: dict[tuple[str, ...], tuple[tuple[str, ...], Any]] = {}

    def visit(part: Any, path: tuple[str, ...], keys: tuple[str, ...]) -> None:
        if not isinstance(part, Mapping):
            flat[path] = (keys, part)
            return
        for key, value in part.items():
            short_key = "" if str(key) == name else str(key).removeprefix(f"{name}_")
            visit(value, (*path, short_key) if short_key else path, (*keys, str(key)))

    visit(tree, start, ())
    return flat
