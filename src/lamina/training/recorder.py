"""Recorder: records facts about a run of `fit`, and shows at the end what is wrong with it."""

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

# Findings that are shown when a run ends.
_MAX_SHOWN = 3


class Recorder(Listener):
    """Fills a `Record` while `fit` runs, and stores its findings in the history.

    Args:
        history: The history of the run, which gets the attributes `record` and `findings`.
        say: Called with findings as text, when the run ends; not called if there are none.
    """

    def __init__(self, history: Any, say: Any):
        self._history = history
        self._say = say
        self._record: Record | None = None
        self._steps = 0
        self._steps_in_epoch = 0

    def on_run_begin(self, request: FitRequest, learner: Trainable) -> None:
        try:
            self._record = record_of(request, learner)
        except Exception as error:  # a training must not fail for what is said about it
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
        """The record with what is measured when the run has ended."""
        return record

    def findings_of(self, record: Record) -> Findings:
        """What is wrong with the training."""
        return findings_of(record)

    def conclude(self, events: Listener, error: BaseException | None = None) -> None:
        """Store the findings in the history, and show the most important ones.

        Args:
            events: Is notified of the findings.
            error: What ended the run, if it failed.
        """
        if self._record is None:
            return
        ended = "finished"
        if error is not None:
            ended = "not finite" if isinstance(error, FloatingPointError) else "refused"
        planned, done = self._record.planned_epochs, len(self._record.epochs)
        if ended == "finished" and planned is not None and done < planned:
            ended = "stopped"
        record = self.complete(replace(self._record, steps=self._steps, ended=ended))
        findings = calibrated(self.findings_of(record))
        self._history.record, self._history.findings = record, findings
        events.on_findings(record, findings)
        text = format_findings(findings)
        if text:
            self._say(text)


def format_findings(findings: Findings) -> str:
    """The most important findings as text, two lines each; empty if there are none."""
    chosen = [found for found in findings if found.severity != "hint"][:_MAX_SHOWN]
    return "\n".join(f"{found.title}\n  Fix: {found.fix}" for found in chosen)


def record_of(request: FitRequest, learner: Trainable) -> Record:
    """A record of what is known about a training before its first step."""
    x, y, _ = request.feed.example()
    validation = request.validation
    whole = request.feed.samples is not None
    seen = None
    if validation is not None and validation.samples is not None:
        seen = validation.example()[1]
    optimizer = learner.model.optimizer
    own_optimizer = type(optimizer).__module__.startswith("lamina.")
    unchecked = []
    if not whole:
        unchecked.append("classes and order of the targets: the data come in batches")
    if not learner.compares_targets(True):
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
        outputs=output_facts(learner, y if whole else None, seen),
        optimizer=type(optimizer).__name__,
        learning_rate=_rate(optimizer),
        usual_rate=checks.default_learning_rate(optimizer) if own_optimizer else None,
        momentum=_number(getattr(optimizer, "momentum", None)),
        samples=request.feed.samples,
        batch_size=request.batch_size,
        planned_epochs=request.epochs - request.initial_epoch,
        shuffle=bool(request.shuffle),
        class_weight=request.is_weighted,
        validation_split=None if request.split is None else request.split.fraction,
        called_from=line_of_user(),
        unchecked=tuple(unchecked),
    )


def _rate(optimizer: Any) -> float | None:
    """The learning rate; None for a schedule."""
    try:
        return _number(optimizer.get_config().get("learning_rate"))
    except (AttributeError, NotImplementedError, ValueError):
        return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
