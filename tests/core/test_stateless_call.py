"""Training loops of one's own in JAX: layers and models as pure functions."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import layers


def small(package, dropout: float = 0.0):
    return package.Sequential(
        [
            package.Input((3,)),
            package.layers.Dense(4, activity_regularizer="l2"),
            package.layers.BatchNormalization(),
            package.layers.Dropout(dropout),
            package.layers.Dense(1),
        ]
    )


@pytest.fixture
def both():
    ours, theirs = small(lamina), small(keras)
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def test_a_stateless_call_equals_keras_and_changes_nothing(both, rng):
    ours, theirs = both
    x = rng.normal(size=(8, 3)).astype("float32")
    results = [
        model.stateless_call(
            model.trainable_variables,
            model.non_trainable_variables,
            x,
            training=True,
            return_losses=True,
        )
        for model in both
    ]
    (y, state, losses), (y_keras, state_keras, losses_keras) = results
    np.testing.assert_allclose(y, y_keras, atol=1e-5)
    np.testing.assert_allclose(losses, losses_keras, rtol=1e-5)
    names = [v.path.split("/", 1)[1] for v in ours.non_trainable_variables]
    keras_state = {
        v.path.split("/", 1)[1]: value
        for v, value in zip(theirs.non_trainable_variables, state_keras, strict=True)
    }
    for name, value in zip(names, state, strict=True):
        if "moving" in name:
            np.testing.assert_allclose(value, keras_state[name], atol=1e-6)
    assert float(ours.layers[1].moving_mean.numpy().sum()) == 0
    assert ours.losses is not losses


def test_a_loop_in_plain_jax_learns(rng):
    model = small(lamina, dropout=0.1)
    model.compile("sgd", "mse")
    x = rng.normal(size=(64, 3)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    model.optimizer.build(model.trainable_variables)

    def loss_of(trainable, rest, x, y):
        y_pred, rest = model.stateless_call(trainable, rest, x, training=True)
        return jnp.mean((y - y_pred) ** 2), rest

    @jax.jit
    def step(state, x, y):
        trainable, rest, slots = state
        (loss, rest), grads = jax.value_and_grad(loss_of, has_aux=True)(trainable, rest, x, y)
        trainable, slots = model.optimizer.stateless_apply(slots, grads, trainable)
        return loss, (trainable, rest, slots)

    state = tuple(
        [v.value for v in group]
        for group in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
        )
    )
    losses = []
    for _ in range(50):
        loss, state = step(state, x, y)
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 3
    # Random numbers move on, or every step would drop the same units.
    seed = model.layers[2].seed_generator.state
    place = next(i for i, v in enumerate(model.non_trainable_variables) if v is seed)
    assert not np.array_equal(state[1][place], seed.numpy())


def test_compute_loss_on_values_that_are_given(both, rng):
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    losses = []
    for model in both:
        model.compile("sgd", "mse", metrics=["mae"])
        y_pred = model(x)
        loss, (trainable, rest, metrics) = model.stateless_compute_loss(
            [v.value for v in model.trainable_variables],
            [v.value for v in model.non_trainable_variables],
            [v.value for v in model.metrics_variables],
            x=x,
            y=y,
            y_pred=y_pred,
        )
        losses.append(float(loss))
        assert len(trainable) == len(model.trainable_variables)
        assert len(rest) == len(model.non_trainable_variables)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_values_that_do_not_fit_in_number_are_refused():
    layer = layers.Dense(2)
    with pytest.raises(ValueError, match="no weights yet"):
        layer.stateless_call([], [], np.ones((1, 3)))
    layer.build((None, 3))
    with pytest.raises(ValueError, match="2 trainable variables and received 1"):
        layer.stateless_call([np.ones((3, 2))], [], np.ones((1, 3)))


def test_a_state_tree_has_keras_groups_and_goes_back(rng):
    model = small(lamina)
    model.compile("adam", "mse", metrics=["mae"])
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    model.fit(x, y, verbose=0)
    tree = model.get_state_tree(value_format="numpy_array")
    assert list(tree) == [
        "trainable_variables",
        "non_trainable_variables",
        "optimizer_variables",
        "metrics_variables",
    ]
    kernel = tree["trainable_variables"][model.name]["dense"]["kernel"]
    assert isinstance(kernel, np.ndarray)
    before = model.predict(x, verbose=0)
    model.fit(x, y, verbose=0)
    model.set_state_tree(tree)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"trainables": {}}, "received 'trainables'"),
        ({"trainable_variables": {"dense": {"kernl": 1}}}, "no variable 'dense/kernl'"),
        ({"trainable_variables": {"dense": {"kernel": np.ones((1, 1))}}}, "cannot take a value"),
    ],
)
def test_a_tree_of_another_model_changes_nothing(tree, message):
    x = lamina.Input((3,))
    model = lamina.Model(x, layers.Dense(2, name="dense")(x))
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.set_state_tree(tree)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_knows_its_path_as_in_keras():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__(name="block")
            self.dense = layers.Dense(3, name="inner")

        def call(self, x):
            return self.dense(x)

    block = Block()
    assert block.path is None
    block(np.ones((2, 2)))
    assert (block.path, block.dense.path) == ("block", "block/inner")
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(2, name="dense")], name="seq")
    assert model.layers[0].path == "seq/dense"


def test_what_comes_later_says_so():
    layer = layers.Dense(2)
    with pytest.raises(NotImplementedError, match="quantize is not available yet"):
        layer.quantize("int8")
    with pytest.raises(NotImplementedError, match="removed in Keras 3"):
        layer.add_metric(1.0)
    with pytest.raises(NotImplementedError, match="not available yet"):
        lamina.applications.ResNet50(weights=None)
    from lamina.applications.resnet50 import preprocess_input

    with pytest.raises(NotImplementedError, match="Meanwhile"):
        preprocess_input(np.ones((1, 2, 2, 3)))


def test_a_state_tree_has_no_place_for_two_variables_of_one_path():
    model = lamina.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="b")], name="net")
    model.build((None, 2))
    model.layers[1].kernel.path = model.layers[0].kernel.path
    with pytest.raises(ValueError, match="Two variables have the same path 'net/a/kernel'"):
        model.get_state_tree()
