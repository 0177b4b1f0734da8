"""The layout of weights in HDF5: a group for each layer, by attribute names, as in Keras 3.

layers/dense/vars/0        first weight of the first Dense of a Sequential or functional model
head/vars/1                second weight of `self.head` of a subclassed model
optimizer/vars/0           the optimizer's first variable

A file is untrusted. `open_weights` checks all of it before an array is read: it must have no links,
and no object whose declared size is much larger than the data in the file.
"""

import contextlib
import io
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from lamina.core.configuration import config
from lamina.core.layer.layer import Layer
from lamina.core.messages.messages import escape_control_characters
from lamina.core.serialization.naming import to_snake_case
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.saving.hdf5 import (
    HDF5_VERSIONS,
    DamagedFileError,
    damaged_error,
    explain_read_errors,
    read_array,
    write_array,
)

_MAX_DEPTH = 100
_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000


class WeightsMismatchError(ValueError):
    """The weights in a file do not fit the model."""


class StoredWeights(NamedTuple):
    """An open weights file that has passed the checks."""

    h5: h5py.File
    size: int  # of all arrays, in bytes
    groups: set[str]  # paths of the groups with arrays

    def group_at(self, path: str) -> "StoredGroup":
        """The arrays in a group; empty if there is no such group."""
        return StoredGroup(self.h5, path)


def write_weights(
    model: Layer, file: Any, include_optimizer: bool = True, objects_to_skip: Iterable[Any] = ()
) -> None:
    """Write all weights, and the optimizer's state if there is one, to a file object."""
    with h5py.File(file, "w", libver=HDF5_VERSIONS) as h5:
        for path, name, arrays in arrays_of(model, include_optimizer, objects_to_skip):
            group = h5.create_group(path)
            group.attrs["name"] = name
            for key, value in arrays.items():
                write_array(group, key, value)


def arrays_of(
    model: Layer, include_optimizer: bool = True, objects_to_skip: Iterable[Any] = ()
) -> Iterator[tuple[str, str, dict[str, np.ndarray]]]:
    """For each layer of a model: its group in the file, its name and its arrays."""
    skipped = list(objects_to_skip)
    for path, part in walk(model):
        is_skipped = any(part is other for other in skipped)
        if is_skipped or (isinstance(part, Optimizer) and not include_optimizer):
            continue
        store: dict[str, Any] = {}
        part.save_own_variables(store)
        arrays = {key: np.asarray(value) for key, value in store.items()}
        yield (f"{path}/vars" if path else "vars"), part.name, arrays


@contextlib.contextmanager
def open_weights(file: Any, size_on_disk: int) -> Iterator[StoredWeights]:
    """Open a weights file of Lamina or Keras, and check it.

    Args:
        file: A file object, open for reading.
        size_on_disk: Size of the whole file on the disk, in bytes.

    Raises:
        DamagedFileError: If it is not an HDF5 file, or contains anything but plain arrays.
    """
    try:
        h5 = h5py.File(file, "r")
    except Exception:
        # For a damaged file, h5py may raise any error, usually with an unhelpful message.
        raise damaged_error() from None
    with h5:
        # Weights are not compressed by default. Compressed ones may be a decompression bomb.
        yield _check_contents(h5, config.loading_budget(size_on_disk))


def read_weights(
    model: Layer,
    stored: StoredWeights,
    skip_mismatch: bool = False,
    objects_to_skip: Iterable[Any] = (),
) -> list[str]:
    """Load stored weights into a model. After an error, the model is not changed.

    Args:
        model: A built model with the same layers.
        stored: Result of `open_weights`.
        skip_mismatch: Skip layers whose weights do not fit, instead of raising.
        objects_to_skip: Layers that are not changed.

    Returns:
        A remark for each layer, and each group of the file, that was skipped.

    Raises:
        WeightsMismatchError: If a layer's weights are missing or have other shapes.
        DamagedFileError: If an array cannot be read.
    """
    parts = list(walk(model, stored.groups))
    owners: list[Any] = [model, *(part for _, part in parts if isinstance(part, Optimizer))]
    remarks: list[str] = []
    used: set[str] = set()
    read: set[int] = set()
    with restore_after_error([v for owner in owners for v in owner.variables]):
        for path, part in parts:
            store = stored.group_at(f"{path}/vars" if path else "vars")
            used.add(store.path)
            if any(part is skipped for skipped in objects_to_skip):
                continue
            if isinstance(part, Optimizer):
                if id(part._iterations) in read:
                    continue  # was loaded with the optimizer that wraps it
                read.update(id(v) for v in part.variables)
            try:
                part.load_own_variables(store)
            except DamagedFileError:
                raise
            except (ValueError, KeyError) as error:
                problem = f"{_shorten(path) or part.name}: {_first_line(error)}"
                if not skip_mismatch:
                    raise WeightsMismatchError(
                        f"the weights in the file do not fit model {model.name!r}, at {problem}"
                    ) from None
                remarks.append(f"not read: {problem}")
    unused = sorted(p for p in stored.groups - used if not p.startswith("optimizer/"))
    if unused:
        names = ", ".join(_shorten(p.removesuffix("/vars")) for p in unused[:3])
        more = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
        remarks.append(
            f"the file also holds weights of {names}{more}, for which model {model.name!r} "
            "has no layers.\n  Likely cause: it was made with fewer layers than the saved one."
        )
    return remarks


@contextlib.contextmanager
def restore_after_error(variables: Iterable[Variable]) -> Iterator[None]:
    """Context manager that restores the values of the Variables after an error."""
    old_values = [(v, v._value) for v in variables]
    try:
        yield
    except BaseException:
        for variable, value in old_values:
            variable._value = value
        raise


def walk(root: Layer, stored: Collection[str] | None = None) -> Iterator[tuple[str, Any]]:
    """All layers and optimizers in a model, with their paths in the file, parents first.

    Args:
        root: The model.
        stored: Groups of the file to read. If a layer has several names, such as an attribute and a
            property, its path is the first one that is in the file.
    """
    # The objects are kept alive, so that ids stay unique: some lists are created by properties.
    visited: dict[int, Any] = {}
    stored_paths = (
        None if stored is None else {path for group in stored for path in _parents(group)}
    )
    postponed: list[tuple[Any, str]] = []

    def visit(part: Any, path: str) -> Iterator[tuple[str, Any]]:
        yield path, part
        for name, child in _children(part):
            yield from enter(child, f"{path}/{name}" if path else name)

    def enter(child: Any, path: str) -> Iterator[tuple[str, Any]]:
        if not _may_hold_weights(child) or id(child) in visited:
            return
        if stored_paths is not None and path not in stored_paths:
            postponed.append((child, path))
            return
        visited[id(child)] = child
        if isinstance(child, (Layer, Optimizer)):
            yield from visit(child, path)
            return
        used: dict[str, int] = {}
        for item in list(child.values()) if isinstance(child, dict) else child:
            if not _may_hold_weights(item):
                continue
            # By class, not by the layer's name: names differ between two equal models.
            has_group = isinstance(item, (Layer, Optimizer))
            base = to_snake_case(type(item).__name__) if has_group else "container"
            count = used.get(base, 0)
            used[base] = count + 1
            yield from enter(item, f"{path}/{base}_{count}" if count else f"{path}/{base}")

    visited[id(root)] = root
    yield from visit(root, "")
    stored_paths = None
    for child, path in postponed:  # none of the child's names is in the file
        yield from enter(child, path)


def _parents(path: str) -> Iterator[str]:
    """`"a"` and `"a/b"` for `"a/b/vars"`."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def as_bytes(write: Callable[[Any], None]) -> memoryview:
    """The bytes that `write` writes to a file object."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getbuffer()


def _may_hold_weights(value: Any) -> bool:
    return isinstance(value, (Layer, Optimizer, list, tuple, dict))


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    """Attributes that may contain layers or optimizers, in the order in which Keras visits them.

    Properties count, too: a public property may return the value of a private attribute, and the
    first name is the one in the file.
    """
    if isinstance(part, Optimizer):
        # In Keras's files, the state of an inner optimizer is also stored with the outer one.
        for name in ("inner_optimizer", "optimizers"):
            if hasattr(part, name):
                yield name, getattr(part, name)
        return
    if not isinstance(part, Layer):
        return
    names = set(dir(part)) - _library_attributes(type(part))
    is_model = hasattr(part, "fit")
    if is_model and (getattr(part, "_graph", None) is not None or hasattr(part, "_stack")):
        yield "layers", part.layers  # type: ignore[attr-defined]
    elif is_model:
        names.add("layers")
    for name in sorted(names, key=lambda n: f"~{n}" if n.startswith("_") else n):
        try:
            child = getattr(part, name)
        except Exception:  # a property that has no value yet
            continue
        yield name, child


_library_names: dict[type, set[str]] = {}
_INTERNAL_ATTRIBUTES = {
    "_graph",
    "_stack",
    "_own_learner",
    "_init_arguments",
    "history",
    "_losses_by_thread",
}


def _library_attributes(cls: type) -> set[str]:
    """Attributes of the base classes, which are not saved."""
    if cls not in _library_names:
        names = {*dir(Layer(name="reference")), *_INTERNAL_ATTRIBUTES}
        for base in cls.__mro__:
            if base.__module__.startswith(("lamina.models.", "lamina.training.")):
                names |= set(vars(base))
        _library_names[cls] = names
    return _library_names[cls]


class StoredGroup(Mapping[str, Any]):
    """The arrays of one layer, by the names that `save_own_variables` gave them."""

    def __init__(self, h5: h5py.File, path: str):
        self.path = path
        with explain_read_errors():
            group = h5.get(path)
        self._group: Any = group if isinstance(group, h5py.Group) else {}

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self:
            raise KeyError(f"the file holds no weight {key!r} for it.")
        with explain_read_errors():
            dataset = self._group[key]
        return read_array(dataset)

    def __contains__(self, key: object) -> bool:
        with explain_read_errors():
            return key in self._group

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)


def _check_contents(h5: h5py.File, limit: float) -> StoredWeights:
    """Refuse everything but plain arrays of plausible size, before any of it is read."""
    size = claimed = 0
    groups: set[str] = set()
    visited: set[int] = set()
    stack: list[tuple[str, h5py.Group, int]] = [("", h5, 0)]
    while stack:
        path, group, depth = stack.pop()
        for name, is_link, part, address in _entries(group):
            where = f"{path}/{name}" if path else name
            if is_link:
                raise _refusal_error(where, "links to another object")
            if isinstance(part, h5py.Dataset):
                groups.add(path)
            if address in visited:
                continue
            visited.add(address)
            if isinstance(part, h5py.Dataset):
                in_memory, in_chunks = _check_sizes(part, where)
                size += in_memory
                claimed += max(in_memory, in_chunks)
                if claimed > limit:
                    raise DamagedFileError(
                        f"with {_shorten(where)!r} the weights take {claimed:,} bytes when "
                        f"unpacked, and {limit:,.0f} are allowed; it is not opened.\n{OVER_BUDGET}"
                    )
            elif not isinstance(part, h5py.Group) or depth == _MAX_DEPTH:
                raise _refusal_error(where, "is neither an array nor a group of arrays")
            else:
                stack.append((where, part, depth + 1))
    return StoredWeights(h5, size, groups)


def _entries(group: h5py.Group) -> Iterator[tuple[str, bool, Any, int]]:
    """For each entry of a group: name, whether it is a link, object, and address in the file."""
    with explain_read_errors():
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                part = group[name]
                yield name, False, part, h5py.h5o.get_info(part.id).addr
            else:
                yield name, True, None, -1


def _check_sizes(dataset: h5py.Dataset, where: str) -> tuple[int, int]:
    """Size of an array and of one chunk of it, in bytes; an error if it is not a plain array."""
    with explain_read_errors():
        dtype, shape, chunks = dataset.dtype, dataset.shape, dataset.chunks
        is_external = dataset.is_virtual or bool(dataset.external)
        settings = dataset.id.get_create_plist()
        filters = {settings.get_filter(i)[0] for i in range(settings.get_nfilters())}
    if is_external:
        raise _refusal_error(where, "has its data in another file")
    is_number = dtype.kind in "biufc" or (dtype.kind == "V" and dtype.itemsize == 2)
    if shape is None or not is_number or dtype.fields or dtype.subdtype or dtype.itemsize > 16:
        raise _refusal_error(where, "is not an array of numbers")
    if filters - {_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF}:
        raise _refusal_error(where, "is compressed in an unusual way")
    return math.prod(shape) * dtype.itemsize, math.prod(chunks or ()) * dtype.itemsize


OVER_BUDGET = (
    "  Likely cause: the file is damaged or malicious.\n"
    "  Fix: if you trust it, lamina.config.set_loading_budget(float('inf')) before it is opened,\n"
    "  or LAMINA_LOADING_BYTES=inf in the environment; a number of bytes sets another limit."
)


def _refusal_error(where: str, what: str) -> DamagedFileError:
    return DamagedFileError(
        f"{_shorten(where)!r} {what}, which weights never do; it is not opened.\n"
        "  Likely cause: the file is damaged or malicious."
    )


def _shorten(path: str) -> str:
    path = escape_control_characters(path)
    return path if len(path) <= 80 else f"…{path[-80:]}"


def _first_line(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
