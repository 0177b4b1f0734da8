"""CIFAR-10: 60,000 colour pictures of animals and vehicles, 32×32 pixels."""

from collections.abc import Mapping

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import cifar_batches, locate, published

CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

_TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))


def _decode(contents: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    train = cifar_batches.read_batches([contents[name] for name in _TRAINING], ["labels"])
    test = cifar_batches.read_batches([contents["test_batch"]], ["labels"])
    return {
        "x_train": train["x"], "y_train": train["labels"],
        "x_test": test["x"], "y_test": test["labels"],
    }  # fmt: skip


SOURCE = published.Archive(
    name="cifar10",
    title="CIFAR-10",
    address=cifar_batches.ADDRESS,
    file="cifar-10-python.tar.gz",
    checksum="sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    folder="cifar-10-batches-py",
    members={
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    },
    keras_name="cifar-10-batches-py-target",
).source(_decode)


@filter_traceback
def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Small colour pictures of ten kinds of things, and their classes.

    It is searched in `$LAMINA_DATASETS` and in the caches of Lamina and Keras, packed or unpacked,
    then downloaded (170 MB). A few labels are wrong, as in the original.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 50,000 and 10,000 pictures of uint8 values from 0
        to 255, `(pictures, 32, 32, 3)`, or `(pictures, 3, 32, 32)` under `"channels_first"`; and
        uint8 labels from 0 to 9, `(pictures, 1)`; `CLASS_NAMES` says what they mean.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If a file in `$LAMINA_DATASETS` has other contents.

    Source: Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    arrays = locate.load(SOURCE)
    x_train, x_test = map(cifar_batches.in_data_format, (arrays["x_train"], arrays["x_test"]))
    return (x_train, arrays["y_train"]), (x_test, arrays["y_test"])
