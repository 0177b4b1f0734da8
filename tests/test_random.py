"""Random arrays: the right distribution, and the same values from the same seed."""

import inspect

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import random
from lamina.core.variable.seed import SeedGenerator, set_random_seed
from lamina.core.variable.variable import Variable

# name, arguments, mean, standard deviation
CASES = [
    ("normal", {"mean": 2.0, "stddev": 3.0}, 2.0, 3.0),
    ("truncated_normal", {"mean": 2.0, "stddev": 3.0}, 2.0, 3.0 * 0.8796),
    ("uniform", {"minval": 1.0, "maxval": 3.0}, 2.0, 2 / np.sqrt(12)),
    ("randint", {"minval": 0, "maxval": 5}, 2.0, np.sqrt(2)),
    ("gamma", {"alpha": 2.0}, 2.0, np.sqrt(2)),
    ("binomial", {"counts": 10, "probabilities": 0.3}, 3.0, np.sqrt(2.1)),
    ("beta", {"alpha": 2.0, "beta": 3.0}, 0.4, 0.2),
]


@pytest.mark.parametrize(("name", "settings", "mean", "stddev"), CASES)
def test_mean_and_deviation_are_right(name, settings, mean, stddev):
    values = np.asarray(getattr(random, name)((5000,), **settings, seed=1), "float64")
    assert abs(values.mean() - mean) < 5 * stddev / np.sqrt(5000)
    np.testing.assert_allclose(values.std(), stddev, rtol=0.06)


def test_a_number_as_seed_repeats_and_a_generator_goes_on():
    np.testing.assert_array_equal(random.normal((3,), seed=1), random.normal((3,), seed=1))
    generator = SeedGenerator(1)
    first = random.normal((3,), seed=generator)
    np.testing.assert_array_equal(first, random.normal((3,), seed=1))
    assert not np.array_equal(first, random.normal((3,), seed=generator))


def test_without_a_seed_the_process_wide_one_counts():
    set_random_seed(4)
    first = random.uniform((3,))
    assert not np.array_equal(first, random.uniform((3,)))
    set_random_seed(4)
    np.testing.assert_array_equal(first, random.uniform((3,)))


def test_categorical_follows_the_logits():
    logits = jnp.log(jnp.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]]))
    drawn = np.asarray(random.categorical(logits, 4000, seed=1))
    assert drawn.shape == (2, 4000)
    np.testing.assert_allclose(np.bincount(drawn[0]) / 4000, [0.1, 0.2, 0.7], atol=0.03)
    assert (drawn[1] == 0).all()


def test_shuffle_keeps_the_values_of_each_column():
    x = np.arange(20).reshape(10, 2)
    shuffled = np.asarray(random.shuffle(x, seed=1))
    assert not np.array_equal(shuffled, x)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), x)


def test_dropout_keeps_the_mean():
    dropped = np.asarray(random.dropout(jnp.ones(20000), rate=0.25, seed=1))
    assert abs((dropped == 0).mean() - 0.25) < 0.02
    np.testing.assert_allclose(dropped[dropped > 0], 1 / 0.75, rtol=1e-6)


def test_dropout_repeats_its_pattern_along_axes_of_size_one():
    dropped = np.asarray(random.dropout(jnp.ones((4, 50)), 0.5, noise_shape=(None, 1), seed=3))
    assert (dropped == dropped[:, :1]).all()


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_of_nothing_and_of_everything(rate, expected):
    assert (np.asarray(random.dropout(jnp.ones(5), rate)) == expected).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: random.uniform((2,), dtype="int32"), "See randint"),
        (lambda: random.randint((2,), 0, 5, dtype="float32"), "See uniform"),
        (lambda: random.categorical(jnp.zeros(3), 1), r"\(batch, classes\); received \(3,\)"),
        (lambda: random.dropout(jnp.ones(3), 1.5), "between 0 and 1; received 1.5"),
        (lambda: random.normal((2,), seed="x"), "received 'x'"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("shape", [3, (None, 2), (2, -1), (2.0,), "32"])
def test_a_shape_that_is_none_is_refused(shape):
    for make in (random.normal, random.uniform):
        with pytest.raises(ValueError, match="A shape is a list or tuple of integers"):
            make(shape)


def test_settings_may_be_arrays_variables_or_lists():
    spread = random.normal((2, 1000), mean=[[0.0], [100.0]], stddev=Variable(0.1), seed=1)
    assert np.round(np.mean(spread, axis=1)).tolist() == [0.0, 100.0]
    assert random.uniform((2,), minval=Variable(1.0), maxval=1.5, seed=1).shape == (2,)
    assert sorted(random.shuffle(Variable([1.0, 2.0]), seed=1).tolist()) == [1.0, 2.0]


@pytest.mark.parametrize("name", [n for n in dir(keras.random) if n[0].islower()])
def test_arguments_have_the_names_and_defaults_of_keras(name):
    ours, theirs = (inspect.signature(getattr(K, name)).parameters for K in (random, keras.random))
    assert [(p.name, p.default) for p in ours.values()] == [
        (p.name, p.default) for p in theirs.values()
    ]
