"""Distributions: how weights and batches are divided over devices."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.messages.errors import LaminaWarning
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.variable.changes import record_change
from lamina.core.variable.variable import Variable
from lamina.distribution.devices import list_devices
from lamina.distribution.layouts import DeviceMesh, LayoutMap, TensorLayout
from lamina.training.placement import Placement, on_one_device
from lamina.training.placement_mesh import MeshPlacement

_BATCH_AXIS = "batch"


@filter_tracebacks_of_methods
class Distribution:
    """Base class of distributions.

    Args:
        device_mesh: The devices.
        batch_dim_name: The axis of the mesh over which batches are divided.
        auto_shard_dataset: Whether each process takes its part of the data, as `fit` does with all
            data. False is not supported for data that each process has read in part.
    """

    def __init__(
        self,
        device_mesh: DeviceMesh,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
    ):
        self._device_mesh = device_mesh
        self._batch_dim_name = batch_dim_name
        self.auto_shard_dataset = auto_shard_dataset

    @property
    def device_mesh(self) -> DeviceMesh:
        """The devices."""
        return self._device_mesh

    @property
    def batch_dim_name(self) -> str | None:
        """The axis of the mesh over which batches are divided."""
        return self._batch_dim_name

    @property
    def num_processes(self) -> int:
        """Number of processes of the job."""
        return jax.process_count()

    @property
    def num_model_replicas(self) -> int:
        """Number of parts that a batch is divided into."""
        raise NotImplementedError

    @property
    def data_shard_id(self) -> int:
        """Index of the data that this process would read, as in Keras; `fit` does not use it."""
        processes_per_replica = max(1, self.num_processes // self.num_model_replicas)
        return jax.process_index() // processes_per_replica

    def get_data_layout(self, data_shape: Sequence[int | None]) -> TensorLayout:
        """The layout of a batch.

        Args:
            data_shape: Its shape.

        Returns:
            A `TensorLayout` that divides the first axis.
        """
        return TensorLayout(
            [self.batch_dim_name, *([None] * (len(data_shape) - 1))], self.device_mesh
        )

    def get_variable_layout(self, variable: Variable) -> Any:
        """The layout of a weight.

        Args:
            variable: The weight.

        Returns:
            A `TensorLayout`, or the JAX sharding that the Variable was made with.
        """
        raise NotImplementedError

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of the output of a layer.

        Args:
            path: Its path, such as `model/dense/output`.

        Returns:
            A `TensorLayout`, or None to leave it to XLA.
        """
        raise NotImplementedError

    def distribute_dataset(self, dataset: Any) -> Any:
        """The data set itself: `fit` divides every batch.

        Args:
            dataset: Data of any kind that `fit` takes.

        Returns:
            The data set.
        """
        return dataset

    def distribute_tf_dataset(self, dataset: Any) -> Any:
        """The data set itself, as `distribute_dataset`.

        Args:
            dataset: A `tf.data.Dataset` of a script, or other data.

        Returns:
            The data set.
        """
        return dataset

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Context manager in which the distribution is set.

        Example:
            >>> with DataParallel(devices=["cpu:0"]).scope():
            ...     distribution()
            <DataParallel device_mesh=<DeviceMesh shape=(1,), axis_names=['batch']>>
        """
        outer = context.distribution, context.placement
        set_distribution(self)
        try:
            yield
        finally:
            context.distribution, context.placement = outer
            record_change()

    def placement(self) -> Placement:
        """What training uses of the distribution."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


@filter_tracebacks_of_methods
class DataParallel(Distribution):
    """Every batch is divided over the devices; each device has all weights.

    The results are those of one device, apart from rounding, for batches of any size. With
    `shard_optimizer` or `shard_parameters` they are the same, and each device needs less memory.

    Args:
        device_mesh: The devices, as a mesh with one axis. Of several axes the first one divides
            batches.
        devices: Names of devices, instead of a mesh; all devices by default.
        auto_shard_dataset: Accepted for compatibility with Keras.
        shard_optimizer: Divide the state of the optimizer over the devices (ZeRO, first stage).
            An array is divided along its largest axis that is a multiple of the number of devices;
            without one it is on every device.
        shard_parameters: Divide the weights as well (fully sharded). A device gathers a weight when
            it computes with it.

    Raises:
        ValueError: If `device_mesh` is not a `DeviceMesh`.

    References:
        - Rajbhandari et al., 2020, https://arxiv.org/abs/1910.02054

    Example:
        >>> with DataParallel(devices=["cpu:0"]).scope():
        ...     pass  # build, compile and fit a model
    """

    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Sequence[Any] | None = None,
        auto_shard_dataset: bool = True,
        *,
        shard_optimizer: bool = False,
        shard_parameters: bool = False,
    ):
        if device_mesh is not None and not isinstance(device_mesh, DeviceMesh):
            raise ValueError(
                f"DataParallel: device_mesh must be a DeviceMesh; received {device_mesh!r} "
                f"({type(device_mesh).__name__}).\n  Fix: DataParallel(devices=[…])."
            )
        if device_mesh is None:
            chosen = np.array(list_devices() if devices is None else devices)
            device_mesh = DeviceMesh(chosen.shape, [_BATCH_AXIS], chosen)
        elif device_mesh.devices.ndim != 1:
            warnings.warn(
                f"DataParallel divides batches over the first axis of {device_mesh} alone.\n"
                "  Fix: a mesh with one axis.",
                LaminaWarning,
                stacklevel=3,
            )
        super().__init__(device_mesh, device_mesh.axis_names[0], auto_shard_dataset)
        self.shard_optimizer = shard_optimizer
        self.shard_parameters = shard_parameters

    @property
    def num_model_replicas(self) -> int:
        return int(self.device_mesh.devices.size)

    def get_variable_layout(self, variable: Variable) -> Any:
        if variable._layout is not None:
            return variable._layout
        return TensorLayout([None] * len(variable.shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        return None

    def placement(self) -> Placement:
        mesh = self.device_mesh.backend_mesh
        if mesh.size == 1:
            return on_one_device(mesh.devices.flat[0])
        return MeshPlacement(
            mesh,
            str(self.batch_dim_name),
            shard_parameters=self.shard_parameters,
            shard_optimizer=self.shard_optimizer,
        )


@filter_tracebacks_of_methods
class ModelParallel(Distribution):
    """Weights are divided over the devices as a layout map says, and batches over one axis.

    Args:
        layout_map: Layouts by patterns of paths. A weight that no pattern matches is on every
            device.
        batch_dim_name: The axis of the mesh that divides batches; the first one by default.
        auto_shard_dataset: Accepted for compatibility with Keras.
        device_mesh: Accepted for compatibility with earlier versions of Keras; the layout map has
            the mesh.

    Raises:
        ValueError: If `layout_map` is missing or is not a `LayoutMap`.

    Example:
        >>> layouts = LayoutMap(DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"]))
        >>> layouts[".*kernel"] = (None, "model")
        >>> ModelParallel(layout_map=layouts).num_model_replicas
        1
    """

    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        device_mesh: DeviceMesh | None = None,
    ):
        if layout_map is None:
            raise ValueError(
                "ModelParallel needs a layout map.\n"
                "  Fix: ModelParallel(layout_map=layout_map, batch_dim_name='batch')."
            )
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(f"layout_map must be a LayoutMap; received {layout_map!r}.")
        mesh = layout_map.device_mesh
        if mesh is None:
            raise ValueError(
                "The layout map has no mesh.\n  Fix: layout_map = LayoutMap(device_mesh)."
            )
        batch_dim_name = batch_dim_name or mesh.axis_names[0]
        if batch_dim_name not in mesh.axis_names:
            raise ValueError(f"batch_dim_name={batch_dim_name!r} is not an axis of {mesh}.")
        super().__init__(mesh, batch_dim_name, auto_shard_dataset)
        self._layout_map = layout_map

    @property
    def num_model_replicas(self) -> int:
        axis = list(self.device_mesh.axis_names).index(self.batch_dim_name)
        return int(self.device_mesh.shape[axis])

    def get_variable_layout(self, variable: Variable) -> Any:
        if variable._layout is not None:
            return variable._layout
        layout = self._layout_map[variable.path]
        return layout or TensorLayout([None] * len(variable.shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        return self._layout_map[path]

    def placement(self) -> Placement:
        mesh = self.device_mesh.backend_mesh
        rules = tuple((key, layout.backend_layout) for key, layout in self._layout_map.items())
        return MeshPlacement(mesh, str(self.batch_dim_name), rules)


def distribution() -> Distribution | None:
    """The distribution that is set; None for one device."""
    current: Distribution | None = context.distribution
    return current


@filter_traceback
def set_distribution(value: Distribution | None) -> None:
    """Set the distribution of everything that follows in this thread.

    It may be set before or after a model is built: weights are moved when the model is used.

    Args:
        value: A distribution; None for one device.

    Raises:
        TypeError: For anything else.

    Example:
        >>> set_distribution(DataParallel(devices=["cpu:0"]))
        >>> set_distribution(None)
    """
    if value is not None and not isinstance(value, Distribution):
        raise TypeError(
            f"set_distribution() takes a DataParallel, a ModelParallel or None; received {value!r}."
        )
    placement = None if value is None else value.placement()
    context.distribution, context.placement = value, placement
    record_change()  # compiled programs are for one placement
