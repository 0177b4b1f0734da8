"""The `.h5` layout of Keras 2 (and of `model.save("x.h5")` in Keras 3), read and written.

model_config, training_config          attributes of the file: JSON
model_weights/dense/dense/kernel:0     arrays of the layer `dense`; without a model, at the top
    layer_names                        attribute of model_weights: the layers in their order
    dense: weight_names                attribute: the paths of its arrays in their order
optimizer_weights/…                    arrays of the optimizer, in the same way

A file is untrusted. `weights_file.open_weights` has checked its arrays. This module reads
attributes, and only texts of plausible size.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lamina.core.layer.layer import Layer
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.saving.hdf5 import (
    HDF5_VERSIONS,
    DamagedFileError,
    explain_read_errors,
    read_array,
    verify_texts,
    write_array,
    write_texts,
)
from lamina.saving.weights_file import StoredWeights, WeightsMismatchError, restore_after_error

if TYPE_CHECKING:
    from lamina.models.model import Model

_MAX_CONFIG = 16 * 2**20
_MAX_NAMES = 100_000
_MAX_NAME_LENGTH = 1000
_MODEL_GROUP = "top_level_model_weights"  # weights that belong to no layer
# Names of optimizer slots in Keras 2, and the current names.
_OLD_SLOTS = {
    "m": ("momentum",),
    "v": ("velocity", "norm"),
    "vhat": ("velocity_hat",),
    "momentum": ("momentum",),
    "rms": ("velocity",),
    "mg": ("average_gradient",),
    "accumulator": ("accumulator",),
    "linear": ("linear",),
    "accum_grad": ("accumulated_grad",),
    "accum_var": ("accumulated_delta_var",),
}


def is_legacy(stored: StoredWeights) -> bool:
    """Whether an open file has this layout; it may be a model or only weights."""
    attributes = stored.h5.attrs
    return any(name in attributes for name in ("layer_names", "layer_names0", "model_config")) \
        or "model_weights" in stored.h5  # fmt: skip


def config_of(stored: StoredWeights, name: str) -> Any:
    """The JSON in an attribute of the file; None if there is none.

    Raises:
        DamagedFileError: If it is not JSON, or too large for a config.
    """
    if name not in stored.h5.attrs:
        return None
    text = _read_texts(stored.h5, name, max_count=1, max_length=_MAX_CONFIG)[0]
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"its {name} cannot be used: it is not JSON ({str(error)[:200]}).\n"
            "  Likely cause: it was changed by hand."
        ) from None


# -- reading weights -------------------------------------------------------------------------------


def read_layers(
    model: "Model", stored: StoredWeights, skip_mismatch: bool = False, by_name: bool = False
) -> list[str]:
    """Load the weights of a file into the layers of a model.

    Args:
        model: A built model.
        stored: The open file.
        skip_mismatch: Skip layers whose weights do not fit, instead of raising.
        by_name: Match layers by name, rather than by order.

    Returns:
        A remark for each layer that was skipped.

    Raises:
        WeightsMismatchError: If the weights do not fit; then the model is not changed.
    """
    group = stored.h5
    with explain_read_errors():
        if not _has_names(group, "layer_names") and "model_weights" in group:
            group = group["model_weights"]
    if not _has_names(group, "layer_names"):
        raise DamagedFileError("it contains no weights: the list of layers is missing.")
    arrays = {name: _read_layer_arrays(group, name) for name in _read_names(group, "layer_names")}
    if _MODEL_GROUP in group:
        arrays.setdefault(_MODEL_GROUP, _read_layer_arrays(group, _MODEL_GROUP))
    remarks: list[str] = []
    with restore_after_error(model.variables):
        matches = _match_by_name(model, arrays) if by_name else _match_by_order(model, arrays)
        for label, variables, values in matches:
            problem = _explain_mismatch(label, variables, values)
            if problem and not skip_mismatch:
                raise WeightsMismatchError(
                    f"the weights in the file do not fit model {model.name!r}, at {problem}"
                )
            if problem:
                remarks.append(f"not read: {problem}")
                continue
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
    return remarks


# For each layer: its label for messages, its Variables, and the arrays to assign to them.
_LayerWeights = Iterator[tuple[str, list[Variable], list[np.ndarray]]]


def _match_by_order(model: "Model", arrays: dict[str, list[np.ndarray]]) -> _LayerWeights:
    layers = [layer for layer in model.layers if _weights_in_keras2_order(layer)]
    stored = {name: values for name, values in arrays.items() if values and name != _MODEL_GROUP}
    if len(layers) != len(stored):
        raise WeightsMismatchError(
            f"the file holds weights of {len(stored)} layers, and model {model.name!r} has "
            f"{len(layers)} layers with weights.\n  Fix: the same layers as when it was saved, or "
            "load_weights(…, by_name=True) to load layers with the same names."
        )
    if set(stored) == {layer.name for layer in layers}:  # in any order
        stored = {layer.name: stored[layer.name] for layer in layers}
    for layer, (name, values) in zip(layers, stored.items(), strict=True):
        stored_name = "" if name == layer.name else f" ({name!r} in the file)"
        yield f"{layer.name!r}{stored_name}", _weights_in_keras2_order(layer), values
    if arrays.get(_MODEL_GROUP):
        yield "the model itself", model._own_weights(), arrays[_MODEL_GROUP]


def _match_by_name(model: "Model", arrays: dict[str, list[np.ndarray]]) -> _LayerWeights:
    for layer in model.layers:
        if layer.name in arrays:
            yield repr(layer.name), _weights_in_keras2_order(layer), arrays[layer.name]
    if arrays.get(_MODEL_GROUP):
        yield "the model itself", model._own_weights(), arrays[_MODEL_GROUP]


def _explain_mismatch(label: str, variables: list[Variable], values: list[np.ndarray]) -> str:
    if len(variables) != len(values):
        return f"{label}: it has {len(variables)} weights, and the file holds {len(values)}."
    for variable, value in zip(variables, values, strict=True):
        if variable.shape != value.shape:
            return (
                f"{label}: weight {variable.name!r} has shape {variable.shape}, and the file "
                f"holds shape {value.shape}."
            )
    return ""


def _weights_in_keras2_order(layer: Layer) -> list[Variable]:
    """The order of `weights` in Keras 2: trainable weights first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def read_optimizer(optimizer: Optimizer, stored: StoredWeights) -> str:
    """Load the stored state into a built optimizer.

    Returns:
        The reason why it was not loaded, or an empty string.
    """
    with explain_read_errors():
        group = stored.h5.get("optimizer_weights")
    if not isinstance(group, h5py.Group):
        return ""
    names = _read_names(group, "weight_names")
    values = [_read_array(group, name) for name in names]
    variables = optimizer.variables
    if [v.shape for v in variables] == [value.shape for value in values] and not _is_old(names):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return ""
    try:
        _read_old_slots(optimizer, dict(zip(names, values, strict=True)))
    except LookupError as error:
        return f"the state of the optimizer was not read, and starts from scratch: {error.args[0]}."
    return ""


def _is_old(names: Sequence[str]) -> bool:
    """Whether the names are those of TensorFlow's variables: `Adam/dense/kernel/m:0`."""
    return any(name.endswith(":0") for name in names)


def _read_old_slots(optimizer: Optimizer, arrays: dict[str, np.ndarray]) -> None:
    """Load slots from arrays that are named after the weight and the slot."""
    slots: dict[str, list[np.ndarray]] = {}
    steps = 0
    for name, value in arrays.items():
        parts = re.sub(r":\d+$", "", name).split("/")
        # The slot is the last part (`Adam/dense/kernel/m`) or the second (`Adam/m/dense/kernel`).
        old_slot = next((p for p in (parts[-1], *parts[1:2]) if p in _OLD_SLOTS), None)
        if old_slot is not None:
            slot = next((s for s in _OLD_SLOTS[old_slot] if s in optimizer._slots), None)
            if slot is None:
                raise LookupError(f"{type(optimizer).__name__} has no slot for {old_slot!r}")
            slots.setdefault(slot, []).append(value)
        elif parts[-1] in ("iter", "iteration"):
            steps = int(value)
    weights = optimizer._trainable_variables
    for slot, values in slots.items():
        if [v.shape for v in weights] != [value.shape for value in values]:
            raise LookupError(f"the shapes of {slot!r} are not those of the weights")
    for slot, values in slots.items():
        for weight, value in zip(weights, values, strict=True):
            optimizer._slots[slot][id(weight)].assign(value)
    optimizer._iterations.assign(steps)


# -- attributes and arrays ------------------------------------------------------------------------


def _has_names(group: h5py.Group, name: str) -> bool:
    return name in group.attrs or f"{name}0" in group.attrs


def _read_names(group: h5py.Group, name: str) -> list[str]:
    """Read a list of names; a long list is split into the attributes `name0`, `name1` …"""
    if name in group.attrs:
        return _read_texts(group, name, max_count=_MAX_NAMES, max_length=_MAX_NAME_LENGTH)
    names: list[str] = []
    number = 0
    while f"{name}{number}" in group.attrs and len(names) < _MAX_NAMES:
        names += _read_texts(
            group, f"{name}{number}", max_count=_MAX_NAMES, max_length=_MAX_NAME_LENGTH
        )
        number += 1
    return names


def _read_texts(group: h5py.Group, name: str, max_count: int, max_length: int) -> list[str]:
    with explain_read_errors():
        attribute = group.attrs.get_id(name)
        count = int(np.prod(attribute.shape, dtype=np.float64)) if attribute.shape else 1
        dtype = attribute.dtype
        is_text = dtype.kind == "S" or h5py.check_string_dtype(dtype) is not None
        too_large = count > max_count or count * dtype.itemsize > _MAX_CONFIG
        value = group.attrs[name] if is_text and not too_large else None
    if count == 0:
        return []
    if value is None:
        raise DamagedFileError(
            f"its attribute {name[:50]!r} is not a list of names or too long; it is not read.\n"
            "  Likely cause: the file is damaged or malicious."
        )
    items = [value] if isinstance(value, (str, bytes)) else list(np.ravel(value))
    texts = [t.decode("utf-8", "replace") if isinstance(t, bytes) else str(t) for t in items]
    if any(len(text) > max_length for text in texts):
        raise DamagedFileError(f"its attribute {name[:50]!r} is longer than any in a real file.")
    verify_texts(group, name, texts)
    return texts


def _read_layer_arrays(group: h5py.Group, layer: str) -> list[np.ndarray]:
    with explain_read_errors():
        layer_group = group.get(layer)
    if not isinstance(layer_group, h5py.Group):
        raise DamagedFileError(f"it lists a layer {layer[:80]!r}, but has no weights of it.")
    if not _has_names(layer_group, "weight_names"):
        return []
    return [_read_array(layer_group, name) for name in _read_names(layer_group, "weight_names")]


def _read_array(group: h5py.Group, name: str) -> np.ndarray:
    with explain_read_errors():
        dataset = group.get(name)
    if isinstance(dataset, h5py.Dataset):
        return read_array(dataset)
    raise DamagedFileError(f"it lists a weight {name[:80]!r}, but does not contain it.")


# -- writing ---------------------------------------------------------------------------------------


def write_legacy(model: "Model", attributes: Mapping[str, Any], file: Any, optimizer: Any) -> None:
    """Write a whole model.

    Args:
        model: A built model.
        attributes: Texts, and configs that become JSON.
        file: A file object.
        optimizer: An optimizer whose state is written, or None.
    """
    with h5py.File(file, "w", libver=HDF5_VERSIONS) as h5:
        for name, value in attributes.items():
            write_texts(h5, name, value if isinstance(value, str) else json.dumps(value))
        group = h5.create_group("model_weights")
        write_texts(group, "layer_names", [layer.name for layer in model.layers])
        for name in ("backend", "keras_version"):
            group.attrs[name] = attributes[name]
        # Sorted, so that a name comes after its prefixes.
        for layer in sorted(model.layers, key=lambda layer: layer.name):
            _write_arrays(group.create_group(layer.name), _weights_in_keras2_order(layer))
        _write_arrays(group.create_group(_MODEL_GROUP), model._own_weights())
        if optimizer is not None and optimizer.variables:
            _write_arrays(h5.create_group("optimizer_weights"), optimizer.variables)


def _write_arrays(group: h5py.Group, variables: Sequence[Variable]) -> None:
    names: list[str] = []
    for variable in variables:
        name = variable.path
        while name in names:  # two layers of a nested model may have one name
            name += "_"
        names.append(name)
        write_array(group, name, variable.numpy())
    write_texts(group, "weight_names", names)
