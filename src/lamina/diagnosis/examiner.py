"""Examiner: the recorder of `set_diagnosis("full")`, which tries changes when a training ends."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from lamina.diagnosis.examination import budget, examine, setup_of
from lamina.diagnosis.experiments.setup import undisturbed
from lamina.diagnosis.layer_statistics import LayerProbe
from lamina.diagnosis.sampled_facts import with_samples
from lamina.findings import Findings, LayerStatistics, Record, findings_of
from lamina.training.learner import Learner
from lamina.training.recorder import Recorder
from lamina.training.requests import FitRequest
from lamina.training.trainable import Trainable

# Samples that are kept for trials.
_MOST_SAMPLES = 20_000


class Examiner(Recorder):
    """Records a training like `Recorder`, and examines it with copies of the model."""

    def on_run_begin(self, request: FitRequest, learner: Trainable) -> None:
        super().on_run_begin(request, learner)
        self._began = time.perf_counter()
        self._request, self._learner = request, learner
        self._start = [np.array(weight) for weight in learner.model.weights]
        self._statistics: list[LayerStatistics] = []
        self._measured_at = 0
        try:
            x, y, _ = request.feed.example()
            self._probe: LayerProbe | None = LayerProbe(learner.model, x, y)
            self._statistics += self._probe.measure(0)
        except Exception:  # the user's layers and losses may raise anything
            self._probe = None

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        super().on_epoch_end(epoch, logs)
        count = 0 if epoch is None else epoch + 1
        if self._probe is not None and count & (count - 1) == 0:  # after 1, 2, 4, 8 … epochs
            self._measure(self._probe)
        if self._history.record is not None:  # callbacks see it
            record = replace(self._history.record, statistics=tuple(self._statistics))
            self._history.record = record

    def _measure(self, probe: LayerProbe) -> None:
        if self._steps > self._measured_at:
            self._statistics += probe.measure(self._steps, self._steps - self._measured_at)
            self._measured_at = self._steps

    def complete(self, record: Record) -> Record:
        """The record with the statistics of layers, and with facts that need samples."""
        with undisturbed():
            try:
                self._drawn, self._drawn_validation = self._draw()
                record = with_samples(record, self._learner, self._drawn, self._drawn_validation)
            except Exception:  # the user's sources may raise anything
                self._drawn = self._drawn_validation = None
        if self._probe is None:
            note = (
                "what layers compute: the model is not a graph of layers, or has steps of its own"
            )
            return replace(record, unchecked=(*record.unchecked, note))
        if record.ended != "not finite":
            self._measure(self._probe)
        return replace(record, statistics=tuple(self._statistics))

    def findings_of(self, record: Record) -> Findings:
        """What is wrong, with changes that were tried."""
        seconds = time.perf_counter() - self._began
        self._show_message(
            "Looking for what would help: copies of the model are trained with one change each, "
            f"for about {budget(seconds):.0f} s."
        )
        try:
            return examine(record, self._setup(record), seconds)
        except Exception as error:  # the training must not be lost for what is said about it
            found = findings_of(record)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return Findings(found, [*found.unchecked, f"changes, because of an error ({reason})"])

    def _draw(self) -> tuple[Any, Any]:
        validation = self._request.validation
        held_out = None if validation is None else validation.take_samples(_MOST_SAMPLES)
        rows = self._request.feed.sampled_rows(_MOST_SAMPLES)
        if rows is not None and self._request.split is not None:
            rows = np.asarray(self._request.split.train)[rows]
        self._numbers = rows
        return self._request.feed.take_samples(_MOST_SAMPLES), held_out

    def _setup(self, record: Record) -> Any:
        request, learner = self._request, self._learner
        if not learner.compares_targets(True) or not isinstance(learner, Learner):
            return None
        if self._drawn is None:
            return None
        return setup_of(
            learner.model,
            learner.compile_config or {},
            self._drawn,
            self._drawn_validation,
            learning_rate=record.learning_rate,
            start=self._start,
            epochs=max(len(record.epochs), record.planned_epochs or 1),
            batch_size=record.batch_size or 32,
            shuffle=request.shuffle,
            class_weight=request.class_weight,
            numbers=self._numbers,
            has_numbers=self._numbers is not None,
        )
