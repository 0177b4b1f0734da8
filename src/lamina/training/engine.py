"""Engine: runs a request of `fit`, `evaluate` or `predict`.

The engine takes chunks of data from a feed, runs compiled programs on them, and notifies listeners.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from lamina.core import processes
from lamina.core.configuration import config
from lamina.core.configuration.context import context
from lamina.core.messages.errors import prefix_errors
from lamina.core.types import Data, Outputs, Targets
from lamina.core.variable.stateless import assign_all
from lamina.core.variable.threads import mark_training
from lamina.optimizers import LossScaleOptimizer
from lamina.training import (
    agreement,
    checks,
    likely_mistakes,
    placement,
    precision_trial,
    predicting,
)
from lamina.training.callbacks import CallbackList, History, ProgbarLogger
from lamina.training.callbacks.callback_events import CallbackEvents
from lamina.training.callbacks.callback_list import flatten_logs
from lamina.training.checkpoint import Checkpoint, restore_sources
from lamina.training.compiled_function import run_program
from lamina.training.deferred_logs import DeferredLogs, LogReader
from lamina.training.events import ChunkDone, Events
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.feed import Feed
from lamina.training.feeds.user_data import add_batch_axis, dividing_batch_size
from lamina.training.input_contract import add_image_range
from lamina.training.interrupt import Interrupt
from lamina.training.learner import Learner
from lamina.training.programs import StepsOutcome, batch_at
from lamina.training.progress.display import choose_progress
from lamina.training.recorder import Recorder
from lamina.training.requests import CallWarnings, EvaluateRequest, FitRequest, PredictRequest

# The duration of one call of a program: short enough for a live progress line and a quick response
# to Ctrl-C, and long enough that the cost of starting a program is negligible.
_CALL_SECONDS = 0.2
_FIRST_CALL_STEPS = 16
# With a callback after every step, the progress line is drawn at most this often.
_REDRAW_SECONDS = 0.1


class Engine:
    """Runs one call of fit, evaluate, predict or a method for one batch.

    Args:
        learner: The model, as training sees it.
    """

    def __init__(self, learner: Learner):
        self.learner = learner
        self.model = learner.model
        # x, y and sample weights for which the model was built.
        self._example: tuple[Any, Any, Any] = (None, None, None)

    # -- fit -------------------------------------------------------------------------------------

    def fit(self, request: FitRequest) -> History:
        model, feed, validation = self.model, request.feed, request.validation
        history = History()
        history.split = request.split
        callbacks = CallbackList([request.callbacks, history], model=model)
        stored = callbacks._stored_run()
        restore_sources(stored, feed)
        self._check(feed, training=True, class_weight=request.class_weight)
        self.learner.columns.update(request.columns)
        if request.contract is not None:
            self.learner.contract = add_image_range(request.contract, feed)
            self.learner.calls_checked = 0
        if validation is not None:
            restore_sources(stored, validation, validation=True)
            with prefix_errors("validation_data: "):
                self._check(validation, training=False, prefix="validation_data: ")
            if request.larger_validation_batches:
                self._enlarge_batches(validation)

        object.__setattr__(model, "history", history)  # not tracked like other attributes
        callbacks.set_params(
            {
                "epochs": request.epochs,
                "steps": feed.steps,
                "verbose": request.verbose,
                **({} if validation is None else {"validation_freq": request.validation_freq}),
            }
        )
        has_progress_bar = any(
            isinstance(callback, ProgbarLogger) for callback in callbacks.callbacks
        )
        progress = choose_progress(0 if has_progress_bar else request.verbose, model)
        recorder = self._make_recorder(history, progress.on_message)
        listeners = [likely_mistakes.LikelyMistakes(), progress]
        listeners += [] if recorder is None else [recorder]
        listeners.append(CallbackEvents(callbacks))
        events = Events(listeners)
        events.on_run_begin(request, self.learner)
        model.stop_training = False
        checkpoint = Checkpoint(self.learner, request, callbacks)
        interrupt = Interrupt()
        feed.interrupted = interrupt.is_requested
        if validation is not None:
            validation.interrupted = interrupt.is_requested
        try:
            with interrupt, progress:
                if request.split is not None:
                    events.on_message(str(request.split))
                callbacks.on_train_begin()
                checkpoint.begin() if stored is None else checkpoint.resume(stored)
                if context.placement is not None or processes.is_multi_process():
                    self._begin_distributed(request, events)
                precision_trial.choose_precision(self.learner, feed, events.on_message)
                for epoch in range(checkpoint.epoch, request.epochs):
                    if checkpoint.stopped and checkpoint.step == 0:
                        events.on_message(_STOPPED_BEFORE.format(epoch + 1))
                        break
                    continues = self._epoch(
                        epoch, request, checkpoint, callbacks, events, interrupt
                    )
                    if not continues:
                        break
                model.optimizer.finalize_variable_values(model.trainable_variables)
                events.on_run_end(checkpoint.last_logs)
                if interrupt.requested:
                    events.on_message(
                        f"Stopped by {interrupt.signal_name}. The model keeps its trained weights; "
                        "model.history has the finished epochs."
                    )
        except Exception as error:
            events.on_run_failed(error)
            if recorder is not None:
                recorder.conclude(events, error)
            raise
        if recorder is not None:
            recorder.conclude(events)
        interrupt.end_process()
        return history

    def _begin_distributed(self, request: FitRequest, events: Events) -> None:
        """Move the Variables to their devices, and check and say how the run is distributed."""
        variables = self.learner.variables()
        placement.move_variables(variables)
        agreement.check_processes_agree(request, variables)
        description = placement.current().describe_run(variables)
        if description is not None:
            events.on_message(description)

    def _make_recorder(
        self, history: History, show_message: Callable[[str], None]
    ) -> Recorder | None:
        """The recorder of the run; None if `config.set_diagnosis("off")` was called."""
        if config.diagnosis() == "off" or context.is_training_copies:
            return None
        if config.diagnosis() == "notes" or processes.is_multi_process():
            return Recorder(history, show_message)
        # Imported here, because the examiner trains copies of models and is above this package.
        from lamina.diagnosis.examiner import Examiner

        return Examiner(history, show_message)

    def _epoch(
        self,
        epoch: int,
        request: FitRequest,
        checkpoint: Checkpoint,
        callbacks: CallbackList,
        events: Events,
        interrupt: Interrupt,
    ) -> bool:
        """Train for one epoch and validate. Returns whether training continues."""
        feed, validation, call_warnings = request.feed, request.validation, request.call_warnings
        steps = feed.steps_in_epoch(epoch)
        events.on_epoch_begin(epoch, request.epochs, steps, resumed=checkpoint.step > 0)
        epoch_done = self._train_epoch(
            feed, checkpoint, callbacks, events, interrupt, call_warnings
        )
        complete = not interrupt.requested or epoch_done == steps
        if complete and epoch_done == 0:
            call_warnings.warn("ended", _DATA_ENDED.format(f"before epoch {epoch + 1}", "training"))
            return False
        validation_logs = {}
        if validation is not None and request.has_validation_after(epoch):
            if not interrupt.requested:
                validation_logs = self._test(validation, callbacks, interrupt, call_warnings)
            complete = not interrupt.requested
            if complete and not validation_logs:
                call_warnings.warn("validation ended", _NO_VALIDATION.format(epoch + 1))
        if not complete:  # no on_epoch_end, because a resumed run will continue this epoch
            if not checkpoint.interrupted:  # the interrupt came during validation
                checkpoint.interrupted = True
                checkpoint.advance(epoch, checkpoint.step, checkpoint.logs)
            return False
        logs = {**checkpoint.logs, **{f"val_{k}": v for k, v in validation_logs.items()}}
        events.on_epoch_end(epoch, logs)
        checkpoint.interrupted = interrupt.requested
        checkpoint.last_logs = logs
        checkpoint.advance(epoch + 1, 0, {})
        if self.model.stop_training or interrupt.requested:
            return False
        if feed.exhausted and (epoch + 1 < request.epochs or _ended_early(epoch_done, feed)):
            where = f"in epoch {epoch + 1} of {request.epochs}"
            if _ended_early(epoch_done, feed):
                where = f"after {epoch_done} of {feed.steps} steps of epoch {epoch + 1}"
            call_warnings.warn("ended", _DATA_ENDED.format(where, "training"))
            return False
        return True

    def _train_epoch(
        self,
        feed: Feed,
        checkpoint: Checkpoint,
        callbacks: CallbackList,
        events: Events,
        interrupt: Interrupt,
        call_warnings: CallWarnings,
    ) -> int:
        """Run the steps of an epoch, and advance the checkpoint. Returns the number of steps."""
        model = self.model
        epoch, step, logs = checkpoint.epoch, checkpoint.step, checkpoint.logs
        if step == 0:
            model.reset_metrics()
        elif checkpoint.stopped:
            return step
        by_step = callbacks.has_batch_hooks("train")
        deferred = by_step and callbacks.allows_deferred_logs and not model.run_eagerly
        previous: LogReader | None = None  # of the last step, which the device may still be running
        last_event = time.perf_counter()
        for chunk in agreement.check_chunks(feed.chunks(epoch)):
            for start, stop in self._split_into_calls(chunk, by_step, checkpoint.max_steps):
                if by_step:
                    callbacks.on_train_batch_begin(step)
                if deferred:
                    reader = self._start_steps(chunk, start, stop, (epoch, step - start, callbacks))
                    if previous is not None:
                        previous.wait()  # at most one step ahead of the device
                    previous, logs = reader, DeferredLogs(reader)
                else:
                    logs, bad_step, seconds = self._train_call(chunk, start, stop)
                    if bad_step >= 0:
                        self._stop_at_bad_loss(step + bad_step - start, epoch, callbacks)
                step += stop - start
                if not deferred:
                    events.on_chunk(ChunkDone(step, chunk.batch_size, logs, seconds))
                elif (
                    now := time.perf_counter()
                ) > last_event + _REDRAW_SECONDS or stop == chunk.stop:
                    events.on_chunk(ChunkDone(step, chunk.batch_size, logs, now - last_event))
                    last_event = now
                if by_step:
                    callbacks.on_train_batch_end(step - 1, logs)
                interrupt.agree()
                checkpoint.interrupted = interrupt.requested
                checkpoint.advance(epoch, step, logs)
                if interrupt.requested or model.stop_training:
                    return step
        if not interrupt.requested and not feed.exhausted and _ended_early(step, feed):
            call_warnings.warn("short", _EPOCH_ENDED_EARLY.format(step, feed.steps))
        return step

    def _train_call(self, chunk: Chunk, start: int, stop: int) -> tuple[dict[str, Any], int, float]:
        """Run steps `start` to `stop` of a chunk; returns logs, bad step (or -1) and seconds."""
        model = self.model
        start_time = time.perf_counter()
        self._rebuild_if_recompiled(training=True)
        if model.run_eagerly:
            step = self.learner.step("train_step")
            for i in range(start, stop):
                logs = step(batch_at(chunk.data, chunk.order, i, chunk.batch_size))
                if not np.isfinite(logs.get("loss", 0.0)):
                    return _to_floats(logs), i, time.perf_counter() - start_time
            return _to_floats(logs), -1, time.perf_counter() - start_time
        outcome = jax.device_get(self._run_train_program(chunk, start, stop))
        seconds = time.perf_counter() - start_time
        return _to_floats(outcome.logs), int(outcome.bad_step), seconds

    def _start_steps(
        self, chunk: Chunk, start: int, stop: int, position: tuple[int, int, CallbackList]
    ) -> LogReader:
        """Start steps without waiting for them; a loss that is not finite is detected later."""
        epoch, offset, callbacks = position

        def on_bad_step(bad_step: int) -> None:
            self._stop_at_bad_loss(offset + bad_step, epoch, callbacks)

        outcome = self._run_train_program(chunk, start, stop)
        return LogReader(outcome, lambda logs: flatten_logs(_to_floats(logs)), on_bad_step)

    def _rebuild_if_recompiled(self, training: bool) -> None:
        """Build losses, metrics and optimizer again if a callback has called `compile`."""
        if not self.learner.objectives.built:
            x, y, sample_weight = self._example
            self.learner.prepare(x, y, sample_weight, training=training)

    def _run_train_program(self, chunk: Chunk, start: int, stop: int) -> StepsOutcome:
        self._rebuild_if_recompiled(training=True)
        program, variables = self.learner.program("train")
        outcome: StepsOutcome
        _, outcome = run_program(
            program,
            variables,
            chunk.data,
            chunk.order,
            variables.placement.put_step_number(start),
            variables.placement.put_step_number(stop),
            batch_size=chunk.batch_size,
            overwrites=True,
            assign=lambda result: assign_all(variables, result[0]),
        )
        return outcome

    def _stop_at_bad_loss(self, step: int, epoch: int, callbacks: CallbackList) -> None:
        """Stop training if the loss is NaN or infinite, as all later losses would be NaN."""
        model = self.model
        if callbacks.stops_on_nan:
            model.stop_training = True
            return
        if isinstance(model.optimizer, LossScaleOptimizer):
            raise FloatingPointError(
                "No loss scale keeps the gradients finite: all recent steps were skipped, the last "
                f"at step {step + 1} of epoch {epoch + 1}.\n"
                "  Likely cause: float16 holds numbers up to 65,504, and inputs, weights or "
                "outputs are larger, or the inputs hold NaN.\n"
                "  Fix: inputs between 0 and 1, or dtype policy 'mixed_bfloat16', which has the "
                "range of float32. The weights are those before the first skipped step."
            )
        sentence = (
            f"The loss stopped being a finite number at step {step + 1} of epoch {epoch + 1}."
        )
        raise FloatingPointError(
            f"{sentence}\n{checks.explain_not_finite(self.learner)}\n"
            "  model.history has the epochs before; the weights are no longer usable."
        )

    def _split_into_calls(
        self, chunk: Chunk, by_step: bool, max_steps: Callable[[], int | None]
    ) -> Iterator[tuple[int, int]]:
        """Split a chunk into calls of a program that last about `_CALL_SECONDS` each."""
        start = chunk.start
        while start < chunk.stop:
            count = 1 if by_step else self._steps_per_call
            stop = min(chunk.stop, start + count, start + (max_steps() or count))
            start_time = time.perf_counter()
            yield start, stop
            (seconds,) = processes.max_over_processes(time.perf_counter() - start_time)
            if stop - start == count and not by_step:
                self._adapt_steps_per_call(count, seconds)
            start = stop

    _steps_per_call = _FIRST_CALL_STEPS
    _timed_calls = 0

    def _adapt_steps_per_call(self, steps: int, seconds: float) -> None:
        self._timed_calls += 1
        if self._timed_calls == 1:
            return  # the first call includes compilation
        target_steps = steps * _CALL_SECONDS / max(seconds, 1e-6)
        # Changed gradually, because a single call may be slow on a busy machine.
        self._steps_per_call = int(np.clip(target_steps, steps / 2, steps * 8)) or 1

    # -- evaluate --------------------------------------------------------------------------------

    def evaluate(self, request: EvaluateRequest) -> dict[str, Any]:
        feed = request.feed
        self._check(feed, training=False)
        if request.larger_batches:
            self._enlarge_batches(feed)
        progress = choose_progress(request.verbose, self.model)
        params = {"epochs": 1, "steps": feed.steps, "verbose": request.verbose}
        callbacks = CallbackList(request.callbacks, model=self.model, params=params)
        events = Events([progress])
        events.on_run_begin(request, self.learner)
        interrupt = Interrupt()
        feed.interrupted = interrupt.is_requested
        with interrupt, progress:
            events.on_epoch_begin(None, None, feed.steps)
            logs = self._test(feed, callbacks, interrupt, request.call_warnings)
            events.on_epoch_end(None, logs)
            events.on_run_end(logs)
        interrupt.end_process()
        if interrupt.requested:
            raise KeyboardInterrupt
        return logs

    def _test(
        self, feed: Feed, callbacks: CallbackList, interrupt: Interrupt, call_warnings: CallWarnings
    ) -> dict[str, Any]:
        model = self.model
        # Validation uses the metrics of training, whose results are already in the logs.
        model.reset_metrics()
        object.__setattr__(model, "stop_evaluating", False)
        callbacks.on_test_begin()
        by_step = callbacks.has_batch_hooks("test")
        step, logs, continues = 0, {}, True
        for chunk in agreement.check_chunks(feed.evaluation_chunks()):
            for start, stop in self._test_calls(chunk, by_step):
                if by_step:
                    callbacks.on_test_batch_begin(step)
                logs = self._test_call(chunk, start, stop)
                step += stop - start
                if by_step:
                    callbacks.on_test_batch_end(step - 1, logs)
                interrupt.agree()
                continues = not interrupt.requested and not model.stop_evaluating
                if not continues:
                    break
            if not continues:
                break
        if continues and not interrupt.requested and step and _ended_early(step, feed):
            where = f"after {step} of {feed.steps} steps"
            ended = _DATA_ENDED.format(where, "evaluation")
            text = ended if feed.exhausted else _EVALUATION_ENDED_EARLY.format(where)
            call_warnings.warn("short measure", text)
        callbacks.on_test_end(logs)
        return logs

    def _test_calls(self, chunk: Chunk, by_step: bool) -> Iterator[tuple[int, int]]:
        # An evaluation shows no progress; calls are limited only so that Ctrl-C can stop them.
        count = 1 if by_step else max(1, 65_536 // chunk.batch_size)
        for start in range(chunk.start, chunk.stop, count):
            yield start, min(chunk.stop, start + count)

    def _test_call(self, chunk: Chunk, start: int, stop: int) -> dict[str, Any]:
        self._rebuild_if_recompiled(training=False)
        if self.model.run_eagerly:
            step = self.learner.step("test_step")
            for i in range(start, stop):
                logs = step(batch_at(chunk.data, chunk.order, i, chunk.batch_size))
            return _to_floats(logs)
        program, variables = self.learner.program("test")
        _, logs = run_program(
            program,
            variables,
            chunk.data,
            chunk.order,
            variables.placement.put_step_number(start),
            variables.placement.put_step_number(stop),
            batch_size=chunk.batch_size,
            assign=lambda result: assign_all(variables, result[0]),
        )
        return _to_floats(jax.device_get(logs))

    # -- predict ---------------------------------------------------------------------------------

    def predict(self, request: PredictRequest) -> Outputs:
        return predicting.run(self.learner, request)

    # -- one batch -------------------------------------------------------------------------------

    def train_on_batch(
        self, feed: Feed, class_weight: Mapping[int, float] | None
    ) -> dict[str, Any]:
        self._check(feed, training=True, class_weight=class_weight)
        self.model.reset_metrics()
        (chunk,) = feed.evaluation_chunks()
        with mark_training(self.model):
            logs, bad_step, _ = self._train_call(chunk, 0, 1)
        if bad_step >= 0:
            self._stop_at_bad_loss(0, 0, CallbackList([], model=self.model))
        return logs

    def test_on_batch(self, feed: Feed) -> dict[str, Any]:
        self._check(feed, training=False)
        self.model.reset_metrics()
        (chunk,) = feed.evaluation_chunks()
        return self._test_call(chunk, 0, 1)

    # -- checks ----------------------------------------------------------------------------------

    def _check(
        self, feed: Feed, training: bool, prefix: str = "", class_weight: Any = None
    ) -> None:
        """Build the model for the data of a feed, and check everything before the first step.

        Args:
            feed: The data.
            training: Whether the optimizer is needed.
            prefix: Prefix of messages, such as `"validation_data: "`.
            class_weight: The argument of `fit`.
        """
        x, y, sample_weight = feed.example()
        learner = self.learner
        if self._example[0] is None:
            self._example = x, y, sample_weight
        known_inputs = learner.signature.inputs
        try:
            if feed.samples is None:  # arrays were checked before they became a feed
                add_batch_axis(learner, x, refuse=True)
            checks.check_inputs(learner, x, prefix)
            learner.prepare(x, y, sample_weight, training=training)
            if not known_inputs:
                checks.check_inputs(learner, x, prefix)
            self._check_numbers(x, y, sample_weight, prefix)
            if learner.compares_targets(training):
                checks.check_targets_given(learner, y, prefix)
                checks.check_objectives(learner, y, sample_weight)
        except (ValueError, TypeError):
            if y is None:
                checks.refuse_pair_of_arrays(learner, x)
            message = checks.swapped_x_and_y_message(learner, known_inputs, x, y)
            if message is None:
                raise
            raise ValueError(f"{prefix}{message}") from None
        checks.check_logits(learner)
        checks.check_class_weight(learner, class_weight)
        if training:
            checks.warn_if_all_frozen(learner)
        feed.check = partial(self._check_batch, prefix=prefix)

    def _enlarge_batches(self, feed: Feed) -> None:
        """Evaluate in larger batches, if the batch size does not affect the results.

        The batch size has no effect if every loss and metric is a sum over samples. The new size
        divides the number of samples, so that there is no smaller last batch, which would need
        another program.
        """
        if self.model.run_eagerly or config.max_steps_per_epoch() is not None:
            return
        if feed.samples is not None and self.learner.batch_size_is_irrelevant(feed.example()[0]):
            feed.use_batch_size(dividing_batch_size)

    def _check_batch(self, x: Data, y: Targets, sample_weight: Targets, prefix: str = "") -> None:
        """Check a batch that was not part of the example."""
        checks.check_inputs(self.learner, x, prefix)
        self._check_numbers(x, y, sample_weight, prefix)

    def _check_numbers(self, x: Data, y: Targets, sample_weight: Targets, prefix: str) -> None:
        learner = self.learner
        if not learner.signature.handles_missing_values:
            checks.check_finite(x, "x", prefix)
        checks.check_embedding_indices(learner, x, prefix)
        checks.check_finite(sample_weight, "sample_weight", prefix)
        objectives = learner.objectives
        if y is not None and objectives.built:
            if objectives.sums_over_samples:  # a user's own loss may handle NaN
                checks.check_finite(y, "y", prefix)
            checks.check_targets(learner, y, objectives.outputs, prefix)


_DATA_ENDED = (
    "The data ended {}; {} ends.\n"
    "  Likely cause: a generator, which can be iterated only once.\n"
    "  Fix: pass arrays, a PyDataset, or an endless generator with a number of steps."
)
_EPOCH_ENDED_EARLY = (
    "The data ended after {} of {} steps. An epoch ends with the data, and the next one starts "
    "from the beginning of the data.\n"
    "  Fix: leave out the number of steps, or pass one that divides the number of batches; or pass "
    "endless data, such as dataset.repeat()."
)
_EVALUATION_ENDED_EARLY = (
    "The data for the evaluation ended {}; the result is for these steps.\n"
    "  Fix: leave out the number of steps, or pass at most the number of batches."
)
_NO_VALIDATION = (
    "validation_data yielded no batch in epoch {}, so there are no val_ metrics.\n"
    "  Likely cause: it can be iterated only once.\n"
    "  Fix: pass validation_data as arrays or a PyDataset."
)
_STOPPED_BEFORE = (
    "The training in the backup was stopped before epoch {}, by a callback; nothing is left to do. "
    "Delete the backup to train from scratch."
)


def _ended_early(steps: int, feed: Feed) -> bool:
    """Whether an epoch or an evaluation had fewer steps than requested."""
    return feed.steps is not None and steps < feed.steps


def _to_floats(logs: Any) -> dict[str, Any]:
    return {
        name: float(value) if np.ndim(value) == 0 else np.asarray(value)
        for name, value in logs.items()
    }
