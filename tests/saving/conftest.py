"""A good model file, and how to make bad ones out of it."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

import lamina


@pytest.fixture(scope="session")
def good_parts(tmp_path_factory):
    """The members of the file of a small compiled model, by name."""
    model = lamina.Sequential(
        [
            lamina.Input((4,)),
            lamina.layers.Dense(3, activation="relu", name="hidden"),
            lamina.layers.BatchNormalization(),
            lamina.layers.Dense(2, name="scores"),
        ],
        name="small",
    )
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path_factory.mktemp("good") / "good.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write_file(tmp_path, good_parts):
    """Writes a model file with another config, other weights, or another way of zipping."""

    def write(config=None, weights=None, leave_out=(), **how):
        parts = dict(good_parts)
        if config is not None:
            text = config if isinstance(config, (str, bytes)) else json.dumps(config)
            parts["config.json"] = text
        if weights is not None:
            parts["model.weights.h5"] = weights
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w", **how) as archive:
            for name, content in parts.items():
                if name not in leave_out:
                    archive.writestr(name, content)
        return path

    return write


@pytest.fixture
def good_config(good_parts):
    """The config of the small model, to be changed."""
    return json.loads(good_parts["config.json"])


@pytest.fixture
def changed_weights(good_parts, tmp_path):
    """The weights of the small model after a function has changed the open HDF5 file."""

    def change(function):
        buffer = io.BytesIO(good_parts["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            function(file)
        return buffer.getvalue()

    return change


@pytest.fixture
def same_weights(good_parts):
    """Whether a model has the weights of the small one."""

    def same(model):
        with h5py.File(io.BytesIO(good_parts["model.weights.h5"])) as file:
            return np.array_equal(model.get_weights()[0], file["layers/dense/vars/0"][()])

    return same
