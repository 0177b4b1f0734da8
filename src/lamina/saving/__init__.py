"""Model files: architecture, weights and optimizer state in one file that holds no code."""

from lamina import dtype_policies  # noqa: F401 - files may name them
from lamina.core.errors import explain_missing_names
from lamina.core.registry import (
    UnknownClassError,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from lamina.core.registry import deserialize as deserialize_keras_object
from lamina.core.registry import serialize as serialize_keras_object
from lamina.saving.file_editor import KerasFileEditor
from lamina.saving.model_file import load_model, load_weights, save_model, save_weights
from lamina.saving.weights_file import DamagedFileError, WeightsMismatchError

CustomObjectScope = custom_object_scope

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

explain_missing_names(__name__)
