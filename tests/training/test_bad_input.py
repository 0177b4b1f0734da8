"""Bad input: each is told what is wrong, why probably, and what to type, before the first step.

The cases are lines of code, as a user would type them; so are the fixes that the messages print,
and those are tried, too.
"""

import re
import traceback
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy
import numpy as np
import pandas
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning

RNG = np.random.default_rng(seed=7)
X = RNG.normal(size=(12, 4)).astype("float32")
Y = np.arange(12) % 3


def classifier(loss="sparse_categorical_crossentropy", activation="softmax", **arguments):
    """Input(4)-5-3."""
    layers = [lamina.layers.Dense(5, name="hidden"), lamina.layers.Dense(3, activation=activation)]
    return compiled([lamina.Input((4,), name="four"), *layers], loss, **arguments)


def regressor(units=1, loss="mse", **arguments):
    return compiled([lamina.Input((4,)), lamina.layers.Dense(units)], loss, **arguments)


def reader(channels=1):
    """A network for images of 6 × 6."""
    layers = [
        lamina.layers.Conv2D(2, 3),
        lamina.layers.Flatten(),
        lamina.layers.Dense(3, "softmax"),
    ]
    return compiled([lamina.Input((6, 6, channels)), *layers], "sparse_categorical_crossentropy")


def tokens():
    layers = [
        lamina.layers.Embedding(5, 2),
        lamina.layers.Flatten(),
        lamina.layers.Dense(3, "softmax"),
    ]
    return compiled([lamina.Input((2,)), *layers], "sparse_categorical_crossentropy")


def two_inputs():
    left, right = lamina.Input((4,), name="left"), lamina.Input((2,), name="right")
    joined = lamina.layers.Concatenate()([left, right])
    model = lamina.Model([left, right], lamina.layers.Dense(3, activation="softmax")(joined))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def compiled(layers, loss, optimizer="adam", **arguments):
    model = lamina.Sequential(layers, name="net")
    model.compile(optimizer, loss, **arguments)
    return model


class ByNumber:
    """What data sets of other libraries look like."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, index):
        return tuple(array[index] for array in self.arrays)


def with_nan(array, value=np.nan):
    broken = np.array(array, dtype="float32")
    broken.reshape(-1)[5] = value
    return broken


def names():
    """What a user's script has in it."""
    return {
        "lamina": lamina,
        "numpy": numpy,
        "x": X.copy(),
        "y": Y.copy(),
        "model": classifier(),
        "images": RNG.normal(size=(12, 6, 6)).astype("float32"),
        "with_nan": with_nan,
        "regressor": regressor,
        "reader": reader,
        "two_inputs": two_inputs,
        "tokens": tokens,
        "pandas": pandas,
        "by_number": ByNumber,
        "classifier": classifier,
        "compiled": compiled,
        "keep": np.arange(12) % 2 > 0,
        "Dense": lamina.layers.Dense,
        "layers": lamina.layers,
        "losses": lamina.losses,
    }


FIT = "model.fit(x, y, verbose=0)"


class Case(NamedTuple):
    """What leads to the error, what the message must say, and the fix, if it is a line of code.

    `printed` is what the message says of the fix, where it leaves something to the reader.
    """

    preparation: str
    expected: list[str]
    fix: str | None = None
    printed: str | None = None


WRONG_X = {
    "a function": Case("x, rows = lambda: rows, x", ["not its result"], "x = x()"),
    "a class": Case("x = lamina.utils.PyDataset", ["the class PyDataset itself"]),
    "samples by number beside labels": Case(
        "x = by_number(x, y)",
        ["returns one sample at a time"],
        "x, y = map(numpy.stack, zip(*(x[i] for i in range(len(x)))))",
    ),
    "a data set without batches": Case(
        "dataset = lamina.data.Dataset.from_tensor_slices((x, y)); x, y = dataset, None",
        ["The Dataset yields single samples instead of batches: x of shape (4,), y of shape ()"],
        "dataset = dataset.batch(32); x = dataset",
        "dataset = dataset.batch(32)",
    ),
    "a generator of single samples": Case(
        "x, y = zip(x, y[:, None]), None", ["The zip yields single samples", "y of shape (1,)"]
    ),
    "a path": Case("x = 'data.csv'", ["the name of a file", "x = pandas.read_csv(x)"]),
    "a set": Case("x = {1, 2}", ["a set, whose items have no order"]),
    "samples one by one": Case(
        "x = map(list, x)", ["which yields batches"], "x = numpy.array(list(x))"
    ),
    "pairs": Case(
        "x, y = list(zip(x, y)), None",
        ["x is a list of 12 pairs"],
        "x, y = map(numpy.stack, zip(*x))",
    ),
    "x and y in one argument": Case(
        "model = compiled([Dense(3, 'softmax')], model.loss); x, y = (x, y), None",
        ["x and y in one argument", "model.fit(*x)"],
    ),
    "masked values": Case(
        "x = numpy.ma.masked_array(x, x == x[1, 2])",
        ["x has 1 masked value, the first at index [1, 2]"],
        "x = x.filled(0)",
    ),
    "records": Case(
        "x = numpy.array([(1, 2, 3, 4)] * 12, [(c, 'f4') for c in 'abcd'])",
        ["record array with the fields 'a', 'b', 'c', 'd'"],
        "x = numpy.stack([x[name] for name in x.dtype.names], axis=-1)",
    ),
    "durations": Case(
        "x = numpy.ones((12, 4), 'timedelta64[D]')",
        ["x holds dates or times"],
        "x = x.astype('timedelta64[s]').astype('float32')",
    ),
    "words among numbers": Case(
        "x = numpy.array([[1, 'red'], [2, 'blue']] * 6, object); "
        "model = compiled([Dense(3, 'softmax')], model.loss)",
        ["for example 'red'", "columns of words"],
        "x = pandas.get_dummies(pandas.DataFrame(x).infer_objects())",
    ),
    "a column of arrays of several lengths": Case(
        "x = pandas.Series([x[0], x[1, :3], *x[2:]])",
        ["x is a list whose rows differ in length"],
    ),
    "no columns": Case("x = x[:, :0]; model = compiled([Dense(3)], 'mse')", ["hold no numbers"]),
    "too few columns": Case(
        "x = x[:, :3]",
        ["takes arrays of shape (samples, 4)", "x of shape (12, 3)"],
        "model = compiled([lamina.Input((3,)), Dense(3, 'softmax')], model.loss)",
        "lamina.Input((3,))",
    ),
    "axes too many": Case(
        "x = x[:, :, None, None]", ["x of shape (12, 4, 1, 1)"], "x = x.reshape(-1, 4)"
    ),
    "images for a flat model": Case(
        "x = x.reshape(-1, 2, 2)",
        ["x of shape (12, 2, 2)", "the same numbers in another shape"],
        "x = x.reshape(-1, 4)",
    ),
    "one sample": Case("x, y = x[0], y[:1]", ["(4,)", "batch axis"], "x = x[None]"),
    "one sample that looks like four": Case(
        "x, y = x[0], y[:4]", ["one sample, without its batch axis"]
    ),
    "one sample as a list": Case("x, y = [1, 2, 3, 4], y[:4]", ["one sample, without its batch"]),
    "no channel axis": Case(
        "model = reader(channels=3); x = images",
        ["(samples, 6, 6, 3)", "x of shape (12, 6, 6)", "without their channel axis"],
        "x = numpy.repeat(x[..., None], 3, axis=-1)",
    ),
    "channels first": Case(
        "model = reader(channels=3); x = numpy.repeat(images[:, None], 3, axis=1)",
        ["(12, 3, 6, 6)", "the channels come first"],
        "x = numpy.moveaxis(x, 1, -1)",
    ),
    "images of another size": Case("model = reader(); x = images[:, :5]", ["(12, 5, 6)"]),
    "text": Case("x = x.astype(str)", ["x holds text", "numbers"]),
    "objects": Case("x = numpy.array([[object()] * 4] * 12)", ["x holds text or objects"]),
    "dates": Case(
        "x = numpy.zeros((12, 4), 'datetime64[s]')",
        ["x holds dates"],
        "x = x.astype('datetime64[D]').astype('float32')",
    ),
    "complex numbers": Case(
        "x = x * 1j", ["x holds complex numbers", "float32"], "x = numpy.abs(x)"
    ),
    "NaN": Case(
        "x = with_nan(x)",
        ["x holds 1 number", "nan", "x[1, 1]"],
        "x = numpy.nan_to_num(x, posinf=0, neginf=0)",
    ),
    "infinity": Case(
        "x = with_nan(x, -numpy.inf)",
        ["-inf", "x[1, 1]"],
        "x = numpy.nan_to_num(x, posinf=0, neginf=0)",
    ),
    "nothing": Case("x, y = x[:0], y[:0]", ["x is empty: it has 0 samples"]),
    "an empty list": Case("x, y = [], []", ["x is empty"]),
    "None": Case("x = None", ["x is None"]),
    "a number": Case("x = 3", ["x is a single number"]),
    "a dict of numbers": Case(
        "x, y = x[:1], {'a': 1.0, 'b': 2.0}", ["y['a'] is a single number", "every part of y"]
    ),
    "nothing beside the array": Case(
        "x = [None, x]", ["x holds 2 arrays of shape None and"], "x = x[1]"
    ),
    "a dict with the labels in it": Case(
        "x, y = {'x': x, 'label': y}, None",
        ["x is a dict of 'x', 'label'", "batches of (batch['x'], batch['label'])"],
        "x, y = x['x'], x['label']",
        "fit(x['x'], x['label'])",
    ),
    "fewer than labels": Case("x = x[:8]", ["(8, 4)", "(12,)"]),
    "rows of different lengths": Case(
        "x = [[1, 2, 3, 4], [5, 6]] * 6",
        ["rows differ in length"],
        "x = [row[:min(map(len, x))] for row in x]; model = compiled([Dense(2)], 'mse'); y = x",
        "x = [row[:min(map(len, x))] for row in x]",
    ),
    "two arrays for one input": Case(
        "x = [x, x]", ["takes 1 input ('four'), and x holds 2 arrays"], "x = x[0]"
    ),
    "a dict for one input": Case("x = {'a': x}", ["x is a dict of 'a'"], "x = x['a']"),
    "one array for two inputs": Case(
        "model = two_inputs()",
        ["takes 2 inputs ('left', 'right'), and x holds 1 array"],
        "x = [x, x[:, :2]]",
        "pass x as a list of the inputs",
    ),
    "inputs in the wrong order": Case(
        "model = two_inputs(); x = [x[:, :2], x]", ["as its input 'left'", "x[0] of shape (12, 2)"]
    ),
}
WRONG_Y = {
    "too high": Case(
        "y = y + 5",
        ["labels run from 5 to 7", "3 classes, numbered 0 to 2"],
        "y = numpy.unique(y, return_inverse=True)[1]",
    ),
    "more than outputs": Case(
        "y = numpy.arange(12)",
        ["0 to 11"],
        "model = compiled([Dense(12, 'softmax')], model.loss)",
        "Dense(12, activation='softmax') as the last layer",
    ),
    "negative": Case(
        "y = y - 1", ["labels run from -1 to 1"], "y = numpy.unique(y, return_inverse=True)[1]"
    ),
    "starting at 1": Case("y = y + 1", ["labels that start at 1"], "y = y - 1"),
    "starting at 1, with a loss object": Case(
        "y = y + 1; model = classifier(losses.SparseCategoricalCrossentropy())",
        ["labels that start at 1"],
        "y = y - 1",
    ),
    "fractions": Case("y = y + 0.5", ["fractions such as 0.5", "regression"]),
    "text": Case(
        "y = numpy.array(['cat', 'dog', 'eel'])[y]",
        ["y holds text", "'cat'"],
        "names, y = numpy.unique(y, return_inverse=True)",
    ),
    "one-hot for sparse": Case(
        "y = numpy.eye(3)[y]",
        ["(12, 3)", "one-hot"],
        "y = y.argmax(axis=-1)",
        "integers: y.argmax(axis=-1)",
    ),
    "class indices for one-hot": Case(
        "model = classifier('categorical_crossentropy')",
        ["one-hot labels of shape (samples, 3)", "labels of shape (12,)"],
        "y = lamina.utils.to_categorical(y, 3)",
    ),
    "one-hot of another width": Case(
        "model = classifier('categorical_crossentropy'); y = numpy.eye(5)[y]",
        ["(12, 5)"],
        "model = compiled([Dense(5, 'softmax')], model.loss)",
        "Dense(5, activation='softmax') as the last layer",
    ),
    "-1 and 1 for binary": Case(
        "model = regressor(loss=losses.BinaryCrossentropy(from_logits=True)); y = keep * 2 - 1",
        ["labels between 0 and 1 and received -1 to 1"],
        "y = y > -1",
    ),
    "many targets for one output": Case(
        "model = regressor(); y = numpy.zeros((12, 3))",
        ["y_true of shape (12, 3), y_pred of shape (12, 1)"],
        "model = regressor(3)",
        "end the model with Dense(3)",
    ),
    "one target for many outputs": Case(
        "model = regressor(3)",
        ["y_true of shape (12,), y_pred of shape (12, 3)"],
        "model = regressor(1)",
        "end the model with Dense(1)",
    ),
    "infinity": Case(
        "model = regressor(); y = with_nan(y, -numpy.inf)",
        ["y holds 1 number", "-inf"],
        "keep = numpy.isfinite(y); x, y = x[keep], y[keep]",
        "x, y = numpy.asarray(x)[keep], numpy.asarray(y)[keep]",
    ),
    "beyond 32 bits": Case(
        "model = regressor(); y = y + 2**40", ["beyond the 32 bits"], "y = y.astype('float32')"
    ),
    "masked values": Case(
        "y = numpy.ma.masked_array(y, y == 2)",
        ["y has 4 masked values, the first at index [2]"],
        "keep = ~numpy.ma.getmaskarray(y).reshape(len(y), -1).any(axis=1); x, y = x[keep], y[keep]",
        "keep = ~numpy.ma.getmaskarray(y).reshape(len(y), -1).any(axis=1)",
    ),
    "an iterator": Case("y = map(int, y)", ["y is a map"], "y = numpy.array(list(y))"),
    "numbers as text": Case(
        "y = y.astype(str)", ["read from a file as text"], "y = numpy.asarray(y, 'int32')"
    ),
    "words and numbers": Case(
        "y = numpy.array([1, 'a', 'b'] * 4, object)",
        ["y holds text", "'a'"],
        "names, y = numpy.unique(numpy.asarray(y, str), return_inverse=True)",
    ),
    "none": Case("y = None", ["sparse_categorical_crossentropy", "y is None"]),
    "fewer than samples": Case("y = y[:8]", ["(12, 4)", "(8,)", "one row per sample"]),
    "a metric for other labels": Case(
        "model = classifier(metrics=['categorical_accuracy'])",
        ["y_true of shape (12,), y_pred of shape (12, 3)"],
        "model = classifier(metrics=['sparse_categorical_accuracy'])",
        "use 'sparse_categorical_accuracy'",
    ),
}
WRONG_ARGUMENT = {
    "batch_size=0": ["batch_size", "at least 1", "received 0"],
    "batch_size=2.5": ["batch_size", "integer", "received 2.5"],
    "epochs=-1": ["epochs", "at least 0", "received -1"],
    "epochs='many'": ["epochs", "received 'many'"],
    "steps_per_epoch=0": ["steps_per_epoch", "at least 1"],
    "validation_split=1.5": ["validation_split", "between 0 and 1", "received 1.5"],
    "validation_split=-1": ["validation_split", "received -1"],
    "validation_split='a'": ["validation_split", "received 'a'"],
    "validation_split=0.99": ["validation_split=0.99 of 12 samples", "0 to train on and 12"],
    "validation_data=x": ["validation_data: model 'net'", "y is None"],
    "validation_data=(x, y + 5)": ["validation_data: the labels run from 5 to 7"],
    "validation_data=(x[:, :2], y)": ["validation_data: model 'net'", "x of shape (12, 2)"],
    "validation_data=(with_nan(x), y)": ["validation_data: x holds 1 number"],
    "validation_data=(x, numpy.eye(3)[y])": ["y_true of shape (12, 3)"],
    "validation_data=(x, y), validation_freq=0": ["validation_freq", "received 0"],
    "sample_weight=numpy.ones(5)": ["sample_weight of shape (5,)"],
    "sample_weight=numpy.ones((12, 4))": ["sample_weight of shape (12, 4)"],
    "sample_weight=with_nan(y)": ["sample_weight holds 1 number"],
    "sample_weight=y, class_weight={0: 1.0}": ["either class_weight or sample_weight"],
    "class_weight={'cat': 1.0}": ["class indices", "received the key 'cat'"],
    "class_weight={-1: 1.0}": ["received the key -1"],
    "class_weight={0: 1.0, 3: 1.0}": ["a weight for class 3", "3 classes, numbered 0 to 2"],
    "class_weight={0: 'much'}": ["class 0 the weight 'much'"],
    "class_weight={0: -1.0}": ["class 0 the weight -1.0"],
    "class_weight=[1.0, 2.0, 3.0]": ["class_weight = dict(enumerate(class_weight))"],
    "class_weight='balance'": ["received 'balance'"],
    "shuffle='yes'": ["shuffle must be True, False or 'batch'; received 'yes'"],
    "verbose='loud'": ["verbose", "received 'loud'"],
    "callbacks=['early']": ["callbacks", "received 'early'"],
    "callbacks=[lamina.callbacks.EarlyStopping]": ["EarlyStopping", "not an object of it"],
    "epoch=3": ["fit() has no argument 'epoch'", "Did you mean 'epochs'?"],
    "validation_date=(x, y)": ["Did you mean 'validation_data'?"],
}
MISSPELT = {
    "lamina.layers.Dens": "Dense",
    "lamina.optimizers.Adamm": "Adam",
    "lamina.losses.MeanSquareError": "MeanSquaredError",
    "lamina.metrics.Acuracy": "Accuracy",
    "lamina.callbacks.EarlyStoping": "EarlyStopping",
    "lamina.models.Sequental": "Sequential",
    "lamina.datasets.mnits": "mnist",
    "lamina.utils.to_categoricl": "to_categorical",
    "lamina.saving.load_modl": "load_model",
    "lamina.activations.rleu": "relu",
    "lamina.Sequental": "Sequential",
    "model.compile('adm', 'mse')": "Adam",
    "model.compile('adam', 'sparse_categorical_crossentrpy')": "sparse_categorical_crossentropy",
    "model.compile('adam', 'mse', metrics=['acuracy'])": "accuracy",
    "model.compile('adam', 'mse', metrcs=['accuracy'])": "metrics",
    "Dense(10, activaton='relu')": "activation",
    "Dense(10, activation='rleu')": "relu",
    "Dense(10, kernel_initializer='glorot_unifrm')": "glorot_uniform",
    "lamina.optimizers.Adam(learning_rte=0.1)": "learning_rate",
    "lamina.losses.Huber(delt=1.0)": "delta",
    "lamina.callbacks.EarlyStopping(pateince=3)": "patience",
    "model.evaluate(x, y, batchsize=4)": "batch_size",
    "model.get_layer('hiden')": "hidden",
}
WRONG_LINE = {
    "Dense(-1)": ["Dense", "units", "received -1"],
    "Dense('10')": ["Dense", "units", "received '10'"],
    "layers.Dropout(1.5)": ["Dropout", "rate", "received 1.5"],
    "layers.Dense(3)(numpy.zeros(4))": ["Dense 'dense", "(4,)", "x[None]"],
    "model(x[:, :2])": ["'net'", "(12, 2)"],
    "lamina.Sequential([layers.Dense])": ["the class itself", "lamina.layers.Dense(units=128)"],
    "lamina.Sequential([]).predict(x)": ["has no layers", "model.add("],
    "model.predict(x[:, :3])": ["x of shape (12, 3)"],
    "model.predict(None)": ["x is None"],
    "model.predict(x[:0])": ["x is empty"],
    "model.predict(x.astype(str))": ["x holds text"],
    "reader().predict(images[0])": ["(6, 6)", "its channel axis", "x = x[None, ..., None]"],
    "model.evaluate(x, y + 9)": ["labels run from 9 to 11"],
    "model.train_on_batch(x, y[:3])": ["(12, 4)", "(3,)"],
    "model.train_on_batch(x, y, class_weight={9: 1.0})": ["a weight for class 9"],
    "lamina.Sequential([Dense(2)]).fit(x, y)": ["must be compiled before fit()", "model.compile("],
    "lamina.Sequential([Dense(2)]).evaluate(x, y)": ["must be compiled before evaluate()"],
    "classifier(loss=None).fit(x, y)": ["no loss to minimise"],
    "model.predict_classes(x)": ["no predict_classes any more", "argmax(axis=-1)"],
    "model.nothing": ["has no attribute 'nothing'"],
    "lamina.Sequential([Dense(2)]).output": ["has no output yet"],
    "lamina.Sequential(Dense(2), Dense(3))": ["one list of layers"],
    "model.fit(list(x), y)": ["a list of 12 arrays", "numpy.stack(x)"],
    "tokens().fit(numpy.full((12, 2), 5), y)": ["the number 5", "rows for 0 to 4", "input_dim=6"],
    "tokens().fit(x[:, :2] * 0, y, validation_data=(x[:, :2] * 0 + 7, y))": ["validation_data: x"],
    "regressor(loss=lambda a, b: (numpy.array(a) - b) ** 2).fit(x, x[:, :1])": ["lamina.ops"],
    "regressor(metrics=[lambda a, b: 1 if b[0, 0] > 0 else 0]).fit(x, x[:, :1])": ["ops.where"],
}  # fmt: skip


def message_of(line, scope, *, harmless=True):
    """What the user reads when a line fails; the weights of his model are as they were."""
    before = scope["model"].get_weights()
    with pytest.raises((ValueError, TypeError, AttributeError, RuntimeError)) as caught:
        exec(line, scope)
    assert_plain(caught.value)
    if harmless:
        for a, b in zip(scope["model"].get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def assert_plain(error):
    shown = "".join(traceback.format_exception(error))
    assert "JAX has removed its internal frames" not in shown
    assert not re.search(r"site-packages/jax(lib)?/", shown), shown
    text = "".join(traceback.format_exception_only(error))
    assert len(text.splitlines()) <= 12, text


@pytest.mark.parametrize("case", WRONG_X.values(), ids=WRONG_X)
def test_wrong_inputs_are_explained_before_the_first_step(case):
    assert_explained(case)


@pytest.mark.parametrize("case", WRONG_Y.values(), ids=WRONG_Y)
def test_wrong_targets_are_explained_before_the_first_step(case):
    assert_explained(case)


def assert_explained(case):
    scope = names()
    exec(case.preparation, scope)
    message = message_of(FIT, scope)
    for words in case.expected:
        assert words in message
    if case.fix is not None:
        assert (case.printed or case.fix) in message
        exec(case.fix, scope)
        exec(FIT, scope)


@pytest.mark.parametrize(
    ("loss", "swapped"),
    [
        ("sparse_categorical_crossentropy", "x, y = y, images"),
        ("categorical_crossentropy", "x, y = numpy.eye(3)[y], images"),
    ],
)
def test_x_and_y_that_changed_places_are_told_from_a_wrong_output_layer(loss, swapped):
    scope = names()
    make = f"model = compiled([layers.Flatten(), Dense(3, 'softmax')], {loss!r})"
    exec(f"{make}; {swapped}", scope)
    message = message_of(FIT, scope, harmless=False)
    assert "x and y seem to be swapped: model 'net' ends in 3 outputs" in message
    assert "Fix: x, y = y, x, with the model created again." in message
    exec(f"{make}; x, y = y, x; {FIT}", scope)


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", "longdouble"])
def test_numbers_of_any_size_and_byte_order_are_taken_as_they_are(dtype):
    model = regressor()
    rows = np.arange(48).reshape(12, 4)
    expected = model.predict(rows.astype("float32"), verbose=0)
    np.testing.assert_array_equal(model.predict(rows.astype(dtype), verbose=0), expected)


@pytest.mark.parametrize(
    "line",
    [
        "layers.Dense(1)(masked)",
        "layers.Normalization().adapt(masked)",
        "layers.Normalization().adapt([masked])",
        "layers.Discretization(num_bins=2).adapt(masked)",
        "lamina.data.Dataset.from_tensor_slices((masked, masked))",
        "model.predict(masked)",
        "model.evaluate(x, masked)",
        "model.train_on_batch(masked, y)",
    ],
)
def test_what_is_behind_a_mask_is_never_taken_for_a_number(line):
    scope = names()
    scope["masked"] = np.ma.masked_array(X, X == X[1, 2])
    message = message_of(line, scope)
    assert "1 masked value, the first at index [1, 2]" in message


def test_a_source_that_does_not_call_super_has_the_usual_workers():
    class Own(lamina.utils.PyDataset):
        def __init__(self, x):
            self.x = x

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return self.x

    assert regressor().predict(Own(X), verbose=0).shape == (24, 1)


def test_a_masked_array_without_masked_values_is_an_array():
    model = regressor()
    masked = np.ma.masked_array(X, np.zeros_like(X, bool))
    np.testing.assert_array_equal(model.predict(masked, verbose=0), model.predict(X, verbose=0))


def test_a_warning_from_inside_a_step_points_at_the_line_of_the_user():
    model = regressor(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, X[:, :1], verbose=0)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_warning_from_a_thread_that_reads_ahead_points_at_the_line_of_the_user():
    model = regressor()
    once = iter([(X, X[:, :1])])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, X[:, :1], epochs=2, validation_data=once, validation_steps=1, verbose=0)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("argument", WRONG_ARGUMENT)
def test_a_wrong_argument_of_fit_is_explained_before_the_first_step(argument):
    silent = "" if argument.startswith("verbose") else "verbose=0, "
    message = message_of(f"model.fit(x, y, {silent}{argument})", names())
    for words in WRONG_ARGUMENT[argument]:
        assert words in message


@pytest.mark.parametrize("line", MISSPELT)
def test_a_misspelt_name_is_answered_with_the_nearest_and_that_one_works(line):
    scope = names()
    message = message_of(line, scope)
    meant = MISSPELT[line]
    assert f"Did you mean {meant!r}?" in message
    wrong = re.findall(r"'([\w.]+)'", message.partition(" Did you mean")[0])[-1]
    exec(line.replace(wrong, meant), scope)


@pytest.mark.parametrize("line", WRONG_LINE)
def test_a_wrong_line_is_explained(line):
    message = message_of(line, names())
    for words in WRONG_LINE[line]:
        assert words in message


# -- lines to type that need more than a name ------------------------------------------------------


@pytest.mark.parametrize("given", ["'balance'", "[1.0, 2.0, 3.0]"])
def test_class_weights_in_another_form_can_be_turned_into_the_right_one(given):
    scope = {**names(), "class_weight": eval(given)}
    message = message_of("model.fit(x, y, class_weight=class_weight, verbose=0)", scope)
    exec(re.search(r"Fix: (class_weight = .*)\.$", message, re.MULTILINE)[1], scope)
    exec("model.fit(x, y, class_weight=class_weight, verbose=0)", scope)


def test_a_softmax_output_with_a_loss_of_logits_is_refused_and_the_fix_works():
    scope = names()
    scope["model"] = classifier(lamina.losses.SparseCategoricalCrossentropy(from_logits=True))
    message = message_of(FIT, scope)
    assert "sparse_categorical_crossentropy was made with from_logits=True" in message
    assert "already applies softmax" in message
    loss = re.search(r"Fix: (loss='\w+')", message)[1]
    exec(f"model.compile('adam', {loss}); {FIT}", scope)


def test_logits_with_a_loss_of_probabilities_are_pointed_out_once():
    model = classifier(activation=None)
    with pytest.warns(LaminaWarning, match="expects probabilities"):
        model.fit(X, Y, verbose=0)
    model.fit(X, Y, verbose=0)  # no further warning


def test_fit_before_compile_can_be_mended_with_the_line_that_is_printed():
    scope = {
        **names(),
        "model": lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3, "softmax")]),
    }
    message = message_of(FIT, scope)
    exec(re.search(r"Fix: (model\.compile\(.*?\]\))", message)[1], scope)
    exec(FIT, scope)


# -- numbers that are n and not n × n --------------------------------------------------------------


@pytest.mark.parametrize("shapes", [((8,), (8, 1)), ((8, 1), (8, 1)), ((8, 1), (8,))], ids=str)
@pytest.mark.parametrize("loss", ["mse", "mae", "binary_crossentropy", "huber"])
def test_a_row_of_targets_and_a_column_of_outputs_are_the_same_numbers_as_in_keras(
    shapes, loss, rng
):
    y_shape, output_shape = shapes
    x = rng.normal(size=(8, 4)).astype("float32")
    y = (rng.random(8) > 0.5).astype("float32").reshape(y_shape)

    def of(k):
        layers = [k.Input((4,)), k.layers.Dense(1, activation="sigmoid")]
        model = k.Sequential([*layers, k.layers.Reshape(output_shape[1:])])
        model.compile("sgd", loss)
        return model

    ours, theirs = of(lamina), of(keras)
    ours.set_weights(theirs.get_weights())
    p = ours.predict(x, verbose=0).reshape(-1)
    expected = {
        "mse": np.mean((p - y.reshape(-1)) ** 2),
        "mae": np.mean(np.abs(p - y.reshape(-1))),
        "binary_crossentropy": -np.mean(np.log(np.where(y.reshape(-1) > 0.5, p, 1 - p))),
        "huber": np.mean((p - y.reshape(-1)) ** 2) / 2,
    }[loss]
    assert ours.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(ours.train_on_batch(x, y), theirs.train_on_batch(x, y), rtol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


# -- streams ---------------------------------------------------------------------------------------


def batches(*pairs, end=None):
    yield from pairs
    if end is not None:
        raise end


GOOD = (X[:4], Y[:4])


def test_a_generator_that_ends_at_once_is_explained():
    scope = {**names(), "source": batches()}
    assert "generator yielded no batch" in message_of("model.fit(source, verbose=0)", scope)


def test_a_generator_that_raises_keeps_its_error_and_says_in_which_batch():
    model = classifier()
    with pytest.raises(OSError, match="disk on fire") as caught:
        model.fit(batches(GOOD, GOOD, end=OSError("disk on fire")), verbose=0)
    assert_plain(caught.value)
    assert "In batch 2 (from 0) of the generator" in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((X[:4, :3], Y[:4]), "x of shape (4, 3)"),
        ((X[:4], Y[:4] + 7), "labels run from 7 to 9"),
        ((with_nan(X[:4]), Y[:4]), "x holds 1 number"),
        ((X[:4], Y[:3]), "(4, 4) and y of shape (3,)"),
        ((X[:4], Y[:4], np.full(4, np.nan)), "sample_weight holds 4 numbers"),
        ((1, 2, 3, 4), "received a tuple of 4"),
    ],
    ids=["shape", "labels", "NaN", "lengths", "weights", "four things"],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_bad_batch_of_a_generator_is_explained(bad, words, place):
    good = (*GOOD, np.ones(4)) if len(bad) == 3 else GOOD
    source = [good] * place + [bad]
    scope = {**names(), "source": batches(*source)}
    message = message_of("model.fit(source, verbose=0)", scope, harmless=place == 0)
    assert words in message
    if place:
        assert "In batch 2 (from 0) of the generator" in message


def test_targets_beside_a_generator_are_refused():
    scope = {**names(), "source": batches(GOOD)}
    message = message_of("model.fit(source, y, verbose=0)", scope)
    assert "y must be left out" in message


# -- a loss that stops being a number --------------------------------------------------------------


@pytest.mark.parametrize("eager", [False, True])
def test_a_learning_rate_far_too_high_is_found_with_its_step(eager):
    model = regressor(optimizer=lamina.optimizers.SGD(1e20), run_eagerly=eager)
    with pytest.raises(FloatingPointError) as caught:
        model.fit(X * 100, Y * 100.0, batch_size=4, epochs=20, verbose=0, shuffle=False)
    message = str(caught.value)
    found = re.search(r"at step (\d+) of epoch (\d+)", message)
    assert 1 < int(found[1]) <= 3
    assert int(found[2]) == 1
    assert "learning rate is 1e+20" in message
    assert "Likely cause" in message
    assert "clipnorm=1.0" in message
    assert_plain(caught.value)


def test_a_loss_of_ones_own_may_know_what_nan_means():
    def masked(y_true, y_pred):
        known = ~jnp.isnan(y_true)
        return jnp.mean(jnp.where(known, y_true - y_pred, 0.0) ** 2, axis=-1)

    model = regressor(loss=masked)
    model.fit(X, with_nan(Y)[:, None], verbose=0)


# -- one sample ------------------------------------------------------------------------------------


def test_one_sample_is_predicted_as_a_batch_of_one_and_that_is_said_once():
    model = classifier()
    with pytest.warns(LaminaWarning, match=r"one sample.*\n.*predict\(x\[None\]\)") as caught:
        one = model.predict(X[0], verbose=0)
    assert [warning.filename for warning in caught] == [__file__]
    assert one.shape == (1, 3)
    np.testing.assert_allclose(one, model.predict(X[:1], verbose=0), rtol=1e-6)
    again = model.predict(X[0], verbose=0)  # no further warning
    np.testing.assert_array_equal(again, one)


def test_one_image_is_predicted_as_a_batch_of_one():
    model = reader()
    images = RNG.normal(size=(2, 6, 6, 1)).astype("float32")
    with pytest.warns(LaminaWarning, match="one sample"):
        one = model.predict(images[0], verbose=0)
    np.testing.assert_allclose(one, model.predict(images[:1], verbose=0), rtol=1e-6)


# -- errors of a user's own layers -----------------------------------------------------------------


class Broken(lamina.layers.Layer):
    def call(self, x):
        return jnp.matmul(x, jnp.ones((9, 2)))


@pytest.mark.parametrize("line", ["model.fit(x, y, verbose=0)", "model.predict(x)", "model(x)"])
def test_an_error_inside_a_users_layer_shows_his_line_and_no_frame_of_jax(line):
    scope = names()
    scope["model"] = lamina.Sequential([Broken(name="mine")])
    scope["model"].compile("sgd", "mse")
    with pytest.raises(TypeError) as caught:
        exec(line, scope)
    assert_plain(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert "return jnp.matmul(x, jnp.ones((9, 2)))" in shown
    assert "In Broken 'mine', called on shape" in shown


def test_jax_shows_its_frames_when_it_is_asked_to():
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    try:
        with pytest.raises(TypeError) as caught:
            Broken()(X)
    finally:
        jax.config.update("jax_traceback_filtering", before)
    assert re.search(r"site-packages/jax/", "".join(traceback.format_exception(caught.value)))


class OfLength(lamina.utils.PyDataset):
    def __init__(self, length):
        super().__init__()
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return np.ones((2, 3)), np.ones((2, 1))


def plain(outputs=1):
    i = lamina.Input((3,))
    names = "abc"[:outputs]
    model = lamina.Model(i, [lamina.layers.Dense(1, name=name)(i) for name in names])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("length", [2.0, 2.5, None, -1, "a"])
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_a_py_dataset_whose_length_is_no_count_is_told_so(length, call):
    with pytest.raises(TypeError, match=re.escape(f"it returned {length!r}")):
        getattr(plain(), call)(OfLength(length), verbose=0)


def test_a_dict_of_inputs_and_targets_from_a_generator_is_refused_by_predict_too():
    batch = {"x": np.ones((2, 3)), "y": np.ones((2, 1))}
    with pytest.raises(ValueError, match=r"batches of \(batch\['x'\], batch\['y'\]\)"):
        plain().predict(iter([batch]))


ROWS, TARGETS = np.ones((4, 3)), np.ones((4, 1))
WRONG_VALIDATION_DATA = {
    "parts": (ROWS, [TARGETS, TARGETS, TARGETS]),
    "names": (ROWS, {"c": TARGETS}),
    "lengths": (ROWS, [TARGETS[:2], TARGETS[:2]]),
    "text": (ROWS, [np.array(["a"] * 4)] * 2),
    "columns": (ROWS[:, :2], [TARGETS, TARGETS]),
    "no rows": (ROWS[:0], [TARGETS[:0], TARGETS[:0]]),
    "three of two inputs": ([ROWS, ROWS, ROWS], [TARGETS, TARGETS]),
}


@pytest.mark.parametrize("data", WRONG_VALIDATION_DATA.values(), ids=WRONG_VALIDATION_DATA)
def test_an_error_about_validation_data_begins_with_that(data):
    with pytest.raises((ValueError, TypeError), match="^validation_data: "):
        plain(2).fit(ROWS, [TARGETS, TARGETS], validation_data=data, verbose=0)


def test_an_error_of_a_users_own_source_of_validation_data_stays_as_it_is():
    def source():
        raise ValueError("no camera")
        yield

    with pytest.raises(ValueError, match="^no camera$"):
        plain().fit(ROWS, TARGETS, validation_data=source(), validation_steps=1, verbose=0)


@pytest.mark.parametrize("pair", [tuple, list])
def test_x_and_y_in_one_argument_are_told_apart_by_a_model_that_knows_its_input(blobs, pair):
    with pytest.raises(ValueError, match="x and y in one argument") as caught:
        classifier().fit(pair(blobs), verbose=0)
    assert "Fix: model.fit(*x)." in str(caught.value)


@pytest.mark.parametrize(
    ("x", "words"),
    [("table.csv", "x is text or a path"), (["a", "b"], "x holds text or objects")],
)
def test_predict_says_that_text_is_no_data(x, words):
    with pytest.raises(TypeError, match=words):
        classifier().predict(x)


def test_targets_of_one_column_for_several_outputs_are_said_once_a_measure(blobs):
    x, y = blobs  # 100 rows: batches of 32 and of 4
    model = classifier(loss="mse", metrics=["mae"])
    with pytest.warns(lamina.LaminaWarning) as said:
        model.fit(x, y[:, None].astype("float32"), verbose=0)
    words = {str(w.message) for w in said if "compares each" in str(w.message)}
    assert len(words) == 2
    assert all("(samples, 1)" in text for text in words)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -1}, "batch_size"),
        ({"batch_size": "a"}, "batch_size"),
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
    ],
)
def test_predict_and_evaluate_refuse_impossible_sizes(blobs, wrong, name):
    model = classifier()
    for call in (lambda: model.predict(blobs[0], **wrong), lambda: model.evaluate(*blobs, **wrong)):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1"):
            call()


def test_sizes_of_batches_that_no_one_can_take_are_refused_by_fit(blobs):
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1"):
        classifier().fit(*blobs, batch_size=-1)
    with pytest.raises(ValueError, match="validation_data: batch_size must be an integer"):
        classifier().fit(*blobs, validation_data=blobs, validation_batch_size=0)
