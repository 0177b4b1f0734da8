"""`fit` notes what seems wrong, if it is asked to, and says so when it ends."""

import numpy as np
import pytest

import lamina
from lamina.layers import Dense, Dropout, Input
from lamina.training import recorder
from lamina.training.recorded_facts import describe_targets

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def model(last="softmax", rate=0.01):
    lamina.utils.set_random_seed(0)
    stack = [Input((4,)), Dense(8, activation="relu", name="hidden"), Dropout(0.1), Dense(2, last)]
    built = lamina.Sequential(stack)
    built.compile(
        lamina.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return built


def test_a_record_has_the_facts_of_a_run():
    history = model().fit(X, Y, epochs=3, batch_size=40, validation_split=0.25, verbose=0)
    record = history.record
    assert [layer.kind for layer in record.layers] == ["Dense", "Dropout", "Dense"]
    assert record.layers[0].parameters == 4 * 8 + 8
    assert record.layers[1].settings["rate"] == 0.1
    assert record.is_chain
    assert (record.samples, record.batch_size, record.steps) == (300, 40, 24)
    assert (record.optimizer, record.learning_rate) == ("Adam", pytest.approx(0.01))
    assert record.validation_split == 0.25
    assert record.outputs[0].activation == "softmax"
    assert record.outputs[0].targets.counts == tuple(np.bincount(Y[:300]))
    assert record.outputs[0].validation_targets.counts == tuple(np.bincount(Y[300:]))
    assert record.inputs[0].high == pytest.approx(X[:300].max())
    assert [sorted(epoch) for epoch in record.epochs] == [
        ["accuracy", "loss", "val_accuracy", "val_loss"]
    ] * 3
    assert record.ended == "finished"


def test_a_healthy_run_ends_in_silence(capsys):
    history = model().fit(X, Y, epochs=30, verbose=2)
    assert not history.findings
    assert history.findings.unchecked == ()
    assert "Fix" not in capsys.readouterr().out


def test_a_run_that_went_wrong_says_what_and_what_to_do(capsys):
    history = model(rate=1e-7).fit(X, Y, epochs=3, verbose=2)
    assert history.findings.codes == ["learning-rate-too-low"]
    out = capsys.readouterr().out
    assert "with a learning rate of 1e-07" in out.replace("\n", " ")
    assert "Adam(0.001)" in out


def test_verbose_0_says_nothing_and_still_records(capsys):
    history = model(rate=1e-7).fit(X, Y, epochs=3, verbose=0)
    assert history.findings.codes == ["learning-rate-too-low"]
    assert not capsys.readouterr().out


def test_nothing_is_recorded_if_it_is_switched_off():
    lamina.config.set_diagnosis("off")
    try:
        history = model().fit(X, Y, verbose=0)
    finally:
        lamina.config.set_diagnosis("notes")
    assert history.findings is None


def test_a_training_does_not_fail_for_what_is_said_about_it(monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(recorder, "record_of", fail)
    history = model().fit(X, Y, epochs=2, verbose=0)
    assert len(history.epoch) == 2
    assert "ZeroDivisionError: broken" in history.findings.unchecked[0]


def test_a_run_that_fails_has_its_record():
    broken = lamina.Sequential([Input((4,)), Dense(1)])
    broken.compile(lamina.optimizers.SGD(1e9), "mse")
    with pytest.raises(FloatingPointError):
        broken.fit(X, X[:, 0], epochs=9, verbose=0)
    assert broken.history.record.ended == "not finite"
    assert broken.history.findings.codes == ["learning-rate-too-high"]


def test_streams_say_what_was_not_checked():
    data = lamina.data.Dataset.from_tensor_slices((X, Y)).batch(40)
    history = model().fit(data, verbose=0)
    assert any("batches" in reason for reason in history.findings.unchecked)


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="'off', 'notes' or 'full'"):
        lamina.config.set_diagnosis("loud")


@pytest.mark.parametrize(
    ("targets", "form"),
    [
        (np.array([0, 1, 1, 0]), "zeros and ones"),
        (np.array([[0.0], [3.0], [2.0]]), "class indices"),
        (np.eye(3)[[0, 1, 2, 1]], "one-hot"),
        (np.array([[1, 1, 0], [0, 0, 0]]), "several classes"),
        (np.array([0.5, 2.0]), "numbers"),
        (np.array([-1.0, 1.0]), "numbers"),
        (np.zeros((3, 2, 2)), "numbers"),
    ],
)
def test_the_form_of_targets_is_recognised(targets, form):
    assert describe_targets(targets).form == form


def test_sorted_classes_are_recognised():
    assert describe_targets(np.repeat([0, 1, 2], 20)).is_sorted
    assert not describe_targets(RNG.integers(0, 3, 60)).is_sorted
