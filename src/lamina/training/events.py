"""Events: notifies listeners of the events of a run.

Callbacks, the progress line and the warnings about likely mistakes are listeners with the same
interface. Others, such as a live view, are added with `add_listeners`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamina.core.configuration.context import context


@dataclass(frozen=True)
class ChunkDone:
    """The steps that a call of a program has run.

    Args:
        step: Number of finished steps of the epoch.
        batch_size: Samples in each step.
        logs: Means of the losses and metrics over the epoch so far.
        seconds: Duration of the call.
    """

    step: int
    batch_size: int
    logs: dict[str, Any]
    seconds: float


class Listener:
    """Base class of listeners to `fit` and `evaluate`. Its methods do nothing.

    Example:
        >>> class Watch(Listener):
        ...     def on_epoch_end(self, epoch, logs):
        ...         print(epoch, sorted(logs))
        >>> import numpy as np, lamina
        >>> model = lamina.Sequential([lamina.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> with add_listeners(Watch()):
        ...     _ = model.fit(np.zeros((4, 2)), np.zeros((4, 1)), epochs=2, verbose=0)
        0 ['loss']
        1 ['loss']
    """

    def on_run_begin(self, request: Any, learner: Any) -> None:
        """Called before a request runs; its data are checked, and nothing has changed yet."""

    def on_epoch_begin(
        self, epoch: int | None, epochs: int | None, steps: int | None, resumed: bool = False
    ) -> None:
        """Called when an epoch begins, or a run of `evaluate`, for which `epoch` is None.

        Args:
            epoch: Index of the epoch, from 0.
            epochs: Number of epochs.
            steps: Steps in the epoch, if known.
            resumed: Whether the epoch is continued from an interrupted run.
        """

    def on_chunk(self, done: ChunkDone) -> None:
        """Called after each call of a program."""

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        """Called when an epoch, including its validation, or a run of `evaluate` has ended."""

    def on_message(self, text: str) -> None:
        """Called with a message for the user."""

    def on_run_end(self, logs: Mapping[str, Any]) -> None:
        """Called when the run has ended; not called if it fails."""

    def on_findings(self, record: Any, findings: Any) -> None:
        """Called after diagnosis, if it is enabled (`config.set_diagnosis`).

        Args:
            record: The recorded facts about the run, a `lamina.findings.Record`.
            findings: The problems found, a `lamina.findings.Findings`.
        """

    def on_run_failed(self, error: BaseException) -> None:
        """Called when the run has failed with an error, which is raised afterwards."""


class Events(Listener):
    """Calls several listeners in order.

    Args:
        listeners: The listeners; those added by `add_listeners` come after them.
    """

    def __init__(self, listeners: Sequence[Listener]):
        self.listeners = [*listeners, *context.listeners]


def _make_forwarder(name: str) -> Any:
    def forward(self: Events, *args: Any, **kwargs: Any) -> None:
        for listener in self.listeners:
            getattr(listener, name)(*args, **kwargs)

    forward.__doc__ = getattr(Listener, name).__doc__
    return forward


for _name in [name for name in vars(Listener) if name.startswith("on_")]:
    setattr(Events, _name, _make_forwarder(_name))


@contextlib.contextmanager
def add_listeners(*listeners: Listener) -> Iterator[None]:
    """Context manager that adds listeners to all runs inside it.

    Args:
        *listeners: The listeners.
    """
    outer = context.listeners
    context.listeners = (*outer, *listeners)
    try:
        yield
    finally:
        context.listeners = outer
