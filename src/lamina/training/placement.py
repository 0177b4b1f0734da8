"""Placement: on which devices arrays are.

Feeds use it to put batches and data sets on devices, and programs are compiled for it. The rest of
`training/` does not refer to devices. `placement_mesh.py` has the placement on several devices.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import Sharding, SingleDeviceSharding

from lamina.core.configuration.context import context
from lamina.core.types import PyTree
from lamina.core.variable.changes import record_change
from lamina.core.variable.stateless import copy_of
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.zero_copy import as_unaligned_rows, is_text_array


@runtime_checkable
class Placement(Protocol):
    """Where the arrays of a training run are. Hashable: it is part of the keys of programs."""

    @property
    def platform(self) -> str:
        """The platform that programs are compiled for: `"cpu"`, `"gpu"` or `"tpu"`."""
        ...

    @property
    def has_kernels(self) -> bool:
        """Whether programs may call compiled kernels, which XLA cannot divide over devices."""
        ...

    def of_variable(self, path: str, shape: Sequence[int]) -> Sharding | None:
        """The sharding of a weight; None for an uncommitted array on JAX's default device."""
        ...

    def of_slot(self, path: str, shape: Sequence[int]) -> Sharding | None:
        """The sharding of an optimizer's slots for the weight with that path."""
        ...

    def put_batch(self, arrays: PyTree) -> PyTree:
        """Host arrays as batches on the device. Text stays on the host; no device can store it."""
        ...

    def put_chunk(self, chunk: Chunk) -> PyTree:
        """The data of a chunk that is on the host, on the device."""
        ...

    def own_rows(self, batch_size: int) -> np.ndarray | None:
        """Positions in a batch of the rows that the devices of this process need; None for all."""
        ...

    def put_data(self, arrays: PyTree) -> PyTree:
        """Host arrays as a data set on the device; large ones may be used without a copy."""
        ...

    def put_step_number(self, number: int) -> Any:
        """The number of a step, as an argument of a program."""
        ...

    def copy(self, arrays: PyTree) -> PyTree:
        """Copies of arrays on the devices that they are on."""
        ...

    def constrain(self, state: PyTree, variables: PyTree) -> PyTree:
        """The state with the shardings of its Variables, for use inside a program.

        On several devices, this is `jax.lax.with_sharding_constraint` for each array, so that XLA
        leaves the new state where the old one was. On one device there is nothing to do.
        """
        ...

    def constrain_batch(self, batch: PyTree) -> PyTree:
        """A batch that is divided over the devices, for use inside a program."""
        ...

    def constrain_predictions(self, outputs: PyTree) -> PyTree:
        """Outputs of `predict` that this process can read, for use inside a program."""
        ...

    def constrain_output(self, path: str, outputs: PyTree) -> PyTree:
        """The outputs of a layer with the layout for `path`, if there is one."""
        ...

    def describe(self) -> str:
        """A description in one line, for messages."""
        ...

    def describe_run(self, variables: PyTree) -> str | None:
        """How a run with these Variables is distributed, in one line; None on one device."""
        ...


@dataclass(frozen=True)
class OneDevice:
    """Everything on one device.

    Args:
        device: The device; None for JAX's default.

    Example:
        >>> import numpy as np
        >>> OneDevice().put_data([np.zeros(3)])[0].shape
        (3,)
    """

    device: Any = None

    @property
    def platform(self) -> str:
        platform: str = self._device().platform
        return platform

    @property
    def has_kernels(self) -> bool:
        return True

    def of_variable(self, path: str, shape: Sequence[int]) -> Sharding | None:
        return self._sharding()

    def of_slot(self, path: str, shape: Sequence[int]) -> Sharding | None:
        return self._sharding()

    def put_batch(self, arrays: PyTree) -> PyTree:
        leaves = jax.tree.leaves(arrays)
        # One call for all arrays is quicker than one for each. If one array of a chunk is text, all
        # of them are.
        if any(is_text_array(leaf) for leaf in leaves):
            return arrays
        return jax.device_put(arrays, self._sharding())

    def put_chunk(self, chunk: Chunk) -> PyTree:
        return self.put_batch(chunk.data)

    def own_rows(self, batch_size: int) -> np.ndarray | None:
        return None

    def put_data(self, arrays: PyTree) -> PyTree:
        return jax.tree.map(self._put_array, arrays)

    def put_step_number(self, number: int) -> Any:
        return number

    def copy(self, arrays: PyTree) -> PyTree:
        return copy_on_devices(arrays)

    def constrain(self, state: PyTree, variables: PyTree) -> PyTree:
        return state

    def constrain_batch(self, batch: PyTree) -> PyTree:
        return batch

    def constrain_predictions(self, outputs: PyTree) -> PyTree:
        return outputs

    def constrain_output(self, path: str, outputs: PyTree) -> PyTree:
        return outputs

    def describe(self) -> str:
        device = self._device()
        return f"one device: {device.device_kind} ({device.platform})"

    def describe_run(self, variables: PyTree) -> str | None:
        return None

    def _put_array(self, array: Any) -> PyTree:
        if is_text_array(array):
            return array  # for a model with `run_eagerly=True`
        if self.platform == "cpu":
            array = as_unaligned_rows(array)
        return jax.device_put(array, self._sharding())

    def _device(self) -> PyTree:
        device = self.device or jax.config.jax_default_device  # type: ignore[attr-defined]
        if isinstance(device, str):
            return jax.devices(device)[0]
        return device or jax.local_devices()[0]

    def _sharding(self) -> Sharding | None:
        return SingleDeviceSharding(self.device) if self.device else None


def on_one_device(device: Any) -> OneDevice:
    """The placement on a device; that of JAX's default device is the same as without a choice."""
    return OneDevice(None if device is OneDevice()._device() else device)


def copy_on_devices(arrays: PyTree) -> PyTree:
    """Copies of arrays on the devices that they are on."""
    return jax.tree.map(copy_of, arrays)


def current() -> Placement:
    """The placement set by `use_placement`; without it, one device."""
    return context.placement or _DEFAULT


def move_variables(variables: PyTree) -> None:
    """Move Variables to the devices that the current placement chooses for them."""
    for variable in jax.tree.leaves(variables):
        variable._move()


@contextlib.contextmanager
def use_placement(placement: Placement) -> Iterator[None]:
    """Context manager in which fit, evaluate and predict use this placement.

    Example:
        >>> with use_placement(OneDevice(jax.devices()[0])):
        ...     current().describe().split(":")[0]
        'one device'
    """
    outer, context.placement = context.placement, placement
    record_change()  # cached results are valid for one placement only
    try:
        yield
    finally:
        context.placement = outer
        record_change()


_DEFAULT = OneDevice()
