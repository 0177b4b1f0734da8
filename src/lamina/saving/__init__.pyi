"""What `lamina.saving` offers, and where each name lives; loaded when it is first used."""

from lamina.core.serialization.registry import (
    UnknownClassError,
    custom_object_scope,
    custom_object_scope as CustomObjectScope,
    deserialize as deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize as serialize_keras_object,
)
from lamina.saving.file_editor import (
    KerasFileEditor,
)
from lamina.saving.hdf5 import (
    DamagedFileError,
)
from lamina.saving.model_file import (
    load_model,
    load_weights,
    save_model,
    save_weights,
)
from lamina.saving.weights_file import (
    WeightsMismatchError,
)

__all__ = [
    "CustomObjectScope",
    "DamagedFileError",
    "KerasFileEditor",
    "UnknownClassError",
    "WeightsMismatchError",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
