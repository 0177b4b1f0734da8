"""Randomness: the same again from the same seed, and unrelated otherwise."""

import random

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from scipy import stats

import lamina
from lamina.core.variable import seed
from lamina.core.variable.hashing import hashed_bits
from lamina.core.variable.seed import SeedGenerator, draw_key, set_random_seed


def test_a_seed_makes_everything_the_same_again():
    def draw():
        set_random_seed(5)
        return (
            lamina.layers.Dense(2, name="d"),
            seed.make_default_seed(),
            random.random(),
            np.random.random(),
            lamina.random.normal((2,)).tolist(),
        )

    first, second = draw(), draw()
    for layer in (first[0], second[0]):
        layer.build((None, 3))
    assert first[1:] == second[1:]
    assert seed.global_seed() == 5
    set_random_seed(6)
    assert seed.make_default_seed() != first[1]


@pytest.mark.parametrize("bad", [-1, 2**32, 1.5, "1", None])
def test_a_seed_must_be_a_small_whole_number(bad):
    with pytest.raises(ValueError, match=r"integer from 0 to 2\*\*32 - 1"):
        set_random_seed(bad)


def test_a_generator_gives_keras_state_and_a_new_key_each_time():
    ours, theirs = SeedGenerator(7), keras.random.SeedGenerator(7)
    for _ in range(3):
        key, expected = ours.next(), theirs.next()
        assert key.tolist() == np.asarray(expected).tolist()
        assert key.dtype == expected.dtype
    assert ours.get_config() == {**theirs.get_config(), "name": ours.name}
    assert SeedGenerator.from_config(ours.get_config()).next().tolist() == [7, 0]


def test_the_state_of_a_generator_has_keras_path():
    def states(K):
        class Noise(K.layers.Layer):
            def __init__(self):
                super().__init__(name="noise")
                self.one = K.random.SeedGenerator(1)
                self.other = K.random.SeedGenerator(2, name="other")

        layers = [Noise(), K.layers.Dropout(0.5, name="drop")]
        return [v.path for layer in layers for v in layer.variables]

    keras.utils.clear_session(free_memory=False)
    assert states(lamina) == states(keras)


def test_keys_come_from_numbers_generators_or_the_global_generator():
    assert draw_key(3).tolist() == draw_key(3).tolist() == [3, 0]
    generator = SeedGenerator(3)
    assert [draw_key(generator).tolist() for _ in range(2)] == [[3, 0], [3, 1]]
    assert draw_key(None).tolist() != draw_key(None).tolist()
    with pytest.raises(ValueError, match="must be an integer, 0 or more, a Seed"):
        draw_key("3")


@pytest.mark.parametrize("bad", [1.5, -1, "1", True])
def test_a_generator_refuses_strange_seeds(bad):
    with pytest.raises(ValueError, match="SeedGenerator needs a"):
        SeedGenerator(bad)


def test_large_seeds_are_accepted():
    assert SeedGenerator(2**32 - 1).next().tolist() == [2**32 - 1, 0]
    assert draw_key(2**32 + 5).tolist() == [5, 0]


def test_an_unseeded_draw_inside_a_compiled_function_is_refused():
    with pytest.raises(RuntimeError, match="SeedGenerator"):
        jax.jit(lambda: lamina.random.normal((2,)))()


# Hashed bits. Bounds: the value that a fair source exceeds once in a million.


def bits(key, shape):
    return np.asarray(hashed_bits(jnp.array(key, "uint32"), shape))


KEYS = [(0, 0), (0, 1), (1, 0), (1, 1), (2**31, 5), (2**32 - 1, 2**32 - 1), (20, 999)]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_is_uniform(key, shift):
    counts = np.bincount((bits(key, (65536,)) >> shift) & 255, minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize("key", KEYS)
def test_fractions_have_the_mean_and_spread_of_a_uniform_variable(key):
    fractions = bits(key, (100_000,)) / 2**32
    assert abs(fractions.mean() - 0.5) < 5 / np.sqrt(12 * 100_000)
    assert abs(fractions.std() - 1 / np.sqrt(12)) < 0.003


def correlation(a, b):
    return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) * np.sqrt(a.size)


@pytest.mark.parametrize("key", KEYS)
def test_neighbours_are_unrelated(key):
    x = bits(key, (256, 256)).astype(float)
    assert correlation(x[:-1], x[1:]) < 5
    assert correlation(x[:, :-1], x[:, 1:]) < 5
    low = bits(key, (65536,)) & 1
    assert correlation(low[:-1].astype(float), low[1:].astype(float)) < 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((7, 0), (7, 1)),
        ((7, 0), (8, 0)),
        ((7, 8), (8, 7)),
        ((0, 0), (2**31, 0)),
        ((0, 0), (0, 2**31)),
        ((7, 1000), (7, 1001)),
    ],
)
def test_another_key_gives_unrelated_bits(one, other):
    a, b = bits(one, (65536,)), bits(other, (65536,))
    assert correlation(a.astype(float), b.astype(float)) < 5
    for shift in (0, 31):  # whether single bits agree
        agree = (((a ^ b) >> shift) & 1).mean()
        assert abs(agree - 0.5) < 5 * 0.5 / 256
    assert np.count_nonzero(a == b) < 5


def test_successive_masks_of_one_place_are_fair_and_unrelated():
    # The same unit over successive steps: what dropout needs besides a fair mask.
    steps = jax.vmap(lambda i: hashed_bits(jnp.stack([jnp.uint32(20), i]), (64,)))(
        jnp.arange(2048, dtype="uint32")
    )
    fractions = np.asarray(steps) / 2**32
    assert (abs(fractions.mean(axis=0) - 0.5) < 5 / np.sqrt(12 * 2048)).all()
    assert correlation(fractions[:-1], fractions[1:]) < 5


def test_bits_depend_on_key_and_place_alone():
    assert bits((1, 2), (3, 4)).ravel().tolist() == bits((1, 2), (12,)).tolist()
    assert bits((1, 2), ()).shape == ()
    assert bits((1, 2), (0, 3)).shape == (0, 3)
    assert len(set(bits((5, 5), (50_000,)).tolist())) > 49_990


# -- draws without a seed --------------------------------------------------------------------------


class Noisy(lamina.layers.Layer):
    def call(self, x):
        return x + lamina.random.normal((4,))


class SeededNoisy(lamina.layers.Layer):
    """As the message says."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = lamina.random.SeedGenerator()

    def call(self, x):
        return x + lamina.random.normal((4,), seed=self.seed_generator)


class NoisyModel(lamina.Model):
    def __init__(self):
        super().__init__()
        self.dense = lamina.layers.Dense(1)

    def call(self, x):
        return self.dense(x + lamina.random.normal((4,)))


def of(layer):
    return lamina.Sequential([lamina.Input((4,)), layer, lamina.layers.Dense(1)])


def fit(model):
    model.compile("sgd", "mse")
    return model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0).history["loss"]


@pytest.mark.parametrize("make", [lambda: of(Noisy()), NoisyModel], ids=["layer", "model"])
def test_a_draw_without_a_seed_in_a_compiled_step_is_refused_with_what_helps(make):
    model = make()
    for ask in (lambda: fit(model), lambda: model.predict(np.ones((2, 4)), verbose=0)):
        with pytest.raises(
            RuntimeError, match=r"without a seed was compiled.*\n.*seed_generator ="
        ):
            ask()
    assert len(fit(of(SeededNoisy()))) == 1


def test_after_it_was_refused_others_learn_and_draw_as_if_nothing_had_been():
    with pytest.raises(ValueError):  # as in Keras
        fit(of(Noisy()))
    assert len(fit(of(lamina.layers.Dropout(0.5)))) == 1
    assert lamina.random.normal((2,)).shape == (2,)
    assert seed.global_seed_generator().state.path == "global_seed_generator/seed_generator_state"


def test_a_draw_without_a_seed_outside_of_compiled_steps_is_fine():
    first, second = Noisy()(np.zeros((2, 4))), Noisy()(np.zeros((2, 4)))
    assert np.abs(first - second).max() > 0


def test_the_generators_that_all_code_shares_go_back_to_where_they_were():
    def draw():
        return np.random.rand(700).sum(), np.random.normal(), random.random(), random.gauss()

    np.random.normal()  # the second number of a pair waits
    random.gauss()
    state = seed.python_and_numpy_state()
    drawn = draw()
    seed.restore_python_and_numpy_state(state)
    assert draw() == drawn


def test_another_generator_in_the_place_of_numpys_is_left_alone():
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        state = seed.python_and_numpy_state()
        first = np.random.rand()
        seed.restore_python_and_numpy_state(state)
        assert np.random.rand() != first
    finally:
        np.random.set_bit_generator(before)
    seed.restore_python_and_numpy_state(state)
