"""Automatic configs, from the arguments of `__init__`, for classes without `get_config`.

`Operation.__new__` stores the arguments; this module converts them to plain data and back.
"""

import inspect
import types
from collections.abc import Collection
from typing import Any, TypeVar

from lamina.core.serialization import registry
from lamina.core.types import Config

T = TypeVar("T")

# Settings of every layer, even if its `__init__` does not accept them.
LAYER_SETTINGS = ("name", "trainable", "dtype", "activity_regularizer")


def has_automatic_config(cls: Any) -> bool:
    """Whether a class has no `get_config` of its own.

    Those of Lamina's base classes are marked by `get_config.automatic = True`.
    """
    return getattr(cls.get_config, "automatic", False)


def init_argument_names(cls: type) -> set[str]:
    """Every keyword argument that a class and the classes it inherits from take."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" in base.__dict__ and base is not object:
            parameters = inspect.signature(base.__dict__["__init__"]).parameters.values()
            names.update(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)
    return names - {"self", "args", "kwargs"}


def name_inherited_init(cls: Any) -> None:
    """Let Python's errors name the class, as in `Conv2D.__init__() missing …`, not its base class.

    Only for Lamina's classes, whose base classes users do not know.
    """
    init = inspect.unwrap(cls.__init__)
    has_own_init = "__init__" in cls.__dict__ or not isinstance(init, types.FunctionType)
    if has_own_init or not cls.__module__.startswith("lamina.") or cls.__name__.startswith("Base"):
        return
    renamed_init = types.FunctionType(
        init.__code__, init.__globals__, init.__name__, init.__defaults__, init.__closure__
    )
    renamed_init.__kwdefaults__ = init.__kwdefaults__
    renamed_init.__annotations__, renamed_init.__doc__ = init.__annotations__, init.__doc__
    renamed_init.__dict__.update(init.__dict__)
    renamed_init.__qualname__ = f"{cls.__name__}.__init__"
    cls.__init__ = renamed_init


# Typical values of required arguments.
_EXAMPLE_VALUES = {
    "units": "128", "filters": "32", "kernel_size": "3", "rate": "0.5", "output_size": "7",
    "input_dim": "1000", "output_dim": "64", "num_heads": "8", "key_dim": "64",
    "activation": "'relu'", "target_shape": "(-1,)", "dims": "(2, 1)", "n": "8",
}  # fmt: skip


def constructor_example(cls: type) -> str:
    """Code that creates an object of a class, for a message if the class itself was passed.

    Example:
        >>> from lamina.layers import Conv2D
        >>> constructor_example(Conv2D)
        'lamina.layers.Conv2D(filters=32, kernel_size=3)'
    """
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    arguments = [
        f"{p.name}={_EXAMPLE_VALUES.get(p.name, '…')}"
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    package = ".".join(cls.__module__.split(".")[:2])
    public = (
        f"{package}." if package in ("lamina.layers", "lamina.models", "lamina.callbacks") else ""
    )
    return f"{public}{cls.__name__}({', '.join(arguments)})"


def arguments_as_config(
    obj: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    excluded: Collection[str] = LAYER_SETTINGS,
) -> dict[str, Any]:
    """The constructor arguments of an object, including defaults, as plain data.

    Args:
        obj: The object.
        args: The positional arguments.
        kwargs: The keyword arguments.
        excluded: Names of arguments that are left out.

    Raises:
        ConfigError: If an argument has no name, or cannot be written as data.
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
                raise _no_config_error(obj, f"its argument {name!r} has no keyword")
        elif name not in excluded:
            config[name] = value
    config = {name: value for name, value in config.items() if name not in excluded}
    try:
        plain_data: Config = registry.serialize(config)
    except TypeError as error:
        raise _no_config_error(obj, str(error)) from None
    return plain_data


def make_from_config(cls: type[T], config: Config) -> T:
    """An object from its config; settings that `__init__` does not accept are set afterwards.

    So a class may be as short as `def __init__(self, units): super().__init__()`.
    """
    parameters = inspect.signature(cls.__init__).parameters.values()
    has_kwargs = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters}
    set_later = (
        {}
        if has_kwargs
        else {k: config[k] for k in LAYER_SETTINGS if k in config and k not in names}
    )
    obj: Any = cls(**{key: value for key, value in config.items() if key not in set_later})
    if "name" in set_later:
        obj.name = set_later["name"]
    if "dtype" in set_later:
        obj.dtype_policy = set_later["dtype"]
    if "activity_regularizer" in set_later:
        obj.activity_regularizer = registry.get("regularizer", set_later["activity_regularizer"])
    if set_later.get("trainable") is False:
        obj.trainable = False
    result: T = obj
    return result


class ConfigError(TypeError, NotImplementedError):
    """An object cannot be turned into a config. Keras raises a NotImplementedError."""


def _no_config_error(obj: Any, reason: str) -> ConfigError:
    cls = type(obj).__name__
    return ConfigError(
        f"{cls} {obj.name!r} cannot be written as a config: {reason}\n"
        f"  Fix: give {cls} a method get_config(self) that returns the arguments of __init__ as "
        "plain data,\n       e.g. return {**super().get_config(), 'units': self.units}."
    )
