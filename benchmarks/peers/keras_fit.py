"""The job in Keras's words; Lamina and Keras on each of its backends run this same file."""

import importlib
import os

from job import BATCH_SIZE, CLASSES, HIDDEN, LEARNING_RATE, Job, arguments

options = arguments()
job = Job()
with job.timed("import"):
    keras = importlib.import_module(options.library)
    # Lamina imports its parts at first use: name the ones needed, so that they count here.
    layers, callbacks, Adam = keras.layers, keras.callbacks, keras.optimizers.Adam
    Sequential, load_model = keras.models.Sequential, keras.models.load_model

import numpy as np


class EpochClock(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        job.epoch_ends()


data = dict(np.load(options.data))
if options.rescale == "before":
    for name in ("x_train", "x_test"):
        data[name] = data[name].astype("float32") / 255
model = Sequential(
    [
        layers.Input((28, 28)),
        *([layers.Rescaling(1 / 255)] if options.rescale == "inside" else []),
        layers.Flatten(),
        layers.Dense(HIDDEN, activation="relu"),
        layers.Dense(HIDDEN, activation="relu"),
        layers.Dense(CLASSES, activation="softmax"),
    ]
)
settings = {}
if options.steps_per_execution > 1:
    settings["steps_per_execution"] = options.steps_per_execution
if options.library == "keras" and keras.backend.backend() == "torch":
    settings["jit_compile"] = False  # torch.compile needs minutes for this job
model.compile(
    optimizer=Adam(LEARNING_RATE),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    **settings,
)
job.epoch_begins()
model.fit(
    data["x_train"],
    data["y_train"],
    batch_size=BATCH_SIZE,
    epochs=options.epochs,
    verbose=2,
    callbacks=[EpochClock()],
)
loss, accuracy = model.evaluate(data["x_test"], data["y_test"], verbose=2)
model.save("model.keras")
predictions = load_model("model.keras").predict(data["x_test"], verbose=0)

versions = {options.library: keras.__version__}
backend = "jax" if options.library == "lamina" else os.environ["KERAS_BACKEND"]
versions[backend] = importlib.import_module(backend).__version__
job.finish(accuracy, predictions[0].argmax(), **versions)
