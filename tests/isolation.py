"""Ambient state: what a test may change for the whole process, put back when it ends."""

import contextlib
import functools
import importlib
import logging
import os
import pkgutil
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

# These only grow, by loading what is public or by compiling; an entry is the same whoever made it.
# A version counts up for ever, so that what was cached under an older one is not used again.
_CACHES = {
    "lamina.core.serialization.registry": {
        "_builtin",
        "_namespace_of",
        "_public_names",
        "_lazy",
        "_getters",
    },
    "lamina.core.variable.changes": {"_last_change"},
    "lamina.saving.weights_file": {"_library_names"},
    "lamina.training.compiled_function": {
        "_programs_by_digest",
        "_recent_programs",
        "_reuse_counter",
    },
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def put_back() -> Iterator[None]:
    """Whatever is ambient is afterwards what it was before.

    That is: registries, scopes, settings, counters of names, seeds and warnings already said, in
    Lamina and in Keras; the environment, the working folder and `sys.path`; the settings of JAX,
    NumPy and Matplotlib; signal handlers and log levels. Caches are kept.
    """
    undo = [keep() for keep in _KEEPERS]
    try:
        yield
    finally:
        for put in reversed(undo):
            put()


def same_start() -> None:
    """The same names and random numbers, whatever ran before."""
    from lamina.core.serialization import naming
    from lamina.core.variable import seed

    naming.reset_names()
    seed.set_random_seed(20)
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session(free_memory=False)


# -- what is kept, one function each: it notes the state, and returns how to put it back ---------


def _lamina() -> Callable[[], None]:
    containers = [(found, _copy(found)) for found in _containers()]
    scalars = [(module, name, vars(module)[name]) for module, name in _scalars()]
    constants = _constants()

    def put() -> None:
        for module, name, value in constants:
            if module[name] is not value:
                module[name] = value
        for container, copy in containers:
            _restore(container, copy)
        for module, name, value in scalars:
            setattr(module, name, value)

    return put


def _keras() -> Callable[[], None]:
    if "keras" not in sys.modules:
        return lambda: None
    import keras
    from keras.src.saving import object_registration as registry

    kept = [
        (container, _copy(container))
        for container in (registry.GLOBAL_CUSTOM_OBJECTS, registry.GLOBAL_CUSTOM_NAMES)
    ]
    names = ("floatx", "epsilon", "image_data_format")
    settings = {name: getattr(keras.config, name)() for name in names}

    def put() -> None:
        for container, copy in kept:
            _restore(container, copy)
        for name, value in settings.items():
            getattr(keras.config, f"set_{name}")(value)

    return put


def _jax() -> Callable[[], None]:
    before = dict(jax.config.values)

    def put() -> None:
        for name, value in jax.config.values.items():
            if name in before and before[name] is not value and before[name] != value:
                jax.config.update(name, before[name])

    return put


def _numpy_and_python() -> Callable[[], None]:
    states = random.getstate(), np.random.get_state(), np.geterr(), np.get_printoptions()

    def put() -> None:
        random.setstate(states[0])
        np.random.set_state(states[1])
        np.seterr(**states[2])
        np.set_printoptions(**states[3])

    return put


def _matplotlib() -> Callable[[], None]:
    if "matplotlib.pyplot" not in sys.modules:
        return lambda: None
    import matplotlib
    from matplotlib import pyplot

    settings = dict(matplotlib.rcParams)

    def put() -> None:
        pyplot.close("all")
        dict.update(matplotlib.rcParams, settings)

    return put


def _process() -> Callable[[], None]:
    environment, folder = dict(os.environ), os.getcwd()
    lists = [(container, list(container)) for container in (sys.argv, sys.path, sys.meta_path)]
    hooks = sys.excepthook, sys.displayhook, threading.excepthook
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    root = logging.getLogger()
    level, logged = root.level, list(root.handlers)

    def put() -> None:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        for name, value in environment.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        os.chdir(folder)
        for container, items in lists:
            container[:] = items
        sys.excepthook, sys.displayhook, threading.excepthook = hooks
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        root.setLevel(level)
        root.handlers[:] = logged

    return put


_KEEPERS = (_process, _numpy_and_python, _jax, _matplotlib, _keras, _lamina)


# -- containers of modules ----------------------------------------------------------------------


@functools.cache
def _modules() -> list[Any]:
    """All of Lamina, loaded: of a module that a test loads first, no one knows the state before."""
    import lamina

    for found in pkgutil.walk_packages(lamina.__path__, "lamina."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return [module for name, module in sys.modules.items() if name.split(".")[0] == "lamina"]


@functools.cache
def _containers() -> list:
    """Dicts, lists, sets and thread-locals that the modules hold."""
    containers = {
        id(value): value
        for module in _modules()
        for name, value in vars(module).items()
        if not name.startswith("__") and name not in _CACHES.get(module.__name__, ())
        if type(value) in (dict, list, set) or isinstance(value, threading.local)
    }
    return list(containers.values())


@functools.cache
def _constants() -> list:
    """Limits and the like, known by how they are written: `_MAX_SIDE`, not a class."""
    return [
        (vars(module), name, value)
        for module in _modules()
        for name, value in vars(module).items()
        if name.isupper()
    ]


def _scalars() -> Iterator[tuple[Any, str]]:
    """Names of modules that are assigned anew, and not changed in place."""
    for name, attributes in {"lamina.compat.figures": ("_script_name", "_saved")}.items():
        if name in sys.modules:
            yield from ((sys.modules[name], attribute) for attribute in attributes)


def _copy(container: Any) -> Any:
    if isinstance(container, threading.local):
        return {
            name: _copy(value) if type(value) in (dict, list, set) else value
            for name, value in vars(container).items()
        }
    return container.copy()


def _restore(container: Any, copy: Any) -> None:
    if isinstance(container, threading.local):
        held = vars(container)
        for name in held.keys() - copy.keys():
            del held[name]
        for name, value in copy.items():
            if type(value) in (dict, list, set) and type(held.get(name)) is type(value):
                _restore(held[name], value)
            else:
                held[name] = value
    elif container != copy:
        container.clear()
        (container.extend if isinstance(container, list) else container.update)(copy)
