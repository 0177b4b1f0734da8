"""What an object was made with is its config: a class needs no get_config of its own.

`Layer.__new__` keeps the arguments; here they become plain data, and objects again.
"""

import inspect
from collections.abc import Collection
from typing import Any

from lamina.core import registry

# Every layer has them, whether or not its `__init__` takes them.
STANDARD = ("name", "trainable", "dtype", "activity_regularizer")


def has_automatic_config(cls: Any) -> bool:
    """Whether nobody wrote a `get_config` for the class: Lamina's own says so of itself."""
    return getattr(cls.get_config, "automatic", False)


def init_argument_names(cls: type) -> set[str]:
    """Every keyword argument that a class and the classes it inherits from take."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" in base.__dict__ and base is not object:
            parameters = inspect.signature(base.__dict__["__init__"]).parameters.values()
            names.update(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)
    return names - {"self", "args", "kwargs"}


def arguments_as_config(
    obj: Any, args: tuple, kwargs: dict, standard: Collection[str] = STANDARD
) -> dict:
    """The arguments an object was made with, defaults included, as plain data.

    Args:
        obj: The object.
        args, kwargs: What its class was called with.
        standard: Names that are written elsewhere.

    Raises:
        TypeError: If an argument has no name, or cannot be written as data.
    """
    signature = inspect.signature(type(obj).__init__)
    bound = signature.bind(obj, *args, **kwargs)
    bound.apply_defaults()
    config: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            config.update(value)
        elif kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            if value != ():
                raise _needs_get_config(obj, f"its argument {name!r} has no keyword")
        elif name not in standard:
            config[name] = value
    config = {name: value for name, value in config.items() if name not in standard}
    try:
        return registry.serialize(config)
    except TypeError as error:
        raise _needs_get_config(obj, str(error)) from None


def make_from_config(cls: type, config: dict) -> Any:
    """An object from its config; what `__init__` does not take is set afterwards.

    A class may so be as short as `def __init__(self, units): super().__init__()`.
    """
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    taken = {p.name for p in parameters}
    later = {} if takes_all else {k: config[k] for k in STANDARD if k in config and k not in taken}
    obj = cls(**{key: value for key, value in config.items() if key not in later})
    if "name" in later:
        obj.name = later["name"]
    if "dtype" in later:
        obj.dtype_policy = later["dtype"]
    if "activity_regularizer" in later:
        obj.activity_regularizer = registry.get("regularizer", later["activity_regularizer"])
    if later.get("trainable") is False:
        obj.trainable = False
    return obj


def _needs_get_config(obj: Any, why: str) -> TypeError:
    cls = type(obj).__name__
    return TypeError(
        f"{cls} {obj.name!r} cannot be written as a config: {why}\n"
        f"  Fix: give {cls} a method get_config(self) that returns the arguments of __init__ as "
        "plain data,\n       e.g. return {**super().get_config(), 'units': self.units}."
    )
