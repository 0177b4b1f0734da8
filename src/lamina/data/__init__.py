"""Data on its way to the trainer: folders of images, texts and sounds, and time series."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.data.audio_dataset import audio_dataset_from_directory
from lamina.data.dataset import Dataset
from lamina.data.image_dataset import image_dataset_from_directory
from lamina.data.loading.load import load
from lamina.data.loading.loaded import LoadedData, LoadedPart
from lamina.data.match_dataset import pictures_like
from lamina.data.parallel import AUTOTUNE
from lamina.data.text_dataset import text_dataset_from_directory
from lamina.data.timeseries_dataset import timeseries_dataset_from_array

__all__ = [
    "AUTOTUNE",
    "Dataset",
    "LoadedData",
    "LoadedPart",
    "audio_dataset_from_directory",
    "image_dataset_from_directory",
    "load",
    "pictures_like",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

suggest_similar_names(__name__)
