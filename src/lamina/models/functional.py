"""Functional: a Model made of a graph of layer calls."""

from typing import Any

from lamina.core.types import Inputs
from lamina.models.model import Model
from lamina.models.sequential import Sequential


class _FunctionalType(type):
    """Makes objects of a user's class created as `cls(inputs, outputs)` instances of Functional."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        may_be_functional = isinstance(instance, Model) and not isinstance(instance, Sequential)
        return cls is Functional and may_be_functional and instance._graph is not None


class Functional(Model, metaclass=_FunctionalType):
    """A graph of layers between inputs and outputs; the result of `Model(inputs, outputs)`.

    If `training` was given to a layer when the graph was made, it overrides the mode of the model:
    `Dropout(0.5)(x, training=True)` also drops values in `predict`.

    Args:
        inputs: Symbolic tensor(s) made by `Input`, or taken from inside another model: a single
            one, or a list, tuple or dict.
        outputs: Results of layers called on the inputs.
        name: Name of the model.
        **kwargs: `trainable`; see `Layer`.

    Example:
        >>> from lamina.layers import Dense, Input
        >>> x = Input(shape=(4,))
        >>> Functional(x, Dense(2)(x)).count_params()
        10
    """

    def __init__(self, inputs: Inputs, outputs: Inputs, name: str | None = None, **kwargs: Any):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
