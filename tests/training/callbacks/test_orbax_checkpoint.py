"""Checkpoints of Orbax: written while training goes on, and read back."""

import sys

import numpy as np
import pytest

import lamina
from lamina.callbacks import OrbaxCheckpoint
from lamina.saving import DamagedFileError, WeightsMismatchError

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
    with pytest.raises(ValueError, match="max_to_keep must be a whole number above 0, or None"):
        OrbaxCheckpoint(folder, max_to_keep=0)
    with pytest.raises(ValueError, match="save_freq must be 'epoch' or a number of batches"):
        OrbaxCheckpoint(folder, save_freq="batch")
