"""A network of one size on one axis of `scale_cases.py`; Lamina and Keras run this file."""

import argparse
import importlib
import statistics
import time

from gauges import finish, highest_memory, resident_memory
from scale_cases import keras_model, make_case

parser = argparse.ArgumentParser()
parser.add_argument("axis")
parser.add_argument("value", type=int)
parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
options = parser.parse_args()

keras = importlib.import_module(options.library)
case = make_case(options.axis, options.value)
steps = len(case.x) // case.batch_size


class EpochClock(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.ends = [time.perf_counter()]

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


model = keras_model(keras, options.axis, options.value)
loss = "mse"
if case.classes is not None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
settings = {} if options.library == "lamina" else {"steps_per_execution": min(steps, 32)}
model.compile("adam", loss, **settings)
clock = EpochClock()
before = resident_memory()
with highest_memory() as highest:
    epochs = 2 if options.axis == "samples" and steps > 1000 else 6
    model.fit(
        case.x, case.y, batch_size=case.batch_size, epochs=epochs, verbose=0, callbacks=[clock]
    )
seconds = [end - start for start, end in zip(clock.ends, clock.ends[1:], strict=False)]
finish(
    {
        "step": statistics.median(seconds[1:]) / steps,
        "first": seconds[0],
        "memory": highest[0] - before,
        "steps": steps,
    }
)
