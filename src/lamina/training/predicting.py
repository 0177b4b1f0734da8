"""Predicting: the part of the engine that turns a request into arrays of outputs.

A prediction for one sample should cost little more than the compiled function itself. So checks
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
    hooks = CallbackList(request.callbacks, model=model)
    if model.stop_predicting:  # by a callback of an earlier call
        object.__setattr__(model, "stop_predicting", False)
    if hooks.callbacks:
        hooks.set_params({"epochs": 1, "steps": request.steps, "verbose": request.verbose})
        hooks.on_predict_begin()
    if request.feed is not None:
        outputs = _predict_feed(learner, request, hooks)
    else:
        outputs = CollectedOutputs(request.rows, single_batch=request.batch_size == SINGLE_BATCH)
        _predict_rows(learner, request.arrays, request.rows, request.batch_size, hooks, outputs)
    if hooks.callbacks:
        hooks.on_predict_end()
    return outputs.result()


def _predict_feed(
    learner: Learner, request: PredictRequest, hooks: CallbackList
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
        _predict_rows(learner, batch, total, chunk.batch_size, hooks, outputs, calls_done)
        calls_done += chunk.stop
        if model.stop_predicting:
            break
    if feed.steps is not None and calls_done < feed.steps and not model.stop_predicting:
        checks.warn(
            f"The data to predict for ended after {calls_done} of {feed.steps} steps; the outputs "
            "are those of these batches.\n  Fix: leave out steps, or give no more than there are."
        )
    return outputs


def _predict_rows(
    learner: Learner,
    arrays: PyTree,
    total: int,
    batch_size: int,
    hooks: CallbackList,
    collected: CollectedOutputs,
    steps_before: int = 0,
) -> None:
    """Collect the outputs for host arrays, equal to those of batches of the requested size."""
    if not learner.model.built:
        with build_lock:
            if not learner.model.built:
                first_row = jax.tree.map(lambda a: a[:1], arrays)
                learner.prepare(learner.on_host(first_row), None, None, training=None)
    by_step = bool(hooks.callbacks) and hooks.has_batch_hooks("predict")
    batch_size, plan = _plan(learner, arrays, total, batch_size, by_step)
    scope: Any = contextlib.nullcontext()
    if len(plan) > 1 and is_training_in_other_thread(
        learner.model
    ):  # with the weights of one moment
        scope = snapshot(learner.program("predict")[1])
    with scope:
        _compute(learner, arrays, total, batch_size, plan, by_step, hooks, collected, steps_before)


def _compute(
    learner: Learner,
    arrays: PyTree,
    total: int,
    batch_size: int,
    plan: list[tuple[int, int]],
    by_step: bool,
    hooks: CallbackList,
    collected: CollectedOutputs,
    steps_before: int,
) -> None:
    """Run the planned calls, and collect their outputs."""
    waiting: tuple[Any, int, int] | None = None  # outputs that may still be being computed
    start = 0
    for step, (rows, size) in enumerate(plan, steps_before):
        if by_step:
            hooks.on_predict_batch_begin(step)
        inputs = arrays
        if rows < total or (type(arrays) is not np.ndarray and has_sparse_rows(arrays)):
            inputs = jax.tree.map(lambda a: a[start : start + rows], arrays)  # noqa: B023
        inputs = learner.on_host(inputs)
        if size != rows:
            inputs = jax.tree.map(lambda a: pad_rows(a, size), inputs)  # noqa: B023
        # Several inputs are a tuple, and a bare tuple would be read as (x, y).
        data = pack_x_y_sample_weight(inputs)
        outputs = _outputs(learner, data, batch_size)
        # The device computes these outputs while the host copies those of the previous call.
        if waiting is not None:
            collected.add(*waiting)
        waiting = outputs, rows, size
        if by_step:
            unpadded = jax.tree.map(lambda a: remove_padding(a, rows, size), outputs)  # noqa: B023
            hooks.on_predict_batch_end(step, {"outputs": unpadded})
            if learner.model.stop_predicting:
                break
        start += rows
    if waiting is not None:
        collected.add(*waiting)


def _plan(
    learner: Learner, arrays: PyTree, total: int, batch_size: int, by_step: bool
) -> tuple[int, list[tuple[int, int]]]:
    """The batch size, and the calls of programs; see `plan_padded_calls`.

    A few programs serve all numbers of rows if they compute the requested batches, or if rows do
    not depend on each other.
    """
    requested, is_batch_size_fixed = batch_size, learner.signature.batch_size is not None
    if batch_size == SINGLE_BATCH:
        requested, batch_size = total, default_batch_size(learner)
    if learner.model.run_eagerly:  # nothing is compiled, and perhaps nothing can be
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
