"""Training in half-size floats: as good as in float32, and never stopped by an overflow."""

import keras
import numpy as np
import optax
import pytest

import lamina
from lamina.optimizers import SGD, Adam, LossScaleOptimizer

# Keras's own way of reading a Variable with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = (X[:, :2] * 0.5).astype("float32")


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request):
    lamina.config.set_dtype_policy(request.param)
    return request.param


@pytest.fixture
def mixed_float16():
    lamina.config.set_dtype_policy("mixed_float16")


def small_model(**compiled):
    model = lamina.Sequential(
        [lamina.Input((6,)), lamina.layers.Dense(8, "relu"), lamina.layers.Dense(2)]
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", **compiled})
    return model


def test_digits_are_learned_in_half_precision(policy):
    (x, y), (x_test, y_test) = lamina.datasets.digits.load_data()
    layers = lamina.layers
    model = lamina.Sequential(
        [
            lamina.Input(x.shape[1:]),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(64, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=8, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.9
    assert {v.dtype for v in model.weights} == {"float32"}
    assert {v.dtype for metric in model.metrics for v in metric.variables} == {"float32"}
    assert model.predict(x_test[:2], verbose=0).dtype == policy.removeprefix("mixed_")


def test_training_goes_as_in_keras(policy):
    histories, scales = [], []
    keras.config.set_dtype_policy(policy)
    try:
        for K in (lamina, keras):
            model = K.Sequential([K.Input((6,)), K.layers.Dense(8, "relu"), K.layers.Dense(2)])
            rng = np.random.default_rng(3)
            model.set_weights([rng.normal(size=w.shape) * 0.3 for w in model.get_weights()])
            optimizer = K.optimizers.Adam(0.01)
            if policy == "mixed_float16":
                optimizer = K.optimizers.LossScaleOptimizer(optimizer, 2.0**30)
            model.compile(optimizer, "mse", metrics=["mae"])
            fitted = model.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
            histories.append(fitted.history)
            scales.append(getattr(optimizer, "dynamic_scale", None))
    finally:
        keras.config.set_dtype_policy("float32")
    for name in histories[0]:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=0.01)
    if policy == "mixed_float16":
        assert float(scales[0]) == float(np.asarray(scales[1])) < 2.0**30


def test_only_mixed_float16_wraps_the_optimizer(policy):
    wrapped = policy == "mixed_float16"
    assert isinstance(small_model().optimizer, LossScaleOptimizer) == wrapped
    assert isinstance(small_model(auto_scale_loss=False).optimizer, Adam)
    own = LossScaleOptimizer(SGD())
    assert small_model(optimizer=own).optimizer is own


def test_an_optax_transformation_is_wrapped_too(mixed_float16):
    model = small_model(optimizer=optax.sgd(0.1))
    losses = model.fit(X, Y, batch_size=16, epochs=3, verbose=0).history["loss"]
    assert isinstance(model.optimizer, LossScaleOptimizer)
    assert losses[-1] < losses[0]


def test_one_layer_in_mixed_float16_is_enough_to_wrap_the_optimizer():
    model = lamina.Sequential([lamina.Input((6,)), lamina.layers.Dense(2, dtype="mixed_float16")])
    model.compile("adam", "mse")
    assert isinstance(model.optimizer, LossScaleOptimizer)


def test_an_overflow_halves_the_scale_and_leaves_the_weights(mixed_float16):
    model = small_model(optimizer=LossScaleOptimizer(Adam(0.1), initial_scale=2.0**40))
    before = model.get_weights()
    model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
    assert float(model.optimizer.dynamic_scale) == 2.0**39
    assert int(model.optimizer.iterations) == 0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    history = model.fit(X, Y, batch_size=16, epochs=10, verbose=0)
    assert float(model.optimizer.dynamic_scale) < 2.0**30
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]


def test_the_scale_grows_after_as_many_good_steps_as_it_should(mixed_float16):
    model = small_model(optimizer=LossScaleOptimizer(SGD(), 4.0, dynamic_growth_steps=3))
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert float(model.optimizer.dynamic_scale) == 16.0
    assert int(model.optimizer.step_counter) == 2


def test_a_changing_scale_compiles_nothing(mixed_float16, compilations):
    scaled = LossScaleOptimizer(Adam(), initial_scale=2.0**40, dynamic_growth_steps=2)
    model = small_model(optimizer=scaled)
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    compilations.reset()
    model.fit(X, Y, batch_size=16, epochs=4, verbose=0)
    assert compilations.count("train_program") == 0


def test_a_loss_that_overflows_is_left_out_of_the_mean(mixed_float16):
    # The first of four batches is beyond float16.
    x = np.where(np.arange(64)[:, None] < 16, 1e6, X).astype("float32")
    model = small_model(optimizer=LossScaleOptimizer(SGD(), initial_scale=2.0))
    history = model.fit(x, Y, batch_size=16, shuffle=False, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert float(model.optimizer.dynamic_scale) == 1.0
    assert int(model.optimizer.iterations) == 3


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_where_no_scale_helps_training_ends_with_a_word(mixed_float16, run_eagerly):
    model = small_model(
        optimizer=LossScaleOptimizer(SGD(), initial_scale=2.0**-12), run_eagerly=run_eagerly
    )
    weights = model.get_weights()
    with pytest.raises(FloatingPointError, match="No loss scale .* step 4 of epoch 1"):
        model.fit(X * 1e6, Y, batch_size=8, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])


def test_gradients_too_small_for_float16_are_saved_by_the_scale(mixed_float16):
    def moved(auto_scale_loss):
        model = small_model(optimizer=SGD(1e6), loss_weights=1e-7, auto_scale_loss=auto_scale_loss)
        before = model.get_weights()[0]
        model.fit(X, Y, batch_size=64, verbose=0)
        return not np.array_equal(before, model.get_weights()[0])

    assert moved(auto_scale_loss=True)
    assert not moved(auto_scale_loss=False)


def test_regularizers_see_weights_and_outputs_in_float32(policy):
    model = lamina.Sequential(
        [
            lamina.Input((6,)),
            lamina.layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l2"),
        ]
    )
    model.layers[0].kernel.assign(np.full((6, 2), 200.0))
    model(np.full((64, 6), 0.1, "float32"))
    assert [loss.dtype.name for loss in model.losses] == ["float32", "float32"]
    of_outputs, of_weights = map(float, model.losses)
    assert of_weights == pytest.approx(0.01 * 12 * 200.0**2)
    assert of_outputs == pytest.approx(0.01 * 2 * 120.0**2, rel=0.01)  # 1.8 million in float16


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_model_in_mixed_float16_opens_in_keras_and_back(kind, tmp_path):
    path = tmp_path / "half.keras"
    lamina.config.set_dtype_policy("mixed_float16")
    model = small_model()
    if kind == "functional":
        model = lamina.Model(model.inputs, model.outputs)
        model.compile("adam", "mse")
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    model.save(path)

    lamina.config.set_dtype_policy("float32")
    theirs = keras.models.load_model(path)
    assert type(theirs.optimizer).__name__ == "LossScaleOptimizer"
    for found, expected in zip(theirs.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(found), expected.numpy(), err_msg=expected.path)
    theirs.fit(X, Y, batch_size=16, epochs=1, verbose=0, shuffle=False)
    theirs.save(tmp_path / "back.keras")
    again = lamina.models.load_model(tmp_path / "back.keras")
    for found, expected in zip(again.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), np.asarray(expected), err_msg=found.path)
    again.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    assert int(again.optimizer.iterations) == 16


def test_a_file_of_keras_that_forgets_its_policy_is_read_whole(tmp_path):
    """Keras writes the optimizer without its wrapper, and cannot read its own state again."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((6,))
        theirs = keras.Model(inputs, keras.layers.Dense(2)(inputs))
        theirs.compile("adam", "mse")
        theirs.fit(X, Y, batch_size=16, verbose=0)
        theirs.save(tmp_path / "theirs.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    ours = lamina.models.load_model(tmp_path / "theirs.keras")
    for found, expected in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), np.asarray(expected), err_msg=found.path)


def test_the_state_of_an_optimizer_that_was_not_wrapped_goes_inside(tmp_path):
    layers = [lamina.Input((6,)), lamina.layers.Dense(2, dtype="mixed_float16")]
    model = lamina.Sequential(layers)
    model.compile("adam", "mse", auto_scale_loss=False)
    model.fit(X, Y, verbose=0)
    store = {}
    model.optimizer.save_own_variables(store)
    wrapped = LossScaleOptimizer(Adam())
    wrapped.build(model.trainable_variables)
    wrapped.load_own_variables(store)
    for found, expected in zip(wrapped.variables[4:], model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
