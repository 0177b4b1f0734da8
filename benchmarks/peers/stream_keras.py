"""Trains the mlp from data that do not lie in memory as arrays; Lamina and Keras run this file.

The folder has `x.npy`, `y.npy`, `pngs/<class>/<number>.png`, and for Lamina `large.npy`.
"""

import argparse
import hashlib
import importlib
import statistics
import time
from pathlib import Path

import numpy as np
import workloads
from gauges import finish, highest_memory

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
parser.add_argument("--steps", type=int, required=True, help="of an epoch")
parser.add_argument("--later", type=int, default=3, help="epochs after the first")
parser.add_argument("--rounds", type=int, default=2)
options = parser.parse_args()

keras = importlib.import_module(options.library)
workload = workloads.load("mlp")
BATCH_SIZE = workload.BATCH_SIZE
rows = options.steps * BATCH_SIZE
x = np.load(options.folder / "x.npy", mmap_mode="r")[:rows]
y = np.load(options.folder / "y.npy")[:rows]


class EpochClock(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


class Pictures(keras.utils.PyDataset):
    """Reads pictures with Pillow, a batch at a time."""

    def __init__(self):
        super().__init__()
        self.files = sorted((options.folder / "pngs").glob("*/*.png"))

    def __len__(self):
        return len(self.files) // BATCH_SIZE

    def __getitem__(self, i):
        from PIL import Image

        files = self.files[i * BATCH_SIZE : (i + 1) * BATCH_SIZE]
        pixels = np.stack([np.asarray(Image.open(file)) for file in files])
        return pixels, np.array([int(file.parent.name) for file in files])


def batches():
    """A generator that costs nothing itself: slices, for ever."""
    while True:
        for at in range(0, rows, BATCH_SIZE):
            yield x_there[at : at + BATCH_SIZE], y[at : at + BATCH_SIZE]


def pictures():
    if options.library == "lamina":
        return keras.utils.image_dataset_from_directory(
            options.folder / "pngs",
            color_mode="grayscale",
            image_size=(28, 28),
            batch_size=BATCH_SIZE,
            verbose=False,
        )
    return Pictures()


def train(source):
    """Median seconds of the later epochs, and what the weights became."""
    keras.utils.set_random_seed(7)
    model = workload.keras_model(keras)
    if source == "pngs" and options.library == "lamina":
        # Its batches have an axis for the one channel.
        inner = keras.layers.Reshape((28, 28))
        model = keras.Sequential([keras.Input((28, 28, 1)), inner, *model.layers])
    model.compile(optimizer="adam", loss=workload.LOSS, metrics=["accuracy"])
    clock = EpochClock()
    settings = {"epochs": 1 + options.later, "verbose": 0, "callbacks": [clock]}
    if options.library == "lamina":
        keras.config.set_resident_budget(x.nbytes // 4 if source == "memmap" else None)
    if source == "generator":
        model.fit(batches(), steps_per_epoch=options.steps, **settings)
    elif source == "pngs":
        model.fit(pictures(), **settings)
    else:
        model.fit(x_there if source == "arrays" else x, y, batch_size=BATCH_SIZE, **settings)
    weights = b"".join(np.asarray(w).tobytes() for w in model.get_weights())
    seconds = np.diff(clock.ends)
    return statistics.median(seconds), hashlib.sha256(weights).hexdigest()


def train_large():
    """One epoch over a set far above the budget: highest memory above that before, and seconds."""
    large = np.load(options.folder / "large.npy", mmap_mode="r")
    keras.config.set_resident_budget(2 * 10**9)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(large.shape[1:]),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="sgd", loss=workload.LOSS)
    start = time.perf_counter()
    with highest_memory() as highest:
        model.fit(large, np.zeros(len(large), np.uint8), batch_size=128, verbose=0)
    return {
        "large_bytes": large.nbytes,
        "large_seconds": time.perf_counter() - start,
        "large_memory": highest[0],
    }


x_there = np.array(x)
seconds, digests = {}, {}
sources = ("arrays", "memmap", "generator", "pngs")
for _ in range(options.rounds):
    for source in sources:
        took, digests[source] = train(source)
        seconds.setdefault(source, []).append(took)
results = {source: statistics.median(seconds[source]) for source in sources}
results["pngs_steps"] = len(Pictures())
results["steps"] = options.steps
results["identical"] = digests["arrays"] == digests["memmap"]
reading = Pictures()
start = time.perf_counter()
for i in range(len(reading)):
    reading[i]
results["pngs_decoding"] = time.perf_counter() - start
if (options.folder / "large.npy").exists():
    results |= train_large()
finish(results)
