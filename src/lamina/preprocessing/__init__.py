"""Older names of what `lamina.utils` has: folders, time series, pictures, sequences."""

from lamina.core.errors import explain_missing_names
from lamina.data import (
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)
from lamina.preprocessing import image, sequence

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

explain_missing_names(__name__)
