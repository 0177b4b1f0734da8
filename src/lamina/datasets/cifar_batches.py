"""Reads the pickled batches of images of CIFAR-10 and CIFAR-100."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.datasets.pickles import read_pickle

ADDRESS = "https://www.cs.toronto.edu/~kriz/"


def read_batches(contents: Sequence[bytes], label_keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the images and labels of several batches, and concatenate them.

    Args:
        contents: Contents of the files.
        label_keys: Keys of the labels in the files.

    Returns:
        `"x"`, uint8 of `(pictures, 3, 32, 32)`, and the labels under their keys, uint8 of
        `(pictures, 1)`.
    """
    batches = [_decode_keys(read_pickle(content)) for content in contents]
    arrays = {"x": np.concatenate([_pictures(batch["data"]) for batch in batches])}
    for key in label_keys:
        labels = np.concatenate([np.asarray(batch[key]) for batch in batches])
        if labels.dtype.kind not in "iu" or len(labels) != len(arrays["x"]):
            raise ValueError(f"the number of {key} is not that of the pictures")
        arrays[key] = labels.astype("uint8")[:, None]
    return arrays


def in_data_format(x: np.ndarray) -> np.ndarray:
    """Move the channels of images to the axis of `image_data_format()`."""
    if config.image_data_format() == "channels_first":
        return x
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def _pictures(data: Any) -> np.ndarray:
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        raise ValueError("its pictures are not rows of 3 × 32 × 32 bytes")
    return data.reshape(-1, 3, 32, 32)


def _decode_keys(batch: Mapping) -> dict[str, Any]:
    return {key.decode() if isinstance(key, bytes) else key: batch[key] for key in batch}
