"""A script in the style of Keras's distribution guide runs unchanged on both libraries."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("eight_devices")]

SCRIPT = """
import keras
import numpy as np
from keras import layers

keras.config.set_floatx("float64")
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 12)), rng.normal(size=(64, 1))
kernels = [rng.normal(size=shape) / 4 for shape in ((12, 16), (16, 1))]


def train():
    inputs = layers.Input(shape=(12,))
    hidden = layers.Dense(16, activation="relu", name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(1, name="head")(hidden))
    for name, kernel in zip(["hidden", "head"], kernels):
        layer = model.get_layer(name)
        layer.set_weights([kernel, np.zeros(kernel.shape[1])])
    model.compile(loss="mse", optimizer="adam", metrics=["mae"])
    history = model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    return history.history["loss"] + model.evaluate(x, y, batch_size=16, verbose=0)


devices = keras.distribution.list_devices()
assert keras.distribution.get_device_count() == len(devices) == 8
mesh_1d = keras.distribution.DeviceMesh(shape=(8,), axis_names=["data"], devices=devices)
data_parallel = keras.distribution.DataParallel(device_mesh=mesh_1d)
keras.distribution.set_distribution(data_parallel)
assert keras.distribution.distribution() is data_parallel
assert data_parallel.batch_dim_name == "data" and data_parallel.num_model_replicas == 8
assert data_parallel.get_data_layout((16, 12)).axes == ("data", None)
print("RESULT", *train())
keras.distribution.set_distribution(None)

mesh_2d = keras.distribution.DeviceMesh(shape=(2, 4), axis_names=["data", "model"], devices=devices)
layout_map = keras.distribution.LayoutMap(mesh_2d)
layout_map["hidden/kernel"] = (None, "model")
layout_map["hidden/bias"] = ("model",)
layout_map["hidden/output"] = ("data", "model")
model_parallel = keras.distribution.ModelParallel(layout_map=layout_map, batch_dim_name="data")
with model_parallel.scope():
    print("RESULT", *train())
    variable = keras.Variable(
        np.zeros((4, 8)), layout=keras.distribution.TensorLayout((None, "model"), mesh_2d)
    )
    moved = keras.distribution.distribute_tensor(
        np.ones((4, 8)), keras.distribution.TensorLayout(("data", None), mesh_2d)
    )
    print("SHARDS", variable.value.sharding.spec, moved.sharding.spec)
"""


def run(command, folder):
    path = folder / "guide.py"
    path.write_text(SCRIPT)
    finished = subprocess.run(
        [sys.executable, *command, str(path)],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    numbers = [np.array(line.split()[1:], float) for line in lines if line.startswith("RESULT")]
    return numbers, [line for line in lines if line.startswith("SHARDS")]


def test_the_losses_are_those_of_keras(tmp_path):
    expected, expected_shards = run([], tmp_path)
    ours, shards = run(["-m", "lamina", "run"], tmp_path)
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    assert shards == expected_shards
