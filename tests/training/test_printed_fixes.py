"""What a message says to type is typed, and then the line runs that failed."""

import numpy
import numpy as np
import pytest

import fixes
import lamina
from lamina.core.messages.errors import LaminaWarning

RNG = np.random.default_rng(seed=7)
FIT = "model.fit(x, y, verbose=0)"


def net(last, loss="mse", inputs=(6,), optimizer="sgd", **arguments):
    """Input, last layer."""
    layers = last if isinstance(last, list) else [last]
    model = lamina.Sequential([lamina.Input(inputs), *layers])
    model.compile(optimizer, loss, **arguments)
    return model


def dense(units, activation=None):
    return lamina.layers.Dense(units, activation=activation)


def names():
    """24 samples of 6 numbers and one of 3 classes."""
    return {
        "lamina": lamina,
        "numpy": numpy,
        "net": net,
        "dense": dense,
        "layers": lamina.layers,
        "x": RNG.normal(size=(24, 6)).astype("float32"),
        "y": np.arange(24) % 3,
        "sparse": "sparse_categorical_crossentropy",
        "one_hot": "categorical_crossentropy",
        "binary": "binary_crossentropy",
        "metrics": lamina.metrics,
        "losses": lamina.losses,
    }


REFUSED = {
    "infinity in x": "model = net(dense(1)); x[3, 2] = numpy.inf",
    "NaN in x": "model = net(dense(1)); x[3, 2] = numpy.nan",
    "NaN in y": "model = net(dense(1)); y = numpy.where(y > 1, numpy.nan, y)",
    "NaN among labels": "model = net(dense(3, 'softmax'), sparse); "
    "y = numpy.where(numpy.arange(24) == 5, numpy.nan, y)",
    "NaN in images": "model = net([layers.Flatten(), dense(1)], inputs=(2, 3)); "
    "x = x.reshape(-1, 2, 3); x[0, 1, 1] = numpy.nan",
    "x and y changed places": "model = net(dense(1)); x, y = y, x",
    "x and y changed places, a column": "model = net(dense(1)); x, y = y[:, None], x",
    "the number of samples in Input": "model = net([layers.Flatten(), dense(1)], "
    "inputs=(24, 2, 3)); x = x.reshape(-1, 2, 3)",
    "other columns": "model = net(dense(1)); x = x[:, :5]",
    "images of another size": "model = net([layers.Conv2D(2, 2), layers.Flatten(), dense(1)], "
    "inputs=(5, 5, 1)); x = numpy.zeros((24, 4, 4, 1), 'float32')",
    "a dict of columns": "model = net(dense(1), inputs=(2,)); x = {'a': x[:, 0], 'b': x[:, 1]}",
    "two classes under one softmax": "model = net(dense(1, 'softmax'), one_hot); y = y % 2",
    "two classes under one softmax, sparse": "model = net(dense(1, 'softmax'), sparse); y = y % 2",
    "three classes under one softmax": "model = net(dense(1, 'softmax'), one_hot)",
    "prices under a sigmoid": "model = net(dense(1, 'sigmoid'), binary); "
    "y = numpy.linspace(78, 1464, 24)",
    "prices in integers under a sigmoid": "model = net(dense(1, 'sigmoid'), binary); "
    "y = numpy.arange(24) * 60 + 78",
    "prices under a softmax": "model = net(dense(3, 'softmax'), sparse); "
    "y = numpy.linspace(78, 1464, 24)",
    "three classes under a sigmoid": "model = net(dense(1, 'sigmoid'), binary)",
    "three classes from -1 under a sigmoid": "model = net(dense(1, 'sigmoid'), binary); y = y - 1",
    "two other labels under a sigmoid": "model = net(dense(1, 'sigmoid'), binary); y = y % 2 * 2",
    "pixels as targets": "model = net(dense(6, 'sigmoid'), binary); x = y = abs(x) * 50",
    "outputs along an axis, one-hot": "model = net(dense(1), one_hot, (4, 1)); "
    "x = x[:, :4, None]; y = numpy.eye(4)[y]",
    "outputs along an axis, one-hot, as many": "model = net(dense(3, 'softmax'), one_hot, (2, 3)); "
    "x = x.reshape(-1, 2, 3); y = numpy.eye(3)[y]",
    "outputs along an axis, class indices": "model = net(dense(3, 'softmax'), sparse, (2, 3)); "
    "x = x.reshape(-1, 2, 3)",
    "class indices for one-hot along an axis": "model = net(dense(3, 'softmax'), one_hot, (2, 3)); "
    "x = x.reshape(-1, 2, 3)",
    "outputs along an axis, numbers": "model = net(dense(1), 'mse', (2, 3)); "
    "x = x.reshape(-1, 2, 3); y = y / 2",
    "too few outputs": "model = net(dense(2), 'mse'); y = x",
    "one output for three targets": "model = net(dense(1), 'mse'); y = x[:, :3]",
    "three outputs for one target": "model = net(dense(3, 'softmax'), 'mse')",
    "-1 for unknown": "model = net(dense(2, 'softmax'), sparse); y = y - 1",
    "-1 for unknown, logits": "y = y - 1; "
    "model = net(dense(2), losses.SparseCategoricalCrossentropy(from_logits=True))",
    "labels from -1": "model = net(dense(3, 'softmax'), sparse); y = y - 1",
    "labels from 1": "model = net(dense(3, 'softmax'), sparse); y = y + 1",
    "labels from 1, for one-hot": "model = net(dense(3, 'softmax'), one_hot); y = y + 1",
    "labels with gaps": "model = net(dense(3, 'softmax'), sparse); y = y * 50",
    "labels with gaps, too few outputs": "model = net(dense(2, 'softmax'), sparse); y = y * 50",
    "too few classes": "model = net(dense(2, 'softmax'), sparse)",
    "too few classes, one-hot": "model = net(dense(2, 'softmax'), one_hot); y = numpy.eye(3)[y]",
    "class indices for one-hot": "model = net(dense(3, 'softmax'), one_hot)",
    "fractions for one-hot": "model = net(dense(3, 'softmax'), one_hot); y = y + 0.5",
}


@pytest.mark.parametrize("preparation", REFUSED.values(), ids=REFUSED)
def test_each_fix_of_what_is_refused_makes_the_line_run(preparation):
    scope = names()
    exec(preparation, scope)
    message = refused(scope)
    for offered in fixes.printed_in(message):
        scope = names()
        exec(preparation, scope)
        fixes.apply(offered, scope)
        exec(FIT, scope)


METRICS = {
    "Precision": {},
    "Recall": {},
    "AUC": {},
    "F1Score": {},
    "FBetaScore": {},
    "TruePositives": {},
    "FalseNegatives": {},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "CategoricalAccuracy": {},
    "TopKCategoricalAccuracy": {},
    "CategoricalCrossentropy": {},
    "KLDivergence": {},
    "CosineSimilarity": {},
    "MeanAbsoluteError": {},
    "BinaryAccuracy": {},
}


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_of_one_hot_labels_says_how_to_go_on_with_class_numbers(metric):
    made = getattr(lamina.metrics, metric)(**METRICS[metric])
    scope = {**names(), "model": net(dense(3, "softmax"), names()["sparse"], metrics=[made])}
    message = refused(scope)
    assert "end the model with Dense(1)" not in message.split(";")[0]
    fixes.apply(fixes.printed_in(message)[0], scope)
    exec(FIT, scope)


WARNED = {
    "relu before a crossentropy": "model = net(layers.Dense(3, 'relu', "
    "kernel_initializer='zeros', bias_initializer='ones'), sparse)",
    "tanh before a binary crossentropy": "model = net(dense(1, 'tanh'), binary); y = y % 2",
    "logits": "model = net(dense(3), sparse)",
    "logits of two classes": "model = net(dense(1), binary); y = y % 2",
    "softmax over one unit": "model = net(dense(1, 'softmax'), binary); y = y % 2",
}


@pytest.mark.parametrize("preparation", WARNED.values(), ids=WARNED)
def test_each_fix_of_a_warning_ends_it(preparation):
    scope = names()
    exec(preparation, scope)
    with pytest.warns(LaminaWarning) as caught:
        exec(FIT, scope)
    assert [warning.filename for warning in caught] == ["<string>"]
    offered = fixes.printed_in(str(caught[0].message))[0]
    scope = names()
    exec(preparation, scope)
    fixes.apply(offered, scope)
    exec(FIT, scope)


def test_a_list_of_dicts_becomes_a_table_or_named_columns():
    scope = {**names(), "x": [{"a": 1.0, "b": 2.0}] * 24}
    exec("model = net(dense(1), inputs=(2,))", scope)
    table, columns = fixes.printed_in(refused(scope))
    rows = dict(scope)
    fixes.apply(table, rows)
    exec(FIT, rows)
    a, b = lamina.Input((1,), name="a"), lamina.Input((1,), name="b")
    scope["model"] = lamina.Model({"a": a, "b": b}, dense(1)(lamina.layers.Add()([a, b])))
    scope["model"].compile("sgd", "mse")
    fixes.apply(columns, scope)
    exec(FIT, scope)


def refused(scope, line=FIT):
    with pytest.raises((ValueError, TypeError)) as caught:
        exec(line, scope)
    return str(caught.value)
