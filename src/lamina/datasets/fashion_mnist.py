"""Fashion-MNIST: 70,000 pictures of clothes, 28×28 pixels, harder than MNIST in the same shape."""

import os

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import locate
from lamina.datasets.fingerprints import Expected
from lamina.datasets.image_form import ImageForm
from lamina.datasets.mnist import IDX_FILES

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

SOURCE = locate.Source(
    name="fashion_mnist",
    title="Fashion-MNIST",
    arrays={
        "x_train": Expected(
            (60000, 28, 28), "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"
        ),
        "y_train": Expected(
            (60000,), "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"
        ),
        "x_test": Expected(
            (10000, 28, 28), "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
        ),
        "y_test": Expected(
            (10000,), "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
        ),
    },
    folders=("fashion-mnist", "FashionMNIST/raw"),
    mirrors=(
        locate.Mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/", IDX_FILES),
        locate.Mirror(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/", IDX_FILES
        ),
        locate.Mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", IDX_FILES),
    ),
)
# As described by its authors: cropped, scaled to a longer side of 28, centred, light on dark.
FORM = ImageForm(28, 28, longer_side=28, centred_by="box", strokes=False)


@filter_traceback
def load_data(
    path: str | os.PathLike = "fashion_mnist.npz",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Pictures of clothes and what they show.

    It is searched in `$LAMINA_DATASETS` and in the caches of Lamina and Keras, then downloaded. The
    digests of the arrays are verified, so any `.npz` or idx files can be used.

    Args:
        path: The file's name in those folders, or the path of one file to read. Keras has no
            such argument here.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 60,000 and 10,000 images of uint8 pixels from 0
        to 255, `(images, 28, 28)`, and uint8 labels from 0 to 9, `(images,)`; `CLASS_NAMES` says
        what they mean.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If a file in `$LAMINA_DATASETS`, or the one named, has other contents.

    Source: Xiao, Rasul and Vollgraf, 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms", arXiv:1708.07747. MIT.
    """
    arrays = locate.load(SOURCE, path)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
