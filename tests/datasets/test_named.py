import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

import lamina.datasets as datasets
from lamina.datasets.fingerprints import digest


def test_mnist_has_its_known_shapes_and_first_labels(real_data):
    (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert x_train.dtype == y_test.dtype == np.uint8
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert y_test[:5].tolist() == [7, 2, 1, 0, 4]


def test_fashion_mnist_has_its_known_first_labels(real_data):
    (_, y_train), (_, y_test) = datasets.fashion_mnist.load_data()
    names = datasets.fashion_mnist.CLASS_NAMES
    assert [names[y] for y in y_train[:3]] == ["Ankle boot", "T-shirt/top", "T-shirt/top"]
    assert [names[y] for y in y_test[:3]] == ["Ankle boot", "Pullover", "Trouser"]


def test_mnist_under_fashion_mnists_name_is_noticed(real_data, tmp_path, monkeypatch):
    (tmp_path / "fashion_mnist.npz").symlink_to(real_data / "mnist.npz")
    monkeypatch.setenv("LAMINA_DATASETS", str(tmp_path))
    with pytest.raises(ValueError, match="is not Fashion-MNIST: x_train has other values"):
        datasets.fashion_mnist.load_data()


def test_digits_are_scikit_learns_images_split_once_and_for_all():
    (x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
    reference = load_digits()
    expected = {(image.astype("uint8").tobytes(), int(y)) for image, y in
                zip(reference.images, reference.target, strict=True)}  # fmt: skip
    found = [(x.tobytes(), int(y)) for x, y in zip(x_train, y_train, strict=True)]
    found += [(x.tobytes(), int(y)) for x, y in zip(x_test, y_test, strict=True)]
    assert len(found) == 1797
    assert set(found) == expected
    assert x_train.dtype == y_train.dtype == np.uint8
    # The split is a promise: results on it are comparable from release to release.
    assert digest(x_test).startswith("db657543787625c0")
    assert digest(y_train).startswith("aa38bdf56ffea208")


def test_every_digit_has_the_same_share_in_both_parts():
    (_, y_train), (_, y_test) = datasets.digits.load_data()
    share = np.bincount(y_test) / (np.bincount(y_test) + np.bincount(y_train))
    np.testing.assert_allclose(share, 297 / 1797, atol=0.01)
    assert len(set(y_train[:30].tolist())) > 7  # shuffled, not sorted by class


def test_digits_do_without_the_quick_way_to_the_file(monkeypatch):
    quick = datasets.digits.load_data()
    monkeypatch.setattr("lamina.datasets.digits.find_spec", lambda name: None)
    slow = datasets.digits.load_data()
    np.testing.assert_array_equal(quick[1][0], slow[1][0])


@pytest.mark.parametrize("name", ["digits", "Digits"])
def test_a_named_data_set_carries_what_the_command_line_needs(name):
    data = datasets.load(name)
    assert (data.name, data.title, data.image_shape, data.pixel_max) == (
        "digits", "Digits", (8, 8), 16,
    )  # fmt: skip
    assert len(data.train[0]) == len(data.train[1]) == 1500
    assert data.class_names == tuple("0123456789")


def test_a_misspelt_data_set_gets_the_nearest_name():
    with pytest.raises(ValueError, match=r"Did you mean 'fashion_mnist'\?"):
        datasets.load("fashon_mnist")


def test_data_sets_are_imported_without_jax_and_other_heavy_packages():
    code = (
        "import sys, lamina.datasets as d; d.digits.load_data();"
        "print([m for m in ('jax', 'sklearn', 'pooch', 'matplotlib', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
