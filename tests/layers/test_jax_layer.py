"""JaxLayer and FlaxLayer: functions and modules whose parameters are trained like weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")


def init(rng, inputs):
    return {"kernel": jax.random.normal(rng, (inputs.shape[-1], 2)), "bias": jnp.zeros(2)}


def linear(params, inputs):
    return inputs @ params["kernel"] + params["bias"]


def trained(*stack, epochs=5):
    model = lamina.Sequential(list(stack))
    model.compile(optimizer=lamina.optimizers.SGD(0.1), loss="mse")
    losses = model.fit(X, X[:, :2], epochs=epochs, batch_size=16, verbose=0).history["loss"]
    return model, losses


@pytest.mark.parametrize("first", [[lamina.Input((4,))], []], ids=["input", "no input"])
def test_its_parameters_are_made_for_the_shape_and_trained(first):
    model, losses = trained(*first, layers.JaxLayer(linear, init))
    assert losses[-1] < losses[0] / 2
    assert [w.shape for w in model.trainable_weights] == [(2,), (4, 2)]
    kernel = model.layers[-1].params["kernel"]
    assert not isinstance(kernel.value, jax.core.Tracer)


def test_given_parameters_are_taken_as_they_are():
    params = {"kernel": np.ones((4, 2)), "bias": np.array([1.0, 2.0])}
    layer = layers.JaxLayer(linear, params=params)
    np.testing.assert_allclose(layer(X), linear(params, X), rtol=1e-5)
    assert {w.dtype for w in layer.weights} == {"float32"}


def test_state_is_kept_and_not_trained():
    def running_mean(params, state, inputs, training):
        mean = 0.5 * state["mean"] + 0.5 * inputs.mean(0) if training else state["mean"]
        return (inputs - mean) * params, {"mean": mean}

    layer = layers.JaxLayer(running_mean, params=jnp.ones(4), state={"mean": jnp.zeros(4)})
    layer(X)
    assert not layer.state["mean"].numpy().any()
    layer(X, training=True)
    np.testing.assert_allclose(layer.state["mean"], 0.5 * X.mean(0), rtol=1e-5)
    assert len(layer.trainable_weights) == len(layer.non_trainable_weights) == 1


def test_randomness_in_training_is_drawn_anew_and_can_be_reproduced():
    def noisy(rng, inputs):
        return inputs if rng is None else inputs + jax.random.normal(rng, inputs.shape)

    one, other = layers.JaxLayer(noisy, seed=3), layers.JaxLayer(noisy, seed=3)
    first = one(X, training=True)
    np.testing.assert_array_equal(first, other(X, training=True))
    assert not np.array_equal(first, one(X, training=True))
    np.testing.assert_array_equal(one(X), X)


def test_a_file_needs_the_functions_again(tmp_path):
    model, _ = trained(lamina.Input((4,)), layers.JaxLayer(linear, init), epochs=1)
    model.save(tmp_path / "model.keras")
    with pytest.raises(TypeError, match="custom_objects=.*linear"):
        lamina.saving.load_model(tmp_path / "model.keras")
    given = {"linear": linear, "init": init}
    twin = lamina.saving.load_model(tmp_path / "model.keras", custom_objects=given)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.JaxLayer(3), TypeError, "call_fn must be a function; received 3"),
        (
            lambda: layers.JaxLayer(lambda x: x),
            ValueError,
            "no arguments other than .*: it takes 'x'",
        ),
        (lambda: layers.JaxLayer(lambda params: 1), ValueError, "does not take 'inputs'"),
        (lambda: layers.JaxLayer(linear), ValueError, "call_fn takes params, and there is nothing"),
        (lambda: layers.JaxLayer(linear, lambda key: 1), ValueError, "init_fn must take inputs"),
        (lambda: layers.FlaxLayer(linear), TypeError, "needs a module of flax.linen"),
        (lambda: layers.TorchModuleWrapper(None), NotImplementedError, "JAX alone(.|\n)*set_weig"),
        (lambda: layers.TFSMLayer("here"), NotImplementedError, "'here'(.|\n)*load_model"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_state_of_another_structure_is_refused():
    layer = layers.JaxLayer(lambda state, inputs: (inputs, {}), state={"count": 0})
    with pytest.raises(ValueError, match="must return a state of the same structure"):
        layer(X)


class Module:
    """As much of a flax.linen.Module as FlaxLayer uses: a layer with an average and dropout."""

    def init(self, rngs, inputs, method, training):
        assert set(rngs) == {"params", "dropout"}
        kernel = jax.random.normal(rngs["params"], (inputs.shape[-1], 2))
        return {"params": {"kernel": kernel}, "batch_stats": {"mean": jnp.zeros(4)}}

    def apply(self, variables, inputs, rngs, method, mutable, training):
        assert mutable == ["batch_stats"]
        assert set(rngs) == ({"dropout"} if training else set())
        mean = inputs.mean(0) if training else variables["batch_stats"]["mean"]
        outputs = (inputs - mean) @ variables["params"]["kernel"]
        return outputs, {"batch_stats": {"mean": mean}}

    def __call__(self, inputs, training):
        raise AssertionError("only its signature is looked at")

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


def test_a_module_of_flax_is_trained_and_saved(tmp_path):
    model, losses = trained(lamina.Input((4,)), layers.FlaxLayer(Module()))
    assert losses[-1] < losses[0]
    layer = model.layers[-1]
    np.testing.assert_allclose(layer.state["batch_stats"]["mean"], X[16:].mean(0), atol=1)
    model.save(tmp_path / "model.keras")
    given = {"Module": Module}
    twin = lamina.saving.load_model(tmp_path / "model.keras", custom_objects=given)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_module_of_the_real_flax():
    linen = pytest.importorskip("flax.linen")

    class Net(linen.Module):
        @linen.compact
        def __call__(self, inputs, training=False):
            x = linen.BatchNorm(use_running_average=not training)(inputs)
            return linen.Dense(2)(linen.Dropout(0.1, deterministic=not training)(x))

    model, losses = trained(lamina.Input((4,)), layers.FlaxLayer(Net()))
    assert losses[-1] < losses[0]
    assert len(model.trainable_weights) == 4
    assert len(model.non_trainable_weights) == 2
