"""Copies on parts of the samples: which are trained, at what cost, and what they reach."""

import numpy as np
import pytest

import lamina
from lamina.diagnosis.experiments.sample_sizes import learning_curve
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup
from lamina.diagnosis.experiments.trials import Trials

TASKS = [Task("classes", 2)]


def samples(rng, count):
    x = rng.normal(size=(count, 20)).astype("float32")
    return Samples(x, (x.sum(axis=1) > 0).astype(int))


@pytest.fixture(scope="module")
def setup():
    rng = np.random.default_rng(0)
    model = lamina.Sequential([lamina.Input((20,)), lamina.layers.Dense(2, "softmax")])
    model.compile(lamina.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    start = model.get_weights()
    train, validation = samples(rng, 160), samples(rng, 400)
    return TrainingSetup(
        model, model._learner.compile_config, 0.03, start, train, validation, epochs=12
    )


def test_more_samples_help_where_a_few_do_not_tell_the_rule(setup, compilations):
    trials = Trials(setup, TASKS, seconds=1e6)
    whole = trials.run()
    compilations.reset()
    found = learning_curve(trials, whole, TASKS, samples=160)
    assert "train_program" not in str(compilations.names)  # parts run the program of the whole
    assert found.samples == (20, 40, 80, 160)
    assert found.scores[0] < found.scores[-1] - 0.1
    assert found.train_scores[0] > 0.95
    assert found.scores[-1] == pytest.approx(0.5 + 0.5 * whole.score)
    assert found.gain == pytest.approx(found.scores[-1] - found.scores[-2])
    assert found.skipped == ""


class NoTime(Trials):
    """Trials whose time is up after a number of trainings."""

    trainings = 0

    @property
    def seconds_left(self):
        return self.trainings

    def train_copy(self, *arguments):
        self.trainings -= 1
        return super().train_copy(*arguments)


def test_what_there_is_no_time_for_is_said(setup):
    trials = NoTime(setup, TASKS, seconds=0)
    whole = trials.run()
    assert learning_curve(trials, whole, TASKS, 160) == (
        "whether more samples would help, for lack of time"
    )
    trials.trainings = whole.seconds + 0.5  # for one training
    found = learning_curve(trials, whole, TASKS, samples=1000)
    assert found.samples == (80, 160)
    assert found.skipped == (
        "parts of 40 and 20 samples, for lack of time; all but 160 of the 1,000 samples, which "
        "would take too long"
    )


def test_few_samples_are_not_divided(setup):
    trials = Trials(setup.subsample(30), TASKS, seconds=1e6)
    whole = trials.evaluate(setup.model)
    assert learning_curve(trials, whole, TASKS, 30) is None
