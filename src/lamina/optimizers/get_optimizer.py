"""From a name, a saved config or an optax transformation to an optimizer, and back."""

from collections.abc import Mapping
from typing import Any

import optax

from lamina.core.messages.errors import ArgumentError, unknown_name
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.optimizers.adadelta import Adadelta
from lamina.optimizers.adafactor import Adafactor
from lamina.optimizers.adagrad import Adagrad
from lamina.optimizers.adam import Adam
from lamina.optimizers.adamax import Adamax
from lamina.optimizers.adamw import AdamW
from lamina.optimizers.ftrl import Ftrl
from lamina.optimizers.lamb import Lamb
from lamina.optimizers.lion import Lion
from lamina.optimizers.loss_scale_optimizer import LossScaleOptimizer
from lamina.optimizers.multi_optimizer import MultiOptimizer, OptimizerMap
from lamina.optimizers.muon import Muon
from lamina.optimizers.nadam import Nadam
from lamina.optimizers.optax_optimizer import OptaxOptimizer
from lamina.optimizers.optimizer import Optimizer
from lamina.optimizers.rmsprop import RMSprop
from lamina.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from lamina.optimizers.sgd import SGD

_CLASSES = {
    cls.__name__: cls
    for cls in (
        Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion,
        LossScaleOptimizer, MultiOptimizer, Muon, Nadam, RMSprop, SGD, ScheduleFreeAdamW,
    )
}  # fmt: skip
registry.register_namespace(
    "keras.optimizers", {**_CLASSES, "Optimizer": Optimizer, "OptimizerMap": OptimizerMap}
)


@filter_traceback
def get(identifier: Any) -> Optimizer | None:
    """The optimizer that is meant.

    Args:
        identifier: A name in any case (`"adam"`), an optimizer, a saved config, any optax
            transformation, or None.

    Returns:
        The optimizer.

    Raises:
        ValueError: If the name is unknown; the message names the nearest one.
        TypeError: If it is something else.

    Example:
        >>> get("rmsprop").name
        'rm_sprop'
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, optax.GradientTransformation):
        return OptaxOptimizer(identifier)
    if callable(identifier):
        name = getattr(identifier, "__name__", "it")
        raise ArgumentError(
            f"optimizer received {name!r} itself, not what it returns.\n  Fix: {name}(…)."
        )
    raise ArgumentError(
        "optimizer must be a name such as 'adam', an object such as lamina.optimizers.Adam(1e-3), "
        f"or an optax transformation; received {identifier!r}."
    )


@filter_traceback
def serialize(optimizer: Optimizer) -> dict:
    """An optimizer's settings, not its state, as plain JSON-able data.

    Args:
        optimizer: An optimizer.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(optimizer)


@filter_traceback
def deserialize(config: Mapping, custom_objects: Mapping | None = None) -> Optimizer:
    """The optimizer that `serialize` described.

    Args:
        config: What `serialize` gave.
        custom_objects: From names to classes and functions that are not Lamina's own.

    Returns:
        The optimizer.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> deserialize({"class_name": "SGD", "config": {"learning_rate": 0.5}}).get_config()[
        ...     "learning_rate"]
        0.5
    """
    by_lower = {name.lower(): cls for name, cls in _CLASSES.items()}
    name = config["class_name"]
    users_own = registry.get_registered_object(
        config.get("registered_name") or name, custom_objects
    )
    if users_own is None and name.lower() in by_lower:
        config = {
            **config,
            "class_name": by_lower[name.lower()].__name__,
            "module": "keras.optimizers",
        }
    elif users_own is None and config.get("module", "keras").split(".")[0] == "keras":
        raise unknown_name("optimizer", name, _CLASSES)
    return registry.deserialize(config, custom_objects)
