"""Steps and losses that users override in a model, in the two forms that Keras allows.

A step may be written in *object style*, `train_step(data) → logs`, like Lamina's own steps: it
reads and assigns Variables. Or it may be a pure function of lists of values, as in Keras's guides
for JAX:

    def train_step(self, state, data):
        trainable, non_trainable, optimizer, metrics = state
        ...
        return logs, (trainable, non_trainable, optimizer, metrics)

`object_style` converts a step of either form to object style. The steps of `Trainer` are decorated
with `accept_state`, so that overrides of either form can call `super()`.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax

from lamina.core.types import Data, Outputs, PyTree, Targets
from lamina.core.variable.stateless import stateless


@dataclass(frozen=True)
class Overrides:
    """Which methods for training a model overrides."""

    train_step: bool = False
    test_step: bool = False
    compute_loss: bool = False
    compute_metrics: bool = False
    predict_step: bool = False

    @classmethod
    def of(cls, model: Any, base: type) -> "Overrides":
        """Compare the methods of a model with those of a base class.

        A method is overridden if the model's class has another one, or the model an attribute.

        Example:
            >>> class Base:
            ...     train_step = test_step = predict_step = compute_loss = compute_metrics = None
            >>> class Custom(Base):
            ...     train_step = print
            >>> Overrides.of(Custom(), Base).train_step
            True
        """

        def is_overridden(name: str) -> bool:
            return name in vars(model) or getattr(type(model), name) is not getattr(base, name)

        return cls(*(is_overridden(field.name) for field in fields(cls)))


def takes_state(step: Callable[..., Any]) -> bool:
    """Whether a step, as a bound method, has the arguments `(state, data)`."""
    parameters = inspect.signature(step).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return len(required) == 2


def object_style(model: Any, step: Callable[..., Any]) -> Callable[..., Any]:
    """Convert a step of either form to `step(data) → logs` (or outputs)."""
    if not takes_state(step):
        return step

    def step_of_data(data: PyTree) -> Any:
        groups = _variable_groups(model, step.__name__)
        state = tuple([variable.value for variable in group] for group in groups)
        result = step(state, data)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(_explain_wrong_result(model, step, result, len(groups)))
        logs, state = result
        sizes = [len(group) for group in groups]
        if not isinstance(state, (tuple, list)) or [len(values) for values in state] != sizes:
            raise TypeError(_explain_wrong_result(model, step, result, len(groups)))
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return logs

    return step_of_data


def accept_state(step: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a step `(data) → logs`, which can then also be called as `(state, data)`.

    Called with a state, it returns the logs and the new state, and assigns nothing.
    """

    @functools.wraps(step)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) + len(kwargs) < 2:
            return step(self, *args, **kwargs)
        state, data = inspect.signature(_state_and_data).bind(*args, **kwargs).args
        groups = _variable_groups(self, step.__name__)
        pure = stateless(functools.partial(step, self), groups)
        logs, new_state = pure([list(values) for values in state], data)
        return logs, tuple(new_state)

    return wrapped


def _state_and_data(state: PyTree, data: PyTree) -> None:
    """The signature of a step that takes its state."""


def call_compute_loss(
    model: Any, x: Data, y: Targets, y_pred: Outputs, sample_weight: Targets, training: bool
) -> jax.Array:
    """Call `model.compute_loss`; overrides for older versions of Keras have no `training`."""
    parameters = inspect.signature(model.compute_loss).parameters
    has_kwargs = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    extra = {"training": training} if has_kwargs or "training" in parameters else {}
    loss: jax.Array = model.compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **extra
    )
    return loss


_NAMES = ("trainable", "non_trainable", "optimizer", "metrics")


def _variable_groups(model: Any, step_name: str) -> list[list[Any]]:
    weights = [model.trainable_variables, model.non_trainable_variables]
    if step_name == "predict_step":
        return weights
    optimizer = [model.optimizer.variables] if step_name == "train_step" else []
    return [*weights, *optimizer, model.metrics_variables]


def _explain_wrong_result(
    model: Any, step: Callable[..., Any], result: Any, group_count: int
) -> str:
    names = {4: _NAMES, 3: (*_NAMES[:2], _NAMES[3]), 2: _NAMES[:2]}[group_count]
    what = "outputs" if group_count == 2 else "logs"
    received = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
    return (
        f"{type(model).__name__}.{step.__name__}(state, data) must return {what} and the new "
        "state, with as many values in each list as it received.\n"
        f"  Received: {received}.\n"
        f"  Fix: return {what}, ({', '.join(names)})\n"
        f"       or write {step.__name__}(self, data), which assigns Variables itself."
    )
