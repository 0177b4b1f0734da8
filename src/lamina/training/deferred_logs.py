"""Logs of a step that the device may still be computing; they are read when they are accessed.

A callback with a batch hook gets the logs of every step, but most callbacks use few of them. As
long as they are not accessed, the device continues with the next step.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax


class LogReader:
    """Reads the logs of a call of a program from the device, once, when they are needed.

    Args:
        outcome: `logs`, a dict of arrays on the device, and `bad_step`, the number of the first
            step whose loss was not finite, or -1.
        to_numbers: Converts the logs, on the host, to a dict of Python numbers.
        on_bad_step: Called with the number of a bad step; may raise.
    """

    def __init__(
        self,
        outcome: Any,
        to_numbers: Callable[[Any], dict[str, Any]],
        on_bad_step: Callable[[int], None],
    ):
        self._outcome = outcome
        self._to_numbers = to_numbers
        self._on_bad_step = on_bad_step
        self._is_checked = False
        self._values: dict[str, Any] | None = None

    @property
    def names(self) -> list[str]:
        """Names of the logs, which are known without waiting for the step."""
        return list(_names(self._outcome.logs))

    def wait(self) -> None:
        """Wait for the step, and report it if its loss is not finite."""
        if not self._is_checked:
            bad_step = int(self._outcome.bad_step)
            if bad_step >= 0:
                self._on_bad_step(bad_step)
            self._is_checked = True

    def values(self) -> dict[str, Any]:
        """The logs as Python numbers; waits for the step."""
        self.wait()
        if self._values is None:
            self._values = self._to_numbers(jax.device_get(self._outcome.logs))
        return self._values


class DeferredLogs(dict[str, Any]):
    """A dict of Python numbers that is filled when it is first accessed.

    Args:
        reader: The source of the numbers.

    Example:
        >>> from lamina.training.programs import StepsOutcome
        >>> outcome = StepsOutcome({"loss": jax.numpy.float32(0.5)}, jax.numpy.int32(-1))
        >>> reader = LogReader(outcome, lambda logs: {"loss": float(logs["loss"])}, print)
        >>> logs = DeferredLogs(reader)
        >>> len(logs), logs["loss"], dict(logs)
        (1, 0.5, {'loss': 0.5})
    """

    def __init__(self, reader: LogReader):
        # The keys are set at once, because C code reads the length without calling methods.
        super().__init__(dict.fromkeys(reader.names))
        self._reader: LogReader | None = reader

    def read(self) -> None:
        """Read the numbers, which waits for the step, unless they were read before."""
        if self._reader is not None:
            values = self._reader.values()
            self._reader = None
            super().update(values)

    def copy_deferred(self) -> dict[str, Any]:
        """A copy, made without waiting for the step."""
        return dict(self) if self._reader is None else DeferredLogs(self._reader)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _names(logs: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(logs.items()):
        if isinstance(value, Mapping):
            yield from _names(value)
        else:
            yield name


def _read_then_call(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def wrapped(self: DeferredLogs, *args: Any, **kwargs: Any) -> Any:
        self.read()
        if args and isinstance(args[0], DeferredLogs):
            args[0].read()
        return method(self, *args, **kwargs)

    wrapped.__name__ = name
    return wrapped


_READING_METHODS = """
    __getitem__ __setitem__ __delitem__ __iter__ __eq__ __ne__ __repr__ __or__ __ror__ __ior__
    __reversed__ keys values items get pop popitem setdefault update clear copy
""".split()
for _name in _READING_METHODS:
    setattr(DeferredLogs, _name, _read_then_call(_name))
