"""Checks of the arguments of optimizers: unknown names and learning rates."""

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax

from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user, unknown_argument
from lamina.core.variable.variable import Variable
from lamina.optimizers.schedules import LearningRateSchedule


def refuse_unknown(cls: type, arguments: Mapping[str, Any]) -> None:
    """Refuse an argument that an optimizer does not have, and suggest the nearest one."""
    for name, value in arguments.items():
        if name == "decay":
            if value is not None:
                warnings.warn(
                    f"{cls.__name__}(decay={value!r}) does nothing, as in Keras 3.\n  Fix: "
                    "learning_rate=lamina.optimizers.schedules.InverseTimeDecay(rate, 1, decay).",
                    LaminaWarning,
                    stacklevel=stacklevel_of_user(),
                )
            continue
        if name == "lr":
            raise TypeError(f"{cls.__name__} has no argument 'lr'; it is called learning_rate.")
        raise unknown_argument(cls.__name__, name, _arguments(cls))


def _arguments(cls: type) -> list[str]:
    """Names of the keyword arguments of a class and of those it inherits from."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        parameter.name
        for base in cls.__mro__
        if "__init__" in vars(base) and base is not object
        for parameter in list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        if parameter.kind in named
    ]


def check_learning_rate(value: Any) -> Any:
    """Check a learning rate: a finite number, a scalar array, or a function."""
    if isinstance(value, LearningRateSchedule):
        return value
    if isinstance(value, type):
        raise TypeError(
            f"learning_rate received the class {value.__name__}, not an object of it.\n"
            f"  Fix: learning_rate={value.__name__}(…)."
        )
    if callable(value) or (isinstance(value, (jax.Array, Variable)) and value.ndim == 0):
        return value
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except TypeError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            "learning_rate must be a number, such as 0.001, a LearningRateSchedule or a function "
            f"of the step; received {value!r}."
        )
    return number


def needs_an_argument(function: Callable) -> bool:
    """Whether a learning rate is a function of the step instead of one without arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, such as a NumPy function
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in positional and p.default is p.empty for p in parameters)
