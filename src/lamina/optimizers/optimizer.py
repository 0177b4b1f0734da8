"""Optimizer, the base class of all optimizers, around one optax transformation.

A subclass turns its arguments into a transformation of gradients into changes of the weights. The
base class has what all optimizers share: the learning rate and the number of steps as Variables,
clipping, weight decay, averaging, accumulation, constraints and saving.
"""

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lamina.core.configuration.config import floatx
from lamina.core.configuration.context import context
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.serialization import naming, registry
from lamina.core.types import Array, ArrayLike, DTypeLike, InitializerLike
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.changes import record_change
from lamina.core.variable.settings import remember_setting, settings_key
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable, name_scope
from lamina.optimizers.arguments import (
    check_learning_rate,
    needs_an_argument,
    refuse_unknown,
)
from lamina.optimizers.clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from lamina.optimizers.schedules import LearningRateSchedule
from lamina.optimizers.update_parts import pairs_with_gradient, revert_unless

LearningRate = float | LearningRateSchedule | Callable


@filter_tracebacks_of_methods
class Optimizer:
    """Changes the weights of a model to reduce its loss; the base class of all optimizers.

    To write your own optimizer, override `transformation` (an optax transformation), or, as in
    Keras, `build` and `update_step`.

    Args:
        learning_rate: Scale of the steps, without unit: a number, a `LearningRateSchedule`, or a
            function of the step (or without arguments). A number may be changed at any time by
            assigning to `optimizer.learning_rate`; nothing is compiled again.
        weight_decay: Fraction of a weight, times the learning rate, that is subtracted before each
            step. It is not part of the gradient ("decoupled" decay).
        clipnorm: Maximum L2 norm of the gradient of one weight array.
        clipvalue: Maximum absolute value of an element of a gradient.
        global_clipnorm: Maximum L2 norm of all gradients together. Only one of the three.
        use_ema: Also keep a moving average of the weights; at the end `fit` assigns it to the
            weights.
        ema_momentum: Fraction of the old average that is kept at every step, 0 to 1.
        ema_overwrite_frequency: Number of steps after which the average is assigned to the
            weights; None for only at the end of training.
        loss_scale_factor: The loss is multiplied by it, and gradients are divided by it, which
            prevents underflow of float16 gradients.
        gradient_accumulation_steps: Number of steps whose mean gradient is used for one change of
            the weights. Schedules and moving averages count every step.
        name: Part of the names of its variables.
        **unknown: Refused with an error that suggests the nearest argument.

    Raises:
        TypeError: If an argument is unknown; the message names the nearest one.
        ValueError: If an argument is out of its range.

    Example:
        >>> class SignSGD(Optimizer):
        ...     def transformation(self):
        ...         def update(gradients, state, weights=None, *, learning_rate, step):
        ...             return [-learning_rate * jnp.sign(g) for g in gradients], state
        ...
        ...         return optax.GradientTransformationExtraArgs(
        ...             lambda weights: optax.EmptyState(), update)
        >>> weight = Variable([1.0, 2.0])
        >>> SignSGD(learning_rate=0.5).apply([jnp.array([3.0, -0.1])], [weight])
        >>> weight.numpy().tolist()
        [0.5, 2.5]
    """

    # Order of the slots in Keras, by which files number them. Names in one group alternate:
    # (momentum, velocity) of the first weight, then of the second, …
    slot_order: tuple[tuple[str, ...], ...] = ()

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        filter_tracebacks_of_methods(cls)
        if "build" in cls.__dict__:
            cls.build = _build_once(cls.__dict__["build"])  # type: ignore[method-assign]

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **unknown: Any,
    ):
        refuse_unknown(type(self), unknown)
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        limits = {key: value for key, value in clips.items() if value is not None}
        if len(limits) > 1:
            raise ValueError(f"Only one of {' and '.join(limits)} can be used; received {limits}.")
        for key, value in limits.items():
            if not value > 0:
                raise ValueError(f"{key} must be above 0; received {value!r}.")
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(f"ema_momentum must be from 0 to 1; received {ema_momentum!r}.")
        if use_ema and ema_overwrite_frequency is not None:
            check_integer("ema_overwrite_frequency", ema_overwrite_frequency, also=", or None")
        if gradient_accumulation_steps is not None:
            check_integer(
                "gradient_accumulation_steps", gradient_accumulation_steps, 2, also=", or None"
            )
        self.name = naming.check_printable(name, type(self).__name__) or naming.auto_name(
            type(self)
        )
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._settings_of_build: tuple[Any, ...] | None = None
        self._trainable_variables: list[Variable] = []
        self._index_of: dict[int, int] = {}
        self._slots: dict[str, dict[int, Variable]] = {}  # by slot name and id of the weight
        self._scalars: dict[str, Variable] = {}
        self._user_variables: list[Variable] = []
        self._state_type: Callable = optax.EmptyState
        self._weights_without_decay: list[Variable] = []
        self._names_without_decay: re.Pattern | None = None
        self._iterations = self._variable(0, "iteration", dtype="int32")
        self._schedule_changes = 0
        rate = check_learning_rate(learning_rate)
        self._learning_rate: Any = (
            rate if callable(rate) else self._variable(rate, "learning_rate", dtype=floatx())
        )

    # The update rule, defined by subclasses.

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        """The rule as an optax transformation.

        Its state is a NamedTuple; a field is a list with one array per weight (empty if the
        settings don't need it) or a scalar. `update` gets the extra arguments `learning_rate`
        (a scalar) and `step` (the number of previous steps), and returns the changes of the
        weights.

        Returns:
            An `optax.GradientTransformationExtraArgs`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no rule: write transformation(self), or "
            "update_step(self, gradient, variable, learning_rate)."
        )

    def update_step(self, gradient: Array, variable: Variable, learning_rate: Array) -> None:
        """Keras's way to define an optimizer: assign `variable` and its slots.

        `super().update_step(…)` in a subclass is the rule of the base class for one weight.

        Args:
            gradient: Gradient of the loss with respect to the weight, of the same shape.
            variable: The weight.
            learning_rate: The current learning rate, a scalar.
        """
        rate = jnp.asarray(learning_rate)
        (change,) = self._run_transformation([gradient], [variable], [variable.value], rate)
        variable.assign(variable.value + change)

    # Variables.

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the slots (state of each weight, such as its momentum) for a list of weights.

        Existing slots are kept. Slots that a setting needs which was assigned since, such as
        `momentum`, are added.

        Args:
            variables: The weights to train.
        """
        variables = list({id(v): v for v in variables}.values())
        new = [v for v in variables if id(v) not in self._index_of]
        if self.built and self._settings_of_build != self.settings:
            self._check_settings()
        elif self.built and not new:
            return
        given_ids = {id(v) for v in variables}
        other_variables = [v for v in self._trainable_variables if id(v) not in given_ids]
        self._trainable_variables = [*variables, *other_variables]
        self._index_of = {id(v): i for i, v in enumerate(self._trainable_variables)}
        self._update_extra_slots()
        if self._has_transformation() or not self._has_own_update_step():
            self._build_state(new)
        self.built = True
        self._settings_of_build = self.settings
        record_change()

    def _check_settings(self) -> None:
        """Raise the errors of the constructor for settings that were assigned since."""
        is_from_lamina = type(self).__module__.startswith("lamina.")
        if is_from_lamina and self._has_transformation() and context.bindings is None:
            type(self).from_config(self.get_config())

    def _update_extra_slots(self) -> None:
        """Add or remove the slots of moving averages and of accumulated gradients."""
        for is_used, name in (
            (self.use_ema, "average"),
            (self.gradient_accumulation_steps, "gradient_accumulator"),
        ):
            if not is_used:
                self._slots.pop(name, None)
                continue
            weights = self._without_slot(name, self._trainable_variables)
            # The first step replaces the average; later ones need one to begin with.
            from_value = name == "average" and self.built
            self._add_slots(
                name,
                weights,
                [
                    np.array(v._value) if from_value else np.zeros(v.shape, v._value.dtype)
                    for v in weights
                ],
            )

    def _without_slot(self, name: str, weights: list[Variable]) -> list[Variable]:
        return [v for v in weights if id(v) not in self._slots.get(name, ())]

    def _build_state(self, new: list[Variable]) -> None:
        has_other_settings = self.built and self._settings_of_build != self.settings
        weights = self._trainable_variables if has_other_settings else new
        # Slots are concrete arrays, even if they are made while a custom step is traced.
        with jax.ensure_compile_time_eval():
            state = self._initial_state(weights)
        self._state_type = type(state)
        for name, initial in _fields(state).items():
            if isinstance(initial, list):
                if weights and not initial:
                    self._slots.pop(name, None)
                self._add_slots(name, weights, initial)
            elif name not in self._scalars:
                self._scalars[name] = self._variable(initial, name)

    def _initial_state(self, weights: list[Variable]) -> Any:
        return self.transformation().init([v._value for v in weights])

    def _add_slots(self, name: str, weights: list[Variable], initial: list) -> None:
        """Variables from arrays, one per weight; None for a weight that has no such slot."""
        if initial:
            slots = self._slots.setdefault(name, {})
            slots |= {
                id(v): self._variable(value, self._slot_name(v, name), weight=v)
                for v, value in zip(weights, initial, strict=True)
                if value is not None and id(v) not in slots
            }

    def _slot_name(self, weight: Variable, slot: str) -> str:
        return f"{weight.path.replace('/', '_')}_{slot}"

    def _variable(
        self,
        initial: Any,
        name: str,
        shape: Any = None,
        dtype: DTypeLike | None = None,
        layout: Any = None,
        weight: Variable | None = None,
    ) -> Variable:
        with name_scope(self.name):
            return Variable(
                initial,
                shape=shape,
                dtype=dtype,
                trainable=False,
                layout=layout,
                name=name,
                slot_of=weight,
            )

    @property
    def variables(self) -> list[Variable]:
        """All Variables of the optimizer, in Keras's order."""
        groups = (("average",), ("gradient_accumulator",), *self.slot_order)
        slots = [
            self._slots[name][id(weight)]
            for group in groups
            for weight in self._trainable_variables
            for name in group
            if id(weight) in self._slots.get(name, ())
        ]
        return [
            *self._variables_before_build(),
            *slots,
            *self._scalars.values(),
            *self._user_variables,
        ]

    def _variables_before_build(self) -> list[Variable]:
        rate = [self._learning_rate] if isinstance(self._learning_rate, Variable) else []
        return [self._iterations, *rate]

    @property
    def iterations(self) -> Any:
        """Number of changes of the weights."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step: its Variable, or the current value of the schedule."""
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._rate_of_schedule(self._learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: LearningRate | Variable | ArrayLike) -> None:
        rate = check_learning_rate(value)
        if callable(rate):
            self._learning_rate = rate
            self._schedule_changes += 1
            record_change()
        elif isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(rate)
        else:
            raise TypeError(
                f"The learning rate of {self.name!r} follows a schedule and cannot be set to "
                f"{value!r}.\n  Fix: compile with a number, such as "
                f"{type(self).__name__}(learning_rate=0.001), to change it during training."
            )

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name != "learning_rate":
            remember_setting(self, name, value)

    @property
    def settings(self) -> tuple[Any, ...]:
        """What compiled programs contain besides schedules, to be compared with earlier ones."""
        excluded = tuple(id(variable) for variable in self._weights_without_decay)
        return (*settings_key(self), excluded, self._names_without_decay)

    @property
    def schedule_changes(self) -> int:
        """How often a schedule was assigned; compiled programs contain the one they began with."""
        return self._schedule_changes

    def _rate_of_schedule(self, schedule: Callable) -> Array:
        step = self._iterations.value
        takes_step = isinstance(schedule, LearningRateSchedule) or needs_an_argument(schedule)
        return jnp.asarray(schedule(step) if takes_step else schedule(), dtype=floatx())

    # A step.

    def apply(
        self,
        grads: Sequence[ArrayLike | None],
        trainable_variables: Iterable[Variable] | None = None,
    ) -> None:
        """Change the weights by one step.

        Args:
            grads: One gradient per weight, of its shape.
            trainable_variables: The weights; all or some of those given to `build`. The first
                call builds the optimizer for them. None for all of them.

        Raises:
            ValueError: If the gradients don't fit the weights, or all of them are None.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._check_gradients(grads, trainable_variables)
        pairs = pairs_with_gradient(grads, variables)
        weights = [v for _, v in pairs]
        scale = self.loss_scale_factor
        gradients = [jnp.asarray(g, jax.dtypes.canonicalize_dtype(v.dtype)) for g, v in pairs]
        if scale is not None:
            gradients = [g / scale for g in gradients]
        if self.gradient_accumulation_steps:
            self._accumulate(gradients, weights, self.gradient_accumulation_steps)
        else:
            self._update_weights(gradients, weights)
        if self.use_ema:
            self._update_averages(variables)
        for v in weights:
            if v.constraint is not None:
                v.assign(v.constraint(v.value))
        self._iterations.assign_add(1)

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[ArrayLike | None, Variable]]
    ) -> Variable:
        """`apply` for pairs of gradient and weight; returns the number of steps.

        Args:
            grads_and_vars: Pairs `(gradient, weight)`; with None, the weight is not changed.

        Returns:
            The Variable that counts the steps.

        Raises:
            ValueError: If a gradient does not fit its weight, or there is none at all.
        """
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Array],
        grads: Sequence[Array],
        trainable_variables: Sequence[Array],
    ) -> tuple[list[Array], list[Array]]:
        """`apply` as a pure function, for custom training loops in JAX.

        Args:
            optimizer_variables: Values of `optimizer.variables`.
            grads: One gradient per weight.
            trainable_variables: Values of the weights that the optimizer was built for.

        Returns:
            New values of the weights, and of `optimizer.variables`.
        """
        pure = stateless(self.apply, (self._trainable_variables, self.variables))
        _, new = pure((list(trainable_variables), list(optimizer_variables)), grads)
        return new

    def _check_gradients(self, grads: list, variables: Iterable[Variable] | None) -> list[Variable]:
        if variables is None:
            if not self.built:
                raise ValueError(
                    f"Optimizer {self.name!r} doesn't know its weights yet.\n"
                    "  Fix: optimizer.apply(grads, model.trainable_variables)."
                )
            variables = self._trainable_variables
        variables = list(variables)
        if not self.built or self._settings_of_build != self.settings:
            self.build(variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"Optimizer {self.name!r} received {len(grads)} gradients for "
                f"{len(variables)} weights; it needs one for each, in the same order."
            )
        for gradient, v in zip(grads, variables, strict=True):
            if id(v) not in self._index_of:
                raise ValueError(
                    f"Optimizer {self.name!r} was not built for {v.path!r}.\n  Likely cause: a "
                    "layer was added, or made trainable, after the first step.\n"
                    "  Fix: optimizer.build(model.trainable_variables) before the next one."
                )
            if gradient is not None and np.shape(gradient) != v.shape:
                raise ValueError(
                    f"The gradient for {v.path!r} has shape {np.shape(gradient)}, expected "
                    f"{v.shape}.\n  Likely cause: gradients and weights in different orders."
                )
        return variables

    def _accumulate(self, gradients: list[Array], variables: list[Variable], steps: int) -> None:
        is_last_step = (self._iterations.value + 1) % steps == 0
        accumulators = [self._slots["gradient_accumulator"][id(v)] for v in variables]
        sums = [a.value + g for a, g in zip(accumulators, gradients, strict=True)]
        assigned_variables = [*variables, *self.variables]
        old_values = values_of(assigned_variables)
        self._update_weights([s / steps for s in sums], variables)
        revert_unless(is_last_step, assigned_variables, old_values)
        for accumulator, total in zip(accumulators, sums, strict=True):
            accumulator.assign(jnp.where(is_last_step, 0, total))

    def _update_weights(self, gradients: list[Array], variables: list[Variable]) -> None:
        rate = jnp.asarray(self.learning_rate)
        gradients = self._clip_gradients(gradients)
        values = [self._value_with_decay(v, rate) for v in variables]
        if self._has_own_update_step():
            scalars = list(self._scalars.values())
            old_scalars = values_of(scalars)
            for gradient, v, value in zip(gradients, variables, values, strict=True):
                for scalar, old_value in zip(scalars, old_scalars, strict=True):
                    scalar.assign(old_value)  # scalars change once in a step, not for every weight
                v.assign(value)
                self.update_step(gradient, v, rate)
            return
        changes = self._run_transformation(gradients, variables, values, rate)
        for v, value, change in zip(variables, values, changes, strict=True):
            v.assign(value + change)

    def _run_transformation(
        self, gradients: list[Array], variables: list[Variable], values: list[Array], rate: Array
    ) -> list[Array]:
        """The changes of the weights; the slots are assigned."""
        slots = {
            name: [slots.get(id(v)) for v in variables]
            for name, slots in self._slots.items()
            if name not in ("average", "gradient_accumulator")
        }
        state_variables = self._state_type(
            **{**_empty_fields(self._state_type), **slots, **self._scalars}
        )
        changes, state = self.transformation().update(
            gradients,
            values_of(state_variables),
            values,
            learning_rate=rate,
            step=jnp.asarray(self.iterations),
        )
        new_values = jax.tree.leaves(state)
        for variable, value in zip(jax.tree.leaves(state_variables), new_values, strict=True):
            variable.assign(value)
        return changes

    def _clip_gradients(self, gradients: list[Array]) -> list[Array]:
        if self.clipnorm is not None:
            return clip_by_norm(gradients, self.clipnorm)
        if self.global_clipnorm is not None:
            return clip_by_global_norm(gradients, self.global_clipnorm)
        if self.clipvalue is not None:
            return clip_by_value(gradients, self.clipvalue)
        return gradients

    def _value_with_decay(self, variable: Variable, rate: Array) -> Array:
        fraction = self._decay_unless_excluded(variable)
        if fraction is None:
            return variable.value
        return variable.value - variable.value * fraction * rate

    def _decay_unless_excluded(self, variable: Variable) -> float | None:
        names = self._names_without_decay
        excluded = any(variable is v for v in self._weights_without_decay) or (
            names is not None and names.search(variable.name)
        )
        return None if excluded else self._decay_of(variable)

    def _decay_of(self, variable: Variable) -> float | None:
        return self.weight_decay

    def _update_averages(self, variables: list[Variable]) -> None:
        iterations = jnp.asarray(self.iterations)
        # The first average is the value itself.
        momentum = jnp.where(iterations == 0, 0.0, self.ema_momentum)
        for v in variables:
            average = self._slots["average"][id(v)]
            average.assign(momentum * average.value + (1 - momentum) * v.value)
            if self.ema_overwrite_frequency:
                is_due = (iterations + 1) % self.ema_overwrite_frequency == 0
                v.assign(jnp.where(is_due, average.value, v.value))

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Exclude weights from `weight_decay`.

        Args:
            var_list: The weights themselves.
            var_names: Patterns (regular expressions) found in their names, such as `"bias"`.
        """
        self._weights_without_decay = list(var_list or ())
        self._names_without_decay = re.compile("|".join(var_names)) if var_names else None
        record_change()

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Assign the moving averages to the weights, at the end of training.

        Args:
            var_list: The weights.
        """
        if self.use_ema and self.built:
            averages = self._slots["average"]
            for v in var_list:
                if id(v) in averages:
                    v.assign(averages[id(v)].value)

    def averages(self) -> list[tuple[Variable, Variable]]:
        """Each weight and its moving average; none without `use_ema`.

        Returns:
            A list of pairs of Variables.
        """
        averages = self._slots.get("average", {})
        return [(v, averages[id(v)]) for v in self._trainable_variables if id(v) in averages]

    def scale_loss(self, loss: Array | float) -> Array | float:
        """The loss times `loss_scale_factor`, to be differentiated.

        Args:
            loss: The loss, a scalar.

        Returns:
            The loss times the factor.
        """
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set the state, in the order of `variables`.

        Args:
            weights: Arrays, one for each of `variables`, of the same shapes.

        Raises:
            ValueError: If it was not built, or the arrays don't fit.
        """
        variables = self.variables
        if not self.built or len(weights) != len(variables):
            hint = (
                "" if self.built else "\n  Fix: optimizer.build(model.trainable_variables) first."
            )
            raise ValueError(
                f"Optimizer {self.name!r} has {len(variables)} variables and received "
                f"{len(weights)} arrays.{hint}"
            )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    # Files.

    def save_own_variables(self, store: MutableMapping) -> None:
        """Store the state in a mapping, under "0", "1", …

        Args:
            store: The mapping to fill.
        """
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Mapping) -> None:
        """Load the state from a mapping with the keys "0", "1", …

        A state that does not fit is ignored with a warning, as in Keras: the weights of the model
        are not affected, and the slots start from their initial values.

        Args:
            store: Mapping filled by `save_own_variables`.
        """
        variables = self.variables
        saved = {int(key): np.asarray(store[key]) for key in store.keys()}
        if len(saved) == len(self._variables_before_build()):
            variables = self._variables_before_build()  # saved before its first step, without slots
        expected = {i: v.shape for i, v in enumerate(variables)}
        shapes = {i: value.shape for i, value in saved.items()}
        if shapes != expected:
            difference = (
                f"{len(shapes)} variables are saved and it has {len(expected)}"
                if len(shapes) != len(expected)
                else next(
                    f"variable {v.path!r} has shape {v.shape} and {shapes.get(i)} is saved"
                    for i, v in enumerate(variables)
                    if shapes.get(i) != v.shape
                )
            )
            warnings.warn(
                f"The saved state of optimizer {self.name!r} was not loaded: {difference}.\n"
                "  Likely cause: it was saved by another optimizer, or with other layers "
                "trainable.",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )
            return
        for i, variable in enumerate(variables):
            variable.assign(saved[i])

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`, with the current learning rate.

        Returns:
            A dict of arguments of the constructor; a schedule is serialized.
        """
        rate = self._learning_rate
        if isinstance(rate, Variable):
            rate = float(rate)
        return {
            "name": self.name,
            "learning_rate": registry.serialize(rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: Mapping, custom_objects: Mapping | None = None) -> "Optimizer":
        """An optimizer with the settings that `get_config` gave, at step 0.

        Args:
            config: Arguments of the constructor.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            The optimizer.
        """
        config = dict(config)
        if isinstance(config.get("learning_rate"), Mapping):
            config["learning_rate"] = registry.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)

    # For optimizers defined in Keras's way.

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike | None = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the optimizer, which is saved with it.

        Args:
            shape: Its shape.
            initializer: Name, array, or function `(shape, dtype) → array`.
            dtype: Defaults to `floatx()`.
            aggregation: Accepted for compatibility with Keras; no effect.
            layout: On which devices it is: a `lamina.distribution.TensorLayout`.
            name: Last part of its path.

        Returns:
            The Variable.
        """
        variable = self._variable(initializer, name or "variable", tuple(shape), dtype, layout)
        self._user_variables.append(variable)
        return variable

    def add_variable_from_reference(
        self,
        reference_variable: Variable,
        name: str | None = None,
        initializer: InitializerLike = "zeros",
    ) -> Variable:
        """Make a slot: a variable of the shape and dtype of a weight, named after it.

        Args:
            reference_variable: The weight.
            name: Name of the slot, e.g. `"momentum"`; `"var"` for None.
            initializer: Name of an initializer, an initializer, or a function of shape and dtype.

        Returns:
            The new Variable.
        """
        weight = reference_variable
        slot = self._variable(
            initializer,
            self._slot_name(weight, name or "var"),
            weight.shape,
            weight.dtype,
            weight=weight,
        )
        self._user_variables.append(slot)
        return slot

    def add_optimizer_variables(
        self,
        trainable_variables: Iterable[Variable],
        name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> Any:
        """Make slots for several weights: a list, or a tuple of lists for a list of names.

        Args:
            trainable_variables: The weights.
            name: Name of the slots, e.g. `"momentum"`, or several names.
            initializer: One for all names, or a list with one for each.

        Returns:
            A list of Variables in the order of the weights, or a tuple of such lists.
        """
        names = [name] if isinstance(name, str) else list(name)
        is_single = isinstance(initializer, str) or callable(initializer)
        initializers = [initializer] * len(names) if is_single else list(initializer)
        rows = [
            [
                self.add_variable_from_reference(weight, slot, slot_initializer)
                for slot, slot_initializer in zip(names, initializers, strict=True)
            ]
            for weight in trainable_variables
        ]
        columns = tuple([row[i] for row in rows] for i in range(len(names)))
        return columns[0] if isinstance(name, str) else columns

    def assign(self, variable: Variable, value: ArrayLike) -> None:
        """Assign a value to a variable; for a custom `update_step`.

        Args:
            variable: A weight or a slot.
            value: Array of its shape.
        """
        variable.assign(value)

    def assign_add(self, variable: Variable, value: ArrayLike) -> None:
        """Add to the value of a variable; for a custom `update_step`.

        Args:
            variable: A weight or a slot.
            value: Array of its shape to be added.
        """
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: ArrayLike) -> None:
        """Subtract from the value of a variable; for a custom `update_step`.

        Args:
            variable: A weight or a slot.
            value: Array of its shape to be subtracted.
        """
        variable.assign_sub(value)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._index_of[id(variable)]

    def _has_own_update_step(self) -> bool:
        return type(self).update_step is not Optimizer.update_step

    def _has_transformation(self) -> bool:
        return type(self).transformation is not Optimizer.transformation

    @safe_repr
    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _build_once(build: Callable) -> Callable:
    """A user's `build` that only runs once, although every call of `fit` calls it."""

    @functools.wraps(build)
    def wrapped(self: Optimizer, variables: Iterable[Variable]) -> None:
        variables = list(variables)
        if not (self.built and all(id(v) in self._index_of for v in variables)):
            build(self, variables)

    return wrapped


def _fields(state: Any) -> dict[str, Any]:
    return dict(zip(state._fields, state, strict=True))


def _empty_fields(state_type: Any) -> dict[str, list]:
    return {name: [] for name in state_type._fields}
