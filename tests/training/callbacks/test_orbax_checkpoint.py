"""Checkpoints of Orbax: written while training goes on, and read back."""

import sys

import numpy as np
import pytest

import lamina
from lamina.callbacks import OrbaxCheckpoint
from lamina.saving import DamagedFileError, UnknownClassError, WeightsMismatchError

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def make(units=4):
    model = lamina.Sequential(
        [lamina.Input((3,)), lamina.layers.Dense(units), lamina.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError, match=r"pip install 'lamina\[orbax\]'"):
        OrbaxCheckpoint("folder")


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    return tmp_path / "checkpoints"


def same(one, other):
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("save_on_background", [True, False])
def test_the_latest_checkpoint_opens_as_a_model_that_goes_on(folder, save_on_background):
    model = make()
    callback = OrbaxCheckpoint(folder, save_on_background=save_on_background, max_to_keep=2)
    model.fit(X, Y, 4, 3, 0, callbacks=[callback])
    assert sorted(p.name for p in folder.iterdir() if p.name.isdigit()) == ["1", "2"]
    again = lamina.models.load_model(folder)
    assert same(model, again)
    assert same(model.optimizer, again.optimizer)
    first = lamina.models.load_model(folder / "1")
    assert int(first.optimizer.iterations) == 6


@pytest.mark.filterwarnings("ignore")
def test_batches_are_counted_and_the_best_is_kept(folder):
    model = make()
    model.fit(X, Y, 4, 2, 0, callbacks=[OrbaxCheckpoint(folder, save_freq=2, max_to_keep=None)])
    assert sorted(p.name for p in folder.iterdir() if p.name.isdigit()) == ["2", "4", "6"]
    best = OrbaxCheckpoint(folder / "best", "loss", save_best_only=True, initial_value_threshold=0)
    model.fit(X, Y, 4, 2, 0, callbacks=[best])
    assert not [p for p in (folder / "best").iterdir() if p.name.isdigit()]


@pytest.mark.filterwarnings("ignore")
def test_weights_alone_are_read_into_a_model_of_their_shapes(folder):
    model = make()
    model.fit(X, Y, 4, 1, 0, callbacks=[OrbaxCheckpoint(folder, save_weights_only=True)])
    lamina.utils.clear_session()
    other = make()
    other.load_weights(folder)
    assert same(model, other)
    with pytest.raises(DamagedFileError, match="holds no architecture"):
        lamina.models.load_model(folder)
    lamina.utils.clear_session()
    with pytest.raises(WeightsMismatchError, match="has shape"):
        make(5).load_weights(folder)


def test_arguments_that_mean_nothing_are_refused(folder):
    with pytest.raises(ValueError, match="max_to_keep must be an integer above 0, or None"):
        OrbaxCheckpoint(folder, max_to_keep=0)
    with pytest.raises(ValueError, match="save_freq must be 'epoch' or a number of batches"):
        OrbaxCheckpoint(folder, save_freq="batch")


@pytest.mark.filterwarnings("ignore")
def test_a_flipped_bit_in_a_checkpoint_is_found_or_harmless(folder):
    model = make(units=400)  # small arrays lie where Orbax has checksums of its own
    model.fit(X, Y, 4, 1, 0, callbacks=[OrbaxCheckpoint(folder, save_on_background=False)])
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        for place in range(len(whole) // 3, len(whole), max(1, len(whole) // 2)):
            content = bytearray(whole)
            content[place] ^= 1 << (place % 8)
            path.write_bytes(content)
            try:
                again = lamina.models.load_model(folder)
            except (DamagedFileError, WeightsMismatchError, UnknownClassError):
                continue
            assert same(model, again)
            assert same(model.optimizer, again.optimizer)
        path.write_bytes(whole)


@pytest.mark.filterwarnings("ignore")
def test_damage_to_a_checkpoint_is_named_and_leaves_the_model_as_it_was(folder):
    model = make(units=400)
    model.fit(X, Y, 4, 1, 0, callbacks=[OrbaxCheckpoint(folder, save_on_background=False)])
    other = lamina.models.load_model(folder)
    other.set_weights([w + 1 for w in other.get_weights()])
    before = other.get_weights()
    largest = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    for place in range(0, len(content), 40):
        content[place] ^= 1
    largest.write_bytes(content)
    with pytest.raises(DamagedFileError, match="in the file is damaged"):
        other.load_weights(folder)
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
