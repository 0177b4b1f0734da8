"""Optimizers around others: LossScaleOptimizer, MultiOptimizer and its map."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import optimizers
from lamina.core.variable.variable import Variable
from lamina.optimizers import (
    SGD,
    Adam,
    LossScaleOptimizer,
    MultiOptimizer,
    OptimizerMap,
    RMSprop,
)

# Keras's own way of reading a Variable with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X[:, :2] * 2 - 1


def pair():
    """A kernel and a bias of Lamina, and the same of Keras."""
    values = {"kernel": np.ones((2, 2), "float32"), "bias": np.zeros(2, "float32")}
    ours = [Variable(value, name=name) for name, value in values.items()]
    return ours, [keras.Variable(value, name=name) for name, value in values.items()]


def keras_step(optimizer, gradients, variables):
    """`apply`, which Keras's LossScaleOptimizer can do on JAX only as a pure function."""
    if not optimizer.built:
        optimizer.build(variables)
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.apply([jnp.asarray(g) for g in gradients], variables)
        return
    boxes = [variables, optimizer.variables]
    values = [[v.value for v in group] for group in boxes]
    new = optimizer.stateless_apply(values[1], [jnp.asarray(g) for g in gradients], values[0])
    for group, arrays in zip(boxes, new, strict=True):
        for box, array in zip(group, arrays, strict=True):
            box.assign(array)


def loss_scale(library):
    return library.LossScaleOptimizer(library.Adam(0.1), 16.0, dynamic_growth_steps=2)


def multi(library):
    chosen = {".*kernel": library.Adam(0.1), "nothing": library.SGD()}
    return library.MultiOptimizer(library.OptimizerMap(library.RMSprop(0.2), chosen))


@pytest.mark.parametrize("make", [loss_scale, multi])
def test_steps_give_the_same_weights_and_state_as_keras(make, rng):
    (weights, twins), mine, theirs = pair(), make(optimizers), make(keras.optimizers)
    for step in range(5):
        gradients = [rng.normal(size=w.shape).astype("float32") * 20 for w in weights]
        if make is loss_scale and step == 3:
            gradients[0][0, 0] = np.inf
        mine.apply(gradients, weights)
        keras_step(theirs, gradients, twins)
    found = [(v.path.split("/", 1)[-1], v.shape, v.dtype) for v in mine.variables]
    expected = [(v.path.split("/", 1)[-1], tuple(v.shape), v.dtype) for v in theirs.variables]
    assert found == expected
    for ours, other in zip([*weights, *mine.variables], [*twins, *theirs.variables], strict=True):
        np.testing.assert_allclose(ours.numpy(), np.asarray(other), 1e-5, 1e-7, err_msg=ours.path)


@pytest.mark.parametrize("make", [loss_scale, multi])
def test_config_is_that_of_keras_and_makes_the_same_again(make):
    mine, theirs = make(optimizers), make(keras.optimizers)
    record, expected = optimizers.serialize(mine), keras.optimizers.serialize(theirs)

    def without_names(data):
        if isinstance(data, dict):
            return {k: without_names(v) for k, v in data.items() if k != "name"}
        return data

    assert without_names(record) == without_names(expected)
    assert optimizers.deserialize(expected).get_config() == expected["config"]
    assert keras.optimizers.deserialize(record).get_config() == mine.get_config()


@pytest.mark.parametrize("make", [loss_scale, multi])
def test_a_model_with_it_opens_in_keras_and_back(make, tmp_path):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    model.compile(make(optimizers), "mse")
    first = model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history["loss"]
    assert first[-1] < first[0]
    model.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    for found, expected in zip(theirs.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(found), expected.numpy(), err_msg=expected.path)
    theirs.save(tmp_path / "theirs.keras")
    again = lamina.models.load_model(tmp_path / "theirs.keras")
    for found, expected in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy(), err_msg=found.path)


def test_one_program_trains_with_several_optimizers(compilations):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    model.compile(multi(optimizers), "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    compilations.reset()
    model.optimizer.optimizers[0].learning_rate = 0.01
    model.fit(X, Y, batch_size=8, verbose=0)
    assert compilations.count("train_program") == 0
    assert int(model.optimizer.iterations) == 8


def test_a_function_may_choose_the_optimizer():
    weights, _ = pair()
    adam, sgd = Adam(0.5), SGD(0.25)
    optimizer = MultiOptimizer(lambda v: sgd if v.name == "bias" else adam)
    optimizer.apply([jnp.full((2, 2), 8.0), jnp.ones(2)], weights)
    np.testing.assert_allclose(weights[0].numpy(), 0.5, rtol=1e-5)
    np.testing.assert_allclose(weights[1].numpy(), -0.25)
    assert optimizer.optimizers == [adam, sgd]


def test_averages_of_inner_optimizers_end_up_in_the_weights():
    weights, _ = pair()
    optimizer = LossScaleOptimizer(
        MultiOptimizer(OptimizerMap(SGD(1.0, use_ema=True, ema_momentum=0.5))), initial_scale=2.0
    )
    for _ in range(2):
        optimizer.apply([jnp.full((2, 2), 2.0), jnp.zeros(2)], weights)
    np.testing.assert_allclose(weights[0].numpy(), -1.0)
    optimizer.finalize_variable_values(weights)
    np.testing.assert_allclose(weights[0].numpy(), -0.5)


def test_the_loss_scale_of_all_inner_optimizers_is_one():
    sgd = SGD(loss_scale_factor=3.0)
    optimizer = MultiOptimizer(OptimizerMap(sgd), loss_scale_factor=8.0)
    assert sgd.loss_scale_factor == 8.0
    assert float(optimizer.scale_loss(1.5)) == 12.0
    LossScaleOptimizer(optimizer)
    assert sgd.loss_scale_factor is None


def test_the_learning_rate_is_that_of_the_optimizer_inside():
    scaled = LossScaleOptimizer(Adam(0.25))
    scaled.learning_rate = 0.5
    assert float(scaled.inner_optimizer.learning_rate) == 0.5 == float(scaled.learning_rate)
    several = MultiOptimizer(OptimizerMap(SGD()))
    for use in (lambda: several.learning_rate, lambda: setattr(several, "learning_rate", 1.0)):
        with pytest.raises(AttributeError, match="no learning rate of its own"):
            use()


def test_two_keys_for_one_weight_are_refused():
    chosen = OptimizerMap(SGD(), {"encoder/.*": Adam(), ".*/kernel": RMSprop()})
    with pytest.raises(ValueError, match=r"Two keys .* match the weight 'encoder/dense/kernel'"):
        chosen["encoder/dense/kernel"]
    with pytest.raises(ValueError, match="has .* for 'encoder/.*' already"):
        chosen["encoder/.*"] = SGD()
    del chosen["encoder/.*"]
    assert type(chosen["encoder/dense/kernel"]) is RMSprop
    assert list(chosen) == [".*/kernel"]
    assert "encoder/dense/kernel" not in chosen


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: LossScaleOptimizer("adam"), TypeError, "needs an optimizer to wrap"),
        (lambda: LossScaleOptimizer(SGD(), 0), ValueError, "initial_scale must be above 0"),
        (lambda: LossScaleOptimizer(SGD(), 1.0, 0), ValueError, "dynamic_growth_steps"),
        (lambda: LossScaleOptimizer(SGD(), dynamic=False), ValueError, "loss_scale_factor=1024"),
        (lambda: LossScaleOptimizer(SGD(), clipnorm=1.0), ValueError, "has no clipnorm"),
        (lambda: LossScaleOptimizer(SGD(), inital_scale=1.0), TypeError, "'initial_scale'"),
        (lambda: MultiOptimizer({"a": SGD()}), TypeError, "needs an OptimizerMap"),
        (lambda: OptimizerMap("sgd"), TypeError, "holds optimizers"),
        (lambda: OptimizerMap(SGD(), [Adam()]), TypeError, "must be a dict"),
        (lambda: OptimizerMap(SGD(), {1: Adam()}), ValueError, "path of a weight; received 1"),
        (lambda: OptimizerMap(LossScaleOptimizer(SGD())), ValueError, "one of several"),
    ],
)
def test_what_cannot_be_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_old_names_mean_the_same_optimizers():
    assert optimizers.legacy.Adam is Adam
    assert set(optimizers.legacy.__all__) == {
        name for name in dir(keras.optimizers.legacy) if not name.startswith("_")
    }
