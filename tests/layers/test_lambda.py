"""Lambda and Pipeline: what they run, save and refuse."""

import numpy as np
import pytest

import lamina
from lamina import layers

pytestmark = pytest.mark.quick

X = np.arange(6, dtype="float32").reshape(2, 3)


def doubled(x):
    return 2 * x


def model_of(*stack):
    return lamina.Sequential([lamina.Input((3,)), *stack])


def test_a_lambda_runs_in_a_model_that_is_trained():
    model = model_of(layers.Lambda(lambda x: x / 10), layers.Dense(1))
    model.compile(optimizer="sgd", loss="mse")
    losses = model.fit(X, X[:, :1], epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_lambda_can_be_copied_but_not_saved(tmp_path):
    model = model_of(layers.Lambda(lambda x: x + 1))
    np.testing.assert_allclose(lamina.models.clone_model(model).predict(X, verbose=0), X + 1)
    with pytest.raises(ValueError, match="A lambda cannot be saved"):
        model.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_a_named_function_is_given_again_when_the_file_is_opened(tmp_path):
    model_of(layers.Lambda(doubled)).save(tmp_path / "model.keras")
    with pytest.raises(TypeError, match="custom_objects=.*doubled"):
        lamina.saving.load_model(tmp_path / "model.keras")
    given = {"doubled": doubled}
    model = lamina.saving.load_model(tmp_path / "model.keras", custom_objects=given)
    np.testing.assert_allclose(model.predict(X, verbose=0), 2 * X)


def test_a_file_cannot_make_a_layer_call_what_the_user_has_not_given():
    """Names that Lamina itself can look up, such as losses, are no exception."""
    config = layers.Lambda(doubled).get_config()
    config["function"]["config"] = "mean_squared_error"
    with pytest.raises(TypeError, match="mean_squared_error"):
        layers.Lambda.from_config(config)


def test_the_function_learns_the_mode_and_the_mask():
    seen = []

    def watch(x, training=None, mask=None):
        seen.append((training, None if mask is None else mask.tolist()))
        return x

    layer = layers.Lambda(watch)
    layer(X, training=True)
    layer(X, mask=np.array([[True, False, True]] * 2))
    assert seen == [(True, None), (None, [[True, False, True]] * 2)]


def test_the_output_shape_may_be_a_function():
    layer = layers.Lambda(lambda x: x[:, :1], output_shape=lambda shape: (shape[0], 1))
    assert layer(lamina.Input((3,))).shape == (None, 1)
    assert layers.Lambda(lambda x: x[:, :1])(lamina.Input((3,))).shape == (None, 1)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="Lambda needs a function; received 3"):
        layers.Lambda(3)


def test_a_pipeline_hands_the_mode_and_masks_on():
    pipeline = layers.Pipeline([layers.Masking(), layers.Dropout(0.5, seed=1), layers.Dense(2)])
    model = lamina.Sequential([lamina.Input((4, 3)), pipeline])
    x = np.ones((2, 4, 3), "float32")
    assert np.array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))
    assert len(model.trainable_weights) == 2
    assert pipeline(x)._keras_mask.tolist() == [[True] * 4] * 2


@pytest.mark.parametrize("stack", [layers.ReLU(), [layers.ReLU(), np.tanh]], ids=["layer", "tanh"])
def test_a_pipeline_of_something_else_is_refused(stack):
    with pytest.raises(TypeError, match="Pipeline needs a list of layers"):
        layers.Pipeline(stack)


def test_deserialize_makes_layers_only():
    record = lamina.optimizers.serialize(lamina.optimizers.SGD())
    with pytest.raises(ValueError, match="needs the class and config of a layer"):
        layers.deserialize(record)


@pytest.mark.parametrize("safe_mode", [None, True, False])
def test_a_config_is_read_alike_in_every_safe_mode(safe_mode):
    config = layers.Lambda(doubled).get_config()
    layer = layers.Lambda.from_config(config, {"doubled": doubled}, safe_mode=safe_mode)
    np.testing.assert_array_equal(layer(X), 2 * X)


@pytest.mark.parametrize("config", [{"name": "test"}, {"layers": None, "name": "test"}])
def test_a_pipeline_s_config_without_layers_is_refused(config):
    with pytest.raises(ValueError, match="must have a list of configs as 'layers'; received None"):
        layers.Pipeline.from_config(config)
