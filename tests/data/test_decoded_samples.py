"""Samples of folders are decoded once if they fit into memory."""

import numpy as np
import pytest

import lamina
from lamina.data.decoded_samples import DecodedSamples


@pytest.fixture
def budget():
    yield lamina.config.set_resident_budget
    lamina.config.set_resident_budget(None)


def reads_of(samples, paths, passes=2):
    """How often each path was read in so many passes."""
    reads = []

    def read(path):
        reads.append(path)
        return samples[path]

    decoded = DecodedSamples(read, len(paths))
    for _ in range(passes):
        for path in paths:
            np.testing.assert_array_equal(decoded(path), samples[path])
    return {path: reads.count(path) for path in paths}


ARRAYS = {name: np.full(10, i, np.uint8) for i, name in enumerate("abc")}


def test_samples_that_fit_into_half_of_the_budget_are_read_once(budget):
    budget(60)
    assert reads_of(ARRAYS, list("abc")) == {"a": 1, "b": 1, "c": 1}


def test_samples_that_do_not_all_fit_are_read_in_every_pass(budget):
    budget(59)
    assert reads_of(ARRAYS, list("abc")) == {"a": 2, "b": 2, "c": 2}


def test_samples_that_grow_are_kept_up_to_the_budget(budget):
    budget(60)
    larger = {**ARRAYS, "b": np.zeros(25, np.uint8)}
    assert reads_of(larger, list("abc")) == {"a": 1, "b": 2, "c": 1}


def test_texts_are_read_in_every_pass(budget):
    budget(10**6)
    assert reads_of({"a": "text"}, ["a"]) == {"a": 2}


def test_a_folder_of_pictures_is_decoded_once_and_batches_may_be_changed(tmp_path, monkeypatch):
    from lamina.data import image_dataset

    for label in "xy":
        (tmp_path / label).mkdir()
        pixels = np.full((2, 2, 3), 100 if label == "x" else 200, np.uint8)
        lamina.utils.save_img(tmp_path / label / "1.png", pixels, scale=False)
    calls = []
    load = image_dataset.load_img
    monkeypatch.setattr(image_dataset, "load_img", lambda *a: calls.append(a) or load(*a))
    dataset = lamina.utils.image_dataset_from_directory(
        tmp_path, image_size=(2, 2), shuffle=False, verbose=False
    )
    for _ in range(3):
        ((images, labels),) = dataset
        assert images[:, 0, 0, 0].tolist() == [100, 200]
        images[:] = 0
    assert len(calls) == 2
