"""From objects to plain dictionaries and back: the `config` part of Keras's file format.

A class is found by the public namespace it was registered under (`keras.layers`, `Dense`) or by
the name a user registered it with; never by importing a module that a file names. The rooms
register their public names when they are imported (`register_namespace`).
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from lamina.core.dtypes import DTypePolicy, standardize_dtype
from lamina.core.errors import did_you_mean

_builtin: dict[tuple[str, str], Any] = {}
_namespace_of: dict[Any, str] = {}
_getters: dict[str, Callable] = {}
_custom: dict[str, Any] = {}
_custom_names: dict[Any, str] = {}


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack: list[Mapping[str, Any]] = []


_scopes = _Scopes()


class UnknownClassError(TypeError):
    """A saved config names a class that is neither Lamina's nor registered."""


def register_namespace(namespace: str, symbols: Mapping[str, Any]) -> None:
    """Make public classes and functions findable as `namespace` + name, e.g. `keras.layers`."""
    for name, symbol in symbols.items():
        _builtin[namespace, name] = symbol
        if getattr(symbol, "__name__", None) == name:
            _namespace_of.setdefault(symbol, namespace)


def register_getter(kind: str, get: Callable) -> None:
    """Tell how a `kind` ("initializer", "regularizer" …) is made from a name or a config.

    This is how a base class in this room takes `initializer="zeros"` without knowing the room
    that initializers live in.
    """
    _getters[kind] = get


def get(kind: str, identifier: Any) -> Any:
    """An object of the kind from its name, config, class or itself; None stays None."""
    return None if identifier is None else _getters[kind](identifier)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable:
    """Decorator that makes a user's class or function findable when a model is loaded.

    Args:
        package: Prefix that keeps names of different projects apart.
        name: Defaults to the class's own name.

    Example:
        >>> @register_keras_serializable(package="my_project")
        ... class Swish:
        ...     def get_config(self):
        ...         return {}
        >>> get_registered_name(Swish)
        'my_project>Swish'
    """

    def decorate(symbol: Any) -> Any:
        registered = f"{package}>{name or symbol.__name__}"
        if isinstance(symbol, type) and not hasattr(symbol, "get_config"):
            raise ValueError(
                f"{symbol.__name__} cannot be registered: it has no get_config() method."
            )
        _custom[registered] = symbol
        _custom_names[symbol] = registered
        return symbol

    return decorate


def get_registered_name(symbol: Any) -> str:
    """The name a class or function was registered under, else its own."""
    return _custom_names.get(symbol, getattr(symbol, "__name__", str(symbol)))


def get_registered_object(name: str, custom_objects: Mapping | None = None) -> Any:
    """The user's class or function registered under a name, or None."""
    for scope in (custom_objects or {}, *reversed(_scopes.stack), _custom):
        if name in scope:
            return scope[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The table of everything that users registered; it may be changed in place."""
    return _custom


@contextlib.contextmanager
def custom_object_scope(objects: Mapping[str, Any]) -> Iterator[None]:
    """Make classes and functions findable by name inside a `with` block.

    Args:
        objects: From name to class or function, e.g. `{"MyLayer": MyLayer}`.
    """
    _scopes.stack.append(objects)
    try:
        yield
    finally:
        _scopes.stack.pop()


def serialize(obj: Any) -> Any:
    """An object as plain JSON-able data, in the layout of Keras 3."""
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, (list, tuple)):
        return [serialize(item) for item in obj]
    if isinstance(obj, dict):
        return {key: serialize(value) for key, value in obj.items()}
    if isinstance(obj, (np.integer, np.floating, np.bool_)):
        return obj.item()
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("latin-1")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": {k: serialize(v) for k, v in parts.items()}}
    if isinstance(obj, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": obj.dtype.name},
        }
    if isinstance(obj, (jax.Array, np.generic)):
        array = np.asarray(obj)
        return {
            "class_name": "__tensor__",
            "config": {"value": array.tolist(), "dtype": array.dtype.name},
        }
    if isinstance(obj, (np.dtype, type(jax.numpy.float32))) or (
        isinstance(obj, type) and issubclass(obj, np.generic)
    ):
        return standardize_dtype(obj)
    if isinstance(obj, DTypePolicy):
        return _record(type(obj), "keras", obj.get_config())
    if isinstance(obj, type):
        return _record(obj, _namespace(obj), None, class_name="__typespec__")
    if hasattr(obj, "get_config"):
        record = _record(type(obj), _namespace(type(obj)), serialize(obj.get_config()))
        build_config = getattr(obj, "get_build_config", lambda: None)()
        if build_config is not None:
            record["build_config"] = serialize(build_config)
        compile_config = getattr(obj, "get_compile_config", lambda: None)()
        if compile_config is not None:
            record["compile_config"] = compile_config
        return record
    if callable(obj) and hasattr(obj, "__name__"):
        if obj.__name__ == "<lambda>":
            raise ValueError(
                "A lambda cannot be saved: a model file holds data, never code.\n"
                "  Fix: write it as a named function and decorate it with "
                "@lamina.saving.register_keras_serializable()."
            )
        # Keras writes the same for its own functions and for a user's.
        return {
            "module": "builtins",
            "class_name": "function",
            "config": get_registered_name(obj),
            "registered_name": "function",
        }
    raise TypeError(f"{obj!r} cannot be saved: it has no get_config() method.")


def deserialize(data: Any, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`; never runs or imports code that the data names.

    Raises:
        UnknownClassError: If a class is neither Lamina's nor registered.
    """
    if isinstance(data, (list, tuple)):
        return [deserialize(item, custom_objects) for item in data]
    if not isinstance(data, dict):
        return data
    if "class_name" not in data or "config" not in data:
        return {key: deserialize(value, custom_objects) for key, value in data.items()}
    class_name, config = data["class_name"], data["config"]
    if class_name in _LITERALS:
        return _LITERALS[class_name](config, custom_objects)
    if class_name == "function":
        return find(data.get("module"), config, data.get("registered_name"), custom_objects)
    cls = find(data.get("module"), class_name, data.get("registered_name"), custom_objects)
    with custom_object_scope(custom_objects or {}):
        instance = cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)
        build_config = data.get("build_config")
        if build_config and hasattr(instance, "build_from_config"):
            instance.build_from_config(build_config)
        compile_config = data.get("compile_config")
        if compile_config and hasattr(instance, "compile_from_config"):
            instance.compile_from_config(compile_config)
    return instance


def find(
    module: str | None,
    name: str,
    registered_name: str | None = None,
    custom_objects: Mapping | None = None,
) -> Any:
    """The class or function a config means: the user's first, then Lamina's."""
    for candidate in (registered_name, name):
        found = get_registered_object(candidate, custom_objects) if candidate else None
        if found is not None:
            return found
    for namespace in _candidate_namespaces(module):
        if (namespace, name) in _builtin:
            return _builtin[namespace, name]
    raise UnknownClassError(_unknown_class(module, name, registered_name))


def _unknown_class(module: str | None, name: str, registered_name: str | None) -> str:
    if module and module.split(".")[0] in ("keras", "lamina"):
        known = [n for space, n in _builtin if space in _candidate_namespaces(module)]
        return f"Lamina has no {name!r} in {module!r}.{did_you_mean(name, known)}"
    label = registered_name or name
    package = label.split(">")[0] if ">" in label else "my_project"
    return (
        f"The file uses the class or function {name!r} (from module {module!r}), which is not "
        "Lamina's own.\n"
        "  A model file holds data and no code, so the class must be known before loading.\n"
        f"  Fix: load_model(path, custom_objects={{{name!r}: {name}}}), or decorate it with\n"
        f"       @lamina.saving.register_keras_serializable(package={package!r})."
    )


def _candidate_namespaces(module: str | None) -> list[str]:
    """`keras.src.models.functional` may also be found as `keras.models` or `keras`."""
    if module in (None, "builtins"):  # "builtins" is what Keras writes for all its functions
        return ["keras", *dict.fromkeys(space for space, _ in _builtin)]
    parts = module.replace("lamina", "keras", 1).split(".")
    if len(parts) > 1 and parts[1] == "src":
        parts.pop(1)
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


def _namespace(symbol: Any) -> str:
    return _namespace_of.get(symbol, symbol.__module__)


def _record(cls: type, module: str, config: Any, class_name: str | None = None) -> dict:
    registered = _custom_names.get(cls)
    if registered is None and cls not in _namespace_of and module not in ("keras",):
        registered = cls.__name__
    return {
        "module": module,
        "class_name": class_name or cls.__name__,
        "config": config,
        "registered_name": registered,
    }


def _literal_slice(config: dict, custom_objects: Mapping | None) -> slice:
    return slice(*(deserialize(config[k], custom_objects) for k in ("start", "stop", "step")))


_LITERALS: dict[str, Callable[[Any, Mapping | None], Any]] = {
    "__bytes__": lambda config, _: config["value"].encode("latin-1"),
    "__ellipsis__": lambda config, _: Ellipsis,
    "__slice__": _literal_slice,
    "__numpy__": lambda config, _: np.array(config["value"], dtype=config["dtype"]),
    "__tensor__": lambda config, _: jax.numpy.array(config["value"], dtype=config["dtype"]),
    "__keras_tensor__": lambda config, _: config,
    "DTypePolicy": lambda config, _: DTypePolicy(**config),
}
