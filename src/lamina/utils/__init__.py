"""Small helpers with Keras's names: arrays, splitting, seeds, registering classes, files.

Names are loaded when they are first used, so importing this package does not import JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.backend import clear_session
    from lamina.core.registry import (
        custom_object_scope,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
    )
    from lamina.core.registry import custom_object_scope as CustomObjectScope
    from lamina.core.registry import deserialize as deserialize_keras_object
    from lamina.core.registry import serialize as serialize_keras_object
    from lamina.core.seed import set_random_seed
    from lamina.training.py_dataset import PyDataset
    from lamina.training.py_dataset import PyDataset as Sequence
    from lamina.utils.files import get_file
    from lamina.utils.numerical import normalize, to_categorical
    from lamina.utils.split import split_dataset

# Public name → module and the name there.
_HOMES = {
    "CustomObjectScope": ("lamina.core.registry", "custom_object_scope"),
    "PyDataset": ("lamina.training.py_dataset", "PyDataset"),
    "Sequence": ("lamina.training.py_dataset", "PyDataset"),
    "clear_session": ("lamina.backend", "clear_session"),
    "custom_object_scope": ("lamina.core.registry", "custom_object_scope"),
    "deserialize_keras_object": ("lamina.core.registry", "deserialize"),
    "get_custom_objects": ("lamina.core.registry", "get_custom_objects"),
    "get_file": ("lamina.utils.files", "get_file"),
    "get_registered_name": ("lamina.core.registry", "get_registered_name"),
    "get_registered_object": ("lamina.core.registry", "get_registered_object"),
    "normalize": ("lamina.utils.numerical", "normalize"),
    "register_keras_serializable": ("lamina.core.registry", "register_keras_serializable"),
    "serialize_keras_object": ("lamina.core.registry", "serialize"),
    "set_random_seed": ("lamina.core.seed", "set_random_seed"),
    "split_dataset": ("lamina.utils.split", "split_dataset"),
    "to_categorical": ("lamina.utils.numerical", "to_categorical"),
}

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "to_categorical",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from lamina.core.errors import did_you_mean

        raise AttributeError(f"lamina.utils has no {name!r}.{did_you_mean(name, _HOMES)}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
