"""History: the logs of all epochs of a run, which `fit` returns."""

from typing import Any

from lamina.core.messages.representation import safe_repr
from lamina.core.types import Logs
from lamina.findings import Findings, Record
from lamina.training.callbacks import history_view
from lamina.training.callbacks.callback import Callback
from lamina.training.feeds.validation_split import RowSplit


class History(Callback):
    """The logs of all epochs, returned by `fit`.

    `history.history["loss"]` is the list of losses, one per epoch; `history.epoch` the numbers of
    the epochs, from 0; `history.params` has the settings of the run. `history.split` says which
    samples `validation_split` selected: `split.method`, and the row numbers `split.train` and
    `split.validation`; it is None without `validation_split`. `history.findings` has the likely
    problems of the training, and `history.record` the recorded facts that they are based on (see
    `lamina.config.set_diagnosis`). A History is displayed as a table of the epochs, in a notebook
    with the learning curves.

    Example:
        >>> history = History()
        >>> history.on_train_begin()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.on_epoch_end(1, {"loss": 0.25})
        >>> history.history, history.epoch
        ({'loss': [0.5, 0.25]}, [0, 1])
    """

    state_names = ("history", "epoch")

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.split: RowSplit | None = None
        self.findings: Findings | None = None
        self.record: Record | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []
        if self.model is not None:
            self.model.history = self

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def get_state(self) -> dict[str, Any]:
        return {
            "history": {name: list(values) for name, values in self.history.items()},
            "epoch": list(self.epoch),
        }

    @safe_repr
    def __repr__(self) -> str:
        if not self.epoch:
            return "<History of no epoch>"
        return history_view.as_text(self.history, self.epoch, self._validation_freq)

    def _repr_html_(self) -> str | None:
        """The representation in a notebook."""
        if not self.epoch:
            return None
        return history_view.as_html(self.history, self.epoch, self._validation_freq)

    @property
    def _validation_freq(self) -> Any:
        return (self.params or {}).get("validation_freq", 1)
