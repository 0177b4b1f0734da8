"""Makes `import tensorflow`, `import keras` and `import tf_keras` import Lamina.

An import finder, installed before Python's own, finds these names and their submodules. It creates
thin modules that look names up in Lamina. Lamina's own modules are not changed. A name that Lamina
does not have raises an error.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from lamina.compat import missing
from lamina.version import __version__

# The versions whose interface Lamina provides; scripts compare them.
TENSORFLOW_VERSION = f"2.16.1+lamina.{__version__}"
KERAS_VERSION = f"3.15.0+lamina.{__version__}"

TOP_LEVEL_PACKAGES = ("tensorflow", "keras", "tf_keras", "keras_preprocessing")

_TENSORFLOW = "lamina.compat.tensorflow"

# All of these packages are the same as `keras`; longer names first.
_KERAS_PREFIXES = (
    "tensorflow.python.keras.api", "tensorflow.python.keras", "tensorflow.keras",
    "tf_keras.src", "tf_keras.api", "tf_keras", "keras.src", "keras.api", "keras",
)  # fmt: skip

_NAMESPACES = frozenset({
    "activations", "applications", "backend", "callbacks", "config", "constraints", "datasets",
    "distillation", "distribution", "dtype_policies", "export", "initializers", "layers", "legacy",
    "losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "preprocessing",
    "quantizers", "random", "regularizers", "saving", "tree", "utils", "visualization", "wrappers",
})  # fmt: skip

# From modules of older versions of Keras to the current ones.
_MOVED_MODULES = {
    "_legacy": "legacy",
    "engine": "",
    "engine.sequential": "models",
    "engine.training": "models",
    "layers.advanced_activations": "layers",
    "layers.convolutional": "layers",
    "layers.core": "layers",
    "layers.embeddings": "layers",
    "layers.experimental": "layers",
    "layers.experimental.preprocessing": "layers",
    "layers.merge": "layers",
    "layers.normalization": "layers",
    "layers.pooling": "layers",
    "layers.preprocessing": "layers",
    "layers.recurrent": "layers",
    "optimizers.experimental": "optimizers",
    "optimizers.legacy": "optimizers",
    "utils.data_utils": "utils",
    "utils.generic_utils": "utils",
    "utils.image_utils": "utils",
    "utils.io_utils": "utils",
    "utils.layer_utils": "utils",
    "utils.np_utils": "utils",
    "utils.vis_utils": "utils",
    # The legacy package, under both of its names in Keras 3.
    **{
        f"{legacy}.preprocessing{part}": f"preprocessing{part}"
        for legacy in ("legacy", "_legacy")
        for part in ("", ".image", ".sequence", ".text")
    },
}


def install() -> None:
    """From now on, import Lamina for TensorFlow's and Keras's names, even if they are installed."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    for name in [n for n in sys.modules if n.split(".")[0] in TOP_LEVEL_PACKAGES]:
        del sys.modules[name]
    # If this module exists, TensorBoard does not use TensorFlow to write files.
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
    sys.meta_path.insert(0, Finder())


class Finder(MetaPathFinder, Loader):
    """Finds and loads the modules that replace those of TensorFlow and Keras."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.split(".")[0] not in TOP_LEVEL_PACKAGES:
            return None
        if _target(fullname) is None:
            # Not ModuleNotFoundError: `from tensorflow import x` would replace its message.
            text = missing.explain_module(fullname, _siblings(fullname))
            raise ImportError(text, name=fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        target = _target(spec.name)
        assert target is not None  # find_spec has checked it
        if target == _TENSORFLOW:
            return import_module(target).module(spec.name)
        return ForwardingModule(spec.name, target)

    def exec_module(self, module: ModuleType) -> None:
        pass


class ForwardingModule(ModuleType):
    """A module with one of Keras's names, whose contents are looked up in a module of Lamina.

    Args:
        name: The name that the script imports, e.g. `tensorflow.keras.layers`.
        target: The module that has the contents, e.g. `lamina.layers`.
    """

    def __init__(self, name: str, target: str):
        super().__init__(name, doc=f"{name}, provided by {target}.")
        self.__dict__["_target"] = target
        self.__path__: list[str] = []
        if target == "lamina":
            self.__version__ = KERAS_VERSION
            self.version = lambda: KERAS_VERSION

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        target = import_module(self._target)
        value = getattr(target, name, None)
        if value is not None and not isinstance(value, ModuleType):
            return value
        full_name = f"{self.__name__}.{name}"
        if _target(full_name) is not None:
            return import_module(full_name)
        if self._target == "lamina.layers":
            legacy = import_module("lamina.compat.legacy_layers").find(name)
            if legacy is not None:
                return legacy
        raise AttributeError(missing.explain(full_name, _public_names(target)), name=name, obj=self)

    def __dir__(self) -> list[str]:
        return _public_names(import_module(self._target))


def _target(fullname: str) -> str | None:
    """The name of the module that replaces a module of TensorFlow or Keras, or None."""
    if fullname.split(".")[0] == "keras_preprocessing":  # was a separate package for a while
        return _keras_target(fullname.removeprefix("keras_"))
    for prefix in _KERAS_PREFIXES:
        if fullname == prefix or fullname.startswith(f"{prefix}."):
            return _keras_target(fullname[len(prefix) + 1 :])
    # Imported here because it loads JAX, which `import keras` alone does not need.
    return _TENSORFLOW if fullname in import_module(_TENSORFLOW).TABLES else None


def _keras_target(path: str) -> str | None:
    path = _MOVED_MODULES.get(path, path)
    if not path:
        return "lamina"
    if path == "backend":
        return "lamina.compat.keras_backend"
    if path.split(".")[0] not in _NAMESPACES:
        return None
    parent = "lamina"
    for part in path.split("."):
        # Step by step, since find_spec raises an error if a parent is not a package.
        if not hasattr(import_module(parent), "__path__"):
            return None
        parent = f"{parent}.{part}"
        if find_spec(parent) is None:
            return None
    return parent


def _siblings(fullname: str) -> list[str]:
    parent, _, _ = fullname.rpartition(".")
    return _public_names(sys.modules[parent]) if parent in sys.modules else []


def _public_names(module: ModuleType) -> list[str]:
    names: Iterable[str] = getattr(module, "__all__", None) or dir(module)
    return [name for name in names if not name.startswith("_")]
