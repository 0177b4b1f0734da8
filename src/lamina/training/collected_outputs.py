"""Joins the outputs of several calls of a program to arrays for the user."""

from typing import Any

import jax
import numpy as np

from lamina.core.types import Outputs, Shape


def remove_padding(outputs: Outputs, rows: int, size: int) -> np.ndarray:
    """The outputs for the first `rows` of `size` rows; the other rows are padding."""
    return np.asarray(outputs)[:rows] if rows < size else np.asarray(outputs)


class CollectedOutputs:
    """Arrays of outputs that grow in place, so that no output is copied twice.

    Args:
        total: Total number of rows, if known.
        single_batch: Whether there is a single batch, whose outputs are returned unchanged.
    """

    def __init__(self, total: int | None = None, single_batch: bool = False):
        self.total = total
        self.single_batch = single_batch
        self._arrays: list[np.ndarray] = []
        self._lengths: list[int] = []
        self._structure: Any = None
        self._single_output: np.ndarray | None = (
            None  # the result, if one call gives a single array
        )

    def add(self, outputs: Outputs, rows: int, size: int) -> None:
        """Add the outputs for `rows` rows from a call with a padded size of `size` rows."""
        if rows == self.total == size and isinstance(outputs, jax.Array) and outputs.ndim:
            self._single_output = np.asarray(outputs).copy()
            return
        leaves, self._structure = jax.tree.flatten(outputs)
        new_arrays = [remove_padding(leaf, rows, size) for leaf in leaves]
        if not self.single_batch:  # a scalar output gives one number per batch
            new_arrays = [np.atleast_1d(new) for new in new_arrays]
        if not self._arrays and rows == self.total:
            self._arrays = [new.copy() for new in new_arrays]
            self._lengths = [len(new) if new.ndim else 0 for new in new_arrays]
            return
        if not self._arrays:
            # Copies, because the user may write to them, unlike to arrays on the device.
            totals = [self.total if len(new) == rows else None for new in new_arrays]
            self._arrays = [
                np.empty((total or len(new), *new.shape[1:]), new.dtype)
                for total, new in zip(totals, new_arrays, strict=True)
            ]
            self._lengths = [0] * len(new_arrays)
        for i, (array, new) in enumerate(zip(self._arrays, new_arrays, strict=True)):
            if new.shape[1:] != array.shape[1:]:
                raise _join_error((self._lengths[i], *array.shape[1:]), new.shape)
            start, self._lengths[i] = self._lengths[i], self._lengths[i] + len(new)
            self._reserve(array, self._lengths[i])
            array[start : self._lengths[i]] = new

    def _reserve(self, array: np.ndarray, rows: int) -> None:
        """Enlarge an array to at least `rows` rows."""
        if rows > len(array):
            # 25 % more than needed. The operating system moves pages of large arrays without
            # copying.
            array.resize((rows + rows // 4, *array.shape[1:]), refcheck=False)

    def result(self) -> Outputs:
        """The collected outputs, in the structure of the model's outputs."""
        if self._single_output is not None:
            return self._single_output
        for array, rows in zip(self._arrays, self._lengths, strict=True):
            if array.ndim and rows < len(array):
                array.resize((rows, *array.shape[1:]), refcheck=False)
        return jax.tree.unflatten(self._structure, self._arrays)


def _join_error(before: Shape, new: tuple[Any, ...]) -> ValueError:
    return ValueError(
        f"predict() cannot join its outputs to one array: those before have shape {before}, and "
        f"the next have shape {new}.\n"
        "  Likely cause: an output with an axis as long as the batch, such as a matrix of "
        "similarities, or batches of sequences of different lengths.\n"
        "  Fix: model.predict_on_batch(x) for one batch at a time."
    )
