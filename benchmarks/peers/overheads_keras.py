"""What progress, history, metrics and batch hooks cost in the mlp; Lamina and Keras run this."""

import argparse
import importlib
import os
import pty
import statistics
import threading
import time

import numpy as np
import workloads
from gauges import finish

parser = argparse.ArgumentParser()
parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--rounds", type=int, default=9)
options = parser.parse_args()

# Progress is drawn for a terminal, so the script needs one; nobody looks at it.
screen, terminal = pty.openpty()
report = os.dup(1)
os.dup2(terminal, 1)
threading.Thread(
    target=lambda: [None for _ in iter(lambda: os.read(screen, 65536), b"")], daemon=True
).start()

keras = importlib.import_module(options.library)
workload = workloads.load("mlp")
x, y = workload.arrays(np.random.default_rng(seed=0), options.steps * workload.BATCH_SIZE)


class Hook(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.last = logs


class EpochClock(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


def trainer(metrics, verbose, *callbacks):
    model = workload.keras_model(keras)
    model.compile(optimizer="adam", loss=workload.LOSS, metrics=metrics)
    clock = EpochClock()

    def epoch():
        """Seconds of a second epoch of one call of fit."""
        given = {"epochs": 2, "verbose": verbose, "callbacks": [clock, *callbacks]}
        model.fit(x, y, batch_size=workload.BATCH_SIZE, **given)
        return clock.ends[1] - clock.ends[0]

    epoch()
    return epoch


trainers = {
    "bare": trainer(None, 0),
    "usual": trainer(["accuracy"], 1),
    "hook": trainer(["accuracy"], 0, Hook()),
}
seconds = {name: [] for name in trainers}
for _ in range(options.rounds):
    for name, epoch in trainers.items():
        seconds[name].append(epoch())
results = {name: statistics.median(times) / options.steps for name, times in seconds.items()}
shares = [u / b - 1 for u, b in zip(seconds["usual"], seconds["bare"], strict=True)]
results["share"] = statistics.median(shares)
os.dup2(report, 1)
finish(results)
