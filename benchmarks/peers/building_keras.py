"""Builds, prints, copies, saves and loads a model of 200 layers; Lamina and Keras run this file."""

import argparse
import importlib
import tempfile
from pathlib import Path

from gauges import finish, median_seconds

parser = argparse.ArgumentParser()
parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
parser.add_argument("--repeats", type=int, default=7)
options = parser.parse_args()

keras = importlib.import_module(options.library)
layers, ops = keras.layers, keras.ops


def build_layers():
    inputs = x = keras.Input((32,))
    for _ in range(100):
        x = layers.LayerNormalization()(layers.Dense(32, activation="relu")(x))
    return keras.Model(inputs, x)


def build_operations():
    inputs = x = keras.Input((32,))
    for _ in range(100):
        x = ops.sin(x) * 2.0
    return keras.Model(inputs, x)


model = build_layers()
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "model.keras")
    tasks = {
        "build": build_layers,
        "operations": build_operations,
        "summary": lambda: model.summary(print_fn=lambda *_: None),
        "clone": lambda: keras.models.clone_model(model),
        "save": lambda: model.save(path),
        "load": lambda: keras.models.load_model(path),
    }
    finish({name: median_seconds(task, options.repeats) for name, task in tasks.items()})
