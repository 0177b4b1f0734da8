"""TrainState: everything that a training step changes, as one pytree."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import jax

from lamina.training.placement import OneDevice, Placement

T = TypeVar("T")


@dataclass(frozen=True)
class TrainState(Generic[T]):
    """The state of a training run; its leaves are Variables or their arrays.

    A step is a pure function `step(state, batch) → (state, logs)`. Some groups may be empty:
    predictions have neither optimizer nor metrics.

    Args:
        trainable: Weights that the optimizer changes.
        non_trainable: Other state of layers: moving averages, seeds, frozen weights.
        optimizer: State of the optimizers: iterations, learning rate, slots, loss scale.
        metrics: State of the metrics.
        named_positions: Index in `optimizer` of `"step"` and, if there is one, of `"loss_scale"`.
        placement: The devices of the arrays.

    Example:
        >>> state = TrainState([1.0], [], [7, 0.1], [0.0], named_positions=(("step", 0),))
        >>> state.step
        7
        >>> jax.tree.leaves(state)
        [0.0, 7, 0.1, 1.0]
    """

    trainable: list[T]
    non_trainable: list[T] = field(default_factory=list)
    optimizer: list[T] = field(default_factory=list)
    metrics: list[T] = field(default_factory=list)
    named_positions: tuple[tuple[str, int], ...] = ()
    placement: Placement = OneDevice()

    @property
    def step(self) -> T | None:
        """Number of steps of the optimizer; None if there is no optimizer."""
        return self._optimizer_value("step")

    @property
    def loss_scale(self) -> T | None:
        """The factor by which the loss is scaled in mixed precision; None if it is not scaled."""
        return self._optimizer_value("loss_scale")

    def _optimizer_value(self, name: str) -> T | None:
        positions = dict(self.named_positions)
        return self.optimizer[positions[name]] if name in positions else None

    @property
    def groups(self) -> dict[str, list[T]]:
        """The four lists by name."""
        return {name: getattr(self, name) for name in _GROUPS}


_GROUPS = ("trainable", "non_trainable", "optimizer", "metrics")

jax.tree_util.register_dataclass(
    TrainState,
    # In alphabetical order, as the leaves of a dict would be.
    data_fields=sorted(_GROUPS),
    meta_fields=["named_positions", "placement"],
)
