"""Placement: where arrays are, the one owner of that question.

Feeds ask it to put batches and data sets on devices, programs are compiled for it, and callbacks
that write files ask whether this process is the one to write. Nothing else in training names a
device.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
from jax.sharding import Sharding, SingleDeviceSharding

from lamina.core.configuration.context import context
from lamina.core.variable import structure
from lamina.training.feeds.zero_copy import as_unaligned_rows, is_text_array


@runtime_checkable
class Placement(Protocol):
    """Where the arrays of a training run are. Hashable: programs are kept by it."""

    @property
    def platform(self) -> str:
        """What programs are compiled for: `"cpu"`, `"gpu"` or `"tpu"`."""
        ...

    @property
    def is_writer(self) -> bool:
        """Whether this process writes files; of several, one does."""
        ...

    def of_variable(self, path: str, shape: Sequence[int]) -> Sharding | None:
        """The sharding of a weight; None: JAX's default device, as an uncommitted array."""
        ...

    def of_slot(self, path: str, shape: Sequence[int]) -> Sharding | None:
        """The sharding of what an optimizer keeps for the weight of that path."""
        ...

    def of_batch(self, shape: Sequence[int]) -> Sharding | None:
        """The sharding of batches, or chunks of batches, that are sent while training runs."""
        ...

    def of_data(self, shape: Sequence[int]) -> Sharding | None:
        """The sharding of a data set that stays on the device, and of its order."""
        ...

    def put_batch(self, arrays: Any) -> Any:
        """Host arrays as batches on the device. Text, which no device reads, stays as it is."""
        ...

    def put_data(self, arrays: Any) -> Any:
        """Host arrays as a data set on the device; large ones may be read where they lie."""
        ...

    def copy(self, arrays: Any) -> Any:
        """Copies of arrays on the device, where those are."""
        ...

    def constrain(self, state: Any) -> Any:
        """The same state inside a program, kept to its shardings."""
        ...

    def describe(self) -> str:
        """One line for people."""
        ...


@dataclass(frozen=True)
class OneDevice:
    """Everything on one device.

    Args:
        device: Which one; None for JAX's default.

    Example:
        >>> import numpy as np
        >>> OneDevice().is_writer
        True
        >>> OneDevice().put_data([np.zeros(3)])[0].shape
        (3,)
    """

    device: Any = None

    @property
    def platform(self) -> str:
        return self._device().platform

    @property
    def is_writer(self) -> bool:
        return True

    def of_variable(self, path: str, shape: Sequence[int]) -> Sharding | None:
        return self._sharding()

    def of_slot(self, path: str, shape: Sequence[int]) -> Sharding | None:
        return self._sharding()

    def of_batch(self, shape: Sequence[int]) -> Sharding | None:
        return self._sharding()

    def of_data(self, shape: Sequence[int]) -> Sharding | None:
        return self._sharding()

    def put_batch(self, arrays: Any) -> Any:
        leaves = jax.tree.leaves(arrays)
        # One call for all of them is quicker; a chunk of a stream holds text in all or in none.
        if any(is_text_array(leaf) for leaf in leaves):
            return arrays
        return jax.device_put(arrays, self._sharding())

    def put_data(self, arrays: Any) -> Any:
        return jax.tree.map(self._put_array, arrays)

    def copy(self, arrays: Any) -> Any:
        return jax.tree.map(lambda a: jax.device_put(a, may_alias=False), arrays)

    def constrain(self, state: Any) -> Any:
        return state

    def describe(self) -> str:
        device = self._device()
        return f"one device: {device.device_kind} ({device.platform})"

    def _put_array(self, array: Any) -> Any:
        if is_text_array(array):
            return array  # for a model that runs in Python
        if self.platform == "cpu":
            array = as_unaligned_rows(array)
        return jax.device_put(array, self._sharding())

    def _device(self) -> Any:
        chosen = self.device or jax.config.jax_default_device  # type: ignore[attr-defined]
        if isinstance(chosen, str):
            return jax.devices(chosen)[0]
        return chosen or jax.devices()[0]

    def _sharding(self) -> Sharding | None:
        return SingleDeviceSharding(self.device) if self.device else None


def current() -> Placement:
    """The placement that holds here: that of `placing`, or one device."""
    return context.placement or _DEFAULT


@contextlib.contextmanager
def placing(placement: Placement) -> Iterator[None]:
    """Runs of fit, evaluate and predict inside have their arrays placed so.

    Example:
        >>> with placing(OneDevice(jax.devices()[0])):
        ...     current().describe().split(":")[0]
        'one device'
    """
    outer, context.placement = context.placement, placement
    structure.changed()  # what was found of a model holds for one placement
    try:
        yield
    finally:
        context.placement = outer
        structure.changed()


_DEFAULT = OneDevice()
