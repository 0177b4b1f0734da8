"""Pictures that do not fit into memory: kept in a file, and trained on as if they were arrays."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lamina
from lamina.data import load
from lamina.data.loading import picture_store
from lamina.data.loading.picture_store import PictureStore, allocate_rows, take_rows


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("greys", [[True, True], [True, False], [False, True]])
@pytest.mark.parametrize("max_memory", [1, None])
def test_one_channel_is_kept_while_all_are_grey(cache, rng, greys, max_memory):
    pictures = [rng.integers(0, 256, (3, 2, 3), dtype="uint8") for _ in greys]
    for picture, is_grey in zip(pictures, greys, strict=True):
        picture[..., 1:] = picture[..., :1] if is_grey else picture[..., 1:]
    store = PictureStore((3, 2), max_count=4, max_memory=max_memory)
    for picture, is_grey in zip(pictures, greys, strict=True):
        store.append(picture, is_grey)
    found = store.finish()
    assert isinstance(found, np.memmap) == (max_memory == 1)
    np.testing.assert_array_equal(found, np.stack(pictures)[..., : 1 if all(greys) else 3])


def test_rows_of_a_mapped_array_are_copied_to_another_file(cache, rng, monkeypatch):
    monkeypatch.setattr(picture_store, "_BLOCK_SIZE", 5)
    values = rng.integers(0, 256, (7, 2), dtype="uint8")
    rows = allocate_rows(7, (2,), max_memory=0)
    for value in values:
        rows.append(value)
    order = np.array([6, 0, 3, 3, 1])
    some = take_rows(rows.finish(), order)
    assert isinstance(some, np.memmap)
    np.testing.assert_array_equal(some, values[order])
    assert len(take_rows(some, order[:0])) == 0


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a file has its name until it is closed")
def test_the_file_has_no_name_that_could_be_left_behind(cache):
    rows = allocate_rows(1, (2,), max_memory=0)
    rows.append(np.zeros(2, "uint8"))
    array = rows.finish()
    assert list((cache / "pictures").iterdir()) == []
    assert array.tolist() == [[0, 0]]


def test_a_disk_without_room_is_told_before_anything_is_read(cache):
    with pytest.raises(OSError, match="(?s)nor on the disk.*LAMINA_CACHE"):
        allocate_rows(2**50, (2,), max_memory=0)


class PowerCut(Exception):
    pass


class CutAfterFirstEpoch(lamina.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise PowerCut


def trained(data, *callbacks):
    lamina.utils.set_random_seed(0)
    inputs, x = data.encoded()
    x = lamina.layers.Flatten()(x)
    model = lamina.Model(inputs, lamina.layers.Dense(2, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.train, epochs=2, validation_data=data.val, verbose=0, callbacks=callbacks)
    return model


def test_training_from_a_file_gives_the_same_also_if_another_process_goes_on(cache, rng, tmp_path):
    for name in ("a", "b"):
        Path(tmp_path, "photos", name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 256, (6, 6, 3), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")

    def mapped():
        return load(tmp_path / "photos", batch_size=4, max_memory=1, verbose=False)

    expected = trained(load(tmp_path / "photos", batch_size=4, verbose=False))
    lamina.config.set_resident_budget(1000)
    try:
        data = mapped()
        model = trained(data)
        backup = lamina.callbacks.BackupAndRestore(tmp_path / "backup")
        with pytest.raises(PowerCut):
            trained(mapped(), backup, CutAfterFirstEpoch())
        resumed = trained(mapped(), lamina.callbacks.BackupAndRestore(tmp_path / "backup"))
        found = model.evaluate(data.test, verbose=0)
    finally:
        lamina.config.set_resident_budget(None)
    for one in (model, resumed):
        for weights, wanted in zip(one.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, wanted)
    np.testing.assert_allclose(found, expected.evaluate(data.test, verbose=0), rtol=1e-6)
    assert model.input_contract.image == expected.input_contract.image
    assert model.input_contract.inputs[0].mean == expected.input_contract.inputs[0].mean
