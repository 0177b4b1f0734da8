"""LossScaleOptimizer: prevents underflow of float16 gradients."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import ArgumentError
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.stateless import values_of
from lamina.core.variable.variable import Variable
from lamina.optimizers.arguments import refuse_unknown
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import revert_unless

# Half of the smallest normal float16. If gradients overflow at this scale, a smaller one does not
# help.
_MIN_SCALE = 2.0**-15


class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a scale before differentiation, and divides the gradients by it.

    Numbers below 6e-8 are zero in float16, and many gradients are that small. The scale is adapted:
    it doubles after `dynamic_growth_steps` steps without overflow. If a gradient is not finite, the
    scale is halved and the step is skipped, without a change of weights or slots.

    `compile` under `mixed_float16` wraps the optimizer automatically.

    Args:
        inner_optimizer: The optimizer that changes the weights. Clipping, averaging and so on
            are its settings; its own `loss_scale_factor` is disabled.
        initial_scale: Initial scale. A large one is soon halved; a small one grows slowly.
        dynamic_growth_steps: Steps without overflow after which the scale doubles.
        name: Part of the names of its variables.
        **kwargs: Not accepted; give other arguments of optimizers to `inner_optimizer`.

    Raises:
        TypeError: If `inner_optimizer` is not an optimizer, or an argument belongs to it instead.
        ValueError: If a number is out of its range.

    Source: Micikevicius et al., 2018, "Mixed Precision Training", arXiv:1710.03740.

    Example:
        >>> from lamina.optimizers.sgd import SGD
        >>> weight = Variable([1.0])
        >>> optimizer = LossScaleOptimizer(SGD(learning_rate=0.5), initial_scale=8.0)
        >>> float(optimizer.scale_loss(2.0))
        16.0
        >>> optimizer.apply([jnp.array([8.0])], [weight])
        >>> optimizer.apply([jnp.array([jnp.inf])])
        >>> weight.numpy().tolist(), float(optimizer.dynamic_scale)
        ([0.5], 4.0)
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ):
        if not isinstance(inner_optimizer, Optimizer):
            raise ArgumentError(
                "LossScaleOptimizer needs an optimizer to wrap, such as lamina.optimizers.Adam(); "
                f"received {inner_optimizer!r}."
            )
        if not initial_scale > 0:
            raise ValueError(f"initial_scale must be above 0; received {initial_scale!r}.")
        check_integer("dynamic_growth_steps", dynamic_growth_steps)
        _refuse_inner_arguments(kwargs)
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def _build_state(self, new: list[Variable]) -> None:
        if not self.built:
            self.step_counter = self.add_variable((), "zeros", "int32", name="step_counter")
            self.dynamic_scale = self.add_variable(
                (), lambda shape, dtype: np.full(shape, self.initial_scale), name="dynamic_scale"
            )
        self.inner_optimizer.build(self._trainable_variables)

    @property
    def variables(self) -> list[Variable]:
        own_variables = [self._iterations, self._learning_rate, *self._user_variables]
        return [*own_variables, *self.inner_optimizer.variables]

    def _variables_before_build(self) -> list[Variable]:
        return [*super()._variables_before_build(), *self.inner_optimizer._variables_before_build()]

    def apply(
        self,
        grads: Sequence[ArrayLike | None],
        trainable_variables: Iterable[Variable] | None = None,
    ) -> None:
        """`Optimizer.apply` with gradients of the scaled loss; skipped if one is not finite.

        Args:
            grads: Gradients of the scaled loss, in the order of the weights.
            trainable_variables: The weights; those that it was built for, if None.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._check_gradients(grads, trainable_variables)
        scale = self.dynamic_scale.value
        is_finite = self.check_finite(grads)
        assigned_variables = [*variables, *self.inner_optimizer.variables]
        old_values = values_of(assigned_variables)
        unscaled = [None if g is None else jnp.asarray(g) / scale for g in grads]
        self.inner_optimizer.apply(unscaled, variables)
        revert_unless(is_finite, assigned_variables, old_values)
        counter = self.step_counter.value + 1
        is_time_to_grow = is_finite & (counter == self.dynamic_growth_steps)
        self.step_counter.assign(jnp.where(is_finite & ~is_time_to_grow, counter, 0))
        self.dynamic_scale.assign(
            scale * jnp.where(is_time_to_grow, 2.0, jnp.where(is_finite, 1.0, 0.5))
        )

    def check_finite(self, grads: Sequence[ArrayLike | None]) -> Array:
        """Whether no gradient has NaN or infinity.

        Args:
            grads: Gradients; None is ignored.

        Returns:
            A scalar boolean.
        """
        flags = [jnp.all(jnp.isfinite(jnp.asarray(g))) for g in grads if g is not None]
        return jax.tree.reduce(jnp.logical_and, flags, jnp.bool_(True))

    def scale_loss(self, loss: Array | float) -> Array | float:
        """The loss times the current scale, to be differentiated.

        Args:
            loss: The loss, a scalar.

        Returns:
            The loss times the scale.
        """
        return loss * (self.dynamic_scale.value if self.built else self.initial_scale)

    def loss_and_weight(self, loss: Any, samples: Any) -> tuple[Any, Any]:
        """The loss of a step, and its weight in the mean loss of an epoch; called after `apply`.

        A step that was skipped because its loss overflowed has weight 0. If the scale is so small
        that halving it cannot help, the loss is NaN, because training cannot continue.

        Args:
            loss: The loss of the step, not scaled.
            samples: Number of samples of the mean.

        Returns:
            The loss and its weight.
        """
        is_skipped = ~jnp.isfinite(loss)
        is_too_small = self.dynamic_scale.value < _MIN_SCALE
        return (
            jnp.where(is_too_small, jnp.nan, jnp.where(is_skipped, 0, loss)),
            jnp.where(is_skipped & ~is_too_small, 0, samples),
        )

    @property
    def learning_rate(self) -> Any:
        """The rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRate | Variable | ArrayLike) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def settings(self) -> tuple[Any, ...]:
        """Its own, and those of the optimizer inside."""
        return (*super().settings, self.inner_optimizer.settings)

    @property
    def schedule_changes(self) -> int:
        """Those of the optimizer inside."""
        return self.inner_optimizer.schedule_changes

    @property
    def iterations(self) -> Any:
        """Number of changes of the weights, without skipped steps."""
        return self.inner_optimizer.iterations

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def load_own_variables(self, store: Mapping) -> None:
        """`Optimizer.load_own_variables`, also from an optimizer that was not wrapped.

        Args:
            store: Mapping filled by `save_own_variables`.
        """
        inner = self.inner_optimizer
        is_state_of_inner = len(store.keys()) == len(inner.variables)
        if is_state_of_inner:
            inner.load_own_variables(store)
        else:
            super().load_own_variables(store)

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: Mapping, custom_objects: Mapping | None = None
    ) -> "LossScaleOptimizer":
        inner = registry.deserialize(config["inner_optimizer"], custom_objects)
        return cls(**{**config, "inner_optimizer": inner})


def _refuse_inner_arguments(arguments: dict[str, Any]) -> None:
    """Refuse arguments of optimizers that must be given to the inner optimizer.

    Files of earlier versions of Keras have them with their defaults, which are accepted.
    """
    if not arguments.pop("dynamic", True):
        raise ValueError(
            "LossScaleOptimizer adapts its scale and has no dynamic=False.\n"
            "  Fix: for a fixed scale, lamina.optimizers.Adam(loss_scale_factor=1024.0) alone."
        )
    accepted = {"use_ema": False, "ema_momentum": 0.99}
    for name in (
        "weight_decay",
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
    ):
        value = arguments.pop(name, accepted.get(name))
        if value != accepted.get(name):
            raise ValueError(
                f"LossScaleOptimizer has no {name}; received {value!r}.\n"
                f"  Fix: give it to the inner optimizer: LossScaleOptimizer(Adam({name}=…))."
            )
    refuse_unknown(LossScaleOptimizer, arguments)
