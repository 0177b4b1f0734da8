"""`class_weight="balanced"`: every class counts alike, however many samples it has."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

import lamina
from lamina.layers import Dense, Input

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = np.array([0] * 14 + [1] * 4 + [2] * 2)
TARGETS = {
    "sparse": (Y, 3, "softmax", "sparse_categorical_crossentropy"),
    "column": (Y[:, None], 3, "softmax", "sparse_categorical_crossentropy"),
    "one-hot": (np.eye(3, dtype="float32")[Y], 3, "softmax", "categorical_crossentropy"),
    "binary": ((Y > 0).astype("float32"), 1, "sigmoid", "binary_crossentropy"),
}


def losses(y, units, activation, loss, **weights):
    model = lamina.Sequential([Input((3,)), Dense(units, activation, kernel_initializer="ones")])
    model.compile("sgd", loss)
    return model.fit(X, y, epochs=2, shuffle=False, verbose=0, **weights).history["loss"]


@pytest.mark.parametrize("kind", TARGETS)
def test_it_equals_the_weights_of_scikit_learn(kind):
    y = TARGETS[kind][0]
    labels = y.argmax(axis=1) if kind == "one-hot" else y.ravel()
    weights = compute_sample_weight("balanced", labels)
    np.testing.assert_allclose(
        losses(*TARGETS[kind], class_weight="balanced"),
        losses(*TARGETS[kind], sample_weight=weights),
        rtol=1e-6,
    )


def test_every_target_of_several_is_balanced():
    inputs = Input((3,))
    outputs = {
        "a": Dense(3, "softmax", kernel_initializer="ones", name="a")(inputs),
        "b": Dense(1, "sigmoid", kernel_initializer="ones", name="b")(inputs),
    }
    y = {"a": Y, "b": TARGETS["binary"][0]}
    found = []
    for given in (
        {"class_weight": "balanced"},
        {"sample_weight": {n: compute_sample_weight("balanced", t) for n, t in y.items()}},
    ):
        model = lamina.Model(inputs, outputs)
        kept = model.get_weights()
        model.compile("sgd", {"a": "sparse_categorical_crossentropy", "b": "binary_crossentropy"})
        found.append(model.fit(X, y, verbose=0, shuffle=False, **given).history["loss"][0])
        model.set_weights(kept)
    assert found[0] == pytest.approx(found[1], rel=1e-6)
