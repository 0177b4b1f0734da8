"""Serialization of objects to plain dicts and back: the `config` part of Keras's file format.

A class is looked up by the public namespace and name under which it is registered (`keras.layers`,
`Dense`), or by the name with which a user registered it; a module that a file names is never
imported. The packages register their public names when they are imported (`register_list`).
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.configuration.dtypes import DTypePolicy, standardize_dtype
from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Config, CustomObjects

_builtin: dict[tuple[str, str], Any] = {}
_namespace_of: dict[Any, str] = {}
# For namespaces whose classes are imported when first used: names, and a function that loads one.
_lazy: dict[str, tuple[Mapping[str, str], Callable[[str], Any]]] = {}
# Public names of classes that were defined under another name.
_public_names: dict[Any, str] = {}
_getters: dict[str, Callable[..., Any]] = {}
_custom: dict[str, Any] = {}
_custom_names: dict[Any, str] = {}


class UnknownClassError(TypeError):
    """A saved config names a class that is neither in Lamina nor registered."""


def register_namespace(namespace: str, symbols: Mapping[str, Any]) -> None:
    """Register the public classes and functions of a namespace, e.g. `keras.layers`."""
    for name, symbol in symbols.items():
        _register_symbol(namespace, name, symbol, symbols)


def register_list(
    namespace: str, names: Iterable[str], load: Callable[[str], Any], excluded: Collection[str] = ()
) -> None:
    """Register the public names of a package, so that they need no second list.

    Modules, `get`, `serialize` and `deserialize` are left out, because no file refers to them.

    Args:
        namespace: E.g. `"keras.losses"`.
        names: `__all__` of the package.
        load: Returns the class or function for a name.
        excluded: Further names that are left out.
    """
    symbols = {name: load(name) for name in names}
    register_namespace(
        namespace,
        {
            name: symbol
            for name, symbol in symbols.items()
            if callable(symbol) and name not in _LOOKUP_FUNCTIONS and name not in excluded
        },
    )


_LOOKUP_FUNCTIONS = {"deserialize", "get", "serialize"}


def public_names(namespace: str) -> dict[str, Any]:
    """The registered classes and functions of a namespace, by name."""
    return {name: symbol for (space, name), symbol in _builtin.items() if space == namespace}


def _register_symbol(namespace: str, name: str, symbol: Any, names: Collection[str]) -> None:
    """Register a public name, and decide under which of its `names` a class is saved."""
    _builtin[namespace, name] = symbol
    defined_name = getattr(symbol, "__name__", None)
    if defined_name == name:
        _namespace_of.setdefault(symbol, namespace)
    elif isinstance(symbol, type) and defined_name not in names:  # else it is an alias
        _namespace_of.setdefault(symbol, namespace)
        _public_names.setdefault(symbol, name)


def register_lazily(namespace: str, names: Mapping[str, str], load: Callable[[str], Any]) -> None:
    """Register the public names of a package that imports them when they are first used.

    Args:
        namespace: E.g. `"keras.layers"`.
        names: For each public name, the name that the class was defined with.
        load: Returns the class or function for a public name.
    """
    _lazy[namespace] = (names, load)


def register_getter(kind: str, get: Callable[..., Any]) -> None:
    """Register the function that creates a `kind` of object ("initializer" …) from an identifier.

    So a base class in `core` can accept `initializer="zeros"` without importing the package of
    initializers, which depends on `core`.
    """
    _getters[kind] = get


def get(kind: str, identifier: Any) -> Any:
    """An object of the kind from a name, a config, a class or an object; None for None."""
    if identifier is None:
        return None
    if kind not in _getters:
        # Importing these modules registers them; so far only `core` may have been imported.
        from lamina import constraints, initializers, regularizers  # noqa: F401
    return _getters[kind](identifier)


@filter_traceback
def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[..., Any]:
    """Decorator that registers a user's class or function, to load models that use it.

    Args:
        package: Prefix that distinguishes names of different projects.
        name: Defaults to the class's own name.

    Returns:
        A decorator, which returns the class or function unchanged.

    Example:
        >>> @register_keras_serializable(package="my_project")
        ... class Swish:
        ...     def get_config(self):
        ...         return {}
        >>> get_registered_name(Swish)
        'my_project>Swish'
    """

    def decorate(symbol: Any) -> Any:
        registered_name = f"{package}>{name or symbol.__name__}"
        if isinstance(symbol, type) and not hasattr(symbol, "get_config"):
            raise ValueError(
                f"{symbol.__name__} cannot be registered: it has no get_config() method."
            )
        _custom[registered_name] = symbol
        _custom_names[symbol] = registered_name
        return symbol

    return decorate


@filter_traceback
def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, else its own name.

    Args:
        obj: A class or function.

    Returns:
        The name, with its package, e.g. `"my_package>MyLayer"`.
    """
    return _custom_names.get(obj, getattr(obj, "__name__", str(obj)))


@filter_traceback
def get_registered_object(
    name: str,
    custom_objects: CustomObjects | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The user's class or function registered under a name, or None.

    Args:
        name: The name.
        custom_objects: Classes and functions by name; they have priority over registered ones.
        module_objects: Classes and functions by name, with the lowest priority.

    Returns:
        A class, a function, or None.
    """
    scopes = (
        custom_objects or {},
        *reversed(context.custom_objects),
        _custom,
        module_objects or {},
    )
    for scope in scopes:
        if name in scope:
            return scope[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The table of everything that users registered; it may be changed in place.

    Returns:
        A dict from names to classes and functions.
    """
    return _custom


@contextlib.contextmanager
@filter_traceback
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Make classes and functions available by name inside a `with` block.

    Args:
        custom_objects: Classes and functions by name, e.g. `{"MyLayer": MyLayer}`; None for none.

    Returns:
        A context manager.
    """
    context.custom_objects.append(custom_objects or {})
    try:
        yield
    finally:
        context.custom_objects.pop()


def serialize_with_sharing(obj: Any) -> Any:
    """Like `serialize`, but objects that occur several times are shared again when read.

    For example, a layer that two parts of a model share.
    """
    context.serialized_objects = {}
    try:
        record = serialize(obj)
    finally:
        context.serialized_objects = None
    counts: Counter[str] = Counter(r["shared_object_id"] for r in _shared_records(record))
    for shared in list(_shared_records(record)):
        if counts[shared["shared_object_id"]] == 1:
            del shared["shared_object_id"]
    return record


def deserialize_with_sharing(data: Any, custom_objects: CustomObjects | None = None) -> Any:
    """The inverse of `serialize_with_sharing`."""
    context.deserialized_objects = {}
    try:
        return deserialize(data, custom_objects)
    finally:
        context.deserialized_objects = None


@filter_traceback
def serialize(obj: Any) -> Any:
    """An object as plain JSON-able data, in the layout of Keras 3.

    Args:
        obj: A layer, loss, metric or the like, a function, an array, a plain value, or a structure
            of them.

    Returns:
        Dicts, lists, text, numbers and None.
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items  # both are lists in JSON
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
    if isinstance(obj, (np.dtype, type(jnp.float32))) or (
        isinstance(obj, type) and issubclass(obj, np.generic)
    ):
        return standardize_dtype(obj)
    if type(obj) is DTypePolicy:
        return _make_record(type(obj), "keras", obj.get_config())
    if isinstance(obj, type):
        return _make_record(obj, _find_namespace(obj), None, class_name="__typespec__")
    if hasattr(obj, "get_config"):
        record = _make_record(type(obj), _find_namespace(type(obj)), serialize(obj.get_config()))
        build_config = getattr(obj, "get_build_config", lambda: None)()
        if build_config is not None:
            record["build_config"] = serialize(build_config)
        compile_config = getattr(obj, "get_compile_config", lambda: None)()
        if compile_config is not None:
            record["compile_config"] = compile_config
        if context.serialized_objects is not None:
            number, _ = context.serialized_objects.setdefault(
                id(obj), (len(context.serialized_objects), obj)
            )
            record["shared_object_id"] = number
        return record
    if callable(obj) and hasattr(obj, "__name__"):
        if obj.__name__ == "<lambda>":
            raise ValueError(
                "A lambda cannot be saved: a model file contains data, never code.\n"
                "  Fix: write it as a named function and decorate it with "
                "@lamina.saving.register_keras_serializable()."
            )
        # Keras's own functions and users' functions have the same record.
        return {
            "module": "builtins",
            "class_name": "function",
            "config": get_registered_name(obj),
            "registered_name": "function",
        }
    raise TypeError(f"{obj!r} cannot be saved: it has no get_config() method.")


@filter_traceback
def deserialize(
    config: Any, custom_objects: CustomObjects | None = None, safe_mode: bool = True
) -> Any:
    """The inverse of `serialize`. It never runs or imports code that the data refers to.

    Args:
        config: Result of `serialize`.
        custom_objects: Classes and functions by name, for those that are not in Lamina.
        safe_mode: Accepted for compatibility with Keras; reading a config is always safe.

    Returns:
        The object, or structure of objects.

    Raises:
        UnknownClassError: If a class is neither in Lamina nor registered.
    """
    if isinstance(config, (list, tuple)):
        items = [deserialize(item, custom_objects) for item in config]
        return tuple(items) if isinstance(config, tuple) else items
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize(value, custom_objects) for key, value in config.items()}
    class_name, content = config["class_name"], config["config"]
    names = {key: config.get(key) for key in ("class_name", "module", "registered_name")}
    for key, value in names.items():
        if not isinstance(value, str) and (value is not None or key == "class_name"):
            raise ValueError(f"{key!r} of a config must be a name; received {_shorten(value)}.")
    if class_name in _LITERALS:
        return _LITERALS[class_name](content, custom_objects)
    if class_name == "__lambda__":
        raise UnknownClassError(FILE_HOLDS_CODE)
    if class_name == "function":
        if not isinstance(content, str):
            raise ValueError(f"A function is saved by its name; received {_shorten(content)}.")
        return find(names["module"], content, names["registered_name"], custom_objects)
    shared = config.get("shared_object_id")
    if (
        context.deserialized_objects is not None
        and isinstance(shared, int)
        and shared in context.deserialized_objects
    ):
        return context.deserialized_objects[shared]
    symbol = find(names["module"], class_name, names["registered_name"], custom_objects)
    if not isinstance(symbol, type):
        return symbol  # a function: a file may refer to it, but it is not called here
    try:
        with custom_object_scope(custom_objects or {}):
            instance = _create_instance(symbol, config)
    except Exception as error:
        _add_context(error, class_name, content)
        raise
    if context.deserialized_objects is not None and isinstance(shared, int):
        context.deserialized_objects[shared] = instance
    return instance


def _create_instance(cls: Any, data: dict[str, Any]) -> Any:
    if hasattr(cls, "unavailable"):
        return cls()  # which raises
    if not hasattr(cls, "from_config"):
        raise TypeError(f"{cls.__name__} cannot be made from a config: it has no from_config().")
    instance = cls.from_config(data["config"])
    build_config = data.get("build_config")
    if build_config and hasattr(instance, "build_from_config"):
        instance.build_from_config(build_config)
    compile_config = data.get("compile_config")
    if compile_config and hasattr(instance, "compile_from_config"):
        try:
            instance.compile_from_config(compile_config)
        except UnknownClassError as error:
            error.add_note("  It is not needed to predict: load_model(path, compile=False).")
            raise
    return instance


def _add_context(error: Exception, class_name: str, config: Any) -> None:
    """Add to an error the class whose config caused it; only for the innermost object."""
    start = "  In the config of "
    if not any(note.startswith(start) for note in getattr(error, "__notes__", ())):
        name = config.get("name") if isinstance(config, dict) else None
        error.add_note(
            f"{start}{_shorten(class_name)[1:-1]}{f' {_shorten(name)}' if name else ''}."
        )


def find(
    module: str | None,
    name: str,
    registered_name: str | None = None,
    custom_objects: CustomObjects | None = None,
) -> Any:
    """The class or function that a config refers to: the user's, else Lamina's."""
    for candidate in (registered_name, name):
        symbol = get_registered_object(candidate, custom_objects) if candidate else None
        if symbol is not None:
            return symbol
    for namespace in _candidate_namespaces(module):
        symbol = _look_up(namespace, name)
        if symbol is not None:
            return symbol
    symbol = _from_other_package(name, custom_objects)
    if symbol is not None:
        return symbol
    raise UnknownClassError(_unknown_class(module, name, registered_name))


def namespaces_of(name: str) -> list[str]:
    """Every namespace that has a public class or function of this name."""
    spaces = [namespace for namespace, known in _builtin if known == name]
    return list(dict.fromkeys([*spaces, *(s for s, (names, _) in _lazy.items() if name in names)]))


def deserialize_function(data: Any, custom_objects: CustomObjects | None = None) -> Any:
    """A function that a layer from a file will call; it must be one that the user has registered.

    Args:
        data: A serialized function; a function or None is returned unchanged.
        custom_objects: Functions by name, besides the registered ones.

    Raises:
        UnknownClassError: If the function is not known, or the data is code.
    """
    if data is None or callable(data):
        return data
    name = data.get("config") if isinstance(data, dict) else None
    if not isinstance(name, str) or data.get("class_name") != "function":
        raise UnknownClassError(FILE_HOLDS_CODE)
    function = get_registered_object(name, custom_objects)
    function = function or _from_other_package(name, custom_objects)
    if not callable(function):
        raise UnknownClassError(_unknown_class("builtins", name, "function"))
    return function


def _from_other_package(name: str, custom_objects: CustomObjects | None) -> Any:
    """The class or function that the user registered under a name in another package.

    It may have been registered after it was saved, or passed without its package. None if there are
    several.
    """
    own_name = name.rpartition(">")[2]
    symbols = [
        symbol
        for scope in (custom_objects or {}, *context.custom_objects, _custom)
        for key, symbol in scope.items()
        if key.rpartition(">")[2] == own_name and (key == own_name or ">" not in name)
    ]
    return symbols[0] if symbols and all(s is symbols[0] for s in symbols) else None


FILE_HOLDS_CODE = (
    "The file holds Python code (a lambda), which Lamina never runs: opening a model is safe.\n"
    "  Fix: where the model is made, write the lambda as a named function, or the Lambda layer as\n"
    "  a class with call(), decorate it with @lamina.saving.register_keras_serializable(), and\n"
    "  save again."
)


def _unknown_class(module: str | None, name: str, registered_name: str | None) -> str:
    if module and module.split(".")[0] in ("keras", "lamina"):
        spaces = _candidate_namespaces(module)
        known_names = [n for space, n in _builtin if space in spaces]
        known_names += [n for space, (names, _) in _lazy.items() if space in spaces for n in names]
        hint = did_you_mean(name[:100], known_names)
        return f"Lamina has no {_shorten(name)} in {_shorten(module)}.{hint}"
    is_function = registered_name == "function" or module == "builtins"
    label = name if is_function or not registered_name else registered_name
    package, _, own_name = label.rpartition(">")
    plain = own_name if own_name.isidentifier() else "TheClass"
    origin = "" if is_function or not module else f" (from module {_shorten(module)})"
    return (
        f"The file uses the {'function' if is_function else 'class'} {_shorten(label)}{origin}, "
        "which is not Lamina's own.\n"
        f"  A model file holds data and no code, so {plain[:60]} must be known before loading.\n"
        f"  Fix: load_model(path, custom_objects={{{_shorten(label)}: {plain[:60]}}}),\n"
        "  or write above its definition\n"
        f"  @lamina.saving.register_keras_serializable(package={_shorten(package or 'Custom')})."
    )


def _shorten(value: Any) -> str:
    """The representation of a value from a file, shortened and without control characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}…{text[-1]}"


def _candidate_namespaces(module: str | None) -> list[str]:
    """Namespaces to search: for `keras.src.models.functional` also `keras.models` and `keras`."""
    if module in (None, "builtins"):  # Keras saves its functions with the module "builtins"
        return ["keras", *dict.fromkeys(space for space, _ in _builtin), *_lazy]
    parts = module.replace("lamina", "keras", 1).split(".")
    if len(parts) > 1 and parts[1] == "src":
        parts.pop(1)
    return [module, *(".".join(parts[:n]) for n in range(len(parts), 0, -1))]


def _look_up(namespace: str, name: str) -> Any:
    """The class or function of that name, imported if necessary; None if there is none."""
    if (namespace, name) not in _builtin and namespace in _lazy:
        names, load = _lazy[namespace]
        symbol = load(name) if name in names else None
        if isinstance(symbol, type):
            _register_symbol(namespace, name, symbol, names)
    return _builtin.get((namespace, name))


def _find_namespace(symbol: Any) -> str:
    if symbol not in _namespace_of and isinstance(symbol, type):
        for namespace, (names, _) in _lazy.items():
            for name, original in names.items():
                if original == symbol.__name__:
                    _look_up(namespace, name)
    module: str = symbol.__module__
    return _namespace_of.get(symbol, module)


def _make_record(cls: type, module: str, config: Any, class_name: str | None = None) -> Config:
    registered = _custom_names.get(cls)
    # As in Keras's files, for classes that are not in a public namespace.
    public = cls in _namespace_of and not module.startswith("keras.src.")
    if registered is None and not public and module != "keras":
        registered = cls.__name__
    return {
        "module": module,
        "class_name": class_name or _public_names.get(cls, cls.__name__),
        "config": config,
        "registered_name": registered,
    }


def _literal_slice(config: Config, custom_objects: CustomObjects | None) -> slice:
    return slice(*(deserialize(config[k], custom_objects) for k in ("start", "stop", "step")))


def _literal_array(config: Config) -> np.ndarray:
    # Only numeric dtypes: others, such as "S1000000000", can need any amount of memory.
    return np.array(config["value"], dtype=jnp.dtype(standardize_dtype(config["dtype"])))


def _shared_records(data: Any) -> Iterator[dict[str, Any]]:
    """Every record with a `shared_object_id`."""
    if isinstance(data, dict):
        if "shared_object_id" in data:
            yield data
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _shared_records(item)


_LITERALS: dict[str, Callable[[Any, Mapping[str, Any] | None], Any]] = {
    "__bytes__": lambda config, _: config["value"].encode("latin-1"),
    "__ellipsis__": lambda config, _: Ellipsis,
    "__slice__": _literal_slice,
    "__numpy__": lambda config, _: _literal_array(config),
    "__tensor__": lambda config, _: jnp.asarray(_literal_array(config)),
    "__keras_tensor__": lambda config, _: config,
    "DTypePolicy": lambda config, _: DTypePolicy(**config),
    "FloatDTypePolicy": lambda config, _: DTypePolicy(**config),  # in files of Keras 3.0 to 3.2
}
