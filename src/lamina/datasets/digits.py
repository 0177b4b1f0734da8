"""Digits: 1,797 real handwritten digits of 8×8 pixels that come with scikit-learn.

No network is needed, so `lamina quickstart` falls back on it.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets.image_form import ImageForm

CLASS_NAMES = tuple("0123456789")
# Counts of ink in 4×4 blocks of 32×32 bitmaps, which each digit fills.
FORM = ImageForm(8, 8, longer_side=8, centred_by="box", strokes=True)
TEST_SAMPLES = 297


@filter_traceback
def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Small images of handwritten digits and the digits they show.

    The split is always the same: shuffled once, and stratified by class. Both parts have digits of
    the same writers, so the test set is a little easier than digits of new writers.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 1,500 and 297 images of uint8 values from 0 to
        16, `(images, 8, 8)`, and uint8 labels from 0 to 9, `(images,)`.

    Source: Alpaydin and Kaynak, 1998, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository; the test part of it, as shipped with scikit-learn. CC BY 4.0.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape, int(x_train.max())
        ((1500, 8, 8), (297, 8, 8), 16)
    """
    images, labels = _read()
    # NumPy guarantees that `RandomState` does not change, so this order is always the same.
    order = np.random.RandomState(0).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    # Evenly spaced positions in the list sorted by class give a stratified split.
    test_indices = np.arange(TEST_SAMPLES) * len(labels) // TEST_SAMPLES
    in_test = np.zeros(len(labels), dtype=bool)
    in_test[by_class[test_indices]] = True
    train, test = order[~in_test[order]], order[in_test[order]]
    return (images[train], labels[train]), (images[test], labels[test])


def _read() -> tuple[np.ndarray, np.ndarray]:
    spec = find_spec("sklearn")
    # Importing scikit-learn takes seconds; its data file is read in milliseconds.
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            with gzip.open(file) as lines:
                table = np.loadtxt(lines, delimiter=",", dtype="uint8")
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1].copy()
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype("uint8"), digits.target.astype("uint8")
