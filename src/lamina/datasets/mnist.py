"""MNIST: 70,000 handwritten digits, 28×28 pixels, light strokes on a dark background."""

import os

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import locate
from lamina.datasets.fingerprints import Expected
from lamina.datasets.image_form import ImageForm

CLASS_NAMES = tuple("0123456789")
# As described by its authors.
FORM = ImageForm(28, 28, longer_side=20, centred_by="mass", strokes=True)

IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

SOURCE = locate.Source(
    name="mnist",
    title="MNIST",
    arrays={
        "x_train": Expected(
            (60000, 28, 28), "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"
        ),
        "y_train": Expected(
            (60000,), "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"
        ),
        "x_test": Expected(
            (10000, 28, 28), "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"
        ),
        "y_test": Expected(
            (10000,), "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"
        ),
    },
    folders=("MNIST/raw",),
    mirrors=(
        locate.Mirror(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/", ("mnist.npz",)
        ),
        locate.Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", IDX_FILES),
        locate.Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", IDX_FILES),
    ),
)


@filter_traceback
def load_data(
    path: str | os.PathLike = "mnist.npz",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Images of handwritten digits and the digits they show.

    It is searched in `$LAMINA_DATASETS` and in the caches of Lamina and Keras, then downloaded. The
    digests of the arrays are verified, so any `.npz` or idx files can be used.

    Args:
        path: The file's name in those folders, or the path of one file to read.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 60,000 and 10,000 images of uint8 pixels from 0
        to 255, `(images, 28, 28)`, and uint8 labels from 0 to 9, `(images,)`.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If a file in `$LAMINA_DATASETS`, or the one named, has other contents.

    Source: LeCun, Cortes and Burges, 1998, "The MNIST database of handwritten digits".
    CC BY-SA 3.0.
    """
    arrays = locate.load(SOURCE, path)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
