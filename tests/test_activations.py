"""Activations: Keras's values and gradients, names and configs."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import activations, ops
from lamina.core.messages.errors import LaminaWarning
from lamina.core.serialization import registry
from lamina.core.variable.variable import Variable

NAMES = [name for name in activations.__all__ if name not in ("get", "serialize", "deserialize")]
SETTINGS = {"threshold": (0.3, -1.0)}
RELUS = [
    {"negative_slope": 0.1},
    {"max_value": 1.0},
    {"max_value": 6},
    {"threshold": 0.5},
    {"negative_slope": 0.2, "max_value": 1.0, "threshold": 0.5},
]


def test_every_activation_of_keras_is_here():
    public = {n for n in dir(keras.activations) if not n.startswith("_")}
    assert public == set(activations.__all__)


# Keras 3.15 sums cumulative sums in sparsemax, so that its rows don't always sum to 1.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "sparsemax"])
def test_value_and_gradient_equal_keras(name, rng):
    x = (rng.normal(size=(3, 4)) * 2).astype("float32")
    more = SETTINGS.get(name, ())
    weights = jnp.asarray(rng.normal(size=(3, 2 if name == "glu" else 4)), "float32")

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradient(function, x):
        y, back = jax.vjp(lambda x: function(x, *more), x)
        return y, back(weights)[0]

    y, gradient = value_and_gradient(getattr(activations, name), x)
    expected, expected_gradient = value_and_gradient(getattr(keras.activations, name), x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [0, -1])
def test_sparsemax_is_the_nearest_point_with_probabilities(axis, rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    nearest = np.asarray(jax.jit(activations.sparsemax, static_argnums=1)(x, axis))
    np.testing.assert_allclose(nearest.sum(axis), 1, rtol=1e-5)
    others = rng.dirichlet(np.full(x.shape[axis], 0.3), size=(500, x.size // x.shape[axis]))
    others = np.swapaxes(others, 1, 2) if axis == 0 else others
    distances = ((others - x) ** 2).sum(axis if axis == -1 else 1)
    assert (distances >= ((nearest - x) ** 2).sum(axis) - 1e-5).all()


@pytest.mark.parametrize("settings", RELUS)
def test_relu_with_settings_equals_keras(settings, rng):
    x = (rng.normal(size=(3, 4)) * 4).astype("float32")
    ours = activations.relu(x, **settings)
    np.testing.assert_allclose(ours, keras.activations.relu(x, **settings), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_is_saved_by_name_and_found_again(name):
    function = getattr(activations, name)
    saved = activations.serialize(function)
    assert saved == keras.activations.serialize(getattr(keras.activations, name))
    assert activations.deserialize(saved) is function
    assert activations.get(name) is function


@pytest.mark.parametrize("axis", [-1, 0, (0, 1)])
def test_softmax_over_any_axis_sums_to_one(axis, rng):
    probabilities = activations.softmax(rng.normal(size=(3, 4)), axis=axis)
    np.testing.assert_allclose(np.sum(probabilities, axis=axis), 1, rtol=1e-5)


def test_softmax_of_a_single_value_warns():
    with pytest.warns(LaminaWarning, match="Likely meant: sigmoid"):
        activations.softmax(np.zeros((3, 1)))


def test_whole_numbers_and_variables_are_accepted():
    assert activations.sigmoid(np.array([0])).dtype == "float32"
    assert float(activations.tanh(Variable(0.0))) == 0.0


def test_half_size_floats_stay_half_size():
    assert activations.gelu(jnp.ones(3, "bfloat16")).dtype == "bfloat16"


def test_gelu_is_exact_as_activation_and_approximate_as_operation():
    x = np.float32(1.5)
    np.testing.assert_allclose(ops.gelu(x), keras.ops.gelu(x), rtol=1e-6)
    assert abs(float(ops.gelu(x)) - float(activations.gelu(x))) > 1e-5


def test_none_is_linear_and_a_function_is_itself():
    assert activations.get(None) is activations.linear
    assert activations.get(jnp.sin) is jnp.sin


def test_a_function_of_the_user_is_found_when_registered():
    @registry.register_keras_serializable(package="tests")
    def double(x):
        return 2 * x

    assert activations.deserialize(activations.serialize(double)) is double


def test_a_misspelt_activation_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        activations.get("reluu")


def test_glu_of_an_odd_size_is_refused():
    with pytest.raises(ValueError, match="even size on axis -1"):
        activations.glu(np.zeros((2, 3)))
