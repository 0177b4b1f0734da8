"""Converts the text that users pass to NumPy arrays of `str`.

Text is never on the device. Layers for text compute in NumPy on the host. A model that
begins with such layers is divided in two, so that the second part is one compiled program.
"""

import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import PyTree
from lamina.core.user_data.data_kinds import is_text


@contextlib.contextmanager
def compute_on_host() -> Iterator[None]:
    """Context manager in which layers that compute in NumPy return NumPy arrays."""
    outer, context.on_host = context.on_host, True
    try:
        yield
    finally:
        context.on_host = outer


def as_user_results(results: Any) -> Any:
    """Convert results for the user: numbers to JAX arrays, while text stays in NumPy arrays."""

    def is_on_host(a: Any) -> bool:
        return isinstance(a, np.ndarray) and a.dtype.kind in "biuf"

    # JAX may hang in a worker process that was forked from a process that has used JAX.
    if context.on_host or multiprocessing.parent_process() is not None:
        return results
    # In most cases there is nothing to convert; then dicts keep their order, which JAX would sort.
    if not any(map(is_on_host, jax.tree.leaves(results))):
        return results
    return jax.tree.map(lambda a: jnp.asarray(a) if is_on_host(a) else a, results)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Preprocessed:
    """Inputs of a model, after its layers for text have run on the host.

    Args:
        values: Arrays of numbers, `(samples, …)` each, and the `Preprocessed` of nested models,
            in the order in which the model uses them.
    """

    values: tuple[Any, ...]


def has_text(structure: PyTree) -> bool:
    """Whether any leaf of a structure of arrays is text; lists of `str` count as arrays."""
    if isinstance(structure, dict):
        return any(map(has_text, structure.values()))
    if is_text(structure):
        return True
    return isinstance(structure, (list, tuple)) and any(map(has_text, structure[:1000]))


def convert_texts(structure: Any) -> Any:
    """Convert the text in a structure of inputs to NumPy arrays, and nothing else."""
    if is_text(structure):
        return as_host_array(structure)
    if isinstance(structure, dict):
        return {key: convert_texts(value) for key, value in structure.items()}
    if type(structure) in (list, tuple) and has_text(structure):
        return type(structure)(map(convert_texts, structure))
    return structure


def as_host_array(value: Any, what: str = "the input") -> PyTree:
    """A NumPy array of texts (of dtype object, every element a `str`) or of numbers.

    JAX arrays and symbolic tensors are returned unchanged.

    Args:
        value: A text, a list of texts or numbers, an array, a column of a table.
        what: Name for messages.

    Raises:
        TypeError: If some of the texts are missing or are not text.
        ValueError: If rows of a list differ in length.
    """
    if isinstance(value, (jax.Array, KerasTensor)):
        return value
    original = value
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor
        value = value.detach().cpu()
    if hasattr(value, "to_numpy"):  # pandas
        value = value.to_numpy()
    elif hasattr(value, "numpy") and not isinstance(value, np.ndarray):
        value = value.numpy()
    if is_text(value):
        return _array_of_texts(value, what, original)
    try:
        array = np.asarray(value)
        return np.array(array.tolist()) if array.dtype.kind == "O" else array
    except ValueError:
        raise _ragged_error(what) from None


def _array_of_texts(value: Any, what: str, original: Any = None) -> np.ndarray:
    if isinstance(value, bytes):
        value = value.decode()
    # As objects: an array of fixed-width characters would make every text as long as the longest.
    array = np.array(value, dtype=object) if not isinstance(value, np.ndarray) else value
    array = array.astype(object, copy=False)
    texts = array.ravel().tolist()
    types = set(map(type, texts))
    if types <= {str, np.str_}:
        return array
    texts = [v.decode() if isinstance(v, bytes) else v for v in texts]
    wrong_index = next((i for i, v in enumerate(texts) if not isinstance(v, str)), None)
    if wrong_index is not None:
        if isinstance(texts[wrong_index], (list, tuple)):
            raise _ragged_error(what)
        fix = "x = numpy.asarray(x, str)"
        if texts[wrong_index] is None or texts[wrong_index] != texts[wrong_index]:
            fix = "x = numpy.vectorize(lambda text: text if isinstance(text, str) else '')(x)"
            if hasattr(original, "fillna"):
                fix = "x = x.fillna('')"
        raise TypeError(
            f"{what} holds texts, but element {wrong_index} is {texts[wrong_index]!r}.\n  Fix: "
            f"{fix}."
        )
    result = np.empty(len(texts), dtype=object)
    result[:] = texts
    return result.reshape(array.shape)


def _ragged_error(what: str) -> ValueError:
    return ValueError(
        f"{what} is a list whose rows differ in length, so it is not an array.\n"
        "  Fix: pad the rows to one length, e.g. with '' as mask_token."
    )
