"""Small helpers with Keras's names: arrays, splitting, seeds, registering classes, files.

Names are loaded when they are first used, so importing this package does not import JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.backend import clear_session
    from lamina.core.dtypes import standardize_dtype
    from lamina.core.keras_tensor import get_source_inputs, is_keras_tensor
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
    from lamina.data.audio import audio_dataset_from_directory
    from lamina.data.images import image_dataset_from_directory
    from lamina.data.texts import text_dataset_from_directory
    from lamina.data.timeseries import timeseries_dataset_from_array
    from lamina.layers.preprocessing.feature_space import FeatureSpace
    from lamina.training.arrays import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from lamina.training.py_dataset import PyDataset
    from lamina.training.py_dataset import PyDataset as Sequence
    from lamina.utils import bounding_boxes
    from lamina.utils.config import Config
    from lamina.utils.files import get_file
    from lamina.utils.image import array_to_img, img_to_array, load_img, save_img
    from lamina.utils.model_visualization import model_to_dot, plot_model
    from lamina.utils.numerical import normalize, to_categorical
    from lamina.utils.sequences import pad_sequences
    from lamina.utils.split import split_dataset

# Public name → module and the name there; "" stands for the module itself.
_HOMES = {
    "Config": ("lamina.utils.config", "Config"),
    "CustomObjectScope": ("lamina.core.registry", "custom_object_scope"),
    "FeatureSpace": ("lamina.layers.preprocessing.feature_space", "FeatureSpace"),
    "Progbar": ("lamina.training.progbar", "Progbar"),
    "PyDataset": ("lamina.training.py_dataset", "PyDataset"),
    "Sequence": ("lamina.training.py_dataset", "PyDataset"),
    "array_to_img": ("lamina.utils.image", "array_to_img"),
    "audio_dataset_from_directory": ("lamina.data.audio", "audio_dataset_from_directory"),
    "bounding_boxes": ("lamina.utils.bounding_boxes", ""),
    "clear_session": ("lamina.backend", "clear_session"),
    "custom_object_scope": ("lamina.core.registry", "custom_object_scope"),
    "deserialize_keras_object": ("lamina.core.registry", "deserialize"),
    "disable_interactive_logging": ("lamina.core.config", "disable_interactive_logging"),
    "enable_interactive_logging": ("lamina.core.config", "enable_interactive_logging"),
    "get_custom_objects": ("lamina.core.registry", "get_custom_objects"),
    "get_file": ("lamina.utils.files", "get_file"),
    "get_registered_name": ("lamina.core.registry", "get_registered_name"),
    "get_registered_object": ("lamina.core.registry", "get_registered_object"),
    "get_source_inputs": ("lamina.core.keras_tensor", "get_source_inputs"),
    "image_dataset_from_directory": ("lamina.data.images", "image_dataset_from_directory"),
    "img_to_array": ("lamina.utils.image", "img_to_array"),
    "is_interactive_logging_enabled": ("lamina.core.config", "is_interactive_logging_enabled"),
    "is_keras_tensor": ("lamina.core.keras_tensor", "is_keras_tensor"),
    "legacy": ("lamina.utils.legacy", ""),
    "load_img": ("lamina.utils.image", "load_img"),
    "model_to_dot": ("lamina.utils.model_visualization", "model_to_dot"),
    "normalize": ("lamina.utils.numerical", "normalize"),
    "pack_x_y_sample_weight": ("lamina.training.arrays", "pack_x_y_sample_weight"),
    "pad_sequences": ("lamina.utils.sequences", "pad_sequences"),
    "plot_model": ("lamina.utils.model_visualization", "plot_model"),
    "register_keras_serializable": ("lamina.core.registry", "register_keras_serializable"),
    "save_img": ("lamina.utils.image", "save_img"),
    "serialize_keras_object": ("lamina.core.registry", "serialize"),
    "set_random_seed": ("lamina.core.seed", "set_random_seed"),
    "split_dataset": ("lamina.utils.split", "split_dataset"),
    "standardize_dtype": ("lamina.core.dtypes", "standardize_dtype"),
    "text_dataset_from_directory": ("lamina.data.texts", "text_dataset_from_directory"),
    "timeseries_dataset_from_array": ("lamina.data.timeseries", "timeseries_dataset_from_array"),
    "to_categorical": ("lamina.utils.numerical", "to_categorical"),
    "unpack_x_y_sample_weight": ("lamina.training.arrays", "unpack_x_y_sample_weight"),
}

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from lamina.core.errors import did_you_mean

        raise AttributeError(f"lamina.utils has no {name!r}.{did_you_mean(name, _HOMES)}")
    module, attribute = _HOMES[name]
    home = import_module(module)
    value = getattr(home, attribute) if attribute else home
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
