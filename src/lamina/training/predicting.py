"""predict: from what a user asks about to arrays of outputs, by programs for a few sizes.

One sample should cost little more than the compiled function itself, so what is known to hold for
arrays of a shape and dtype is not looked up again until the model changes.
"""

from typing import Any

import jax
import numpy as np

from lamina.core import config, structure
from lamina.core.stateless import assign_all
from lamina.core.variable import Variable
from lamina.training import checks
from lamina.training.arrays import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from lamina.training.callbacks import CallbackList
from lamina.training.inputs import (
    first_of_one,
    is_source,
    limited,
    named_columns,
    with_batch_axis,
)
from lamina.training.stream_feed import StreamFeed

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
    if hooks.callbacks:
        hooks.set_params({"epochs": 1, "steps": steps, "verbose": verbose})
        hooks.on_predict_begin()
    if type(x) is not np.ndarray:
        x = named_columns(model, x)
        if is_source(x):
            outputs = _from_source(model, x, steps, hooks)
            hooks.on_predict_end()
            return outputs
    arrays = _checked(model, x)
    if steps is not None:
        rows = steps * (batch_size or 32)
        arrays = jax.tree.map(lambda a: a[:rows], arrays)
    total = number_of_samples(arrays)
    outputs = _Collected(total)
    _predict_rows(model, arrays, total, batch_size or 32, hooks, outputs)
    if hooks.callbacks:
        hooks.on_predict_end()
    return outputs.result()


def _checked(model: Any, x: Any) -> Any:
    """Inputs as arrays that the model takes; not looked at twice if shape and dtype are known."""
    kind = (x.dtype, x.shape[1:]) if type(x) is np.ndarray and x.ndim else None
    held, kinds = model._kinds_of_inputs
    if held is structure.version() and kind in kinds:
        return x
    arrays = convert(first_of_one(x), "x", text=True)
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
    for stretch in feed.stretches(0):
        total = stretch.stop * stretch.batch_size
        batch, _, _ = unpack_x_y_sample_weight(stretch.data)
        batch = jax.tree.map(lambda a: np.asarray(a[:total]), batch)  # noqa: B023
        _predict_rows(model, batch, total, stretch.batch_size, hooks, outputs)
    return outputs.result()


def _predict_rows(
    model: Any,
    arrays: Any,
    total: int,
    batch_size: int,
    hooks: CallbackList,
    collected: "_Collected",
) -> None:
    """Outputs for host arrays, by programs for a few fixed numbers of rows."""
    if not model.built:
        one = jax.tree.map(lambda a: a[:1], arrays)
        model.prepare(model.on_host(one), None, None, training=False)
    by_step = bool(hooks.callbacks) and hooks.has_batch_hooks("predict")
    longest = batch_size * (1 if by_step else _BATCHES)
    fixed = _has_fixed_batch(model)
    waiting: tuple[Any, int] | None = None
    for step, at in enumerate(range(0, total, longest)):
        rows = min(total - at, longest)
        if by_step:
            hooks.on_predict_batch_begin(step)
        size = _rounded_up(rows, batch_size, fixed)
        piece = arrays
        if rows < total:
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
        waiting = outputs, rows
        if by_step:
            hooks.on_predict_batch_end(step, {"outputs": outputs})
    if waiting is not None:
        collected.add(*waiting)


def _outputs(model: Any, piece: Any, batch_size: int) -> Any:
    if model.run_eagerly:
        return model.step("predict_step")(piece)
    program, variables = model.program("predict")
    state = {kind: [box._read() for box in boxes] for kind, boxes in variables.items()}
    outputs, changes = program(state, piece, batch_size=batch_size)
    if changes:
        boxes: list[Variable] = jax.tree.leaves(variables)
        assign_all([boxes[i] for i in changes], list(changes.values()))
    return outputs


class _Collected:
    """Outputs of piece after piece, in arrays that grow in place: nothing is held twice.

    Args:
        total: Number of rows to come, if it is known.
    """

    def __init__(self, total: int | None = None):
        self.total = total
        self._arrays: list[np.ndarray] = []
        self._filled: list[int] = []
        self._structure: Any = None

    def add(self, outputs: Any, rows: int) -> None:
        """Take the first `rows` rows of each output."""
        leaves, self._structure = jax.tree.flatten(outputs)
        pieces = [np.asarray(leaf)[:rows] for leaf in leaves]
        if not self._arrays:
            self._filled = [len(piece) for piece in pieces]
            # Copies, which belong to the user: what the device holds is not to be written to.
            self._arrays = [np.empty((self.total or len(p), *p.shape[1:]), p.dtype) for p in pieces]
            for array, piece in zip(self._arrays, pieces, strict=True):
                self._room(array, len(piece))
                array[: len(piece)] = piece
            return
        for i, (array, piece) in enumerate(zip(self._arrays, pieces, strict=True)):
            start, self._filled[i] = self._filled[i], self._filled[i] + len(piece)
            self._room(array, self._filled[i])
            array[start : self._filled[i]] = piece

    def _room(self, array: np.ndarray, rows: int) -> None:
        if rows > len(array):
            # By a quarter more than needed; large arrays keep their pages, so nothing is copied.
            array.resize((rows + rows // 4, *array.shape[1:]), refcheck=False)

    def result(self) -> Any:
        for array, rows in zip(self._arrays, self._filled, strict=True):
            if rows < len(array):
                array.resize((rows, *array.shape[1:]), refcheck=False)
        return jax.tree.unflatten(self._structure, self._arrays)


def _has_fixed_batch(model: Any) -> bool:
    """Whether a model was drawn for batches of one size, as stateful layers need."""
    return any(tensor.shape[0] is not None for tensor in model.inputs or ())


def _rounded_up(rows: int, batch_size: int, fixed: bool) -> int:
    """Rows padded to one of a few sizes, so that odd sizes do not compile for ever."""
    if rows <= batch_size:
        return rows if fixed else min(1 << (rows - 1).bit_length(), batch_size)
    batches = -(-rows // batch_size)
    return batch_size * (batches if fixed else 1 << (batches - 1).bit_length())


def _padded(array: Any, size: int) -> Any:
    missing = size - array.shape[0]
    if missing == 0:
        return array
    if isinstance(array, jax.Array):
        array = np.asarray(array)
    # The last row again: a row of zeros might be outside what a layer accepts.
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
