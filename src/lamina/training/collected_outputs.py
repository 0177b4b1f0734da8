"""Outputs of a prediction, collected piece by piece into arrays that the user gets."""

from typing import Any

import jax
import numpy as np


def own_rows(outputs: Any, rows: int, size: int) -> np.ndarray:
    """Outputs for the first `rows` of `size` rows; all of them where no row was added."""
    return np.asarray(outputs)[:rows] if rows < size else np.asarray(outputs)


class CollectedOutputs:
    """Outputs of piece after piece, in arrays that grow in place: nothing is held twice.

    Args:
        total: Number of rows to come, if it is known.
        whole: Whether there will be one batch, whose outputs stay as they are.
    """

    def __init__(self, total: int | None = None, whole: bool = False):
        self.total = total
        self.whole = whole
        self._arrays: list[np.ndarray] = []
        self._filled: list[int] = []
        self._structure: Any = None
        self._only: np.ndarray | None = None  # where there is one array, in one piece

    def add(self, outputs: Any, rows: int, size: int) -> None:
        """Take the outputs for `rows` rows, of programs for `size` rows."""
        if rows == self.total == size and isinstance(outputs, jax.Array) and outputs.ndim:
            self._only = np.asarray(outputs).copy()
            return
        leaves, self._structure = jax.tree.flatten(outputs)
        pieces = [own_rows(leaf, rows, size) for leaf in leaves]
        if not self.whole:  # an output that is a single number gives one for each batch
            pieces = [np.atleast_1d(piece) for piece in pieces]
        if not self._arrays and rows == self.total:
            self._arrays = [piece.copy() for piece in pieces]
            self._filled = [len(piece) if piece.ndim else 0 for piece in pieces]
            return
        if not self._arrays:
            # Copies, which belong to the user: what the device holds is not to be written to.
            totals = [self.total if len(p) == rows else None for p in pieces]
            self._arrays = [
                np.empty((total or len(p), *p.shape[1:]), p.dtype)
                for total, p in zip(totals, pieces, strict=True)
            ]
            self._filled = [0] * len(pieces)
        for i, (array, piece) in enumerate(zip(self._arrays, pieces, strict=True)):
            if piece.shape[1:] != array.shape[1:]:
                raise _cannot_be_joined((self._filled[i], *array.shape[1:]), piece.shape)
            start, self._filled[i] = self._filled[i], self._filled[i] + len(piece)
            self._reserve(array, self._filled[i])
            array[start : self._filled[i]] = piece

    def _reserve(self, array: np.ndarray, rows: int) -> None:
        if rows > len(array):
            # By a quarter more than needed; large arrays keep their pages, so nothing is copied.
            array.resize((rows + rows // 4, *array.shape[1:]), refcheck=False)

    def result(self) -> Any:
        if self._only is not None:
            return self._only
        for array, rows in zip(self._arrays, self._filled, strict=True):
            if array.ndim and rows < len(array):
                array.resize((rows, *array.shape[1:]), refcheck=False)
        return jax.tree.unflatten(self._structure, self._arrays)


def _cannot_be_joined(before: tuple, piece: tuple) -> ValueError:
    return ValueError(
        f"predict() cannot join its outputs to one array: those before have shape {before}, and "
        f"the next have shape {piece}.\n"
        "  Likely cause: an output with an axis as long as the batch, such as a matrix of "
        "similarities, or batches of sequences of different lengths.\n"
        "  Fix: model.predict_on_batch(x) for one batch at a time."
    )
