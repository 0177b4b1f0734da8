"""Converts lists, tables, tensors and other data to NumPy arrays of dtypes that JAX supports."""

import numbers
from typing import Any

import jax
import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.columnar import as_array
from lamina.core.user_data.data_kinds import is_column, is_sparse, is_table, is_text, may_hold_text
from lamina.core.user_data.text import as_host_array
from lamina.training.feeds.sparse import SparseRows, dense
from lamina.training.feeds.tables import table_to_array
from lamina.training.feeds.unsupported_data import (
    ragged_error,
    refuse_text,
    refuse_unsupported_data,
    sample_iterator_error,
    to_supported_array,
)


def to_array(
    value: Any, what: str = "data", text: bool = False, table: str | None = None
) -> PyTree:
    """Convert a list, a NumPy or JAX array, a data frame or a tensor to an array of numbers.

    The index of a table is ignored. One column becomes `(samples, 1)`.
    64-bit floats become `floatx()` and 64-bit integers become 32-bit. Other dtypes are not changed:
    uint8 images need a quarter of the memory of float32, and the compiled loop reads them faster.

    Args:
        value: The user's data.
        what: Name for messages: `"x"`, `"y"`.
        text: Whether text is allowed, for the host part of a model; one string is a batch of one.
        table: If `value` is a column, the expression for its table, for messages.
    """
    if isinstance(value, (jax.Array, SparseRows)):
        return value
    if not isinstance(value, np.ndarray) and hasattr(value, "numpy"):
        refuse_unsupported_data(value, what)
    value = tensor_to_array(value)
    if text and not is_table(value) and is_text(value):
        try:
            return np.atleast_1d(as_host_array(value, what))
        except TypeError:
            objects = np.array(value, object)
            if objects.ndim == 2 and any(isinstance(v, numbers.Real) for v in objects.flat):
                refuse_text(objects, what)
            raise
    refuse_unsupported_data(value, what)
    if is_table(value) or is_column(value):
        value = table_to_array(value, what, text, table)
        if is_text(value):
            return value
    elif is_sparse(value):
        value = dense(value)
    if not isinstance(value, np.ndarray):
        try:
            value = np.asarray(value)
        except ValueError as error:
            if not isinstance(value, (list, tuple)):
                raise sample_iterator_error(value, what) from error
            raise ragged_error(what) from error
    value = to_supported_array(value, what)
    kind = value.dtype.kind
    if kind == "O" and value.size and isinstance(value.flat[0], dict):
        raise TypeError(
            f"{what} is a list of {value.size} dicts, one for each sample.\n"
            f"  Fix: {what} = numpy.array([list(row.values()) for row in {what}]), or for a model "
            f"with an Input of each name:\n"
            f"  {what} = {{key: numpy.array([row[key] for row in {what}]) for key in {what}[0]}}"
        )
    if may_hold_text(value.dtype):
        value = _from_objects(value, what)
    elif kind not in "biufcV":
        steps, unit = ("timedelta64[s]", "seconds") if kind == "m" else ("datetime64[D]", "days")
        raise TypeError(
            f"{what} holds dates or times ({value.dtype}), and a network computes with numbers.\n"
            f"  Fix: {what} = {what}.astype({steps!r}).astype('float32') counts {unit}."
        )
    if value.dtype == np.float64:
        return value.astype(config.floatx())
    if value.dtype.itemsize == 8 and value.dtype.kind in "iu":
        return _to_32_bits(value, what)
    return value


def tensor_to_array(value: Any) -> PyTree:
    """Convert a tensor of PyTorch or TensorFlow to an array, without a copy if possible."""
    if isinstance(value, (np.ndarray, jax.Array)) or is_table(value) or is_column(value):
        return value
    is_tensor = (hasattr(value, "detach") and hasattr(value, "cpu")) or hasattr(value, "numpy")
    return as_array(value) if is_tensor and not isinstance(value, type) else value


def _from_objects(value: np.ndarray, what: str) -> np.ndarray:
    if value.dtype.kind == "O" and value.ndim == 1 and _holds_rows(value):
        if len({np.shape(row) for row in value}) > 1:
            raise ragged_error(what)
        matrix: np.ndarray = to_array(np.stack(list(value)), what)
        return matrix
    if value.dtype.kind == "O" and not is_text(value):
        try:
            return value.astype(config.floatx())
        except (TypeError, ValueError):
            pass
    refuse_text(value, what)
    return value


def _holds_rows(value: np.ndarray) -> bool:
    """Whether every object is a list or an array, so that together they form a matrix."""
    return value.size > 0 and all(
        isinstance(row, (list, tuple)) or getattr(row, "ndim", 0) > 0 for row in value
    )


def _to_32_bits(value: np.ndarray, what: str) -> np.ndarray:
    if value.size:
        low, high = value.min(), value.max()
        if low < -(2**31) or high >= 2**31:
            raise ValueError(
                f"{what} holds integers from {low} to {high}, beyond the 32 bits that "
                f"devices compute with.\n  Fix: {what} = {what}.astype('float32'), or number the "
                "values from 0."
            )
    return value.astype(np.int32)


def convert(
    structure: PyTree, what: str = "data", text: bool = False, table: str | None = None
) -> PyTree:
    """Apply `to_array` to an array, or to each array in a tuple, dict or list.

    A list of numbers is one array; a list of arrays is several inputs, as in Keras.
    """
    if structure is None:
        return None
    if isinstance(structure, dict):
        return {
            key: convert(value, f"{what}[{key!r}]", text, table) for key, value in structure.items()
        }
    if text and isinstance(structure, tuple) and structure and isinstance(structure[0], str):
        return to_array(structure, what, text)
    if not _is_structure(structure):
        return to_array(structure, what, text, table)
    parts = [convert(value, f"{what}[{i}]", text) for i, value in enumerate(structure)]
    # A named tuple keeps its type, because its names are used later to match the parts to inputs.
    return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)


def _is_structure(value: Any) -> bool:
    """Whether a list or tuple contains several arrays, rather than the rows of one array."""
    if isinstance(value, tuple):
        return not value or not all(_is_number(part) for part in value)
    if not isinstance(value, list) or not value:
        return False
    items = [part for part in value if part is not None]
    return bool(items) and all(
        _is_dict_of_arrays(part) or bool(getattr(part, "shape", ())) or _is_structure(part)
        for part in items
    )


def _is_number(part: Any) -> bool:
    return np.isscalar(part) or getattr(part, "shape", None) == ()


def _is_dict_of_arrays(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else ()
    return any(part is not None and not _is_number(part) for part in parts)


def number_of_samples(*structures: Any) -> int:
    """Length of the first axis, which all arrays must share."""
    if structures and not jax.tree.leaves(structures[0]):
        raise ValueError("There is no data: x is None.\n  Fix: model.fit(x, y).")
    sizes: dict[int, str] = {}
    for name, structure in zip(("x", "y", "sample_weight"), structures, strict=False):
        for leaf in jax.tree.leaves(structure):
            if np.ndim(leaf) == 0:
                raise _no_rows(name, structure)
            sizes.setdefault(leaf.shape[0], f"{name} of shape {tuple(leaf.shape)}")
            if name == "x" and leaf.shape[0] and 0 in leaf.shape:
                raise ValueError(
                    f"x has shape {tuple(leaf.shape)}: its samples hold no numbers.\n"
                    "  Likely cause: a table from which all columns were dropped.\n"
                    "  Fix: look at x.shape after each step that makes it."
                )
    x = structures[0]
    if len(sizes) > 1 and isinstance(x, tuple) and len(x) > 1 and len(x) in sizes:
        raise ValueError(
            f"x is a list of {len(x)} arrays, which means a model with {len(x)} inputs.\n"
            "  Likely cause: each array is one sample.\n"
            "  Fix: x = numpy.stack(x)."
        )
    if len(sizes) > 1:
        raise ValueError(
            "x, y and sample_weight must have one row per sample each; received "
            f"{' and '.join(sizes.values())}.\n"
            "  Likely cause: features and labels come from different splits of the data.\n"
            "  Fix: take all of them from the same split; x[i] belongs to y[i]."
        )
    count = next(iter(sizes))
    if count == 0:
        raise ValueError(
            "x is empty: it has 0 samples.\n"
            "  Likely cause: a filter or a file name matched nothing.\n"
            "  Fix: look at x.shape after each step that makes it."
        )
    return count


def _no_rows(name: str, structure: PyTree) -> ValueError:
    """The error for a single number instead of an array with one row per sample."""
    if not jax.tree_util.all_leaves([structure]):
        paths = jax.tree_util.tree_leaves_with_path(structure)
        path = next(path for path, leaf in paths if np.ndim(leaf) == 0)
        expression = f"{name}{jax.tree_util.keystr(path)}"
        return ValueError(
            f"{expression} is a single number; expected an array with one row per sample, as for "
            f"every part of {name}.\n"
            f"  Fix: {expression} = numpy.array([{expression}]) makes it one sample."
        )
    return ValueError(
        f"{name} is a single number; expected one row per sample.\n"
        f"  Fix: {name} = numpy.array([{name}]) makes it one sample."
    )


@filter_traceback
def unpack_x_y_sample_weight(data: PyTree) -> tuple[Any, Any, Any]:
    """Inputs, targets and sample weights of a batch; None for parts that it does not have.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`; a list counts as a tuple.

    Returns:
        `(x, y, sample_weight)`, with None for missing parts.

    Raises:
        ValueError: If the tuple has another length.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"A batch must be x, (x, y) or (x, y, sample_weight); received a tuple of {len(data)}."
        )
    x, y, sample_weight = data + (None,) * (3 - len(data))
    return x, y, sample_weight


@filter_traceback
def pack_x_y_sample_weight(x: Data, y: Targets = None, sample_weight: Targets = None) -> PyTree:
    """A batch as feeds and `train_step` use it; the inverse of `unpack_x_y_sample_weight`.

    Args:
        x: Inputs, `(batch, …)`.
        y: Targets, `(batch, …)`, if there are any.
        sample_weight: Weight of each sample, `(batch,)`, if there are any.

    Returns:
        `(x, y, sample_weight)` without the None entries; x alone, unless it is a tuple or list.
    """
    if y is None:
        return x if not isinstance(x, (tuple, list)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def size_in_bytes(arrays: PyTree) -> int:
    """Total size of the arrays in a structure, in bytes."""
    return sum(a.nbytes for a in jax.tree.leaves(arrays))
