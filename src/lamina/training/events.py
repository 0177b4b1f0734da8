"""Events: what happens in a run, told to whoever listens.

Callbacks, the progress line and the search for suspicions hear of a run through one interface.
Others, such as a live view, are added with `listening`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamina.core.configuration.context import context


@dataclass(frozen=True)
class ChunkDone:
    """Some steps that one call of a program has run.

    Args:
        step: Number of steps of the epoch that are done.
        batch_size: Samples in each step.
        logs: What was measured so far in the epoch.
        seconds: What the call took.
    """

    step: int
    batch_size: int
    logs: dict[str, Any]
    seconds: float


class Listener:
    """Hears what happens in runs of `fit` and `evaluate`; every method does nothing here.

    Example:
        >>> class Watch(Listener):
        ...     def on_epoch_end(self, epoch, logs):
        ...         print(epoch, sorted(logs))
        >>> import numpy as np, lamina
        >>> model = lamina.Sequential([lamina.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> with listening(Watch()):
        ...     _ = model.fit(np.zeros((4, 2)), np.zeros((4, 1)), epochs=2, verbose=0)
        0 ['loss']
        1 ['loss']
    """

    def on_run_begin(self, request: Any, learner: Any) -> None:
        """A request is about to be run; its data are checked, nothing is changed yet."""

    def on_epoch_begin(
        self, epoch: int | None, epochs: int | None, steps: int | None, resumed: bool = False
    ) -> None:
        """An epoch begins, or a measurement by `evaluate`, for which `epoch` is None.

        Args:
            epoch: Its number, from 0.
            epochs: Number of the last one.
            steps: Steps in it, if that is known.
            resumed: Whether it goes on where an interrupted run stood.
        """

    def on_chunk(self, done: ChunkDone) -> None:
        """A call of the program is over."""

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        """The epoch is over, validation included, or the measurement."""

    def on_message(self, text: str) -> None:
        """Something that a person should read."""

    def on_run_end(self, logs: Mapping[str, Any]) -> None:
        """The run is over; not called if it fails."""


class Events(Listener):
    """Tells several listeners, in their order.

    Args:
        listeners: Who hears; those of `listening` come after them.
    """

    def __init__(self, listeners: Sequence[Listener]):
        self.listeners = [*listeners, *context.listeners]


def _tell(name: str) -> Any:
    def tell(self: Events, *args: Any, **kwargs: Any) -> None:
        for listener in self.listeners:
            getattr(listener, name)(*args, **kwargs)

    tell.__doc__ = getattr(Listener, name).__doc__
    return tell


for _name in [name for name in vars(Listener) if name.startswith("on_")]:
    setattr(Events, _name, _tell(_name))


@contextlib.contextmanager
def listening(*listeners: Listener) -> Iterator[None]:
    """Runs inside are heard by these, too.

    Args:
        *listeners: Any number of them.
    """
    outer = context.listeners
    context.listeners = (*outer, *listeners)
    try:
        yield
    finally:
        context.listeners = outer
