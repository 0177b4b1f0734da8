"""What an examination may cost: with a clock that only the training of copies moves."""

from types import SimpleNamespace

import numpy as np
import pytest

import lamina
from lamina.diagnosis import examination
from lamina.diagnosis.examination import budget, examine, make_setup
from lamina.diagnosis.experiments import trials
from lamina.diagnosis.experiments.trials import Trial, Trials
from lamina.diagnosis.user_model import request_for
from lamina.layers import Dense, Input
from lamina.training.recorder import record_of

RNG = np.random.default_rng(0)
SAMPLES = 4000
X = RNG.normal(size=(SAMPLES, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")
COMPILING = 0.4


class Clock:
    """Trainings of copies take as long as the user's, by their samples, plus a compilation."""

    def __init__(self, score, of_training):
        self.now, self.score, self.of_training, self.trained = 0.0, score, of_training, []

    def perf_counter(self):
        return self.now

    def pass_time(self, seconds):
        self.now += seconds
        return []

    def fit_copy(self, trials, copy, train, validation, epochs, arguments):
        share = train.size * epochs / (SAMPLES * trials.setup.epochs)
        self.now += self.of_training * share + COMPILING
        self.trained.append(train.size)
        scores = np.full(validation.size, self.score)
        return Trial(None, scores, scores, model=copy)


@pytest.fixture(scope="module")
def training():
    """The record and the setup of a training that was not run."""
    model = lamina.Sequential([Input((3,)), Dense(2, "sigmoid"), Dense(2, "softmax")])
    model.compile(lamina.optimizers.SGD(1e-5), "sparse_categorical_crossentropy")
    model.evaluate(X[:8], Y[:8], verbose=0)
    validation = (X[:400], Y[:400])
    record = record_of(request_for(model, X, Y, validation, 5, 32), model._learner)
    setup = make_setup(
        model, model._learner.compile_config, (X, Y, None), (*validation, None),
        learning_rate=1e-5, initial_weights=model.get_weights(), epochs=5,
    )  # fmt: skip
    return record, setup


@pytest.fixture
def examined(monkeypatch, training):
    """Examines a training whose copies reach a score; returns the clock and the findings."""

    def run(score, of_training, spent=0.0, of_data_checks=0.0):
        clock, original = Clock(score, of_training), np.full(400, score)
        for module in (examination, trials):
            monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock.perf_counter))
        monkeypatch.setattr(examination, "check_data", lambda *_: clock.pass_time(of_data_checks))
        monkeypatch.setattr(examination, "_best_simple_model", lambda *_: None)
        monkeypatch.setattr(Trials, "_fit_copy", lambda *given: clock.fit_copy(*given))
        monkeypatch.setattr(Trials, "evaluate", lambda *_: Trial(None, original, original))
        return clock, examine(*training, of_training, spent)

    return run


@pytest.mark.parametrize("of_training", [3.0, 59.0, 61.0, 100.0, 600.0])
@pytest.mark.parametrize("score", [0.1, 0.5, 0.95])
def test_changes_and_the_learning_curve_share_one_budget(examined, of_training, score):
    clock, _ = examined(score, of_training)
    assert len(clock.trained) > 1
    assert clock.now <= budget(of_training)


@pytest.mark.parametrize("seconds", [60.1, 75.0, 133.0, 3600.0])
def test_after_a_training_of_over_a_minute_the_budget_is_15_percent_of_it(seconds):
    assert budget(seconds) == pytest.approx(0.15 * seconds)


@pytest.mark.parametrize("seconds", [0.0, 1.0, 60.0])
def test_after_a_shorter_training_it_is_20_seconds(seconds):
    assert budget(seconds) == 20.0


def test_statistics_of_layers_are_paid_from_the_same_budget(examined):
    clock, _ = examined(0.1, 100.0, spent=8.0)
    assert clock.now + 8.0 <= budget(100.0)


def test_checks_of_data_are_paid_from_the_same_budget(examined):
    clock, _ = examined(0.1, 100.0, of_data_checks=8.0)
    assert clock.trained
    assert clock.now <= budget(100.0)


def test_after_a_training_that_went_well_the_curve_is_measured(examined):
    clock, findings = examined(0.95, 2.0)
    assert findings.learning_curve is not None
    assert len(findings.learning_curve.samples) == 4
    assert clock.now <= budget(2.0)


def test_a_curve_for_which_no_time_is_left_is_named(examined):
    _, findings = examined(0.5, 59.0)
    assert findings.learning_curve is None
    assert "whether more samples would help, for lack of time" in findings.unchecked


def test_without_time_for_one_copy_nothing_is_trained_and_that_is_said(examined):
    clock, findings = examined(0.1, 100.0, spent=14.9)
    assert clock.trained == []
    assert any("longer than the budget" in note for note in findings.unchecked)
