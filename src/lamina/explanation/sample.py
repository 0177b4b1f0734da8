"""Converts one sample of a user to a batch of one, in the form that a model's programs take."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import PyTree
from lamina.core.user_data.columnar import as_tables
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import Preprocessed, has_text
from lamina.models import Model
from lamina.prediction.raw_inputs import read_inputs
from lamina.training import checks
from lamina.training.feeds.conversion import convert
from lamina.training.feeds.table_columns import refuse_reordered_columns
from lamina.training.feeds.user_data import is_source, table_as_inputs, unwrap_single
from lamina.training.input_contract import warn_of_different_inputs


class Sample(NamedTuple):
    """One sample.

    Args:
        arrays: The arrays `(1, …)` that the model receives, with text as text.
        inputs: The inputs of the compiled programs: arrays on the device, with text as integers.
        remarks: Remarks on how a file was converted, for the user.
    """

    arrays: Any
    inputs: PyTree
    remarks: tuple[str, ...] = ()


def one_sample(model: Model, x: Any, is_baseline: bool = False) -> Sample:
    """Convert one sample to the form that a model takes.

    Args:
        model: A built model.
        x: Array `(…)` or `(1, …)`, a structure of them, a text, a row as a dict; or a file, if
            the model's contract says how files become inputs.
        is_baseline: Whether `x` is a baseline, which may differ from the training data without a
            warning.

    Raises:
        TypeError, ValueError: If `x` is not one sample, or does not fit the model.
    """
    if not isinstance(model, Model):
        raise TypeError(f"Only a model can be explained; received {type(model).__name__}.")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so there is nothing to explain.\n"
            "  Fix: model.fit(x, y), or model.build(input_shape) for its initial weights."
        )
    learner, remarks = model._learner, []
    contract = model.input_contract
    if contract is not None and contract.kind != "arrays" and _is_raw(x):
        inputs_read = read_inputs(contract, x)
        if inputs_read.x is None or inputs_read.errors:
            name, reason = next(iter(inputs_read.errors.items()))
            raise ValueError(f"{name}: {reason}")
        x, remarks = inputs_read.x, inputs_read.remarks
    x = as_tables(x, "x")
    is_table = hasattr(x, "iloc") and hasattr(x, "columns")
    x = table_as_inputs(learner.signature, _row_as_array(model, x))
    refuse_reordered_columns(learner, x)
    if x is None or is_source(x):
        raise TypeError(f"explain() takes one sample; received {_describe_type(x)}.")
    if isinstance(x, str):
        x = np.array([x], dtype=object)
    elif isinstance(x, Mapping):
        x = {name: [value] if np.ndim(value) == 0 else value for name, value in x.items()}
    arrays = convert(unwrap_single(x), "x", text=True)
    tensors = learner.signature.inputs
    if has_text(arrays) and tensors and not any(t.dtype == "string" for t in tensors):
        convert(arrays, "x")  # raises an error that explains what to do with text
    arrays = _add_batch_axes(model, arrays)
    checks.check_inputs(learner, arrays)
    inputs = learner.on_host(arrays)
    sizes = {leaf.shape[0] for leaf in jax.tree.leaves(arrays)}
    if sizes != {1}:
        first = "x.iloc[[0]]" if is_table else "x[0]"
        raise ValueError(
            f"explain() takes one sample; received {max(sizes)}.\n  Fix: model.explain({first})."
        )
    if not learner.signature.handles_missing_values:
        checks.check_finite(arrays, "x")
    checks.check_embedding_indices(learner, arrays, "")
    if not is_baseline:
        warn_of_different_inputs(learner, arrays)
    return Sample(arrays, _on_device(model, inputs), tuple(remarks))


def _is_raw(x: Any) -> bool:
    """Whether x is a file, a text, or a row, rather than arrays."""
    if isinstance(x, Mapping):
        return all(np.ndim(value) == 0 for value in x.values())
    is_picture = hasattr(x, "convert") and hasattr(x, "getexif")
    return is_picture or isinstance(x, (str, bytes, os.PathLike)) or hasattr(x, "_asdict")


def _row_as_array(model: Model, x: Any) -> Any:
    """A named row, such as a dict, as an array in the order of the columns in training.

    Anything else, and a row for a model that was not trained on one table, is returned unchanged.
    """
    names = model._learner.columns.get("x")
    is_row = isinstance(x, Mapping) or (hasattr(x, "index") and hasattr(x, "to_numpy"))
    if names is None or not is_row or len(model._learner.signature.inputs) != 1:
        return x
    keys = set(x.keys())
    if getattr(x, "columns", None) is not None or not all(name in keys for name in names):
        return x
    values = [x[name] for name in names]
    return np.array([values], "float32") if all(np.ndim(v) == 0 for v in values) else x


def _describe_type(x: Any) -> str:
    return "None" if x is None else f"a {type(x).__name__}, which gives batches"


def _add_batch_axes(model: Model, arrays: Any) -> Any:
    """The arrays as a batch of one, where the shapes of the model's inputs are known."""
    learner = model._learner
    shapes = [tensor.shape[1:] for tensor in learner.signature.inputs]
    contract = model.input_contract
    if not shapes and contract is not None:
        shapes = [known.shape for known in contract.inputs]
    if not shapes:  # a model without a graph: the number of axes that it was built for
        built = (model.get_build_config() or {}).get("input_shape")
        shapes = [(None,) * (len(built) - 1)] if isinstance(built, (list, tuple)) else []
    leaves, structure = jax.tree.flatten(arrays)
    if isinstance(arrays, Mapping) and learner.signature.inputs and len(leaves) == len(shapes):
        by_name = dict(zip(learner.signature.input_names, shapes, strict=True))
        shapes = [by_name.get(name, shape) for name, shape in zip(sorted(arrays), shapes)]  # noqa: B905
    if len(shapes) != len(leaves):
        return arrays
    batches = [_add_batch_axis(leaf, tuple(s)) for leaf, s in zip(leaves, shapes, strict=True)]
    return jax.tree.unflatten(structure, batches)


def _add_batch_axis(array: Any, sample_shape: tuple[int | None, ...]) -> Any:
    """Add the batch axis, and a last axis of size 1, where the array lacks them."""
    shape = tuple(array.shape)
    if _shapes_match(shape, sample_shape):
        return array[None]
    if sample_shape and sample_shape[-1] == 1:
        if _shapes_match(shape, sample_shape[:-1]):
            return array[None, ..., None]
        if _shapes_match(shape[1:], sample_shape[:-1]) and shape[0] == 1:
            return array[..., None]
    return array


def _shapes_match(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(e is None or s == e for s, e in pairs)


def _on_device(model: Model, inputs: PyTree) -> PyTree:
    """Inputs as JAX arrays, in the dtypes of the model's inputs."""
    if isinstance(inputs, Preprocessed):
        return jax.tree.map(jnp.asarray, inputs)
    if any(is_text(leaf) for leaf in jax.tree.leaves(inputs)):
        raise TypeError(
            f"Model {model.name!r} takes text inside its own call(), so its answer cannot be "
            "explained."
        )
    tensors = model._learner.signature.inputs
    leaves, structure = jax.tree.flatten(inputs)
    if len(tensors) == 1 == len(leaves):
        dtype = tensors[0].dtype
        return jax.tree.unflatten(structure, [jnp.asarray(leaves[0], dtype=dtype)])
    if len(tensors) == len(leaves):
        arranged = model._learner.signature.arrange(inputs)
        dtypes = {id(leaf): tensor.dtype for leaf, tensor in zip(arranged, tensors, strict=True)}
        return jax.tree.map(lambda a: jnp.asarray(a, dtype=dtypes.get(id(a), a.dtype)), inputs)
    return jax.tree.map(jnp.asarray, inputs)
