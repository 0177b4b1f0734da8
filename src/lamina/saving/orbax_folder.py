"""Folders of checkpoints in the format of Orbax, as `OrbaxCheckpoint` writes them.

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
    stored = _flatten_by_path(shapes_in(checkpoint), model.name)
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
        loaded = orbax().load_checkpointables(checkpoint, {"pytree": None})["pytree"]
    except Exception:
        raise _damaged_error(checkpoint, "pytree") from None
    _verify_checksums(checkpoint, loaded)
    values = _flatten_by_path(loaded, model.name)
    model.set_state_tree({group: _select_saved(tree, values, model.name, group)
                          for group, tree in state_tree.items()})  # fmt: skip


def checksums(tree: Mapping[str, Any], config: str | None = None) -> dict[str, str]:
    """The additional item of a checkpoint: checksums of all arrays and of the architecture.

    Args:
        tree: Nested dicts of arrays.
        config: The architecture as JSON, if it is saved.
    """
    checksum_of = {path: int(checksum(value)) for path, value in _leaves(tree, "")}
    if config is not None:
        checksum_of[""] = zlib.crc32(config.encode())
    return {"crc32": json.dumps(checksum_of)}


def _checksums_in(checkpoint: Path) -> dict[str, int] | None:
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
        if expected_checksums.pop(path, None) != int(checksum(value)):
            raise _damaged_error(checkpoint, path)
    for path in expected_checksums:
        raise _damaged_error(checkpoint, path)


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, np.ndarray]]:
    if not isinstance(tree, Mapping):
        yield path, np.asarray(tree)
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
