"""predict: from what a user asks about to arrays of outputs, by programs for a few sizes.

One sample should cost little more than the compiled function itself, so what is known to hold for
arrays of a shape and dtype is not looked up again until the model changes.
"""

import contextlib
import functools
from typing import Any

import jax
import numpy as np

from lamina.core import config, structure
from lamina.core.stateless import assign_all, still
from lamina.core.threads import building, trained_by_another
from lamina.core.variable import Variable
from lamina.training import checks
from lamina.training.callbacks import CallbackList
from lamina.training.compiled import run_on
from lamina.training.feeds import columns
from lamina.training.feeds.conversion import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.make import (
    WHOLE,
    default_batch_size,
    first_of_one,
    is_source,
    limited,
    named_columns,
    with_batch_axis,
)
from lamina.training.feeds.sparse import has_sparse_rows, keep_large_sparse
from lamina.training.feeds.stream import StreamFeed

# So many batches are computed by one call of a program.
_BATCHES = 64


def predict(
    model: Any,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = 0,
    steps: int | None = None,
    callbacks: Any = None,
) -> Any:
    """What `Model.predict` does; its arguments are described there."""
    if config.max_steps_per_epoch() is not None:
        steps = limited(steps, config.max_steps_per_epoch(), "steps")
    hooks = CallbackList(callbacks, model=model)
    if model.stop_predicting:  # by a callback of an earlier call
        object.__setattr__(model, "stop_predicting", False)
    if hooks.callbacks:
        hooks.set_params({"epochs": 1, "steps": steps, "verbose": verbose})
        hooks.on_predict_begin()
    if type(x) is not np.ndarray:
        x = named_columns(model, x)
        columns.refuse_other_order(model, x)
        if is_source(x):
            outputs = _from_source(model, x, steps, hooks)
            hooks.on_predict_end()
            return outputs
    arrays = _checked(model, x)
    # One array that has rows needs no looking into.
    has_rows = type(arrays) is np.ndarray and arrays.ndim and len(arrays)
    total = len(arrays) if has_rows else number_of_samples(arrays)
    if batch_size is None:
        batch_size = default_batch_size(model)
    if steps is not None and steps * batch_size < total:
        total = steps * batch_size
        arrays = jax.tree.map(lambda a: a[:total], arrays)
    outputs = _Collected(total, whole=batch_size == WHOLE)
    _predict_rows(model, arrays, total, batch_size, hooks, outputs)
    if hooks.callbacks:
        hooks.on_predict_end()
    return outputs.result()


def _checked(model: Any, x: Any) -> Any:
    """Inputs as arrays that the model takes; not looked at twice if shape and dtype are known."""
    kind = (x.dtype, x.shape[1:]) if type(x) is np.ndarray and x.ndim else None
    held, kinds = model._kinds_of_inputs
    if held is structure.version() and kind in kinds:
        return x
    arrays = convert(keep_large_sparse(first_of_one(x)), "x", text=True)
    arrays = with_batch_axis(model, arrays)
    checks.inputs(model, arrays)
    if arrays is x and kind is not None and model.built:
        if held is not structure.version():
            kinds = set()
            object.__setattr__(model, "_kinds_of_inputs", (structure.version(), kinds))
        kinds.add(kind)
    return arrays


def _from_source(model: Any, x: Any, steps: int | None, hooks: CallbackList) -> Any:
    feed = StreamFeed(x, steps, prepare=model.on_host)
    feed.example()
    outputs = _Collected()
    done = 0
    for chunk in feed.once():
        total = chunk.stop * chunk.batch_size
        batch, _, _ = unpack_x_y_sample_weight(chunk.data)
        batch = jax.tree.map(lambda a: np.asarray(a[:total]), batch)  # noqa: B023
        checks.inputs(model, batch)
        _predict_rows(model, batch, total, chunk.batch_size, hooks, outputs, done)
        done += chunk.stop
        if model.stop_predicting:
            break
    if feed.steps is not None and done < feed.steps and not model.stop_predicting:
        checks.warn(
            f"The data to predict for ended after {done} of {feed.steps} steps; the outputs are "
            "those of these batches.\n  Fix: leave out steps, or give no more than there are."
        )
    return outputs.result()


def _predict_rows(
    model: Any,
    arrays: Any,
    total: int,
    batch_size: int,
    hooks: CallbackList,
    collected: "_Collected",
    steps_before: int = 0,
) -> None:
    """Outputs for host arrays, batch by batch as asked, or as if they were."""
    if not model.built:
        with building:
            if not model.built:
                one = jax.tree.map(lambda a: a[:1], arrays)
                model.prepare(model.on_host(one), None, None, training=None)
    by_step = bool(hooks.callbacks) and hooks.has_batch_hooks("predict")
    batch_size, pieces = _plan(model, arrays, total, batch_size, by_step)
    scope: Any = contextlib.nullcontext()
    if len(pieces) > 1 and trained_by_another(model):  # with the weights of one moment
        scope = still(model.program("predict")[1])
    with scope:
        _compute(model, arrays, total, batch_size, pieces, by_step, hooks, collected, steps_before)


def _compute(
    model: Any,
    arrays: Any,
    total: int,
    batch_size: int,
    pieces: list[tuple[int, int]],
    by_step: bool,
    hooks: CallbackList,
    collected: "_Collected",
    steps_before: int,
) -> None:
    """Outputs of piece after piece."""
    waiting: tuple[Any, int, int] | None = None
    at = 0
    for step, (rows, size) in enumerate(pieces, steps_before):
        if by_step:
            hooks.on_predict_batch_begin(step)
        piece = arrays
        if rows < total or has_sparse_rows(arrays):
            piece = jax.tree.map(lambda a: a[at : at + rows], arrays)  # noqa: B023
        piece = model.on_host(piece)
        if size != rows:
            piece = jax.tree.map(lambda a: _padded(a, size), piece)  # noqa: B023
        # Several inputs are a tuple, and a bare tuple would be read as (x, y).
        piece = pack_x_y_sample_weight(piece)
        outputs = _outputs(model, piece, batch_size)
        # The device computes these while the host takes those before.
        if waiting is not None:
            collected.add(*waiting)
        waiting = outputs, rows, size
        if by_step:
            own = jax.tree.map(lambda a: _own_rows(a, rows, size), outputs)  # noqa: B023
            hooks.on_predict_batch_end(step, {"outputs": own})
            if model.stop_predicting:
                break
        at += rows
    if waiting is not None:
        collected.add(*waiting)


def _plan(
    model: Any, arrays: Any, total: int, batch_size: int, by_step: bool
) -> tuple[int, list[tuple[int, int]]]:
    """The size of batches to compute in, and the pieces, see `_pieces`.

    By a few programs for all numbers of rows, if those leave the batches as they were asked for or
    if it makes no difference with which others a row is computed.
    """
    asked, fixed = batch_size, _has_fixed_batch(model)
    if batch_size == WHOLE:
        asked, batch_size = total, default_batch_size(model)
    if model.run_eagerly:  # nothing is compiled, and perhaps nothing can be
        return asked, _exact_pieces(total, asked, by_step=True)
    if _keeps_batches(total, batch_size, asked, by_step, fixed) or _rows_are_apart(model, arrays):
        return batch_size, _pieces(total, batch_size, by_step, fixed)
    return asked, _exact_pieces(total, asked, by_step)


def _rows_are_apart(model: Any, arrays: Any) -> bool:
    one = model.on_host(jax.tree.map(lambda a: a[:1], arrays))
    return model.rows_are_apart("predict", pack_x_y_sample_weight(one))


def _outputs(model: Any, piece: Any, batch_size: int) -> Any:
    if model.run_eagerly:
        return model.step("predict_step")(piece)
    program, variables = model.program("predict")

    def assign(result: tuple[Any, dict]) -> None:
        _, changes = result
        if changes:
            boxes: list[Variable] = jax.tree.leaves(variables)
            assign_all([boxes[i] for i in changes], list(changes.values()))

    outputs, _ = run_on(program, variables, piece, batch_size=batch_size, assign=assign)
    return outputs


def _own_rows(outputs: Any, rows: int, size: int) -> np.ndarray:
    """Outputs for the first `rows` of `size` rows; all of them where no row was added."""
    return np.asarray(outputs)[:rows] if rows < size else np.asarray(outputs)


class _Collected:
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

    def add(self, outputs: Any, rows: int, size: int) -> None:
        """Take the outputs for `rows` rows, of programs for `size` rows."""
        leaves, self._structure = jax.tree.flatten(outputs)
        pieces = [_own_rows(leaf, rows, size) for leaf in leaves]
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
            self._room(array, self._filled[i])
            array[start : self._filled[i]] = piece

    def _room(self, array: np.ndarray, rows: int) -> None:
        if rows > len(array):
            # By a quarter more than needed; large arrays keep their pages, so nothing is copied.
            array.resize((rows + rows // 4, *array.shape[1:]), refcheck=False)

    def result(self) -> Any:
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


def _has_fixed_batch(model: Any) -> bool:
    """Whether a model was drawn for batches of one size, as stateful layers need."""
    return any(tensor.shape[0] is not None for tensor in getattr(model, "inputs", ()))


@functools.lru_cache(maxsize=4096)
def _pieces(total: int, batch_size: int, by_step: bool, fixed: bool) -> list[tuple[int, int]]:
    """In which pieces to compute rows: how many each takes, and to how many they are padded.

    Programs are compiled for a few sizes only: 1, 8, 32, 256 and 2,048 rows for batches of 32. One
    takes about 2 MB, and programs for all powers of two took 23 MB where these take 7.

    Args:
        total: Number of rows.
        batch_size: Rows in a batch.
        by_step: Whether every batch is a piece of its own.
        fixed: Whether the model takes batches of one size only.
    """
    longest = batch_size * (1 if by_step else _BATCHES)
    if fixed:
        taken = [min(longest, total - at) for at in range(0, total, longest)]
        return [(n, n if n < batch_size else -(-n // batch_size) * batch_size) for n in taken]
    pieces: list[tuple[int, int]] = []
    left, computed = total, 0
    while left:
        above, size = _neighbours(left, batch_size, longest)
        # A call and a program more, or some rows too many?
        used = pieces[-1][1] if pieces else 0
        if used >= left and computed + used <= 1.5 * total:
            size = used
        elif above is not None:
            spare = 2 if above <= batch_size else 1.25
            if by_step or above <= spare * left:
                size = above
        rows = min(left, size)
        pieces.append((rows, size))
        left, computed = left - rows, computed + size
    return pieces


@functools.lru_cache(maxsize=4096)
def _exact_pieces(total: int, batch_size: int, by_step: bool) -> list[tuple[int, int]]:
    """The same for rows that depend on each other: whole batches, and a last one of its own size.

    One program is for many batches, one for a few, and one for a single one.
    """
    counts = (1,) if by_step else (_BATCHES, 8, 1)
    pieces, left = [], total
    while left >= batch_size:
        rows = next(count * batch_size for count in counts if count * batch_size <= left)
        pieces.append((rows, rows))
        left -= rows
    return [*pieces, (left, left)] if left else pieces


@functools.lru_cache(maxsize=4096)
def _keeps_batches(total: int, batch_size: int, asked: int, by_step: bool, fixed: bool) -> bool:
    """Whether the pieces for few programs consist of the very batches that were asked for."""
    left = total
    for rows, size in _pieces(total, batch_size, by_step, fixed):
        batch = min(size, batch_size)
        if rows != size or batch != min(asked, left):
            return False
        left -= rows
    return True


def _neighbours(rows: int, batch_size: int, longest: int) -> tuple[int | None, int]:
    """The smallest size of a program above a number of rows, if any, and the largest within."""
    above = None
    for size in _sizes(batch_size, longest):
        if size <= rows:
            return above, size
        above = size
    raise ValueError(f"There are no programs for {rows} rows.")


@functools.cache
def _sizes(batch_size: int, longest: int) -> list[int]:
    """The numbers of rows that programs are made for, the largest first."""
    sizes = [longest] if longest == batch_size else [longest, batch_size * 8, batch_size]
    while sizes[-1] >= 16:
        sizes.append(sizes[-1] // 4)
    return [*sizes, 1] if sizes[-1] > 1 else sizes


def _padded(array: Any, size: int) -> Any:
    missing = size - array.shape[0]
    if missing == 0:
        return array
    if isinstance(array, jax.Array):
        array = np.asarray(array)
    # The last row again: a row of zeros might be outside what a layer accepts.
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
