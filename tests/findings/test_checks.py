"""Each check finds what is wrong in a record that shows it, and nothing in a healthy one."""

from dataclasses import replace

import pytest

from lamina.findings import (
    LayerFacts,
    OutputFacts,
    Record,
    Targets,
    Values,
    all_findings_of,
    findings_of,
)

PIXELS = Values("x", (784,), "f", 1000, low=0, high=1, mean=0.13, std=0.3)
DIGITS = Targets("class indices", replace(PIXELS, name="y", shape=(), high=9), (100,) * 10, 10)
AMOUNTS = Targets("numbers", Values("y", (), "f", 1000, low=-3, high=3, mean=0, std=1))
OUTPUT = OutputFacts("out", 10, "softmax", "sparse_categorical_crossentropy", targets=DIGITS)
REGRESSION = OutputFacts("out", 1, "linear", "mean_squared_error", targets=AMOUNTS)
GLOROT = ("GlorotUniform", {})
HIDDEN = LayerFacts(
    "hidden", "Dense", activation="relu", units=128, initializer=GLOROT, parameters=100_480
)
LAST = LayerFacts(
    "out", "Dense", activation="softmax", units=10, initializer=GLOROT, parameters=1290
)
FLATTEN = LayerFacts("flatten", "Flatten")


def curve(*losses, **others):
    """One dict an epoch, of the loss and of whatever else was measured."""
    names = ["loss", *others]
    return tuple(
        dict(zip(names, row, strict=True)) for row in zip(losses, *others.values(), strict=True)
    )


GOOD = curve(0.3, 0.08, 0.05, val_loss=(0.1, 0.07, 0.06), val_accuracy=(0.9, 0.94, 0.95))
STUCK = curve(2.31, 2.30, 2.30, val_loss=(2.3, 2.31, 2.3), val_accuracy=(0.1, 0.1, 0.1))
HEALTHY = Record(
    model="model",
    layers=(FLATTEN, HIDDEN, LAST),
    is_chain=True,
    inputs=(PIXELS,),
    outputs=(OUTPUT,),
    optimizer="Adam",
    learning_rate=0.001,
    usual_rate=0.001,
    samples=1000,
    batch_size=32,
    planned_epochs=3,
    epochs=GOOD,
    steps=96,
)


def output(**changes):
    return replace(HEALTHY, outputs=(replace(OUTPUT, **changes),))


def regression(epochs=GOOD, **changes):
    return replace(HEALTHY, outputs=(replace(REGRESSION, **changes),), epochs=epochs)


def layers(*hidden, **changes):
    return replace(HEALTHY, layers=(FLATTEN, *hidden, LAST), **changes)


def inputs(epochs=GOOD, **changes):
    return replace(HEALTHY, inputs=(replace(PIXELS, **changes),), epochs=epochs)


ONE_HOT = replace(DIGITS, form="one-hot")
RARE = replace(DIGITS, form="zeros and ones", counts=(960, 40), distinct=2)
FALLING = curve(2.2, 2.0, 1.8)
ZEROS = ("Zeros", {})

WRONG = {
    "softmax over one unit": (output(units=1), "output-activation"),
    "probabilities taken for logits": (output(from_logits=True), "logits-mismatch"),
    "logits taken for probabilities": (output(activation="linear"), "logits-mismatch"),
    "relu before crossentropy": (output(activation="relu"), "output-activation"),
    "sigmoid for one of ten classes": (output(activation="sigmoid"), "output-activation"),
    "softmax with binary crossentropy": (
        output(loss="binary_crossentropy", targets=ONE_HOT),
        "loss-mismatch",
    ),
    "squared errors of probabilities": (
        output(loss="mean_squared_error", targets=ONE_HOT),
        "loss-mismatch",
    ),
    "squared errors of class indices": (regression(targets=DIGITS), "loss-mismatch"),
    "far more units than classes": (output(units=1000), "output-units"),
    "targets beyond a sigmoid": (regression(activation="sigmoid"), "output-activation"),
    "accuracy of numbers": (regression(metrics=("accuracy",)), "metric-mismatch"),
    "targets in the thousands": (
        regression(
            epochs=curve(9.0e6, 8.9e6),
            targets=replace(
                AMOUNTS, values=replace(AMOUNTS.values, mean=3000, std=900, high=9000)
            ),
        ),
        "targets-not-scaled",
    ),
    "raw pixels": (inputs(STUCK, high=255, large=0.2), "inputs-not-scaled"),
    "tiny inputs": (inputs(STUCK, high=0.003, std=0.001), "inputs-not-scaled"),
    "columns of one value": (inputs(STUCK, constant=0.8), "constant-inputs"),
    "a rare class": (
        replace(
            output(targets=RARE, loss="binary_crossentropy", activation="sigmoid", units=1),
            epochs=curve(0.2, 0.17, val_loss=(0.2, 0.17), val_accuracy=(0.96, 0.96)),
        ),
        "class-imbalance",
    ),
    "sorted and not shuffled": (
        replace(output(targets=replace(DIGITS, is_sorted=True)), shuffle=False),
        "data-not-shuffled",
    ),
    "a validation of sorted data": (
        replace(
            output(
                targets=replace(DIGITS, counts=(100,) * 8 + (0, 0), is_sorted=True),
                validation_targets=replace(DIGITS, counts=(0,) * 8 + (100, 100)),
            ),
            validation_split=0.2,
        ),
        "data-not-shuffled",
    ),
    "a validation of other classes": (
        output(validation_targets=replace(DIGITS, counts=(200, 1, 1, 1, 1, 1, 1, 1, 1, 1))),
        "validation-unlike-training",
    ),
    "products without activation": (
        layers(replace(HIDDEN, activation="linear"), epochs=STUCK),
        "hidden-activation-missing",
    ),
    "a hidden layer of zeros": (
        layers(replace(HIDDEN, initializer=ZEROS), epochs=STUCK),
        "bad-initialization",
    ),
    "wide first weights": (
        layers(replace(HIDDEN, initializer=("RandomNormal", {"stddev": 3.0})), epochs=STUCK),
        "bad-initialization",
    ),
    "nearly everything dropped": (
        layers(HIDDEN, LayerFacts("drop", "Dropout", settings={"rate": 0.9}), epochs=FALLING),
        "dropout-too-high",
    ),
    "a strong penalty": (
        layers(replace(HIDDEN, regularizer=0.5), epochs=STUCK),
        "regularization-too-strong",
    ),
    "states across shuffled batches": (
        layers(LayerFacts("rnn", "LSTM", units=8, settings={"stateful": True})),
        "stateful-misuse",
    ),
    "everything frozen": (
        replace(HEALTHY, layers=(replace(LAST, trainable=False),), epochs=STUCK),
        "frozen-weights",
    ),
    "a rate of 1 for Adam": (
        replace(HEALTHY, learning_rate=1.0, epochs=curve(14, 14, 14)),
        "learning-rate-too-high",
    ),
    "a rate of 1e-6 for Adam": (
        replace(HEALTHY, learning_rate=1e-6, epochs=curve(2.32, 2.31, 2.31)),
        "learning-rate-too-low",
    ),
    "a loss that is NaN": (replace(HEALTHY, epochs=(), ended="not finite"), "non-finite"),
    "a loss that is NaN at a high rate": (
        replace(HEALTHY, epochs=(), ended="not finite", learning_rate=0.5),
        "learning-rate-too-high",
    ),
    "an end too early": (replace(HEALTHY, epochs=FALLING), "too-few-epochs"),
    "plain SGD": (
        replace(HEALTHY, optimizer="SGD", learning_rate=0.01, usual_rate=0.01, epochs=FALLING),
        "optimizer-choice",
    ),
    "all samples in a batch": (
        replace(HEALTHY, batch_size=1000, epochs=STUCK, steps=3),
        "batch-size-too-large",
    ),
    "statistics of few batches": (
        layers(
            HIDDEN,
            LayerFacts("norm", "BatchNormalization", settings={"momentum": 0.99}),
            epochs=curve(0.5, 0.3, val_loss=(3.0, 2.5)),
        ),
        "batch-norm-unsettled",
    ),
    "memorising": (
        replace(
            HEALTHY,
            epochs=curve(
                1.0, 0.5, 0.2, 0.1, 0.01,
                val_loss=(1.0, 0.9, 1.2, 1.6, 2.2),
                accuracy=(0.6, 0.8, 0.95, 0.99, 1.0),
                val_accuracy=(0.6, 0.65, 0.64, 0.62, 0.6),
            ),
        ),
        "overfitting",
    ),
    "labels of other samples": (replace(HEALTHY, epochs=STUCK), "labels-unrelated"),
    "labels learned by heart": (
        replace(HEALTHY, epochs=curve(2.2, 1.9, 1.5, val_loss=(2.31, 2.5, 3.0))),
        "labels-unrelated",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("record", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_found_first(record, code):
    found = findings_of(record)
    assert code in found.codes[:2], found
    first = next(finding for finding in found if finding.code == code)
    assert first.title.endswith(".")
    assert first.fix.endswith(".")


RIGHT = {
    "digits": HEALTHY,
    "memorising that early stopping ended": replace(WRONG["memorising"][0], ended="stopped"),
    "regression": regression(),
    "scaled targets in the thousands that are learned": regression(
        epochs=curve(9e4, 5e4, 2e4, 1e4),
        targets=replace(AMOUNTS, values=replace(AMOUNTS.values, mean=3000, std=900)),
    ),
    "raw pixels and a layer that scales them": replace(
        inputs(high=255, large=0.2),
        layers=(LayerFacts("scale", "Rescaling"), FLATTEN, HIDDEN, LAST),
    ),
    "a linear autoencoder": replace(
        layers(replace(HIDDEN, activation="linear")),
        outputs=(replace(REGRESSION, targets=replace(AMOUNTS, values=PIXELS), units=784),),
        epochs=curve(0.05, 0.01, 0.005),
    ),
    "a logistic regression that begins with zeros": replace(
        HEALTHY, layers=(FLATTEN, replace(LAST, initializer=ZEROS))
    ),
    "a rare class that is recognised": replace(
        output(targets=RARE, loss="binary_crossentropy", activation="sigmoid", units=1),
        epochs=curve(0.1, 0.05, val_loss=(0.1, 0.05), val_accuracy=(0.97, 0.99)),
    ),
    "a rare class with weights": replace(
        output(targets=RARE, loss="binary_crossentropy", activation="sigmoid", units=1),
        epochs=curve(0.1, 0.05, val_loss=(0.1, 0.05), val_accuracy=(0.9, 0.9)),
        class_weight=True,
    ),
    "a frozen base": layers(
        LayerFacts("base", "Conv2D", activation="relu", units=8, parameters=10**6, trainable=False),
        HIDDEN,
    ),
    "a sorted series that is not shuffled": replace(
        regression(targets=replace(AMOUNTS, is_sorted=True)), shuffle=False
    ),
    "a loss that grows while the answers stay right": replace(
        HEALTHY,
        epochs=curve(
            0.3, 0.1, 0.05, 0.02, 0.01,
            val_loss=(0.1, 0.08, 0.09, 0.1, 0.12),
            accuracy=(0.9, 0.97, 0.98, 0.99, 1.0),
            val_accuracy=(0.97, 0.98, 0.98, 0.98, 0.98),
        ),
    ),
    "four samples": replace(HEALTHY, samples=4, batch_size=4, epochs=curve(0.5, 0.2, 0.05)),
    "nothing is known": Record("model"),
}  # fmt: skip


@pytest.mark.parametrize("record", RIGHT.values(), ids=RIGHT)
def test_nothing_is_found_where_nothing_is_wrong(record):
    assert not findings_of(record).codes


def test_a_symptom_is_left_out_where_its_cause_is_known():
    record = output(activation="relu")
    assert findings_of(replace(record, epochs=STUCK)).codes == ["output-activation"]


def test_what_was_not_checked_is_said():
    found = findings_of(replace(HEALTHY, unchecked=("the order of the layers",)))
    assert "Not checked: the order of the layers." in str(found)


@pytest.mark.parametrize(
    ("code", "setting", "fault"),
    [
        ("bad-initialization", "kernel_initializer", {"initializer": ZEROS}),
        ("regularization-too-strong", "kernel_regularizer", {"regularizer": 0.5}),
        ("hidden-activation-missing", "activation", {"activation": "linear"}),
        (
            "batch-norm-unsettled",
            "momentum",
            {"kind": "BatchNormalization", "settings": {"momentum": 0.9999}},
        ),
    ],
)
def test_one_finding_mends_all_layers_with_the_same_fault(code, setting, fault):
    stack = [replace(HIDDEN, name=name, **fault) for name in ("first", "second")]
    record = layers(*stack, epochs=curve(2.3, 0.1, 0.01, val_loss=(2.3, 2.3, 2.3)))
    record = record if code == "batch-norm-unsettled" else replace(record, epochs=STUCK)
    (finding,) = [found for found in all_findings_of(record) if found.code == code]
    parts = {(part.name, part.layer) for part in finding.change.parts}
    assert parts == {(setting, "first"), (setting, "second")}
    assert "'first', 'second'" in finding.fix


@pytest.mark.parametrize("name", ["accuracy", "acc", "sparse_categorical_accuracy"])
@pytest.mark.parametrize(("accuracy", "codes"), [(0.2, ["too-few-epochs"]), (1.0, [])])
def test_more_epochs_are_not_advised_where_all_answers_are_right(name, accuracy, codes):
    measured = {"val_loss": (2.1, 1.8, 1.4), f"val_{name}": (0.1, 0.2, accuracy)}
    record = replace(HEALTHY, epochs=curve(2.2, 1.9, 1.5, **measured))
    assert findings_of(record).codes == codes


def test_what_was_not_learned_is_not_memorised():
    record = replace(HEALTHY, epochs=curve(8, 4.8, 7.9, 5.6, 4.1, val_loss=(9, 2.0, 5.4, 5.9, 5.7)))
    assert "overfitting" not in findings_of(record).codes


def test_a_training_that_diverged_has_one_finding_about_its_rate():
    record = replace(HEALTHY, learning_rate=0.5, epochs=curve(15, 226), ended="not finite")
    assert findings_of(record).codes == ["learning-rate-too-high"]
