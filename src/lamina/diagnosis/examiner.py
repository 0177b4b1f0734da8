"""Examiner: the recorder of `set_diagnosis("full")`, which tries changes when a training ends."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lamina.diagnosis.examination import budget, examine, make_setup
from lamina.diagnosis.experiments.setup import without_side_effects
from lamina.diagnosis.layer_statistics import LayerProbe
from lamina.diagnosis.sampled_facts import add_facts_from_samples
from lamina.findings import Findings, LayerStatistics, Record, findings_of
from lamina.training.learner import Learner
from lamina.training.recorder import Recorder
from lamina.training.requests import FitRequest
from lamina.training.trainable import Trainable

# Maximum number of samples that trials use.
_MAX_SAMPLES = 20_000


class Examiner(Recorder):
    """Records a training like `Recorder`, and examines it with copies of the model."""

    def on_run_begin(self, request: FitRequest, learner: Trainable) -> None:
        super().on_run_begin(request, learner)
        self._began = time.perf_counter()
        self._seconds_spent = 0.0
        self._request, self._learner = request, learner
        self._initial_weights = [np.array(weight) for weight in learner.model.weights]
        self._statistics: list[LayerStatistics] = []
        self._measured_at = 0
        with self._spending():
            try:
                x, y, _ = request.feed.example()
                self._probe: LayerProbe | None = LayerProbe(learner.model, x, y)
                self._statistics += self._probe.measure(0)
            except Exception:  # the user's layers and losses may raise anything
                self._probe = None

    @contextlib.contextmanager
    def _spending(self) -> Iterator[None]:
        """Context manager whose duration counts as diagnosis and not as training."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds_spent += time.perf_counter() - began

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        super().on_epoch_end(epoch, logs)
        count = 0 if epoch is None else epoch + 1
        if self._probe is not None and count & (count - 1) == 0:  # after 1, 2, 4, 8 … epochs
            with self._spending():
                self._measure(self._probe)
        if self._history.record is not None:  # callbacks see it
            record = replace(self._history.record, statistics=tuple(self._statistics))
            self._history.record = record

    def _measure(self, probe: LayerProbe) -> None:
        if self._steps > self._measured_at:
            self._statistics += probe.measure(self._steps, self._steps - self._measured_at)
            self._measured_at = self._steps

    def complete(self, record: Record) -> Record:
        """Add the statistics of layers, and facts that need samples."""
        self._seconds_of_training = time.perf_counter() - self._began - self._seconds_spent
        with self._spending():
            return self._complete(record)

    def _complete(self, record: Record) -> Record:
        with without_side_effects():
            try:
                self._train_data, self._validation_data = self._draw()
                record = add_facts_from_samples(
                    record, self._learner, self._train_data, self._validation_data
                )
            except Exception:  # the user's sources may raise anything
                self._train_data = self._validation_data = None
        if self._probe is None:
            note = (
                "what layers compute: the model is not a graph of layers, or overrides train_step"
            )
            return replace(record, unchecked=(*record.unchecked, note))
        if record.ended != "not finite":
            self._measure(self._probe)
        return replace(record, statistics=tuple(self._statistics))

    def findings_of(self, record: Record) -> Findings:
        """Examine the training, with trials of changes."""
        seconds = self._seconds_of_training
        self._show_message(
            "Looking for what would help: copies of the model are trained with one change each, "
            f"for at most {budget(seconds):.0f} s."
        )
        try:
            return examine(record, self._setup(record), seconds, self._seconds_spent)
        except Exception as error:  # a failed diagnosis must not fail the training
            findings = findings_of(record)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            note = f"changes, because of an error ({reason})"
            return Findings(findings, [*findings.unchecked, note])

    def _draw(self) -> tuple[Any, Any]:
        validation = self._request.validation
        validation_data = None if validation is None else validation.take_samples(_MAX_SAMPLES)
        rows = self._request.feed.sampled_rows(_MAX_SAMPLES)
        if rows is not None and self._request.split is not None:
            rows = np.asarray(self._request.split.train)[rows]
        self._original_indices = rows
        return self._request.feed.take_samples(_MAX_SAMPLES), validation_data

    def _setup(self, record: Record) -> Any:
        request, learner = self._request, self._learner
        if not learner.compares_targets(training=True) or not isinstance(learner, Learner):
            return None
        if self._train_data is None:
            return None
        return make_setup(
            learner.model,
            learner.compile_config or {},
            self._train_data,
            self._validation_data,
            learning_rate=record.learning_rate,
            initial_weights=self._initial_weights,
            epochs=max(len(record.epochs), record.planned_epochs or 1),
            batch_size=record.batch_size or 32,
            shuffle=request.shuffle,
            class_weight=request.class_weight,
            original_indices=self._original_indices,
            has_original_indices=self._original_indices is not None,
        )
