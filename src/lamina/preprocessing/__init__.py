"""The older data preprocessing of `tf.keras`, which data sets and layers have replaced."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.data import (
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)
from lamina.preprocessing import image, sequence, text

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

suggest_similar_names(__name__)
