"""Initializers: Keras's distributions and configs, reproducible values, plain errors."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina import initializers
from lamina.core.serialization import registry
from lamina.core.variable.seed import SeedGenerator, set_random_seed

pytestmark = pytest.mark.quick

EXACT = [
    ("Zeros", {}, (2, 3)),
    ("Ones", {}, (2, 3)),
    ("Constant", {"value": 0.5}, (2, 3)),
    ("Constant", {"value": [1.0, 2.0, 3.0]}, (2, 3)),
    ("Identity", {}, (3, 3)),
    ("Identity", {"gain": 2.0}, (2, 3)),
]
RANDOM = [
    ("RandomNormal", {"mean": 1.0, "stddev": 0.3}),
    ("RandomUniform", {"minval": -2.0, "maxval": 1.0}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 0.3}),
    *(
        ("VarianceScaling", {"scale": 3.0, "mode": mode, "distribution": distribution})
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("truncated_normal", "untruncated_normal", "uniform")
    ),
    ("VarianceScaling", {"distribution": "normal"}),
    ("GlorotUniform", {"input_axes": [0], "output_axes": [1, 2, 3]}),
    *(
        (name, {})
        for name in (
            "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal",
            "LecunUniform", "LecunNormal", "Orthogonal",
        )
    ),
]  # fmt: skip
NAMES = sorted({name for name, *_ in (*EXACT, *RANDOM)})


@pytest.mark.parametrize(("name", "settings", "shape"), EXACT)
def test_values_equal_keras(name, settings, shape):
    ours = getattr(initializers, name)(**settings)(shape)
    theirs = getattr(keras.initializers, name)(**settings)(shape)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("name", "settings"), RANDOM)
def test_distribution_is_that_of_keras(name, settings):
    shape = (3, 3, 20, 40)
    ours = np.sort(np.ravel(getattr(initializers, name)(**settings, seed=1)(shape)))
    theirs = np.sort(np.ravel(getattr(keras.initializers, name)(**settings, seed=1)(shape)))
    # Largest gap between the two distribution functions; 0.03 for 7200 samples is 1 in 10,000.
    both = np.concatenate([ours, theirs])
    gap = np.searchsorted(ours, both, "right") - np.searchsorted(theirs, both, "right")
    assert np.abs(gap).max() / len(ours) < 0.03
    np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.04)


@pytest.mark.parametrize(("name", "settings"), [(n, s) for n, s, *_ in (*EXACT, *RANDOM)])
def test_config_equals_keras_and_makes_the_same_initializer(name, settings):
    ours = getattr(initializers, name)(**settings)
    theirs = getattr(keras.initializers, name)(**settings)
    if "gain" not in settings:  # Keras forgets the gain of Identity
        assert initializers.serialize(ours) == keras.initializers.serialize(theirs)
    again = initializers.deserialize(initializers.serialize(ours))
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    from_keras = initializers.get(keras.initializers.serialize(theirs))
    assert type(from_keras) is type(ours)


def test_identity_keeps_its_gain_when_saved():
    again = initializers.deserialize(initializers.serialize(initializers.Identity(gain=3.0)))
    assert again.gain == 3.0


# Keras cannot make a Constant from its name alone.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "Constant"])
def test_keras_knows_every_name_that_we_know(name):
    table = initializers.get_initializer._NAMES.table
    spellings = [spelling for spelling, cls in table.items() if cls.__name__ == name]
    assert len(spellings) > 1
    for spelling in spellings:
        assert type(keras.initializers.get(spelling)).__name__ == name
        assert type(initializers.get(spelling)).__name__ == name


@pytest.mark.parametrize("seed", [3, None])
def test_an_initializer_gives_the_same_values_at_every_call(seed):
    initializer = initializers.GlorotUniform(seed=seed)
    np.testing.assert_array_equal(initializer((4, 5)), initializer((4, 5)))


def test_two_unseeded_initializers_differ():
    first, second = initializers.HeNormal(), initializers.HeNormal()
    assert not np.array_equal(first((4, 5)), second((4, 5)))


def test_set_random_seed_repeats_unseeded_initializers():
    set_random_seed(5)
    first = initializers.HeNormal()((4, 5))
    set_random_seed(5)
    np.testing.assert_array_equal(first, initializers.HeNormal()((4, 5)))


def test_a_seed_generator_gives_new_values_at_every_call():
    initializer = initializers.RandomNormal(seed=SeedGenerator(3))
    first = initializer((4, 5))
    assert not np.array_equal(first, initializer((4, 5)))
    np.testing.assert_array_equal(first, initializers.RandomNormal(seed=3)((4, 5)))


def test_an_initializer_with_a_seed_generator_survives_saving():
    initializer = initializers.RandomNormal(seed=SeedGenerator(3))
    again = initializers.deserialize(initializers.serialize(initializer))
    np.testing.assert_array_equal(again((4, 5)), initializer((4, 5)))


@pytest.mark.parametrize("name", ["RandomUniform", "RandomNormal", "TruncatedNormal"])
def test_a_part_of_the_values_can_be_made_alone(name):
    initializer = getattr(initializers, name)(seed=9)
    whole = np.ravel(initializer((4, 4)))
    skipped = np.random.Philox(key=9)
    skipped.advance(2)  # four values a step
    initializer._uniform = lambda shape: np.random.Generator(skipped).random(shape)
    np.testing.assert_array_equal(initializer((8,)), whole[8:])


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 3, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape):
    matrix = np.reshape(initializers.Orthogonal(gain=2.0, seed=1)(shape), (-1, shape[-1])) / 2
    smaller = min(matrix.shape)
    product = matrix.T @ matrix if matrix.shape[1] == smaller else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(smaller), atol=1e-5)


@given(st.lists(st.integers(0, 5), max_size=4), st.sampled_from(["float32", "bfloat16"]))
def test_any_shape_and_float_type_is_filled(shape, dtype):
    values = initializers.GlorotNormal(seed=0)(shape, dtype=dtype)
    assert values.shape == tuple(shape)
    assert values.dtype == dtype
    assert np.isfinite(np.asarray(values, "float32")).all()


def test_whole_numbers_can_be_constant():
    assert initializers.Constant(3)((2,), dtype="int32").dtype == "int32"


def test_an_array_is_the_initial_value_itself():
    array = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(initializers.get(array)((2, 3)), array)
    with pytest.raises(ValueError, match=r"shape \(2, 3\) and the variable \(3, 2\)"):
        initializers.get(array)((3, 2))


def test_a_function_a_class_and_none_are_taken_as_they_are():
    def half(shape, dtype=None):
        return jnp.full(shape, 0.5, dtype)

    assert initializers.get(half) is half
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)
    assert initializers.get(None) is None


def test_a_registered_class_is_found_by_its_name():
    @registry.register_keras_serializable(package="tests")
    class Halves(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return jnp.full(shape, 0.5, dtype)

    config = initializers.serialize(Halves())
    assert isinstance(initializers.deserialize(config), Halves)
    assert isinstance(initializers.get("tests>Halves"), Halves)


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.get(3.5), "must be a name"),
        (lambda: initializers.get({"name": "zeros"}), "'class_name' and 'config'"),
        (lambda: initializers.HeNormal(seed="1"), "integer, a SeedGenerator"),
        (lambda: initializers.HeNormal(seed=-1), "0 or more; received -1"),
        (lambda: initializers.VarianceScaling(scale=0.0), "scale above 0; received 0.0"),
        (lambda: initializers.VarianceScaling(mode="fan"), "received 'fan'"),
        (lambda: initializers.VarianceScaling(distribution="gauss"), "received 'gauss'"),
        (lambda: initializers.Identity()((2, 2, 2)), "makes matrices"),
        (lambda: initializers.Orthogonal()((2,)), "at least two axes"),
        (lambda: initializers.Zeros()((None, 2)), "known sizes"),
        (lambda: initializers.HeNormal()((2, 2), dtype="int32"), "draws floats"),
        (lambda: initializers.Initializer()((2, 2)), "has no __call__"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        make()
