"""The job with scikit-learn's MLPClassifier, one epoch a call so that epochs can be timed."""

from job import BATCH_SIZE, HIDDEN, LEARNING_RATE, Job, arguments

options = arguments()
job = Job()
with job.timed("import"):
    import joblib
    import sklearn
    from sklearn.neural_network import MLPClassifier

import numpy as np

data = np.load(options.data)
x_train, x_test = (
    data[name].reshape(-1, 28 * 28).astype("float32") / 255 for name in ("x_train", "x_test")
)
model = MLPClassifier(
    hidden_layer_sizes=(HIDDEN, HIDDEN),
    batch_size=BATCH_SIZE,
    learning_rate_init=LEARNING_RATE,
    alpha=0,  # no weight decay, as in the other contenders
)

job.epoch_begins()
for _ in range(options.epochs):
    model.partial_fit(x_train, data["y_train"], classes=range(10))
    print(f"loss {model.loss_:.4f}")
    job.epoch_ends()

accuracy = model.score(x_test, data["y_test"])
joblib.dump(model, "model.joblib")
predictions = joblib.load("model.joblib").predict_proba(x_test)

job.finish(accuracy, predictions[0].argmax(), sklearn=sklearn.__version__)
