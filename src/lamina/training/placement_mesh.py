"""MeshPlacement: arrays on several devices, as one program in global view.

The program is written for one device. The shardings of weights and batches tell XLA how to divide
it, and XLA adds the communication. So the results do not depend on the number of devices, apart
from rounding. A batch of any size is allowed: XLA pads it.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lamina.core import processes
from lamina.core.configuration.devices import device_of, name_of
from lamina.core.messages.errors import did_you_mean, warn_at_user
from lamina.core.types import PyTree
from lamina.core.variable.variable import Variable
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.divided_rows import DividedRows, divide_rows
from lamina.training.feeds.zero_copy import is_text_array
from lamina.training.placement import Placement, copy_on_devices, on_one_device, use_placement

# Pairs of a pattern that matches a whole path, and the sharding of the array with that path.
LayoutRules = tuple[tuple[str, NamedSharding], ...]

_MAX_STEP_NUMBERS = 1024


@dataclass(frozen=True)
class MeshPlacement:
    """Weights replicated or divided over a mesh of devices, and batches divided.

    Args:
        mesh: The devices, with a name for each axis of the mesh.
        batch_axis: The axis of the mesh over which the rows of a batch are divided.
        rules: Shardings of weights and of outputs of layers, by a regular expression that matches
            the whole path. A weight that no rule matches is replicated.
        shard_parameters: Whether weights without a rule are divided over the batch axis, with
            their slots. XLA gathers a weight where it is used.
        shard_optimizer: Whether the slots of the optimizer are divided over the batch axis.

    References:
        - Rajbhandari et al., 2020, https://arxiv.org/abs/1910.02054, for the last two.
    """

    mesh: Mesh
    batch_axis: str
    rules: LayoutRules = ()
    shard_parameters: bool = False
    shard_optimizer: bool = False
    # Patterns that match nothing, of which the user was warned.
    _warned: set[str] = field(default_factory=set, compare=False, repr=False)
    # Numbers of steps that are on all devices.
    _step_numbers: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def platform(self) -> str:
        platform: str = self.mesh.devices.flat[0].platform
        return platform

    @property
    def has_kernels(self) -> bool:
        return False

    def of_variable(self, path: str, shape: Sequence[int]) -> NamedSharding:
        spec = self._spec_of_rule(path, shape)
        if spec is None:
            spec = PartitionSpec()
            if self.shard_parameters:
                spec = self._divide_one_axis(shape, spec)
        return NamedSharding(self.mesh, spec)

    def of_slot(self, path: str, shape: Sequence[int]) -> NamedSharding:
        spec = PartitionSpec()
        rule = self._find_rule(path)
        # The state of an optimizer may have another shape than its weight, as Adafactor's has.
        if rule is not None and self._can_divide(rule[1].spec, shape):
            spec = rule[1].spec
        if self.shard_parameters or self.shard_optimizer:
            spec = self._divide_one_axis(shape, spec)
        return NamedSharding(self.mesh, spec)

    def put_batch(self, arrays: PyTree) -> PyTree:
        return jax.tree.map(self._put_on_all, arrays)

    def put_chunk(self, chunk: Chunk) -> PyTree:
        leaves = jax.tree.leaves(chunk.data)
        own_rows = chunk.own_rows
        rows = chunk.batch_size if own_rows is None else len(own_rows)
        is_divisible = chunk.batch_size % self._replicas == 0 and all(
            np.ndim(leaf) and len(leaf) % rows == 0 for leaf in leaves
        )
        # Rows that the program picks in another order may be on any device.
        if chunk.order is not None or not is_divisible or any(map(is_text_array, leaves)):
            return self.put_batch(chunk.data)
        by_rows = NamedSharding(self.mesh, PartitionSpec(self.batch_axis))

        def divide(array: Any) -> DividedRows:
            return divide_rows(np.asarray(array), chunk.batch_size, by_rows, own_rows)

        return jax.tree.map(divide, chunk.data)

    def own_rows(self, batch_size: int) -> np.ndarray | None:
        if not processes.is_multi_process() or batch_size % self._replicas:
            return None
        by_rows = NamedSharding(self.mesh, PartitionSpec(self.batch_axis))
        parts = by_rows.addressable_devices_indices_map((batch_size,)).values()
        is_own = np.zeros(batch_size, bool)
        for part in parts:
            is_own[part] = True
        return None if is_own.all() else np.flatnonzero(is_own)

    def put_data(self, arrays: PyTree) -> PyTree:
        return jax.tree.map(self._put_on_all, arrays)

    def put_step_number(self, number: int) -> Any:
        # JAX takes longer to put a Python number on several devices than to start the program.
        if number not in self._step_numbers:
            if len(self._step_numbers) == _MAX_STEP_NUMBERS:
                self._step_numbers.clear()
            self._step_numbers[number] = self._put_on_all(np.int32(number))
        return self._step_numbers[number]

    def copy(self, arrays: PyTree) -> PyTree:
        return copy_on_devices(arrays)

    def constrain(self, state: PyTree, variables: PyTree) -> PyTree:
        def constrain_array(array: Any, variable: Variable) -> Any:
            return lax.with_sharding_constraint(array, variable._sharding)

        return jax.tree.map(constrain_array, state, variables)

    def constrain_batch(self, batch: PyTree) -> PyTree:
        by_rows = NamedSharding(self.mesh, PartitionSpec(self.batch_axis))

        def constrain_array(array: Any) -> Any:
            if is_text_array(array) or array.ndim == 0:
                return array
            return lax.with_sharding_constraint(array, by_rows)

        return jax.tree.map(constrain_array, batch)

    def constrain_predictions(self, outputs: PyTree) -> PyTree:
        if not processes.is_multi_process():
            return outputs
        everywhere = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(lambda a: lax.with_sharding_constraint(a, everywhere), outputs)

    def constrain_output(self, path: str, outputs: PyTree) -> PyTree:
        rule = self._find_rule(path) if self.rules else None
        if rule is None:
            return outputs
        return jax.tree.map(lambda a: lax.with_sharding_constraint(a, rule[1]), outputs)

    def describe(self) -> str:
        device = self.mesh.devices.flat[0]
        kind = f"{device.device_kind} ({device.platform})"
        return f"{self.mesh.size} devices ({self._axes()}): {kind}"

    def describe_run(self, variables: PyTree) -> str | None:
        flat: list[Variable] = jax.tree.leaves(variables)
        self._warn_of_unused_rules([v.path for v in flat])
        divided = [v for v in flat if v.size > 1 and not v._value.is_fully_replicated]
        bytes_per_device = sum(_bytes_per_device(v) for v in flat)
        weights = "weights and optimizer state on each"
        if divided:
            weights = f"{len(divided)} of {len(flat)} arrays of weights and state divided"
        count = jax.process_count()
        where = f" in {count} processes" if count > 1 else ""
        return (
            f"Training on {self.mesh.size} devices{where} ({self._axes()}): batches divided by "
            f"{self._replicas}, {weights}, {bytes_per_device / 1e6:,.1f} MB per device."
        )

    # -- shardings -------------------------------------------------------------------------------

    def _axes(self) -> str:
        return " × ".join(f"{name}={size}" for name, size in self.mesh.shape.items())

    @property
    def _replicas(self) -> int:
        """Number of parts that a batch is divided into."""
        return int(self.mesh.shape[self.batch_axis])

    def _put_on_all(self, array: Any) -> Any:
        if is_text_array(array):
            return array  # for a model with `run_eagerly=True`
        host = np.asarray(array)
        sharding = NamedSharding(self.mesh, PartitionSpec())
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    def _find_rule(self, path: str) -> tuple[str, NamedSharding] | None:
        pattern = find_pattern([pattern for pattern, _ in self.rules], path)
        return None if pattern is None else (pattern, dict(self.rules)[pattern])

    def _spec_of_rule(self, path: str, shape: Sequence[int]) -> PartitionSpec | None:
        rule = self._find_rule(path)
        if rule is None:
            return None
        pattern, sharding = rule
        spec = sharding.spec
        if len(spec) > len(shape):
            raise ValueError(
                f"The layout map has {tuple(spec)} for {path!r}, which has {len(shape)} axes: "
                f"{tuple(shape)}.\n"
                f"  Fix: one entry for each axis, or another pattern than {pattern!r}."
            )
        for axis, names in enumerate(spec):
            parts = self._parts(names)
            if shape[axis] % parts:
                raise ValueError(
                    f"Axis {axis} of {path!r} has size {shape[axis]} and cannot be divided over "
                    f"{parts} devices, the axis {names!r} of the mesh.\n"
                    f"  Fix: a size that is a multiple of {parts}, or None for this axis in the "
                    f"layout of {pattern!r}."
                )
        return spec

    def _can_divide(self, spec: PartitionSpec, shape: Sequence[int]) -> bool:
        return len(spec) <= len(shape) and all(
            size % self._parts(names) == 0 for size, names in zip(shape, spec, strict=False)
        )

    def _parts(self, names: Any) -> int:
        if names is None:
            return 1
        names = (names,) if isinstance(names, str) else names
        return int(np.prod([self.mesh.shape[name] for name in names]))

    def _divide_one_axis(self, shape: Sequence[int], spec: PartitionSpec) -> PartitionSpec:
        """The spec with the largest axis that can be divided over the batch axis of the mesh."""
        entries = [*spec, *([None] * (len(shape) - len(spec)))]
        if self.batch_axis in jax.tree.leaves(entries):
            return spec
        candidates = [
            (shape[axis], -axis)
            for axis, names in enumerate(entries)
            if names is None and shape[axis] and shape[axis] % self._replicas == 0
        ]
        if candidates:
            entries[-max(candidates)[1]] = self.batch_axis
        return PartitionSpec(*entries)

    def _warn_of_unused_rules(self, paths: list[str]) -> None:
        for pattern, _ in self.rules:
            if pattern.endswith("output") or pattern in self._warned:
                continue
            if any(re.fullmatch(pattern, path) for path in paths):
                continue
            self._warned.add(pattern)
            hint = did_you_mean(pattern, paths)
            searched = any(re.search(pattern, path) for path in paths)
            cause, fix = "a path has another name", "print([v.path for v in model.variables])"
            if searched:
                cause, fix = "it matches only a part of a path", repr(f".*{pattern}.*")
            warn_at_user(
                f"The pattern {pattern!r} of the layout map matches no variable, so it has no "
                f"effect.{hint}\n  Likely cause: {cause}; a pattern must match the whole path.\n"
                f"  Fix: {fix}."
            )


def find_pattern(patterns: Iterable[str], path: str) -> str | None:
    """The pattern that is equal to a path, or the one that matches all of it; None without one.

    Raises:
        ValueError: If several patterns match.
    """
    patterns = list(patterns)
    if path in patterns:
        return path
    matching = [pattern for pattern in patterns if re.fullmatch(pattern, path)]
    if len(matching) > 1:
        raise ValueError(
            f"Path {path!r} matches several patterns of the layout map: "
            f"{', '.join(map(repr, matching))}.\n"
            "  Fix: patterns of which one matches each path."
        )
    return matching[0] if matching else None


def placement_on(devices: Any) -> Placement:
    """The placement that divides batches over devices.

    Args:
        devices: `"all"`, their number, or a list of names or JAX devices.

    Raises:
        ValueError: If there are no such devices.
    """
    available = jax.devices()
    names = ", ".join(name_of(device) for device in available)
    if isinstance(devices, str) and devices == "all":
        chosen = available
    elif isinstance(devices, int) and not isinstance(devices, bool):
        if not 1 <= devices <= len(available):
            raise ValueError(
                f"devices={devices}: there are {len(available)} devices, {names}.\n"
                f"  Fix: fit(…, devices='all'), or at most {len(available)}."
            )
        chosen = available[:devices]
    else:
        if isinstance(devices, bool):
            raise ValueError(
                f"devices={devices} is not a number of devices.\n  Fix: fit(…, devices='all')."
            )
        listed = [devices] if isinstance(devices, (str, jax.Device)) else list(devices)
        if not listed or len({id(device_of(d)) for d in listed}) < len(listed):
            raise ValueError(
                f"devices={devices!r} must name each device once. The devices are {names}.\n"
                "  Fix: fit(…, devices='all')."
            )
        chosen = [device_of(d) for d in listed]
    if len(chosen) == 1:
        return on_one_device(chosen[0])
    return MeshPlacement(Mesh(np.array(chosen), ("batch",)), "batch")


@contextlib.contextmanager
def on_devices(devices: Any) -> Iterator[None]:
    """Context manager in which the model is trained on devices; None for the current placement."""
    if devices is None:
        yield
        return
    with use_placement(placement_on(devices)):
        yield


def _bytes_per_device(variable: Variable) -> int:
    shard = variable._value.addressable_shards[0].data
    return int(shard.nbytes)
