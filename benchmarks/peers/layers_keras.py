"""Trains single layers with SGD and a squared error; Lamina and Keras run this file."""

import argparse
import importlib
import statistics
import time

import numpy as np
from gauges import finish
from layer_cases import BATCHES, CASES

parser = argparse.ArgumentParser()
parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
parser.add_argument("--epochs", type=int, default=9)
options = parser.parse_args()

keras = importlib.import_module(options.library)


class EpochClock(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def seconds_per_step(shape, make_layer):
    rng = np.random.default_rng(seed=0)
    model = keras.Sequential([keras.Input(shape[1:]), make_layer(keras.layers)])
    samples = shape[0] * BATCHES
    x = rng.standard_normal((samples, *shape[1:]), np.float32)
    y = rng.uniform(-1, 1, (samples, *model.output_shape[1:])).astype(np.float32)
    settings = {} if options.library == "lamina" else {"steps_per_execution": BATCHES}
    model.compile(keras.optimizers.SGD(0.01), "mse", **settings)
    clock = EpochClock()
    model.fit(x, y, batch_size=shape[0], epochs=1 + options.epochs, verbose=0, callbacks=[clock])
    return statistics.median(clock.seconds[1:]) / BATCHES


finish({name: seconds_per_step(shape, layer) for name, (shape, layer, _) in CASES.items()})
