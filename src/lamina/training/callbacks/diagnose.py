"""Diagnose: reports problems of a training while it runs, and may stop it."""

from lamina.core import processes
from lamina.core.types import Logs
from lamina.core.user_data.arguments import check_integer, explain_arguments
from lamina.findings import SEVERITIES, Findings, calibrated, findings_of
from lamina.training.callbacks.callback import Callback
from lamina.training.checks import warn


class Diagnose(Callback):
    """Checks a training while it runs, and reports each problem once.

    Without this callback, `fit` reports the problems when the training ends.

    Args:
        every: Number of epochs between checks.
        stop_on: `"problem"` or `"warning"` to stop the training at a finding of this severity or a
            more severe one; None not to stop.
        verbose: 0 to print nothing.

    Attributes:
        findings: The findings of the last check.

    Raises:
        ValueError: If `every` is not a positive integer, or there is no such severity.

    Example:
        >>> import numpy as np, lamina
        >>> x = np.random.default_rng(0).normal(size=(200, 3))
        >>> model = lamina.Sequential([lamina.layers.Dense(2, activation="softmax")])
        >>> model.compile(lamina.optimizers.Adam(1e-7), "sparse_categorical_crossentropy")
        >>> watch = Diagnose(stop_on="problem", verbose=0)
        >>> y = (x[:, 0] > 0).astype(int)
        >>> history = model.fit(x, y, epochs=50, verbose=0, callbacks=[watch])
        >>> len(history.epoch), watch.findings.codes
        (2, ['learning-rate-too-low'])
    """

    @explain_arguments
    def __init__(self, every: int = 1, stop_on: str | None = None, verbose: int = 1):
        check_integer("every", every, 1)
        if stop_on not in (None, "problem", "warning"):
            raise ValueError(f"stop_on is 'problem', 'warning' or None; received {stop_on!r}.")
        self.every = every
        self.stop_on = stop_on
        self.verbose = verbose
        self.findings = Findings()
        self._reported: set[str] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reported.clear()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if (epoch + 1) % self.every:
            return
        record = getattr(self.model.history, "record", None)
        if record is None:
            if not self._reported:
                self._reported.add("off")
                warn(
                    "The callback Diagnose finds nothing, because diagnosis is switched off.\n"
                    '  Fix: lamina.config.set_diagnosis("notes")'
                )
            return
        self.findings = calibrated(findings_of(record))
        for finding in self.findings:
            if finding.severity != "hint" and finding.code not in self._reported:
                self._reported.add(finding.code)
                if self.verbose:
                    processes.print_from_first(f"Epoch {epoch + 1}: {finding}")
        if self.stop_on is not None and any(
            SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.stop_on)
            for finding in self.findings
        ):
            self.model.stop_training = True
