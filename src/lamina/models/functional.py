"""Functional: a Model made of a graph of layer calls."""

from typing import Any

from lamina.models.model import Model
from lamina.models.sequential import Sequential


class _OfGraphs(type):
    """A user's class that was made as `cls(inputs, outputs)` counts as Functional, too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        drawn = isinstance(instance, Model) and not isinstance(instance, Sequential)
        return cls is Functional and drawn and instance._graph is not None


class Functional(Model, metaclass=_OfGraphs):
    """A graph of layers between inputs and outputs; what `Model(inputs, outputs)` makes.

    `training=…` given to a layer when the graph was drawn holds whatever the model does:
    `Dropout(0.5)(x, training=True)` drops in `predict`, too.

    Args:
        inputs: Symbolic tensor(s) made by `Input`, or taken from inside another model, alone or
            in a list, tuple or dict.
        outputs: What the layers made of them.
        name: Of the model.
        **kwargs: `trainable`; see `Layer`.

    Example:
        >>> from lamina.layers import Dense, Input
        >>> x = Input(shape=(4,))
        >>> Functional(x, Dense(2)(x)).count_params()
        10
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
