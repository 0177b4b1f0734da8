"""Logs of a step that may still be under way: read from the device when somebody looks at them.

A callback with a batch hook gets the logs of every step, and most callbacks don't look at most of
them. As long as nobody does, the device goes on with the next step.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax


class Reading:
    """What a program gives besides the new state, read once.

    Args:
        outcome: Its `logs`, a dict of arrays on the device, and `bad_step`, the first step whose
            loss was not finite, or -1.
        to_numbers: Makes a dict of Python numbers from the logs, once they are on the host.
        refuse: Called with a bad step; may raise.
    """

    def __init__(
        self,
        outcome: Any,
        to_numbers: Callable[[Any], dict[str, Any]],
        refuse: Callable[[int], None],
    ):
        self._outcome = outcome
        self._to_numbers = to_numbers
        self._refuse = refuse
        self._values: dict[str, Any] | None = None

    @property
    def names(self) -> list[str]:
        """What there will be numbers of: known without waiting."""
        return list(_names(self._outcome.logs))

    def values(self) -> dict[str, Any]:
        """The numbers; waits for the step."""
        if self._values is None:
            outcome = jax.device_get(self._outcome)
            if outcome.bad_step >= 0:
                self._refuse(int(outcome.bad_step))
            self._values = self._to_numbers(outcome.logs)
        return self._values


class DeferredLogs(dict):
    """A dict of Python numbers that is filled when it is first looked at.

    Args:
        reading: Where the numbers come from.

    Example:
        >>> from lamina.training.programs import StepsOutcome
        >>> outcome = StepsOutcome({"loss": jax.numpy.float32(0.5)}, jax.numpy.int32(-1))
        >>> logs = DeferredLogs(Reading(outcome, lambda logs: {"loss": float(logs["loss"])}, print))
        >>> len(logs), logs["loss"], dict(logs)
        (1, 0.5, {'loss': 0.5})
    """

    def __init__(self, reading: Reading):
        # With its names from the start: what counts its entries in C doesn't ask for its methods.
        super().__init__(dict.fromkeys(reading.names))
        self._reading: Reading | None = reading

    def read(self) -> None:
        """Wait for the step, unless that was done before."""
        if self._reading is not None:
            values = self._reading.values()
            self._reading = None
            super().update(values)

    def another(self) -> dict[str, Any]:
        """The same: what is added to one is not in the other. Waits for nothing."""
        return dict(self) if self._reading is None else DeferredLogs(self._reading)

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)


def _names(logs: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(logs.items()):
        if isinstance(value, Mapping):
            yield from _names(value)
        else:
            yield name


def _after_reading(name: str) -> Callable:
    method = getattr(dict, name)

    def wrapped(self: DeferredLogs, *args: Any, **kwargs: Any) -> Any:
        self.read()
        if args and isinstance(args[0], DeferredLogs):
            args[0].read()
        return method(self, *args, **kwargs)

    wrapped.__name__ = name
    return wrapped


_READING = """
    __getitem__ __setitem__ __delitem__ __iter__ __eq__ __ne__ __repr__ __or__ __ror__ __ior__
    __reversed__ keys values items get pop popitem setdefault update clear copy
""".split()
for _name in _READING:
    setattr(DeferredLogs, _name, _after_reading(_name))
