"""MultiOptimizer: different optimizers for different weights of one model."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from lamina.core.messages.errors import ArgumentError
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.types import ArrayLike
from lamina.core.variable.variable import Variable
from lamina.optimizers.loss_scale_optimizer import LossScaleOptimizer
from lamina.optimizers.optimizer import Optimizer


@filter_tracebacks_of_methods
class OptimizerMap(MutableMapping):
    """Maps paths of weights to optimizers.

    A key is the path of a weight, such as `"encoder/dense/kernel"`, or a regular expression that
    matches the whole path: `"encoder/.*"`.

    Args:
        default_optimizer: For weights that match no key.
        optimizer_map: Optimizers by key.

    Raises:
        TypeError: If a value is not an optimizer.
        ValueError: If a key is given twice, or two patterns match one path.

    Example:
        >>> from lamina.optimizers.adam import Adam
        >>> from lamina.optimizers.sgd import SGD
        >>> chosen = OptimizerMap(SGD(), {"encoder/.*": Adam(name="mine")})
        >>> chosen["encoder/dense/kernel"].name
        'mine'
    """

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None
    ):
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise ArgumentError(
                f"optimizer_map must be a dict from paths to optimizers; received {optimizer_map!r}"
            )
        self._default_optimizer = _check_inner_optimizer(default_optimizer)
        self._optimizer_map: dict[str, Optimizer] = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of weights that match no key."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching_patterns = [
            pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)
        ]
        if len(matching_patterns) > 1:
            raise ValueError(
                f"Two keys of the OptimizerMap match the weight {key!r}: {matching_patterns[0]!r} "
                f"and {matching_patterns[1]!r}.\n  Fix: make one of them more specific."
            )
        return (
            self._optimizer_map[matching_patterns[0]]
            if matching_patterns
            else self._default_optimizer
        )

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str):
            raise ValueError(f"A key of an OptimizerMap is the path of a weight; received {key!r}.")
        if key in self._optimizer_map:
            raise ValueError(
                f"The OptimizerMap has {self._optimizer_map[key]!r} for {key!r} already.\n"
                f"  Fix: del optimizer_map[{key!r}] first."
            )
        self._optimizer_map[key] = _check_inner_optimizer(optimizer)

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._optimizer_map

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __call__(self, variable: Variable) -> Optimizer:
        """The optimizer of a weight."""
        return self[variable.path]

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict with the serialized `default_optimizer` and `optimizer_map`.
        """
        return {
            "default_optimizer": registry.serialize(self._default_optimizer),
            "optimizer_map": registry.serialize(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: Mapping, custom_objects: Mapping | None = None) -> "OptimizerMap":
        """A map with the settings that `get_config` gave.

        Args:
            config: Arguments of the constructor, serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            The map, with new optimizers.
        """
        return cls(**registry.deserialize(dict(config), custom_objects))


class MultiOptimizer(Optimizer):
    """Trains different weights with different optimizers.

    Each of `optimizer.optimizers` has its own learning rate. The callbacks
    `LearningRateScheduler` and `ReduceLROnPlateau` change all of them by the same factor.

    Args:
        optimizer_map: An `OptimizerMap`, a function from a Variable to an optimizer, or one
            optimizer for all.
        loss_scale_factor: The value for all of its optimizers.
        name: Part of the names of its variables.

    Example:
        >>> import jax.numpy as jnp
        >>> from lamina.optimizers.sgd import SGD
        >>> kernel, bias = Variable([1.0], name="kernel"), Variable([1.0], name="bias")
        >>> optimizer = MultiOptimizer(OptimizerMap(SGD(0.5), {"bias": SGD(0.1)}))
        >>> optimizer.apply([jnp.array([1.0]), jnp.array([1.0])], [kernel, bias])
        >>> round(float(kernel[0]), 3), round(float(bias[0]), 3)
        (0.5, 0.9)
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Optimizer | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ):
        if isinstance(optimizer_map, Optimizer):
            optimizer_map = OptimizerMap(optimizer_map)
        if not callable(optimizer_map):
            raise ArgumentError(
                "MultiOptimizer needs an OptimizerMap, or a function from a Variable to an "
                f"optimizer; received {optimizer_map!r}."
            )
        self._inner_optimizers: list[Optimizer] = []
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._optimizer_of: dict[int, Optimizer] = {}
        if isinstance(optimizer_map, OptimizerMap):
            mapped = [optimizer_map[key] for key in optimizer_map]
            for optimizer in (*mapped, optimizer_map.default_optimizer):
                self._add(optimizer)

    @property
    def optimizers(self) -> list[Optimizer]:
        """The inner optimizers: first those of the map, then its default."""
        return self._inner_optimizers

    def _add(self, optimizer: Optimizer) -> Optimizer:
        if not any(optimizer is added for added in self._inner_optimizers):
            optimizer.loss_scale_factor = self.loss_scale_factor
            self._inner_optimizers.append(optimizer)
        return optimizer

    def _build_state(self, new: list[Variable]) -> None:
        for v in new:
            self._optimizer_of[id(v)] = self._add(_check_inner_optimizer(self._optimizer_map(v)))
        for optimizer, (variables,) in self._group_by_optimizer(self._trainable_variables):
            optimizer.build(variables)

    def _group_by_optimizer(
        self, variables: Sequence[Variable], *lists: Sequence
    ) -> Iterator[tuple]:
        """Each optimizer that has weights among the variables, with its part of every list."""
        owners = [self._optimizer_of[id(v)] for v in variables]
        for optimizer in self._inner_optimizers:
            group = [i for i, owner in enumerate(owners) if owner is optimizer]
            if group:
                yield optimizer, [[values[i] for i in group] for values in (variables, *lists)]

    @property
    def variables(self) -> list[Variable]:
        inner = (v for optimizer in self._inner_optimizers for v in optimizer.variables)
        return [self._iterations, self._learning_rate, *inner]

    def _variables_before_build(self) -> list[Variable]:
        inner = (
            v for optimizer in self._inner_optimizers for v in optimizer._variables_before_build()
        )
        return [*super()._variables_before_build(), *inner]

    def apply(
        self,
        grads: Sequence[ArrayLike | None],
        trainable_variables: Iterable[Variable] | None = None,
    ) -> None:
        """Update each weight with its optimizer; see `Optimizer.apply`.

        Args:
            grads: Gradients, in the order of the weights.
            trainable_variables: The weights; those that it was built for, if None.
        """
        grads = list(grads)
        if not grads:
            return
        weights = self._check_gradients(grads, trainable_variables)
        for optimizer, (variables, gradients) in self._group_by_optimizer(weights, grads):
            optimizer.apply(gradients, variables)
        self._iterations.assign_add(1)

    @property
    def learning_rate(self) -> Any:
        """Not available: each of `optimizers` has its own."""
        raise AttributeError(_NO_RATE)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(_NO_RATE)

    @property
    def settings(self) -> tuple[Any, ...]:
        """Its own, and those of all of `optimizers`."""
        return (*super().settings, *(inner.settings for inner in self._inner_optimizers))

    @property
    def schedule_changes(self) -> int:
        """Those of all of `optimizers`."""
        return sum(optimizer.schedule_changes for optimizer in self._inner_optimizers)

    @property
    def loss_scale_factor(self) -> float | None:
        """The factor of the loss, for all of `optimizers`."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for optimizer in self._inner_optimizers:
            optimizer.loss_scale_factor = value

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        own_variables = [v for v in var_list if id(v) in self._optimizer_of]
        for optimizer, (variables,) in self._group_by_optimizer(own_variables):
            optimizer.finalize_variable_values(variables)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        for optimizer in self._inner_optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict:
        return {
            "optimizer_map": registry.serialize(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: Mapping, custom_objects: Mapping | None = None
    ) -> "MultiOptimizer":
        optimizer_map = registry.deserialize(config["optimizer_map"], custom_objects)
        return cls(**{**config, "optimizer_map": optimizer_map})


_NO_RATE = (
    "A MultiOptimizer has no learning rate of its own: each of its optimizers has one.\n"
    "  Fix: optimizer.optimizers[0].learning_rate = 0.001."
)


def _check_inner_optimizer(optimizer: Any) -> Optimizer:
    """Check that an optimizer can be one of several for a model."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            "An OptimizerMap holds optimizers, such as lamina.optimizers.Adam(); "
            f"received {optimizer!r}."
        )
    if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
        raise ValueError(
            f"{type(optimizer).__name__} cannot be one of several optimizers.\n"
            "  Fix: wrap all of them: LossScaleOptimizer(MultiOptimizer(…))."
        )
    return optimizer
