"""The part of the engine that computes the outputs for a request of `predict`.

A prediction for one sample should take little longer than the compiled function itself. So checks
that an array has passed are not repeated for arrays of the same shape and dtype until the model
changes.
"""

import contextlib
from typing import Any

import jax
import numpy as np

from lamina.core.types import Outputs, PyTree
from lamina.core.variable.stateless import assign_all, snapshot
from lamina.core.variable.threads import build_lock, is_training_in_other_thread
from lamina.core.variable.variable import Variable
from lamina.training import checks
from lamina.training.callbacks import CallbackList
from lamina.training.collected_outputs import CollectedOutputs, remove_padding
from lamina.training.compiled_function import run_program
from lamina.training.feeds.conversion import pack_x_y_sample_weight, unpack_x_y_sample_weight
from lamina.training.feeds.prediction_calls import (
    pad_rows,
    padded_calls_keep_batches,
    plan_exact_calls,
    plan_padded_calls,
)
from lamina.training.feeds.sparse import has_sparse_rows
from lamina.training.feeds.user_data import SINGLE_BATCH, default_batch_size
from lamina.training.learner import Learner
from lamina.training.requests import PredictRequest


def run(learner: Learner, request: PredictRequest) -> Outputs:
    """The outputs for a request."""
    model = learner.model
    callbacks = CallbackList(request.callbacks, model=model)
    if model.stop_predicting:  # set by a callback of an earlier call
        object.__setattr__(model, "stop_predicting", False)
    if callbacks.callbacks:
        callbacks.set_params({"epochs": 1, "steps": request.steps, "verbose": request.verbose})
        callbacks.on_predict_begin()
    if request.feed is not None:
        outputs = _predict_feed(learner, request, callbacks)
    else:
        outputs = CollectedOutputs(request.rows, single_batch=request.batch_size == SINGLE_BATCH)
        _predict_rows(learner, request.arrays, request.rows, request.batch_size, callbacks, outputs)
    if callbacks.callbacks:
        callbacks.on_predict_end()
    return outputs.result()


def _predict_feed(
    learner: Learner, request: PredictRequest, callbacks: CallbackList
) -> CollectedOutputs:
    feed, model = request.feed, learner.model
    assert feed is not None
    feed.example()
    outputs = CollectedOutputs()
    calls_done = 0
    for chunk in feed.evaluation_chunks():
        total = chunk.stop * chunk.batch_size
        batch, _, _ = unpack_x_y_sample_weight(chunk.data)
        batch = jax.tree.map(lambda a: np.asarray(a[:total]), batch)  # noqa: B023
        checks.check_inputs(learner, batch)
        _predict_rows(learner, batch, total, chunk.batch_size, callbacks, outputs, calls_done)
        calls_done += chunk.stop
        if model.stop_predicting:
            break
    if feed.steps is not None and calls_done < feed.steps and not model.stop_predicting:
        checks.warn(
            f"The data ended after {calls_done} of {feed.steps} steps of predict(); the outputs "
            "are for these batches.\n  Fix: leave out steps, or pass at most the number of batches."
        )
    return outputs


def _predict_rows(
    learner: Learner,
    arrays: PyTree,
    total: int,
    batch_size: int,
    callbacks: CallbackList,
    collected: CollectedOutputs,
    steps_before: int = 0,
) -> None:
    """Collect the outputs for host arrays; they equal the outputs for the requested batches."""
    if not learner.model.built:
        with build_lock:
            if not learner.model.built:
                first_row = jax.tree.map(lambda a: a[:1], arrays)
                learner.prepare(learner.on_host(first_row), None, None, training=None)
    by_step = bool(callbacks.callbacks) and callbacks.has_batch_hooks("predict")
    batch_size, plan = _plan(learner, arrays, total, batch_size, by_step)
    scope: Any = contextlib.nullcontext()
    if len(plan) > 1 and is_training_in_other_thread(learner.model):
        # All calls must use the same weights.
        scope = snapshot(learner.program("predict")[1])
    with scope:
        _compute(
            learner, arrays, total, batch_size, plan, by_step, callbacks, collected, steps_before
        )


def _compute(
    learner: Learner,
    arrays: PyTree,
    total: int,
    batch_size: int,
    plan: list[tuple[int, int]],
    by_step: bool,
    callbacks: CallbackList,
    collected: CollectedOutputs,
    steps_before: int,
) -> None:
    """Run the planned calls, and collect their outputs."""
    pending: tuple[Any, int, int] | None = None  # outputs that the device may still be computing
    start = 0
    for step, (rows, size) in enumerate(plan, steps_before):
        if by_step:
            callbacks.on_predict_batch_begin(step)
        inputs = arrays
        if rows < total or (type(arrays) is not np.ndarray and has_sparse_rows(arrays)):
            inputs = jax.tree.map(lambda a: a[start : start + rows], arrays)  # noqa: B023
        inputs = learner.on_host(inputs)
        if size != rows:
            inputs = jax.tree.map(lambda a: pad_rows(a, size), inputs)  # noqa: B023
        # Several inputs are a tuple, which would be read as (x, y) without packing.
        data = pack_x_y_sample_weight(inputs)
        outputs = _outputs(learner, data, batch_size)
        # The device computes these outputs while the host copies those of the previous call.
        if pending is not None:
            collected.add(*pending)
        pending = outputs, rows, size
        if by_step:
            unpadded = jax.tree.map(lambda a: remove_padding(a, rows, size), outputs)  # noqa: B023
            callbacks.on_predict_batch_end(step, {"outputs": unpadded})
            if learner.model.stop_predicting:
                break
        start += rows
    if pending is not None:
        collected.add(*pending)


def _plan(
    learner: Learner, arrays: PyTree, total: int, batch_size: int, by_step: bool
) -> tuple[int, list[tuple[int, int]]]:
    """The batch size, and the planned calls of programs; see `plan_padded_calls`.

    Rows may be padded to a few sizes if the calls compute the requested batches, or if rows do
    not depend on each other.
    """
    requested, is_batch_size_fixed = batch_size, learner.signature.batch_size is not None
    if batch_size == SINGLE_BATCH:
        requested, batch_size = total, default_batch_size(learner)
    if learner.model.run_eagerly:  # nothing is compiled
        return requested, plan_exact_calls(total, requested, by_step=True)
    if padded_calls_keep_batches(
        total, batch_size, requested, by_step, is_batch_size_fixed
    ) or _rows_are_independent(learner, arrays):
        return batch_size, plan_padded_calls(total, batch_size, by_step, is_batch_size_fixed)
    return requested, plan_exact_calls(total, requested, by_step)


def _rows_are_independent(learner: Learner, arrays: PyTree) -> bool:
    first_row = learner.on_host(jax.tree.map(lambda a: a[:1], arrays))
    return learner.rows_are_independent("predict", pack_x_y_sample_weight(first_row))


def _outputs(learner: Learner, data: Any, batch_size: int) -> Any:
    if learner.model.run_eagerly:
        return learner.step("predict_step")(data)
    program, variables = learner.program("predict")

    def assign(result: tuple[Any, dict[int, Any]]) -> None:
        _, changes = result
        if changes:
            state: list[Variable] = jax.tree.leaves(variables)
            assign_all([state[i] for i in changes], list(changes.values()))

    outputs, _ = run_program(program, variables, data, batch_size=batch_size, assign=assign)
    return outputs
