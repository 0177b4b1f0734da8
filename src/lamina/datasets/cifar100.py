"""CIFAR-100: 60,000 colour pictures of a hundred kinds of things, 32×32 pixels."""

from collections.abc import Mapping

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import cifar_batches, locate, published


def _decode(contents: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    arrays = {}
    for part in ("train", "test"):
        for name, array in cifar_batches.read_batches(
            [contents[part]], ["fine_labels", "coarse_labels"]
        ).items():
            arrays[f"{name}_{part}"] = array
    return arrays


SOURCE = published.Archive(
    name="cifar100",
    title="CIFAR-100",
    address=cifar_batches.ADDRESS,
    file="cifar-100-python.tar.gz",
    checksum="sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    folder="cifar-100-python",
    members={
        "train": "md5:16019d7e3df5f24257cddd939b257f8d",
        "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    keras_name="cifar-100-python-target",
).source(_decode)


@filter_traceback
def load_data(
    label_mode: str = "fine",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Small colour pictures of a hundred kinds of things, and their classes.

    It is searched in `$LAMINA_DATASETS` and in the caches of Lamina and Keras, packed or unpacked,
    then downloaded (169 MB).

    Args:
        label_mode: `"fine"` for a hundred classes, `"coarse"` for the twenty groups of them.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 50,000 and 10,000 pictures of uint8 values from 0
        to 255, `(pictures, 32, 32, 3)`, or `(pictures, 3, 32, 32)` under `"channels_first"`; and
        uint8 labels, `(pictures, 1)`.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If `label_mode` is neither, or a file in `$LAMINA_DATASETS` holds something
            else.

    Source: Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"label_mode must be 'fine' or 'coarse'; received {label_mode!r}.")
    arrays = locate.load(SOURCE)
    x_train, x_test = map(cifar_batches.in_data_format, (arrays["x_train"], arrays["x_test"]))
    key = f"{label_mode}_labels"
    return (x_train, arrays[f"{key}_train"]), (x_test, arrays[f"{key}_test"])
