"""Trains a dense workload with scikit-learn's MLPClassifier, one epoch a call."""

import workloads

from training import LEARNING_RATE, Record, arguments, data

options = arguments()
record = Record()
with record.timed("import"):
    import sklearn
    from sklearn.neural_network import MLPClassifier

import numpy as np

workload = workloads.load(options.workload)
x, y = data(options, workload)

record.begin()
if x.dtype == np.uint8:
    x = x.reshape(len(x), -1).astype("float32") / 255
model = MLPClassifier(
    hidden_layer_sizes=workload.SIZES[1:-1],
    batch_size=workload.BATCH_SIZE,
    learning_rate_init=LEARNING_RATE,
    alpha=0,  # no weight decay, as in the other contenders
)
classes = np.unique(y)
for _ in range(1 + options.later):
    model.partial_fit(x, y, classes=classes)
    record.epoch_ends(model.loss_)
record.end()

record.finish(sklearn=sklearn.__version__)
