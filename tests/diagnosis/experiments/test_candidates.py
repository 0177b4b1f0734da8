"""What is worth trying, from the settings of a training."""

from dataclasses import replace

import pytest

from lamina.diagnosis.experiments.candidates import candidates
from lamina.findings import Change, Finding, LayerFacts, OutputFacts, Record, Targets, Values

PIXELS = Values("x", (64,), "f", 1000, 0, 1, 0.3, 0.35)
CLASSES = Targets("class numbers", Values("y", (), "i", 1000, 0, 9, 4.5, 2.9), (100,) * 10, 10)
HIDDEN = LayerFacts("hidden", "Dense", activation="relu", units=64, parameters=4160)
LAST = LayerFacts("last", "Dense", activation="softmax", units=10, parameters=650)
USUAL = Record(
    "model",
    layers=(HIDDEN, LAST),
    is_chain=True,
    inputs=(PIXELS,),
    outputs=(
        OutputFacts("last", 10, "softmax", "sparse_categorical_crossentropy", targets=CLASSES),
    ),
    optimizer="Adam",
    learning_rate=0.001,
    usual_rate=0.001,
    samples=1000,
    batch_size=32,
    planned_epochs=20,
    steps=640,
)


def inputs(**changes):
    return replace(USUAL, inputs=(replace(PIXELS, **changes),))


def hidden(**changes):
    return replace(USUAL, layers=(replace(HIDDEN, **changes), LAST))


def likely(record, findings=()):
    """Codes of what is tried even if the training went well."""
    return {one.code for one in candidates(record, findings) if one.prior >= 0.5}


def test_nothing_is_suspect_in_usual_settings():
    assert likely(USUAL) == set()


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (replace(USUAL, learning_rate=0.1), "learning-rate-too-high"),
        (replace(USUAL, learning_rate=1e-5), "learning-rate-too-low"),
        (inputs(high=255, mean=80, std=90), "inputs-not-scaled"),
        (inputs(high=1e-3, mean=3e-4, std=3e-4), "inputs-not-scaled"),
        (hidden(activation="linear"), "hidden-activation-missing"),
        (hidden(activation="softmax"), "saturated-activations"),
        (hidden(units=2), "network-too-small"),
        (replace(USUAL, layers=(LAST,)), "network-too-small"),
        (hidden(initializer=("Zeros", {})), "bad-initialization"),
        (hidden(regularizer=1.0), "regularization-too-strong"),
        (hidden(trainable=False), "frozen-weights"),
        (replace(USUAL, batch_size=1000), "batch-size-too-large"),
        (replace(USUAL, shuffle=False), "data-not-shuffled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_far_from_usual_is_suspect(record, code):
    assert code in likely(record)


def test_inputs_that_a_layer_scales_are_not_suspect():
    scaled = (LayerFacts("scale", "Rescaling"), HIDDEN, LAST)
    large = replace(PIXELS, high=255, mean=80, std=90)
    assert "inputs-not-scaled" not in likely(replace(USUAL, layers=scaled, inputs=(large,)))


def test_what_a_check_proposes_comes_first_and_once():
    change = Change("compile", "learning_rate", 0.0001)
    finding = Finding("learning-rate-too-high", "problem", "High.", "Lower.", change=change)
    found = candidates(USUAL, [finding])
    assert found[0].finding is finding
    assert [one.change.describe() for one in found].count(change.describe()) == 1


def test_an_activation_layer_counts_as_an_activation():
    layers = (replace(HIDDEN, activation="linear"), LayerFacts("relu", "ReLU"), LAST)
    assert likely(replace(USUAL, layers=layers)) == set()
