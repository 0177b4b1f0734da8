"""Learning rates that depend on the step: functions of the step with a config.

A schedule is called with the number of steps done so far, inside the compiled loop, so the rate
changes at every step without a callback and without recompiling.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat

import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike


@filter_tracebacks_of_methods
class LearningRateSchedule:
    """A learning rate that depends on the step; base class of schedules.

    A subclass computes with `jax.numpy` (the step is traced) and has a `get_config`.

    Example:
        >>> class Halving(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 * 0.5 ** (step // 100)
        >>> float(Halving()(200))
        0.025
    """

    def __call__(self, step: ArrayLike) -> ArrayLike:
        raise NotImplementedError(
            f"{type(self).__name__} is a learning rate schedule without __call__(self, step); "
            "write one that returns the rate at that step."
        )

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`; to be defined by subclasses.

        Returns:
            A dict of the arguments of the constructor.

        Raises:
            NotImplementedError: If a subclass has no `get_config`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot be saved: write get_config(self), a dictionary of "
            "the arguments of __init__."
        )

    @classmethod
    def from_config(cls, config: Mapping) -> "LearningRateSchedule":
        """A schedule with the settings that `get_config` gave.

        Args:
            config: Arguments of the constructor.

        Returns:
            The schedule.
        """
        return cls(**config)


@filter_tracebacks_of_methods
class ExponentialDecay(LearningRateSchedule):
    """Multiplies the learning rate by `decay_rate` every `decay_steps` steps.

    `initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps (not epochs) in which the rate falls by one factor.
        decay_rate: The factor, such as 0.96.
        staircase: Decay in discrete steps at multiples of `decay_steps`.
        name: A label for the config.

    Example:
        >>> round(float(ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)(200)), 6)
        0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = _check_number(
            initial_learning_rate, "initial_learning_rate", self
        )
        self.decay_steps = _check_positive(decay_steps, "decay_steps", self)
        self.decay_rate = _check_number(decay_rate, "decay_rate", self)
        self.staircase = staircase
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        periods = _as_float(step) / self.decay_steps
        if self.staircase:
            periods = jnp.floor(periods)
        return self.initial_learning_rate * jnp.power(self.decay_rate, periods)

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


@filter_tracebacks_of_methods
class InverseTimeDecay(LearningRateSchedule):
    """Divides the learning rate by a number that grows with the steps.

    `initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps (not epochs) in which the divisor grows by `decay_rate`.
        decay_rate: Growth of the divisor, no unit.
        staircase: Decay in discrete steps at multiples of `decay_steps`.
        name: A label for the config.

    Example:
        >>> round(float(InverseTimeDecay(0.1, decay_steps=100, decay_rate=1.0)(300)), 6)
        0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.initial_learning_rate = _check_number(
            initial_learning_rate, "initial_learning_rate", self
        )
        self.decay_steps = _check_positive(decay_steps, "decay_steps", self)
        self.decay_rate = _check_number(decay_rate, "decay_rate", self)
        self.staircase = staircase
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        periods = _as_float(step) / self.decay_steps
        if self.staircase:
            periods = jnp.floor(periods)
        return self.initial_learning_rate / (1 + self.decay_rate * periods)

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


@filter_tracebacks_of_methods
class PiecewiseConstantDecay(LearningRateSchedule):
    """Keeps the learning rate constant between boundaries.

    Args:
        boundaries: Ascending steps; at a boundary the rate is the one before it.
        values: Rates, one more than there are boundaries.
        name: A label for the config.

    Example:
        >>> schedule = PiecewiseConstantDecay(boundaries=[100, 200], values=[1.0, 0.5, 0.25])
        >>> [float(schedule(step)) for step in (0, 100, 101, 1000)]
        [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ):
        for argument, numbers in (("boundaries", boundaries), ("values", values)):
            if isinstance(numbers, str) or np.ndim(numbers) != 1:
                raise TypeError(
                    f"PiecewiseConstantDecay needs {argument} as a list of numbers; received "
                    f"{numbers!r}."
                )
            for number in numbers:
                _check_number(number, f"each of its {argument}", self)
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay needs one more value than boundaries; received "
                f"{len(values)} values and {len(boundaries)} boundaries."
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(
                f"PiecewiseConstantDecay needs rising boundaries; received {list(boundaries)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        if not self.boundaries:
            return jnp.float32(self.values[0])
        piece = jnp.searchsorted(jnp.asarray(self.boundaries), jnp.asarray(step))
        return jnp.asarray(self.values, dtype="float32")[piece]

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


@filter_tracebacks_of_methods
class PolynomialDecay(LearningRateSchedule):
    """Changes the learning rate from one value to another by a polynomial.

    `(initial - end) * (1 - step / decay_steps) ** power + end`; a straight line for power 1.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps (not epochs) until the end is reached.
        end_learning_rate: Rate after `decay_steps`.
        power: Exponent; above 1 the rate decreases quickly at first, below 1 slowly.
        cycle: When the end is reached, continue with `decay_steps` extended to the next multiple.
        name: A label for the config.

    Example:
        >>> schedule = PolynomialDecay(1.0, decay_steps=100, end_learning_rate=0.5)
        >>> [float(schedule(step)) for step in (0, 50, 200)]
        [1.0, 0.75, 0.5]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = _check_number(
            initial_learning_rate, "initial_learning_rate", self
        )
        self.decay_steps = _check_positive(decay_steps, "decay_steps", self)
        self.end_learning_rate = _check_number(end_learning_rate, "end_learning_rate", self)
        self.power = _check_number(power, "power", self)
        self.cycle = cycle
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        step, decay_steps = _as_float(step), self.decay_steps
        if self.cycle:
            cycles = jnp.where(step == 0, 1.0, jnp.ceil(step / decay_steps))
            fraction = step / (decay_steps * cycles)
        else:
            fraction = jnp.minimum(step, decay_steps) / decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * jnp.power(1 - fraction, self.power) + self.end_learning_rate

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


@filter_tracebacks_of_methods
class CosineDecay(LearningRateSchedule):
    """Decreases the learning rate by half a cosine, optionally after a linear warm-up.

    With `warmup_target`, the rate first increases linearly from `initial_learning_rate` to
    `warmup_target` during `warmup_steps`, and the cosine starts from there.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps (not epochs) of the cosine, without the warm-up.
        alpha: Final rate as a fraction of the highest rate, 0 to 1.
        name: A label for the config.
        warmup_target: Rate at the end of the warm-up; None for no warm-up.
        warmup_steps: Steps of the warm-up.

    Source: Loshchilov and Hutter, 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    arXiv:1608.03983.

    Example:
        >>> schedule = CosineDecay(0.0, decay_steps=100, warmup_target=1.0, warmup_steps=10)
        >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        self.initial_learning_rate = _check_number(
            initial_learning_rate, "initial_learning_rate", self
        )
        self.decay_steps = _check_positive(decay_steps, "decay_steps", self)
        self.alpha = _check_number(alpha, "alpha", self)
        self.name = name
        if warmup_target is not None:
            _check_number(warmup_target, "warmup_target", self)
        self.warmup_target = warmup_target
        self.warmup_steps = _check_number(warmup_steps, "warmup_steps", self)

    def __call__(self, step: ArrayLike) -> Array:
        step = _as_float(step)
        if self.warmup_target is None:
            return self._decay(step, self.initial_learning_rate)
        decayed = self._decay(jnp.maximum(step - self.warmup_steps, 0), self.warmup_target)
        if not self.warmup_steps:
            return decayed
        rise = self.warmup_target - self.initial_learning_rate
        warmup_rate = self.initial_learning_rate + rise * (step / self.warmup_steps)
        return jnp.where(step < self.warmup_steps, warmup_rate, decayed)

    def _decay(self, step: Array, highest: float) -> Array:
        fraction = jnp.minimum(step, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1 + jnp.cos(math.pi * fraction))
        return highest * ((1 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


@filter_tracebacks_of_methods
class CosineDecayRestarts(LearningRateSchedule):
    """Decreases the learning rate by half a cosine, with restarts and longer periods.

    Args:
        initial_learning_rate: Rate at step 0.
        first_decay_steps: Steps (not epochs) of the first period.
        t_mul: Each period is this many times as long as the one before.
        m_mul: Each period starts at this fraction of the start of the one before.
        alpha: Rate at the end of a period as a fraction of the initial rate, 0 to 1.
        name: A label for the config.

    Source: Loshchilov and Hutter, 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    arXiv:1608.03983.

    Example:
        >>> schedule = CosineDecayRestarts(1.0, first_decay_steps=100)
        >>> [round(float(schedule(step)), 3) for step in (0, 50, 100, 200)]
        [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = _check_number(
            initial_learning_rate, "initial_learning_rate", self
        )
        self.first_decay_steps = _check_positive(first_decay_steps, "first_decay_steps", self)
        self.t_mul = _check_number(t_mul, "t_mul", self)
        self.m_mul = _check_number(m_mul, "m_mul", self)
        self.alpha = _check_number(alpha, "alpha", self)
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        periods = _as_float(step) / self.first_decay_steps
        if self.t_mul == 1:
            restarts = jnp.floor(periods)
            fraction = periods - restarts
        else:
            # Lengths grow geometrically, so the sum of the first n is (1 - t**n) / (1 - t).
            period_index = jnp.log(1 - periods * (1 - self.t_mul)) / jnp.log(
                jnp.float32(self.t_mul)
            )
            restarts = jnp.floor(period_index)
            length = jnp.power(self.t_mul, restarts)
            fraction = (periods - (1 - length) / (1 - self.t_mul)) / length
        start = jnp.power(self.m_mul, restarts)
        cosine = 0.5 * start * (1 + jnp.cos(math.pi * fraction))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


@filter_tracebacks_of_methods
class OneCycle(LearningRateSchedule):
    """Raises the learning rate to a maximum and lowers it to almost 0, once in a training.

    The rate follows half a cosine from `max_learning_rate / div_factor` up to `max_learning_rate`
    during the first `warmup_fraction` of the steps, and half a cosine down to
    `max_learning_rate / div_factor / final_div_factor` during the rest. After `total_steps` it
    stays there. `model.find_learning_rate` helps to find the maximum. Keras has no such schedule.

    Args:
        max_learning_rate: The highest rate.
        total_steps: Steps (not epochs) of the whole training: epochs times batches in an epoch.
        warmup_fraction: Fraction of the steps until the maximum, above 0 and below 1.
        div_factor: The maximum divided by the rate at step 0.
        final_div_factor: The rate at step 0 divided by the last one.
        name: A label for the config.

    Source: Smith and Topin, 2018, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates", arXiv:1708.07120.

    Example:
        >>> schedule = OneCycle(1.0, total_steps=100, warmup_fraction=0.2)
        >>> [round(float(schedule(step)), 3) for step in (0, 10, 20, 60, 100)]
        [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        warmup_fraction: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ):
        self.max_learning_rate = _check_number(max_learning_rate, "max_learning_rate", self)
        self.total_steps = _check_positive(total_steps, "total_steps", self)
        if not 0 < _check_number(warmup_fraction, "warmup_fraction", self) < 1:
            raise ValueError(
                "OneCycle needs warmup_fraction above 0 and below 1, a fraction of total_steps; "
                f"received {warmup_fraction!r}."
            )
        self.warmup_fraction = warmup_fraction
        for argument, value in (
            ("div_factor", div_factor),
            ("final_div_factor", final_div_factor),
        ):
            if not _check_number(value, argument, self) > 0:
                raise ValueError(f"OneCycle needs {argument} above 0; received {value!r}.")
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        step = jnp.minimum(_as_float(step), self.total_steps)
        first = self.max_learning_rate / self.div_factor
        last = first / self.final_div_factor
        peak = self.warmup_fraction * self.total_steps
        rising_rate = _half_cosine(first, self.max_learning_rate, step / peak)
        falling_rate = _half_cosine(
            self.max_learning_rate, last, (step - peak) / (self.total_steps - peak)
        )
        return jnp.where(step < peak, rising_rate, falling_rate)

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {
            "max_learning_rate": self.max_learning_rate,
            "total_steps": self.total_steps,
            "warmup_fraction": self.warmup_fraction,
            "div_factor": self.div_factor,
            "final_div_factor": self.final_div_factor,
            "name": self.name,
        }


def _half_cosine(first: float, last: float, fraction: Array) -> Array:
    """From `first` at fraction 0 to `last` at fraction 1, level at both ends."""
    return last + (first - last) * 0.5 * (1 + jnp.cos(math.pi * fraction))


@filter_traceback
def serialize(learning_rate_schedule: LearningRateSchedule) -> dict:
    """Serialize a schedule.

    Args:
        learning_rate_schedule: A schedule.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(learning_rate_schedule)


@filter_traceback
def deserialize(config: Mapping, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: Result of `serialize`.
        custom_objects: From names to classes that are not Lamina's own.

    Returns:
        The schedule.

    Example:
        >>> deserialize({"class_name": "CosineDecay", "config": {
        ...     "initial_learning_rate": 0.1, "decay_steps": 10}}).decay_steps
        10
    """
    return registry.deserialize({"module": _NAMESPACE, **config}, custom_objects)


def _check_number(value: Any, argument: str, schedule: LearningRateSchedule) -> Any:
    if not isinstance(value, SupportsFloat) or np.ndim(value) != 0:  # type: ignore[arg-type]
        owner = type(schedule).__name__
        raise TypeError(f"{owner} needs {argument} as a number; received {value!r}.")
    return value


def _check_positive(value: int, argument: str, schedule: LearningRateSchedule) -> int:
    if not _check_number(value, argument, schedule) > 0:
        owner = type(schedule).__name__
        raise ValueError(f"{owner} needs {argument} above 0, in steps; received {value!r}.")
    return value


def _as_float(step: ArrayLike) -> Array:
    return jnp.asarray(step, dtype="float32")


_NAMESPACE = "keras.optimizers.schedules"
registry.register_namespace(
    _NAMESPACE,
    {
        "CosineDecay": CosineDecay,
        "CosineDecayRestarts": CosineDecayRestarts,
        "ExponentialDecay": ExponentialDecay,
        "InverseTimeDecay": InverseTimeDecay,
        "LearningRateSchedule": LearningRateSchedule,
        "OneCycle": OneCycle,
        "PiecewiseConstantDecay": PiecewiseConstantDecay,
        "PolynomialDecay": PolynomialDecay,
    },
)

suggest_similar_names(__name__)
