"""Trains a workload in Keras's words: Lamina, and Keras on each of its backends."""

import importlib
import os

import workloads

from training import LEARNING_RATE, Record, arguments, data

options = arguments()
record = Record()
with record.timed("import"):
    keras = importlib.import_module(options.library)
    # Lamina imports its parts at first use: name the ones needed, so that they count here.
    layers, callbacks, losses = keras.layers.Dense, keras.callbacks, keras.losses
    Adam, Sequential = keras.optimizers.Adam, keras.Sequential

workload = workloads.load(options.workload)
x, y = data(options, workload)


class EpochClock(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        record.epoch_ends(logs["loss"])
        if record.is_slow():
            self.model.stop_training = True


def train(scaled=False, **settings):
    model = workload.keras_model(keras, **({"scaled": True} if scaled else {}))
    loss = workload.LOSS
    if workload.LOGITS:
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=Adam(LEARNING_RATE), loss=loss, metrics=["accuracy"], **settings)
    pixels = x.astype("float32") / 255 if scaled else x
    model.fit(
        pixels,
        y,
        batch_size=workload.BATCH_SIZE,
        epochs=1 + options.later,
        verbose=0,
        callbacks=[EpochClock()],
    )
    return model.count_params()


for setting in options.settings:
    record.begin(**setting)
    parameters = train(**setting)
    record.end()

record.results["parameters"] = parameters
versions = {options.library: keras.__version__}
backend = "jax" if options.library == "lamina" else os.environ["KERAS_BACKEND"]
versions[backend] = importlib.import_module(backend).__version__
record.finish(**versions)
