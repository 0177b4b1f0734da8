"""What looks wrong before training is said once, with a fix that ends it; what is well is not."""

import numpy
import numpy as np
import pytest

import fixes
import lamina
from lamina.core.messages.errors import LaminaWarning

# One batch: a short one at the end would be a second program to compile.
FIT = "model.fit(x, y, verbose=0, **size, **more)"


def net(*layers, loss="mse", inputs=(6,), optimizer="sgd", **arguments):
    model = lamina.Sequential([lamina.Input(inputs), *layers])
    model.compile(optimizer, loss, **arguments)
    return model


def dense(units, activation=None):
    return lamina.layers.Dense(units, activation=activation)


def names():
    """60 samples of 6 numbers, and one of 3 classes."""
    rng = np.random.default_rng(seed=7)
    return {
        "lamina": lamina,
        "numpy": numpy,
        "net": net,
        "dense": dense,
        "layers": lamina.layers,
        "x": rng.normal(size=(60, 6)).astype("float32"),
        "y": rng.permutation(60) % 3,
        "sparse": "sparse_categorical_crossentropy",
        "one_hot": "categorical_crossentropy",
        "binary": "binary_crossentropy",
        "losses": lamina.losses,
        "rng": rng,
        "size": {"batch_size": 60},
        "more": {},
        "images": rng.integers(0, 256, (60, 4, 4, 1)).astype("uint8"),
        "metrics": lamina.metrics,
    }


CLASSIFIER = "model = net(dense(4, 'relu'), dense(3, 'softmax'), loss=sparse)"
REGRESSOR = "model = net(dense(4, 'relu'), dense(1)); y = x @ numpy.arange(6.0)"
ON_IMAGES = "layers.Flatten(), dense(3, 'softmax'), loss=sparse, inputs=(4, 4, 1))"

SUSPICIOUS = {
    "columns in the thousands": (f"{CLASSIFIER}; x = x * 1000", "numbers as large as"),
    "one column of six in the thousands": (f"{CLASSIFIER}; x[:, 2] *= 1000", "numbers as large"),
    "pixels": (f"x = images; model = net({ON_IMAGES}", "x holds numbers as large as 255"),
    "pixels as floats": (f"x = images * 1.0; model = net({ON_IMAGES}", "as large as 255"),
    "pixels for a convolution": (
        f"x = images; model = net(layers.Conv2D(2, 2), {ON_IMAGES}",
        "as large as 255",
    ),
    "large numbers in a series": (
        "x = x[:, :, None] * 500; model = net(layers.LSTM(2), dense(1), inputs=(6, 1))",
        "numbers as large as",
    ),
    "prices under a sigmoid": (
        "model = net(dense(4, 'relu'), dense(1, 'sigmoid')); y = rng.uniform(78, 1464, 60)",
        "but the last layer of 'sequential' applies sigmoid, whose outputs are between 0 and 1",
    ),
    "standardised targets under a sigmoid": (
        "model = net(dense(1, 'sigmoid')); y = rng.normal(size=60)",
        "between 0 and 1",
    ),
    "targets beyond tanh": ("model = net(dense(1, 'tanh')); y = 4 * x[:, 0]", "between -1 and 1"),
    "negative targets under relu": (
        "model = net(dense(4), dense(1, 'relu'), loss='mae'); y = x[:, 0]",
        "outputs are 0 or more",
    ),
    "accuracy of a regression": (
        "model = net(dense(4, 'relu'), dense(1), metrics=['accuracy']); y = x[:, 0]",
        "counts how often the output, rounded to 0 or 1, is the target",
    ),
    "accuracy of counts": (
        "model = net(dense(1), loss='mae', metrics=['accuracy']); y = y * 4",
        "y holds other numbers, such as",
    ),
    "sorted data": (
        f"{CLASSIFIER}; y = numpy.sort(y); more = {{'validation_split': 0.34}}",
        "class 2 is 95% of them and 0% of the others",
    ),
    "sorted data, one-hot": (
        "model = net(dense(3, 'softmax'), loss=one_hot); y = numpy.eye(3)[numpy.sort(y)]; "
        "more = {'validation_split': 0.34}",
        "class 2 is 95% of them and 0% of the others",
    ),
    "sorted amounts": (
        "model = net(dense(1)); y = numpy.sort(x[:, 0]); more = {'validation_split': 0.34}",
        "the mean of y is ",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", SUSPICIOUS.values(), ids=SUSPICIOUS)
def test_what_looks_wrong_is_said_once_and_each_fix_ends_it(case):
    preparation, words = case
    scope = names()
    exec(preparation, scope)
    with pytest.warns(LaminaWarning) as caught:
        exec(f"{FIT}; {FIT}", scope)
    assert [warning.filename for warning in caught] == ["<string>"]
    message = str(caught[0].message)
    assert words in message
    for offered in fixes.printed_in(message):
        scope = names()
        exec(preparation, scope)
        fixes.apply(offered, scope)
        exec(FIT, scope)


@pytest.mark.parametrize(
    ("preparation", "words"),
    [
        (f"{CLASSIFIER}; y = y * 0", "All 60 labels are 0"),
        ("model = net(dense(1, 'sigmoid'), loss=binary); y = y * 0 + 1", "All 60 labels are 1"),
        (
            f"{CLASSIFIER}; more = {{'validation_data': (x[:9], y[:9])}}; "
            "x, y = x[y < 2], y[y < 2]",
            "of classes that the training data do not have: 2",
        ),
    ],
    ids=["one class", "one class of two", "a class only in the validation data"],
)
def test_missing_classes_are_said_once(preparation, words):
    scope = names()
    exec(preparation, scope)
    with pytest.warns(LaminaWarning, match=words) as caught:
        exec(f"{FIT}; {FIT}", scope)
    assert len(caught) == 1


def test_a_negative_learning_rate_is_said_once_and_the_fix_ends_it():
    scope = names()
    preparation = f"{REGRESSOR}; model.compile(lamina.optimizers.Adam(-0.01), 'mse')"
    exec(preparation, scope)
    with pytest.warns(LaminaWarning, match=r"increases the loss") as caught:
        exec(FIT, scope)
    (offered,) = fixes.printed_in(str(caught[0].message))
    fixes.apply(offered, scope)
    exec(FIT, scope)
    assert float(scope["model"].optimizer.learning_rate) == pytest.approx(0.01)


HEALTHY = {
    "targets in the hundreds": f"{REGRESSOR}; y = y * 10 + 300",
    "a linear model of degrees": "model = net(dense(1), inputs=(1,)); x = x[:, :1] * 30; y = x",
    "two linear layers": "model = net(dense(4), dense(1)); x = x * 30; y = x[:, 0]",
    "hours of the day": f"{CLASSIFIER}; x = rng.integers(0, 24, (60, 6))",
    "an outlier": f"{CLASSIFIER}; x[3, 3] = 4000",
    "scaling inside": f"x = images; model = net(layers.Rescaling(1 / 255), {ON_IMAGES}",
    "normalisation inside": "x = x * 1000; model = net(layers.Normalization(mean=0, variance=1e6), "
    "dense(4, 'relu'), dense(3, 'softmax'), loss=sparse)",
    "normalisation after the first layer": "x = images; model = net(layers.Conv2D(2, 2), "
    f"layers.BatchNormalization(), {ON_IMAGES}",
    "a Lambda that scales": "x = images; "
    f"model = net(layers.Lambda(lambda x: x / 255), {ON_IMAGES}",
    "words": "x = rng.integers(0, 5000, (60, 6)); model = net(layers.Embedding(5000, 2), "
    "layers.Flatten(), dense(3, 'softmax'), loss=sparse)",
    "sparse high counts": f"{CLASSIFIER}; x = x * 0; x[0, 0] = 300",
    "sparse high counts with an Embedding": "x = rng.integers(0, 2, (60, 6)) * 999; "
    "model = net(layers.Embedding(1000, 2), layers.Flatten(), dense(3, 'softmax'), loss=sparse)",
    "categories encoded inside": "x = rng.integers(0, 90, (60, 1)); model = net("
    "layers.CategoryEncoding(90, 'one_hot'), dense(3, 'softmax'), loss=sparse, inputs=(1,))",
    "fractions under a sigmoid": "model = net(dense(1, 'sigmoid')); y = rng.random(60)",
    "targets a little beyond": "model = net(dense(1, 'tanh')); y = numpy.clip(x[:, 0], -1.001, 1)",
    "noise below zero under relu": "model = net(dense(1, 'relu')); y = abs(x[:, 0]) * 100 - 0.1",
    "one-hot labels and squared errors": "model = net(dense(3, 'softmax'), metrics=['accuracy']); "
    "y = numpy.eye(3)[y]",
    "two classes and squared errors": "model = net(dense(1), metrics=['accuracy']); y = y % 2",
    "several numbers and accuracy": "model = net(dense(6), metrics=['accuracy']); y = x",
    "scaled after a sigmoid": "model = net(dense(1, 'sigmoid'), layers.Rescaling(1464)); "
    "y = rng.uniform(78, 1464, 60)",
    "a rare class": f"{CLASSIFIER}; y = y % 2; y[7] = 2; more = {{'validation_split': 0.2}}",
    "a rare class in the validation data alone": f"{CLASSIFIER}; y = y % 2; y[59] = 2; "
    "more = {'validation_split': 0.4}",
    "a validation without a class": f"{CLASSIFIER}; "
    "more = {'validation_data': (x[y < 2], y[y < 2])}",
    "a few samples of one class": f"{CLASSIFIER}; x, y = x[:4], y[:4] * 0",
    "nothing but zeros, to see whether it runs": f"{CLASSIFIER}; x, y = x * 0, y * 0",
    "soft labels": "model = net(dense(1, 'sigmoid'), loss=binary); y = y * 0 + 0.9",
    "unknown labels": "y = y * 0 - 1; y[0] = 1; model = net(dense(3, 'softmax'), "
    "loss=losses.SparseCategoricalCrossentropy(ignore_class=-1))",
    "a loss of one's own": "model = net(dense(1, 'sigmoid'), loss=lambda a, b: (a / 99 - b) ** 2); "
    "y = rng.uniform(0, 99, (60, 1))",
    "a stream of sorted batches": f"{CLASSIFIER}; x = [(x[:12], y[:12] * 0), (x, y)]; x = iter(x); "
    "y, size = None, {}",
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("preparation", HEALTHY.values(), ids=HEALTHY)
def test_what_only_looks_odd_is_trained_in_silence(preparation):
    scope = names()
    exec(preparation, scope)
    exec(FIT, scope)  # a warning would be an error
    assert np.isfinite(scope["model"].history.history["loss"]).all()


def test_targets_in_the_hundreds_do_train_well():
    scope = names()
    exec(f"{REGRESSOR}; model.compile('adam', 'mse'); y = y * 10 + 300", scope)
    exec("model.compile(lamina.optimizers.Adam(0.3), 'mse')", scope)
    exec("model.fit(x, y, epochs=60, verbose=0)", scope)
    losses = scope["model"].history.history["loss"]
    assert losses[-1] < losses[0] / 20


def test_a_step_of_ones_own_is_not_judged_by_the_compiled_loss():
    class Own(lamina.Sequential):
        def train_step(self, data):
            return {"loss": super().train_step(data)["loss"]}

    model = Own([lamina.Input((6,)), dense(1, "sigmoid")])
    model.compile("sgd", "mse")
    scope = names()
    model.fit(scope["x"], scope["x"][:, 0] * 100, verbose=0)
