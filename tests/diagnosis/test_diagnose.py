"""Diagnosis with trials: of models that are trained here, on little data."""

import numpy as np
import pytest

import lamina
from lamina.diagnosis import diagnose, examination
from lamina.layers import Dense, Input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("int64")


@pytest.fixture(autouse=True)
def enough_seconds(monkeypatch):
    monkeypatch.setattr(examination, "_SECONDS", 60.0)
    yield
    lamina.config.set_diagnosis("notes")


def model(last="softmax", rate=0.01, units=2, loss="sparse_categorical_crossentropy"):
    lamina.utils.set_random_seed(0)
    stack = [Input((4,)), Dense(8, "relu", name="hidden"), Dense(units, last, name="last")]
    built = lamina.Sequential(stack)
    built.compile(lamina.optimizers.Adam(rate), loss)
    return built


@pytest.fixture(scope="module")
def found_in_fit():
    """A training with a rate far too low, in full mode."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examination, "_SECONDS", 60.0)
        lamina.config.set_diagnosis("full")
        trained = model(rate=1e-6)
        trained.fit(X, Y, epochs=20, batch_size=8, verbose=0)
        lamina.config.set_diagnosis("notes")
    return trained


def test_the_cause_is_named_with_what_its_change_reached(found_in_fit):
    found = found_in_fit.history.findings[0]
    assert found.code == "learning-rate-too-low"
    assert found.evidence["score with the change"] > found.evidence["score"] + 0.3


def test_statistics_of_layers_are_recorded(found_in_fit):
    statistics = found_in_fit.history.record.statistics
    assert {one.layer for one in statistics} == {"hidden", "last"}
    assert {one.step for one in statistics} >= {0, 30, 600}
    assert all(one.gradient > 0 for one in statistics)
    after = [one for one in statistics if one.step and one.layer == "hidden"]
    assert 0 < after[0].update < 1e-5  # a relative update per step is about the rate


def test_a_change_is_applied_to_a_copy(found_in_fit):
    before = found_in_fit.get_weights()
    applied = found_in_fit.history.findings[0].apply(found_in_fit)
    assert applied.helped
    assert applied.after > applied.before + 0.3
    assert applied.model.evaluate(X, Y, verbose=0) < found_in_fit.evaluate(X, Y, verbose=0)
    assert "helped" in str(applied)
    for old, new in zip(before, found_in_fit.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_full_mode_changes_no_result(monkeypatch):
    monkeypatch.setattr(examination, "_SECONDS", 0.0)
    losses, drawn = [], []
    for level in ("off", "full"):
        lamina.config.set_diagnosis(level)
        trained = model()
        losses.append(trained.fit(X, Y, epochs=2, verbose=0).history["loss"])
        drawn.append(np.random.random())
    assert losses[0] == losses[1]
    assert drawn[0] == drawn[1]


def test_a_trained_model_is_diagnosed_and_left_as_it_was():
    trained = model(last="softmax", units=1, loss="binary_crossentropy")
    with pytest.warns(lamina.LaminaWarning, match="softmax"):
        trained.fit(X, Y, epochs=2, verbose=0)
    before = trained.get_weights()
    found = diagnose(trained, X, Y, epochs=15)
    assert found[0].code == "output-activation"
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="compiled model"):
        diagnose(lamina.Sequential([Dense(2)]), X, Y)


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shape"):
        diagnose(model(), X[:, :3], Y)


def test_a_finding_without_a_known_training_cannot_be_applied():
    finding = lamina.findings.Finding(
        "a", "hint", "A.", "x", change=lamina.findings.Change("fit", "epochs", 3)
    )
    with pytest.raises(ValueError, match='set_diagnosis\\("full"\\)'):
        finding.apply(model())


def test_a_model_with_a_step_of_its_own_is_checked_without_trials():
    class Own(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense = Dense(2, "softmax")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return super().train_step(data)

    own = Own()
    own.compile("adam", "sparse_categorical_crossentropy")
    lamina.config.set_diagnosis("full")
    history = own.fit(X, Y, epochs=2, verbose=0)
    assert any("not a graph of layers" in note for note in history.findings.unchecked)


@pytest.mark.parametrize("size", [1, 3])
def test_few_samples_are_no_error(size):
    lamina.config.set_diagnosis("full")
    assert model().fit(X[:size], Y[:size], epochs=1, verbose=0).findings is not None
