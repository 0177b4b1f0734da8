"""The layout of weights in HDF5: one group a layer, found by attribute names, as in Keras 3.

layers/dense/vars/0        first weight of the first Dense of a Sequential or functional model
head/vars/1                second weight of `self.head` of a subclassed model
optimizer/vars/0           the optimizer's first variable
"""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from lamina.core.layer import Layer
from lamina.core.naming import to_snake_case
from lamina.optimizers import Optimizer


class DamagedFileError(ValueError):
    """A model file is incomplete or not what it claims to be."""


class WeightsMismatchError(ValueError):
    """The weights in a file do not fit the model."""


def write_weights(model: Layer, file: Any) -> None:
    """Write all weights, and the optimizer's state if there is one, to an HDF5 file object."""
    with h5py.File(file, "w") as h5:
        for path, part in walk(model):
            store: dict[str, Any] = {}
            part.save_own_variables(store)
            group = h5.create_group(f"{path}/vars" if path else "vars")
            group.attrs["name"] = part.name
            for key, value in store.items():
                _write(group, key, np.asarray(value))


def read_weights(model: Layer, file: Any, skip_mismatch: bool = False) -> list[str]:
    """Read what `write_weights` or Keras wrote.

    Args:
        model: Built, with the same layers.
        file: Path or file object.
        skip_mismatch: Leave parts alone that do not fit, instead of raising.

    Returns:
        One line for each part that was left alone.

    Raises:
        WeightsMismatchError: If a layer's weights are missing or have other shapes. The weights
            of the model are then as they were.
        DamagedFileError: If the file is not readable HDF5.
    """
    try:
        with h5py.File(file, "r") as h5:
            return _read(model, h5, skip_mismatch)
    except (OSError, RuntimeError, KeyError) as error:
        raise DamagedFileError(f"The weights cannot be read: {error}") from error


def _read(model: Layer, h5: h5py.File, skip_mismatch: bool) -> list[str]:
    before = [(v, v._value) for v in model.variables]
    problems: list[str] = []
    try:
        for path, part in walk(model):
            try:
                part.load_own_variables(_Store(h5, f"{path}/vars" if path else "vars"))
            except ValueError as error:
                problem = f"{path or part.name}: {error}"
                if isinstance(part, Optimizer):
                    problems.append(problem)  # the model can be used; it starts its state anew
                elif skip_mismatch:
                    problems.append(problem)
                else:
                    raise WeightsMismatchError(
                        f"The weights in the file do not fit model {model.name!r}, at {problem}\n"
                        "  Fix: make the model with the same layers as the saved one, or "
                        "load_weights(…, skip_mismatch=True) to take what fits."
                    ) from error
    except Exception:
        for variable, value in before:
            variable._value = value
        raise
    return problems


def walk(root: Layer) -> Iterator[tuple[str, Any]]:
    """Every part that has weights of its own, with its path in the file, parents first."""
    seen: set[int] = set()

    def visit(part: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(part) in seen:
            return
        seen.add(id(part))
        yield path, part
        for name, child in _children(part):
            yield from enter(child, f"{path}/{name}" if path else name)

    def enter(child: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(child, (Layer, Optimizer)):
            yield from visit(child, path)
        elif isinstance(child, (list, tuple, dict)):
            used: dict[str, int] = {}
            for item in child.values() if isinstance(child, dict) else child:
                nested = isinstance(item, (list, tuple, dict))
                if not nested and not isinstance(item, (Layer, Optimizer)):
                    continue
                # By class, not by the layer's name: names differ between two models of one kind.
                base = "container" if nested else to_snake_case(type(item).__name__)
                count = used.get(base, 0)
                used[base] = count + 1
                yield from enter(item, f"{path}/{base}_{count}" if count else f"{path}/{base}")

    yield from visit(root, "")


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    """A part's attributes that may hold other parts, in the order in which Keras visits them."""
    if not isinstance(part, Layer):
        return
    attributes = {k: v for k, v in vars(part).items() if k not in _own_attributes()}
    is_model = hasattr(part, "fit")
    if is_model and getattr(part, "_graph", None) is not None or hasattr(part, "_stack"):
        yield "layers", part.layers  # type: ignore[attr-defined]
    elif is_model:
        attributes["layers"] = part.layers  # type: ignore[attr-defined]
    for name in sorted(attributes, key=lambda n: f"~{n}" if n.startswith("_") else n):
        yield name, attributes[name]


_OF_MODELS = {"_graph", "_stack", "_objectives", "_compile_config", "_programs", "_adds_losses", "history"}
_known_attributes: set[str] = set()


def _own_attributes() -> set[str]:
    if not _known_attributes:
        _known_attributes.update(vars(Layer()), _OF_MODELS)
    return _known_attributes


def _write(group: h5py.Group, key: str, value: np.ndarray) -> None:
    if value.dtype.name == "bfloat16":
        # HDF5 has no bfloat16; Keras writes its raw numbers and says so.
        group.create_dataset(key, data=value).attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(key, data=value)


class _Store(Mapping):
    """The arrays of one part, read when they are asked for; only plain data of sane size."""

    def __init__(self, h5: h5py.File, path: str):
        self._group = _plain_group(h5, path)

    def __getitem__(self, key: str) -> "_Lazy":
        if self._group is None or key not in self._group:
            raise ValueError(f"the file holds no weight {key!r} for it.")
        if not isinstance(self._group.get(key, getlink=True), h5py.HardLink):
            raise DamagedFileError(f"Weight {key!r} links to another place, which is refused.")
        dataset = self._group[key]
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise DamagedFileError(f"Weight {key!r} is not plain data, which is refused.")
        return _Lazy(dataset)

    def __iter__(self) -> Iterator[str]:
        return iter(self._group if self._group is not None else ())

    def __len__(self) -> int:
        return len(self._group) if self._group is not None else 0


class _Lazy:
    """An array in the file: its shape is compared before a byte of it is read."""

    def __init__(self, dataset: h5py.Dataset):
        self._dataset = dataset
        self.shape = tuple(dataset.shape or ())
        self.dtype = dataset.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = np.asarray(self._dataset)
        if self._dataset.attrs.get("dtype") == "bfloat16":
            import ml_dtypes  # comes with JAX

            value = value.view(ml_dtypes.bfloat16) if value.dtype.kind == "V" else value
        return value if dtype is None else value.astype(dtype)


def _plain_group(h5: h5py.File, path: str) -> h5py.Group | None:
    group: Any = h5
    for name in path.split("/"):
        if name not in group:
            return None
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise DamagedFileError(f"{path} links to another place, which is refused.")
        group = group[name]
        if not isinstance(group, h5py.Group):
            raise DamagedFileError(f"{path} should be a group of weights and is not.")
    return group


def as_bytes(write: Callable[[Any], None]) -> bytes:
    """What `write` puts into a file object."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()
