"""Recorder: records facts about a run of `fit`, and shows likely problems at its end."""

from dataclasses import replace
from typing import Any

import numpy as np

from lamina.core.messages.errors import line_of_user
from lamina.findings import Findings, Record, calibrated, findings_of
from lamina.training import checks
from lamina.training.events import ChunkDone, Listener
from lamina.training.recorded_facts import input_values, is_chain, layer_facts, output_facts
from lamina.training.requests import FitRequest
from lamina.training.trainable import Trainable

# The maximum number of findings that are shown when a run ends.
_MAX_SHOWN = 3


class Recorder(Listener):
    """Fills a `Record` while `fit` runs, and stores its findings in the history.

    Args:
        history: The history of the run, which gets the attributes `record` and `findings`.
        show_message: Called with the findings as text when the run ends, if there are any.
    """

    def __init__(self, history: Any, show_message: Any):
        self._history = history
        self._show_message = show_message
        self._record: Record | None = None
        self._steps = 0
        self._steps_in_epoch = 0

    def on_run_begin(self, request: FitRequest, learner: Trainable) -> None:
        try:
            self._record = record_of(request, learner)
        except Exception as error:  # recording must not make a training fail
            note = f"everything, because of an error ({type(error).__name__}: {error})"
            self._record = Record(str(learner.model.name), unchecked=(note.splitlines()[0],))

    def on_chunk(self, done: ChunkDone) -> None:
        self._steps_in_epoch = done.step

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        if self._record is None or epoch is None:
            return
        self._steps += self._steps_in_epoch
        plain = {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
        self._record = replace(self._record, epochs=(*self._record.epochs, plain))
        self._history.record = replace(self._record, steps=self._steps, ended="running")

    def complete(self, record: Record) -> Record:
        """Add what can only be measured after the run; overridden by the examiner."""
        return record

    def findings_of(self, record: Record) -> Findings:
        """The findings of the checks."""
        return findings_of(record)

    def conclude(self, events: Listener, error: BaseException | None = None) -> None:
        """Store the findings in the history, and show the most important ones.

        Args:
            events: Listener that is notified of the findings.
            error: The error that ended the run, if it failed.
        """
        if self._record is None:
            return
        ended = "finished"
        if error is not None:
            ended = "not finite" if isinstance(error, FloatingPointError) else "refused"
        planned_epochs, finished_epochs = self._record.planned_epochs, len(self._record.epochs)
        if ended == "finished" and planned_epochs is not None and finished_epochs < planned_epochs:
            ended = "stopped"
        record = self.complete(replace(self._record, steps=self._steps, ended=ended))
        findings = calibrated(self.findings_of(record))
        self._history.record, self._history.findings = record, findings
        events.on_findings(record, findings)
        text = format_findings(findings)
        if text:
            self._show_message(text)


def format_findings(findings: Findings) -> str:
    """The most important findings as text, two lines each; empty if there are none."""
    shown = [finding for finding in findings if finding.severity != "hint"][:_MAX_SHOWN]
    return "\n".join(f"{finding.title}\n  Fix: {finding.fix}" for finding in shown)


def record_of(request: FitRequest, learner: Trainable) -> Record:
    """A record of the facts that are known before the first step of a training."""
    x, y, _ = request.feed.example()
    validation = request.validation
    has_all_samples = request.feed.samples is not None
    validation_targets = None
    if validation is not None and validation.samples is not None:
        validation_targets = validation.example()[1]
    optimizer = learner.model.optimizer
    is_from_lamina = type(optimizer).__module__.startswith("lamina.")
    unchecked = []
    if not has_all_samples:
        unchecked.append("classes and order of the targets: the data come in batches")
    if not learner.compares_targets(training=True):
        unchecked.append(
            "targets and losses: the model has a train_step or compute_loss of its own"
        )
    if not learner.signature.nodes:
        unchecked.append("the order of the layers: the model is not a graph of layers")
    return Record(
        model=str(learner.model.name),
        layers=layer_facts(learner),
        is_chain=is_chain(learner),
        inputs=input_values(x),
        outputs=output_facts(learner, y if has_all_samples else None, validation_targets),
        optimizer=type(optimizer).__name__,
        learning_rate=_learning_rate(optimizer),
        usual_rate=checks.default_learning_rate(optimizer) if is_from_lamina else None,
        momentum=_to_number(getattr(optimizer, "momentum", None)),
        samples=request.feed.samples,
        batch_size=request.batch_size,
        planned_epochs=request.epochs - request.initial_epoch,
        shuffle=bool(request.shuffle),
        class_weight=request.is_weighted,
        validation_split=None if request.split is None else request.split.fraction,
        called_from=line_of_user(),
        unchecked=tuple(unchecked),
    )


def _learning_rate(optimizer: Any) -> float | None:
    """The learning rate; None for a schedule."""
    try:
        return _to_number(optimizer.get_config().get("learning_rate"))
    except (AttributeError, NotImplementedError, ValueError):
        return None


def _to_number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
