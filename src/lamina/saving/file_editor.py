"""KerasFileEditor: inspect a weights file, change its layout, and save it."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.messages import escape_control_characters
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.saving import model_file, weights_file
from lamina.saving.atomic import atomic_write
from lamina.saving.hdf5 import HDF5_VERSIONS, explain_read_errors, write_array
from lamina.saving.weights_file import StoredWeights, arrays_of, as_bytes

if TYPE_CHECKING:
    from lamina.models.model import Model

# Objects by name. A weight is an array; an object is a dict of weights and inner objects.
_Tree = dict[str, Any]


@filter_tracebacks_of_methods
class KerasFileEditor:
    """Shows what is in a weights file or model, and changes it to fit another model.

    Args:
        filepath: A `.weights.h5` or `.keras` file.

    Attributes:
        weights_dict: The weights, nested: `editor.weights_dict["layers"]["dense"]["0"]`.
        object_metadata: From the path of an object to its metadata in the file, such as its name.
        config, metadata: Those of a `.keras` file, else None.

    Raises:
        FileNotFoundError: If the file does not exist.
        DamagedFileError: If it is damaged, or another type of file.

    Example:
        >>> import lamina
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> dense = lamina.layers.Dense(3, name="dense")
        >>> model = lamina.Sequential([lamina.Input((2,)), dense])
        >>> model.save_weights(folder / "old.weights.h5")
        >>> editor = KerasFileEditor(folder / "old.weights.h5")  # doctest: +ELLIPSIS
        Keras model file ...
        >>> editor.rename_object("dense", new_name="head")
        >>> editor.summary()
        Weights structure
        └── layers
            └── head ('dense')
                ├── 0: shape=(2, 3), dtype=float32
                └── 1: shape=(3,), dtype=float32
        >>> editor.save(folder / "new.weights.h5")
    """

    def __init__(self, filepath: str | Path):
        self.filepath = str(filepath)
        self.config: Any = None
        self.metadata: Any = None
        self.weights_dict: _Tree = {}
        self.object_metadata: dict[str, dict[str, Any]] = {}
        path = model_file.check_is_file(filepath)
        with model_file.name_file_in_errors(path), path.open("rb") as file:
            source: Any = file
            if not model_file.is_hdf5(file):
                config, metadata, weights = model_file.read_members(
                    file, path, model_file.CONFIG, model_file.METADATA, model_file.WEIGHTS
                )
                self.config = model_file.parse_json(config)
                self.metadata = model_file.parse_json(metadata)
                source = io.BytesIO(weights)
            with weights_file.open_weights(source, model_file.size_of(file)) as stored:
                self._read(stored)
        print(f"Keras model file {self.filepath!r}")
        if isinstance(self.metadata, dict):
            version, date = self.metadata.get("keras_version"), self.metadata.get("date_saved")
            print(escape_control_characters(f"Saved with Keras {version} - date: {date}"))

    def _read(self, stored: StoredWeights) -> None:
        for path in sorted(stored.groups):
            object_path = path.removesuffix("/vars") if path != "vars" else ""
            target = self.weights_dict
            for part in filter(None, object_path.split("/")):
                target = target.setdefault(part, {})
            arrays = stored.group_at(path)
            target.update({key: arrays[key] for key in arrays if _is_array(stored, path, key)})
            with explain_read_errors():
                attributes = stored.h5[path].attrs
                has_name = "name" in attributes and attributes.get_id("name").shape == ()
                name = attributes["name"] if has_name else None
            if isinstance(name, str):
                self.object_metadata[object_path] = {"name": name[:1000]}

    # -- inspecting -------------------------------------------------------------------------------

    def summary(self) -> None:
        """Print the objects and weights as a tree."""
        print("Weights structure")
        for line in self._format_lines(self.weights_dict, "", ""):
            print(line)

    def _format_lines(self, tree: _Tree, path: str, margin: str) -> Iterator[str]:
        for i, (key, value) in enumerate(tree.items()):
            last = i == len(tree) - 1
            start = f"{margin}{'└── ' if last else '├── '}{escape_control_characters(key)}"
            if not isinstance(value, dict):
                yield f"{start}: shape={np.shape(value)}, dtype={np.asarray(value).dtype}"
                continue
            child_path = f"{path}/{key}" if path else key
            name = self.object_metadata.get(child_path, {}).get("name")
            yield f"{start} ({name!r})" if name and name != key else start
            yield from self._format_lines(
                value, child_path, f"{margin}{'    ' if last else '│   '}"
            )

    def compare(self, reference_model: "Model") -> dict[str, Any]:
        """Compare the weights with those of a model, and print what differs.

        Args:
            reference_model: A built model.

        Returns:
            A dict with `status`, `"success"` or `"error"`, `error_count`, the number of
            differences, and `match_count`, the number of weights with equal shapes.
        """
        print("Running comparison")
        expected = {
            "/".join(filter(None, (_object_path(path), key))): value.shape
            for path, _, arrays in arrays_of(reference_model)
            for key, value in arrays.items()
        }
        stored = dict(_shapes_by_path(self.weights_dict, ""))
        problems = [
            f"Weight {p} is in the model and not in the file." for p in expected if p not in stored
        ]
        problems += [
            f"Weight {p} is in the file and not in the model." for p in stored if p not in expected
        ]
        in_both = [path for path in expected if path in stored]
        problems += [
            f"Weight {path} has shape {expected[path]} in the model and {stored[path]} in the file."
            for path in in_both
            if expected[path] != stored[path]
        ]
        matches = sum(expected[path] == stored[path] for path in in_both)
        for problem in problems:
            print(f"... {escape_control_characters(problem)}")
        status = "error" if problems else "success"
        print(f"{len(problems)} differences; {matches} weights have equal shapes.")
        return {"status": status, "error_count": len(problems), "match_count": matches}

    # -- editing ---------------------------------------------------------------------------------

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object another name.

        Args:
            object_name: Its name, if it is unique, or its path (`"layers/dense"`).
            new_name: A name, not a path.
        """
        if "/" in new_name:
            raise ValueError(f"new_name is a name, not a path; received {new_name!r}.")
        parent, name, path = self._locate(object_name)
        if new_name in parent and new_name != name:
            raise ValueError(
                f"{object_name!r} cannot be renamed: its parent already has an object {new_name!r}."
            )
        items = [(new_name if key == name else key, value) for key, value in parent.items()]
        parent.clear()
        parent.update(items)  # keeps the order
        new_path = f"{path.rpartition('/')[0]}/{new_name}".lstrip("/")
        for object_path in list(self.object_metadata):
            if object_path == path or object_path.startswith(f"{path}/"):
                metadata = self.object_metadata.pop(object_path)
                self.object_metadata[new_path + object_path.removeprefix(path)] = metadata

    def delete_object(self, object_name: str) -> None:
        """Remove an object with everything in it.

        Args:
            object_name: Its name, if it is unique, or its path (`"layers/dense"`).

        Raises:
            ValueError: If there is no object of that name.
        """
        parent, name, _ = self._locate(object_name)
        del parent[name]

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Add an object.

        Args:
            object_path: Its path; its parent must exist.
            weights: Arrays by name: `{"0": kernel, "1": bias}`.
        """
        _check_weights(weights)
        target = self.weights_dict
        *parents, name = object_path.split("/")
        for part in parents:
            if not isinstance(target.get(part), dict):
                raise ValueError(f"There is no object {'/'.join(parents)!r} to put {name!r} into.")
            target = target[part]
        target[name] = dict(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove one weight of an object.

        Args:
            object_name: Name or path of the object.
            weight_name: Name of the weight in it, e.g. `"0"`.

        Raises:
            ValueError: If there is no such object or weight.
        """
        weights = self._find_object(object_name)
        if weight_name not in weights:
            raise ValueError(
                f"{object_name!r} has no weight {weight_name!r}; it has {', '.join(weights)}."
            )
        del weights[weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Add weights to an object, or replace them: `{"0": kernel}`.

        Args:
            object_name: Name or path of the object.
            weights: From names to arrays.

        Raises:
            ValueError: If there is no such object, or `weights` is not a dict.
        """
        _check_weights(weights)
        self._find_object(object_name).update(weights)

    def _find_object(self, name: str) -> _Tree:
        parent, key, _ = self._locate(name)
        value = parent[key]
        if not isinstance(value, dict):
            raise ValueError(f"{name!r} is a weight, not an object.")
        return value

    def _locate(self, name: str) -> tuple[_Tree, str, str]:
        """The parent dict of an object, its key there, and its path."""
        objects = list(_list_objects(self.weights_dict, ""))
        matches = [o for o in objects if o[2] == name] or [o for o in objects if o[1] == name]
        if not matches:
            hint = did_you_mean(name, [key for o in objects for key in o[1:]])
            raise ValueError(f"{self.filepath!r} contains no object {name!r}.{hint}")
        if len(matches) > 1:
            paths = ", ".join(path for _, _, path in matches)
            raise ValueError(
                f"Several objects are named {name!r}.\n  Fix: give the path of one: {paths}."
            )
        return matches[0]

    # -- saving ----------------------------------------------------------------------------------

    def save(self, filepath: str | Path) -> None:
        """Write the weights to a `.weights.h5` file.

        Args:
            filepath: Path of the file; an existing file is replaced.

        Raises:
            ValueError: If the name does not end in `.weights.h5`.
        """
        if not str(filepath).endswith(".weights.h5"):
            raise ValueError(f"The name must end in '.weights.h5'; received {str(filepath)!r}.")

        def write(file: Any) -> None:
            with h5py.File(file, "w", libver=HDF5_VERSIONS) as h5:
                self._write(h5, self.weights_dict, "")

        with atomic_write(filepath) as file:
            file.write(as_bytes(write))

    def resave_weights(self, filepath: str | Path) -> None:
        """Alias of `save`.

        Args:
            filepath: The file to write.
        """
        self.save(filepath)

    def _write(self, h5: h5py.File, tree: _Tree, path: str) -> None:
        arrays = {key: value for key, value in tree.items() if not isinstance(value, dict)}
        group = h5.create_group(f"{path}/vars" if path else "vars")
        for name, text in self.object_metadata.get(path, {}).items():
            group.attrs[name] = text
        for key, value in arrays.items():
            write_array(group, key, np.asarray(value))
        for key, value in tree.items():
            if isinstance(value, dict):
                self._write(h5, value, f"{path}/{key}" if path else key)


def _is_array(stored: StoredWeights, path: str, key: str) -> bool:
    with explain_read_errors():
        return isinstance(stored.h5[path][key], h5py.Dataset)


def _object_path(group: str) -> str:
    return "" if group == "vars" else group.removesuffix("/vars")


def _shapes_by_path(tree: _Tree, path: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Path and shape of every weight."""
    for key, value in tree.items():
        child_path = f"{path}/{key}" if path else key
        if isinstance(value, dict):
            yield from _shapes_by_path(value, child_path)
        else:
            yield child_path, tuple(np.shape(value))


def _list_objects(tree: _Tree, path: str) -> Iterator[tuple[_Tree, str, str]]:
    """The parent dict of every object, its key there, and its path."""
    for key, value in tree.items():
        child_path = f"{path}/{key}" if path else key
        if isinstance(value, dict):
            yield tree, key, child_path
            yield from _list_objects(value, child_path)


def _check_weights(weights: Any) -> None:
    if not isinstance(weights, Mapping):
        raise ValueError(
            "weights is a dict of arrays by name, such as {'0': kernel, '1': bias}; received "
            f"{type(weights).__name__}."
        )
