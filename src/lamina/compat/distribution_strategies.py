"""`tf.distribute`: its strategies for data parallelism, as `DataParallel` of all devices.

A model made in the scope of a strategy is trained on its devices also after the scope, as in
TensorFlow. So a scope sets the distribution of the rest of the script.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from lamina.core import processes
from lamina.core.messages.errors import warn_at_user
from lamina.distribution import DataParallel, initialize, set_distribution
from lamina.distribution.launchers import TF_CONFIG

_current: "Strategy | None" = None


class Strategy:
    """Base class of the strategies.

    Args:
        devices: Names of devices as in TensorFlow, e.g. `"/gpu:0"`; None for all.
    """

    def __init__(self, devices: Sequence[str] | None = None):
        names = None if devices is None else [_name_of(device) for device in devices]
        self._distribution: DataParallel | None = DataParallel(devices=names)
        self._distribution.placement()  # raises an error for devices that do not exist

    @property
    def num_replicas_in_sync(self) -> int:
        """Number of parts that a batch is divided into."""
        return 1 if self._distribution is None else self._distribution.num_model_replicas

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Context manager in which models for the strategy's devices are made."""
        global _current
        outer, _current = _current, self
        try:
            if self._distribution is not None:
                set_distribution(self._distribution)
            yield
        finally:
            _current = outer

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set itself: `fit` divides every batch."""
        return dataset

    def distribute_datasets_from_function(
        self, dataset_fn: Callable[[Any], Any], options: Any = None
    ) -> Any:
        """The data set that a function makes, which gets an `InputContext` of one pipeline."""
        return dataset_fn(InputContext(self.num_replicas_in_sync))

    def run(
        self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None, options: Any = None
    ) -> NoReturn:
        """Not supported: Lamina has no loops over replicas."""
        raise NotImplementedError(
            "Lamina runs no function on each replica: a training step sees the whole batch.\n"
            "  Fix: override train_step of a lamina.Model and call fit, which divides batches."
        )

    reduce = run


class MirroredStrategy(Strategy):
    """All devices, or those that are named; of several processes all devices of all of them.

    Args:
        devices: Names of devices.
        cross_device_ops: Ignored: XLA chooses how gradients are added.
    """

    def __init__(self, devices: Sequence[str] | None = None, cross_device_ops: Any = None):
        if devices is not None and processes.is_multi_process():
            warn_at_user(
                "MirroredStrategy(devices=…) uses all devices of all processes: each process has "
                "the same names for its own."
            )
            devices = None
        super().__init__(devices)


class MultiWorkerMirroredStrategy(Strategy):
    """All devices of all processes.

    `lamina run --processes` and `--distributed` have connected them; if the environment variable
    `TF_CONFIG` lists several workers, the strategy connects them.

    Args:
        cluster_resolver: Ignored: `TF_CONFIG` is read.
        communication_options: Ignored.
    """

    def __init__(
        self, cluster_resolver: Any = None, communication_options: Any = None, **kwargs: Any
    ):
        if not processes.is_multi_process() and os.environ.get(TF_CONFIG):
            initialize()
        super().__init__()
        if not processes.is_multi_process():
            warn_at_user(
                "MultiWorkerMirroredStrategy: this is one process, so it trains by itself.\n"
                "  Fix: lamina run --processes 2 SCRIPT; or lamina run --distributed SCRIPT in "
                "each process that srun, mpirun or torchrun starts."
            )


class OneDeviceStrategy(Strategy):
    """One device.

    Args:
        device: Its name, e.g. `"/gpu:0"`.
    """

    def __init__(self, device: str):
        super().__init__([device])


class _DefaultStrategy(Strategy):
    """The strategy outside of all scopes: one device."""

    def __init__(self) -> None:
        self._distribution = None


class InputContext:
    """The argument of a function that makes a data set: one pipeline, with whole batches.

    Args:
        num_replicas_in_sync: Number of parts that a batch is divided into.
    """

    num_input_pipelines = 1
    input_pipeline_id = 0

    def __init__(self, num_replicas_in_sync: int):
        self.num_replicas_in_sync = num_replicas_in_sync

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The batch size itself, as the pipeline has whole batches."""
        return global_batch_size


_default = _DefaultStrategy()


def get_strategy() -> Strategy:
    """The strategy whose scope this is; outside of scopes, one with a single replica."""
    return _current or _default


def has_strategy() -> bool:
    """Whether this is inside the scope of a strategy."""
    return _current is not None


def _unused_reduction(*args: Any, **kwargs: Any) -> None:
    """Stands for TensorFlow's ways to add gradients, which have no effect: XLA chooses one."""


def _name_of(device: str) -> str:
    """Lamina's name of a device with a name such as `/device:GPU:0`."""
    match = re.search(r"(cpu|gpu|tpu)(?::(\d+))?$", str(device).lower())
    return f"{match[1]}:{match[2] or 0}" if match else str(device)


TABLES: dict[str, dict[str, Any]] = {
    "tensorflow.distribute": {
        "HierarchicalCopyAllReduce": _unused_reduction,
        "InputContext": InputContext,
        "MirroredStrategy": MirroredStrategy,
        "MultiWorkerMirroredStrategy": MultiWorkerMirroredStrategy,
        "NcclAllReduce": _unused_reduction,
        "OneDeviceStrategy": OneDeviceStrategy,
        "ReductionToOneDevice": _unused_reduction,
        "Strategy": Strategy,
        "get_strategy": get_strategy,
        "has_strategy": has_strategy,
    },
    "tensorflow.distribute.experimental": {
        "MultiWorkerMirroredStrategy": MultiWorkerMirroredStrategy,
    },
}
