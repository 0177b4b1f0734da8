"""Whether a model can learn one batch by heart, and that it is the same model afterwards."""

import re

import numpy as np
import pytest

import lamina
from lamina.training.sanity_checks.one_batch import judge
from small_models import classifier

from .conftest import same_state, state_of


def test_the_losses_are_those_of_training_on_that_batch_alone():
    x = np.ones((4, 1), "float32")
    model = lamina.Sequential(
        [lamina.Input((1,)), lamina.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(lamina.optimizers.SGD(0.1), "mse")
    trial = model.overfit_one_batch(x, 3 * x, steps=30)
    # Each step multiplies the error of the weight by 1 - 2 * 0.1.
    np.testing.assert_allclose(trial.losses, 9 * 0.8 ** (2 * np.arange(30)), rtol=1e-4)
    assert trial.learned


def test_a_model_that_can_learn_the_batch_is_told_from_one_that_cannot(blobs):
    x, y = blobs
    model = classifier(optimizer=lamina.optimizers.Adam(0.05))
    assert model.overfit_one_batch(x, y).learned
    hopeless = model.overfit_one_batch(0 * x, y)  # all inputs are equal
    assert not hopeless.learned
    assert "did not learn 32 samples by heart" in hopeless.verdict


def test_the_loss_of_guessing_is_the_entropy_of_the_classes_in_the_batch(blobs):
    trial = classifier().overfit_one_batch(*blobs, batch_size=96, steps=2)
    assert trial.guess == pytest.approx(np.log(3))


def test_the_batch_is_drawn_from_all_samples(blobs):
    trial = classifier().overfit_one_batch(*blobs, steps=2)  # sorted: the first 32 are of one class
    assert trial.guess > 0.9


def test_the_model_stays_as_it_is_bit_for_bit(trained, blobs):
    before = state_of(trained)
    trained.overfit_one_batch(*blobs, steps=3)
    assert same_state(before, state_of(trained))


def test_all_steps_are_one_program(blobs, compilations):
    classifier().overfit_one_batch(*blobs, steps=20)
    assert compilations.count("one_batch") == 1


def test_of_a_generator_one_batch_is_taken(blobs):
    taken = []

    def batches():
        for start in range(0, 96, 32):
            taken.append(start)
            yield blobs[0][start : start + 32], blobs[1][start : start + 32]

    assert len(classifier().overfit_one_batch(batches(), steps=2).losses) == 2
    assert taken == [0]


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        (np.geomspace(2, 0.01, 50), "yes: The model learned 32 samples by heart"),
        (np.full(50, 2.0), "no: The model did not learn 32 samples by heart: the loss went from 2"),
        (np.linspace(2, 1, 50), "no: The model has not learned .* yet.*steps=200"),
        (np.maximum(np.geomspace(2, 0.1, 50), 0.8), "no: The model learned 32 samples in part"),
        (np.full(50, 0.01), "yes: The model knew 32 samples already"),
        (np.where(np.arange(50) < 7, 2, np.nan), "not finite at step 8"),
        (np.linspace(2, -5, 50), "yes: The loss went .* may be negative"),
    ],
)
def test_the_verdict_is_in_plain_words(losses, verdict):
    found = judge(losses, 2.0, 32)
    assert str(found).startswith(("yes: ", "no: "))
    assert re.search(verdict, str(found)), found


def test_the_picture_has_the_loss_of_guessing():
    (axes,) = judge(np.geomspace(2, 0.01, 50), 2.0, 32).plot().axes
    assert [text.get_text() for text in axes.texts] == ["the best constant answer"]


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(RuntimeError, match="must be compiled before overfit_one_batch"):
        lamina.Sequential().overfit_one_batch(np.ones((4, 1)))
