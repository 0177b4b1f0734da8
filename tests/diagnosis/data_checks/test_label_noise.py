"""Wrong labels in the data of a model."""

from dataclasses import replace

import numpy as np
import pytest

import lamina
from lamina.diagnosis import label_noise
from lamina.diagnosis.data_checks import label_noise as module, out_of_sample as cross_validation
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup, hold_out
from lamina.diagnosis.user_model import request_for
from lamina.layers import Dense, Input


def compiled(units=2, loss="sparse_categorical_crossentropy"):
    model = lamina.Sequential([Input((3,)), Dense(units)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0, 1, 8), "one label for each sample"),
        (np.array([0, 1, 2, 0, 1, 2, 0, 1]), "2 classes"),
        (np.array([0, 0, 0, 0, 0, 0, 0, 1]), "class 1 has only 1"),
    ],
)
def test_targets_that_are_no_labels_are_refused(y, message):
    model = compiled(1, "mse") if y.dtype == float else compiled()
    with pytest.raises(ValueError, match=message):
        label_noise(model, np.zeros((8, 3)), y)


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="takes a compiled model"):
        label_noise(lamina.Sequential([Dense(2)]), np.zeros((8, 3)), np.zeros(8))


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="at least 2 folds"):
        label_noise(compiled(), np.zeros((8, 3)), np.arange(8) % 2, folds=1)


def test_no_division_is_refused():
    with pytest.raises(ValueError, match="repeats"):
        label_noise(compiled(), np.zeros((8, 3)), np.arange(8) % 2, repeats=0)


def test_probabilities_of_several_divisions_are_averaged(setup, monkeypatch):
    training, _ = setup

    def of_one_division(division, labels, folds, classes):
        return np.full((2, 2), 0.25 if division.seed == training.seed else 0.75)

    monkeypatch.setattr(cross_validation, "_of_one_division", of_one_division)
    probabilities = cross_validation.out_of_sample(training, np.zeros(2), 2, 2, repeats=2)
    np.testing.assert_array_equal(probabilities, 0.5)


@pytest.fixture
def setup(rng):
    """A training with 3,000 samples, of which a fifth is held out; 10 % of the labels are wrong."""
    y = np.arange(3000) % 10
    wrong = rng.permutation(3000)[:300]
    given = y.copy()
    given[wrong] = (y[wrong] + rng.integers(1, 10, 300)) % 10
    train, held = hold_out(Samples(np.stack([np.arange(3000), y], axis=1), given))
    made = TrainingSetup(
        None, {}, None, None, train, held, epochs=1, has_validation=False
    )  # fmt: skip
    return made, set(wrong.tolist())


@pytest.fixture
def good_network(monkeypatch):
    """Copies that are sure of the true class, which the second column holds."""

    def predict(setup, labels, folds, classes):
        return np.eye(classes)[setup.train.x[:, 1]] * 0.9 + 0.1 / classes

    monkeypatch.setattr(module, "out_of_sample", predict)


def test_wrong_labels_are_found_under_the_numbers_of_the_user(setup, good_network):
    training, wrong = setup
    [finding] = module.check_label_noise(training, Task("classes", 10), 100.0, 1.0)
    assert finding.code == "label-noise"
    assert finding.evidence["rate"] == pytest.approx(0.1, abs=0.02)
    numbers = {int(number) for number in finding.where.split("samples ")[1].rstrip(" …").split(",")}
    assert numbers <= wrong


def test_fewer_samples_are_taken_if_time_is_short(setup, good_network):
    training, _ = setup
    [finding] = module.check_label_noise(training, Task("classes", 10), 15.0, 10.0)
    assert finding.evidence["samples"] == 1200


def test_what_there_is_no_time_for_is_said(setup, good_network):
    training, _ = setup
    [note] = module.check_label_noise(training, Task("classes", 10), 1.0, 10.0)
    assert note == "whether labels are wrong (lamina.diagnosis.label_noise), for lack of time"


def test_samples_are_named_by_the_numbers_of_the_user_if_these_are_known(setup, good_network):
    training, wrong = setup
    moved = replace(training, original_indices=np.arange(3000) + 5000)
    [finding] = module.check_label_noise(moved, Task("classes", 10), 100.0, 1.0)
    assert len(finding.samples) == 24
    assert {number - 5000 for number in finding.samples} <= wrong
    unknown = replace(training, has_original_indices=False)
    [finding] = module.check_label_noise(unknown, Task("classes", 10), 100.0, 1.0)
    assert finding.samples == ()
    assert finding.fix == "All of them: lamina.diagnosis.label_noise(model, x, y)."


def test_of_many_samples_those_that_are_drawn_are_known_by_number():
    x = np.repeat(np.arange(50.0)[:, None], 3, axis=1)
    feed = request_for(compiled(), x, np.arange(50) % 2, None, 1, 8).feed
    for most in (20, 50):
        rows = feed.sampled_rows(most)
        assert len(rows) == most
        np.testing.assert_array_equal(feed.take_samples(most)[0][:, 0], rows)
