"""What `lamina.utils` offers, and where each name lives; loaded when it is first used."""

from lamina.backend import (
    clear_session,
)
from lamina.core.configuration.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from lamina.core.configuration.dtypes import (
    standardize_dtype,
)
from lamina.core.graph.keras_tensor import (
    get_source_inputs,
    is_keras_tensor,
)
from lamina.core.serialization.registry import (
    custom_object_scope,
    custom_object_scope as CustomObjectScope,
    deserialize as deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize as serialize_keras_object,
)
from lamina.core.variable.seed import (
    set_random_seed,
)
from lamina.data.audio_dataset import (
    audio_dataset_from_directory,
)
from lamina.data.image_dataset import (
    image_dataset_from_directory,
)
from lamina.data.text_dataset import (
    text_dataset_from_directory,
)
from lamina.data.timeseries_dataset import (
    timeseries_dataset_from_array,
)
from lamina.layers.preprocessing.feature_space import (
    FeatureSpace,
)
from lamina.training.feeds.conversion import (
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.py_dataset import (
    PyDataset,
    PyDataset as Sequence,
)
from lamina.training.progress.progbar import (
    Progbar,
)
from lamina.utils import (
    bounding_boxes,
    legacy,
)
from lamina.utils.experiment_config import (
    Config,
)
from lamina.utils.files import (
    get_file,
)
from lamina.utils.image import (
    array_to_img,
    img_to_array,
    load_img,
    save_img,
)
from lamina.utils.model_visualization import (
    model_to_dot,
    plot_model,
)
from lamina.utils.numerical import (
    normalize,
    to_categorical,
)
from lamina.utils.sequences import (
    pad_sequences,
)
from lamina.utils.split import (
    split_dataset,
)

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
