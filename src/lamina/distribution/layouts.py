"""Layouts: how an array is divided over a mesh of devices."""

import math
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lamina.core.configuration.devices import device_of
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.variable.variable import Variable
from lamina.distribution.devices import list_devices
from lamina.training.placement_mesh import find_pattern


@filter_tracebacks_of_methods
class DeviceMesh:
    """Devices in a grid whose axes have names.

    Args:
        shape: Sizes of the axes, e.g. `(4, 2)`.
        axis_names: A name for each axis, e.g. `("batch", "model")`.
        devices: As many devices as the mesh has places: names such as `"gpu:0"`, or JAX devices.
            All devices by default.

    Raises:
        ValueError: If shape, names and devices do not fit.

    Example:
        >>> DeviceMesh((1,), ["batch"], ["cpu:0"])
        <DeviceMesh shape=(1,), axis_names=['batch']>
    """

    def __init__(
        self,
        shape: Sequence[int],
        axis_names: Sequence[str],
        devices: Sequence[Any] | np.ndarray | None = None,
    ):
        if not shape or not axis_names:
            raise ValueError(
                "DeviceMesh: shape and axis_names must not be empty; received "
                f"shape={shape}, axis_names={axis_names}."
            )
        if len(shape) != len(axis_names):
            raise ValueError(
                "DeviceMesh: each axis needs one size and one name; received "
                f"shape={shape}, axis_names={axis_names}."
            )
        all_devices = np.array(list_devices() if devices is None else devices)
        if math.prod(shape) != all_devices.size:
            raise ValueError(
                f"DeviceMesh: shape={tuple(shape)} needs {math.prod(shape)} devices, and there are "
                f"{all_devices.size}.\n"
                "  Fix: a shape whose product is the number of devices, or devices=[…]. For a test "
                "on the CPU, set XLA_FLAGS=--xla_force_host_platform_device_count=8 before Python "
                "starts."
            )
        self._shape, self._axis_names = shape, axis_names
        self._devices = all_devices.reshape(shape)
        self._mesh: Mesh | None = None

    @property
    def shape(self) -> Any:
        """Sizes of the axes, as they were given."""
        return self._shape

    @property
    def axis_names(self) -> Any:
        """Names of the axes, as they were given."""
        return self._axis_names

    @property
    def devices(self) -> np.ndarray:
        """Array of devices or of their names, in the shape of the mesh."""
        return self._devices

    @property
    def backend_mesh(self) -> Mesh:
        """The `jax.sharding.Mesh`."""
        if self._mesh is None:
            devices = np.array([device_of(d) for d in self._devices.flat], dtype=object)
            self._mesh = Mesh(devices.reshape(self._devices.shape), tuple(self._axis_names))
        return self._mesh

    def __repr__(self) -> str:
        return f"<DeviceMesh shape={self.shape}, axis_names={self.axis_names}>"


@filter_tracebacks_of_methods
class TensorLayout:
    """Which axes of an array are divided over which axes of a mesh.

    Args:
        axes: For each axis of the array the name of an axis of the mesh, or None for an axis that
            is not divided.
        device_mesh: The mesh. A `LayoutMap` adds its own.

    Raises:
        ValueError: If the mesh has no axis of such a name.

    Example:
        >>> mesh = DeviceMesh((1,), ["model"], ["cpu:0"])
        >>> TensorLayout((None, "model"), mesh).axes
        (None, 'model')
    """

    def __init__(self, axes: Sequence[str | None], device_mesh: DeviceMesh | None = None):
        self._axes = tuple(axes)
        self._device_mesh = device_mesh
        self._check_axes()

    @property
    def axes(self) -> tuple[str | None, ...]:
        """For each axis of the array, the name of the mesh's axis that divides it, or None."""
        return self._axes

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh; it can be set once."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh) -> None:
        if self._device_mesh is not None:
            raise ValueError(
                f"The layout already has the mesh {self._device_mesh}, which cannot be changed.\n"
                "  Fix: make another TensorLayout."
            )
        self._device_mesh = device_mesh
        self._check_axes()

    @property
    def backend_layout(self) -> NamedSharding:
        """The `jax.sharding.NamedSharding`.

        Raises:
            ValueError: If the layout has no mesh.
        """
        if self._device_mesh is None:
            raise ValueError(
                "A TensorLayout without a mesh says nothing about devices.\n"
                "  Fix: TensorLayout(axes, device_mesh)."
            )
        return NamedSharding(self._device_mesh.backend_mesh, PartitionSpec(*self._axes))

    def _check_axes(self) -> None:
        if self._device_mesh is None:
            return
        names = list(self._device_mesh.axis_names)
        unknown = [axis for axis in self._axes if axis is not None and axis not in names]
        if unknown:
            raise ValueError(
                f"The mesh has no axis {', '.join(map(repr, unknown))}; its axes are "
                f"{', '.join(map(repr, names))}."
            )

    def __repr__(self) -> str:
        return f"<TensorLayout axes={self.axes}, device_mesh={self.device_mesh}>"


@filter_tracebacks_of_methods
class LayoutMap(MutableMapping):
    """Layouts by patterns of paths.

    A key is a regular expression that must match the whole path of a weight, such as
    `model/dense/kernel`, or of the output of a layer, such as `model/dense/output`.

    Args:
        device_mesh: The mesh of layouts that are given as tuples.

    Example:
        >>> layouts = LayoutMap(DeviceMesh((1,), ["model"], ["cpu:0"]))
        >>> layouts[".*dense.*kernel"] = (None, "model")
        >>> layouts["classifier/dense_1/kernel"].axes
        (None, 'model')
        >>> layouts["classifier/dense_1/bias"] is None
        True
    """

    def __init__(self, device_mesh: DeviceMesh | None):
        self._layouts: dict[str, TensorLayout] = {}
        self._device_mesh = device_mesh

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh of layouts that are given as tuples."""
        return self._device_mesh

    def __getitem__(self, key: str) -> TensorLayout | None:
        """The layout of the key itself, else of the one pattern that matches it, else None.

        Raises:
            ValueError: If several patterns match.
        """
        pattern = find_pattern(self._layouts, key)
        return None if pattern is None else self._layouts[pattern]

    def __setitem__(self, key: str, layout: Any) -> None:
        if key in self._layouts:
            raise ValueError(
                f"The layout map already has {key!r}: {self._layouts[key]}.\n"
                f"  Fix: del layout_map[{key!r}] first."
            )
        if isinstance(layout, tuple):
            layout = TensorLayout(layout)
        if not isinstance(layout, TensorLayout):
            raise ValueError(
                f"The layout of {key!r} must be a TensorLayout or a tuple of names of axes; "
                f"received {layout!r}.\n  Fix: layout_map[{key!r}] = (None, 'model')."
            )
        if layout.device_mesh is None and self._device_mesh is not None:
            layout.device_mesh = self._device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)


@filter_traceback
def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """An array with another layout; also inside a function that JAX compiles.

    Args:
        tensor: Array of any shape.
        layout: A `TensorLayout`, or a JAX sharding.

    Returns:
        The array, divided as the layout says.

    Raises:
        ValueError: If an axis cannot be divided, or the layout has more axes than the array.

    Example:
        >>> layout = TensorLayout((None,), DeviceMesh((1,), ["batch"], ["cpu:0"]))
        >>> distribute_tensor(np.arange(3), layout).tolist()
        [0, 1, 2]
    """
    sharding = getattr(layout, "backend_layout", layout)
    if isinstance(tensor, Variable):
        tensor = tensor.value
    if isinstance(tensor, jax.core.Tracer):
        return jax.lax.with_sharding_constraint(tensor, sharding)
    if isinstance(tensor, jax.Array) and tensor.sharding.is_equivalent_to(sharding, tensor.ndim):
        return tensor
    return jax.device_put(tensor, sharding)
