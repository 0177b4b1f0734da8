"""One sample of a user as a batch of one, in the form in which a model computes with it."""

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
        inputs: The same for compiled programs: numbers on the device.
        remarks: Remarks on how a file was converted, for the user.
    """

    arrays: Any
    inputs: PyTree
    remarks: tuple[str, ...] = ()


def one_sample(model: Model, x: Any, is_baseline: bool = False) -> Sample:
    """Bring one sample to the form in which a model takes it.

    Args:
        model: A built model.
        is_baseline: Whether it may be unlike the data of training.
        x: Array `(…)` or `(1, …)`, a structure of them, a text, a row as a dict; or a file, if
            the model's contract says how files become inputs.

    Raises:
        TypeError, ValueError: If it is not one sample, or does not fit the model.
    """
    if not isinstance(model, Model):
        raise TypeError(f"An explanation is of a model; received {type(model).__name__}.")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has no weights yet, so there is nothing to explain.\n"
            "  Fix: model.fit(x, y), or model.build(input_shape) for its first weights."
        )
    learner, remarks = model._learner, []
    contract = model.input_contract
    if contract is not None and contract.kind != "arrays" and _is_raw(x):
        found = read_inputs(contract, x)
        if found.x is None or found.errors:
            name, reason = next(iter(found.errors.items()))
            raise ValueError(f"{name}: {reason}")
        x, remarks = found.x, found.remarks
    x = as_tables(x, "x")
    is_table = hasattr(x, "iloc") and hasattr(x, "columns")
    x = table_as_inputs(learner.signature, _row_as_array(model, x))
    refuse_reordered_columns(learner, x)
    if x is None or is_source(x):
        raise TypeError(f"explain() takes one sample; received {_described(x)}.")
    if isinstance(x, str):
        x = np.array([x], dtype=object)
    elif isinstance(x, Mapping):
        x = {name: [value] if np.ndim(value) == 0 else value for name, value in x.items()}
    arrays = convert(unwrap_single(x), "x", text=True)
    tensors = learner.signature.inputs
    if has_text(arrays) and tensors and not any(t.dtype == "string" for t in tensors):
        convert(arrays, "x")  # raises an error that explains what to do with text
    arrays = _with_batch_axis(model, arrays)
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
    """A row with names, of a model that was trained on a table, as an array in its order."""
    names = model._learner.columns.get("x")
    is_row = isinstance(x, Mapping) or (hasattr(x, "index") and hasattr(x, "to_numpy"))
    if names is None or not is_row or len(model._learner.signature.inputs) != 1:
        return x
    known = set(x.keys())
    if getattr(x, "columns", None) is not None or not all(name in known for name in names):
        return x
    values = [x[name] for name in names]
    return np.array([values], "float32") if all(np.ndim(v) == 0 for v in values) else x


def _described(x: Any) -> str:
    return "None" if x is None else f"a {type(x).__name__}, which gives batches"


def _with_batch_axis(model: Model, arrays: Any) -> Any:
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
    fitted = [_fitted(leaf, tuple(shape)) for leaf, shape in zip(leaves, shapes, strict=True)]
    return jax.tree.unflatten(structure, fitted)


def _fitted(array: Any, sample: tuple[int | None, ...]) -> Any:
    """An array `(1, *sample)`, of one with or without the first axis and a last one of size 1."""
    shape = tuple(array.shape)
    if _matches(shape, sample):
        return array[None]
    if sample and sample[-1] == 1:
        if _matches(shape, sample[:-1]):
            return array[None, ..., None]
        if _matches(shape[1:], sample[:-1]) and shape[0] == 1:
            return array[..., None]
    return array


def _matches(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(w is None or s == w for s, w in pairs)


def _on_device(model: Model, inputs: PyTree) -> PyTree:
    """Inputs as JAX arrays, in the dtypes of the model's inputs."""
    if isinstance(inputs, Preprocessed):
        return jax.tree.map(jnp.asarray, inputs)
    if any(is_text(leaf) for leaf in jax.tree.leaves(inputs)):
        raise TypeError(
            f"Model {model.name!r} takes text inside its own call(), where nothing can be "
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
