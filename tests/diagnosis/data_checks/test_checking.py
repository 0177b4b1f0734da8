"""Checks of data as a part of an examination."""

import numpy as np

import lamina
from lamina.diagnosis import diagnose, examination
from lamina.layers import Dense, Input


def test_validation_samples_that_are_training_samples_are_found(rng, monkeypatch):
    monkeypatch.setattr(examination, "_SECONDS", 0.0)
    x = rng.normal(size=(240, 4)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype("int64")
    model = lamina.Sequential([Input((4,)), Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    finding = diagnose(model, x, y, validation_data=(x[:80], y[:80]), epochs=1)[0]
    assert finding.code == "leak-between-sets"
    assert finding.evidence["copies found"] == 80
    assert finding.where == "validation samples " + ", ".join(map(str, np.arange(8))) + " …"
