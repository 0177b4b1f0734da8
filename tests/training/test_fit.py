"""fit, evaluate and predict do what Keras's do: the same numbers for the same weights."""

import numpy as np
import optax
import pytest

import lamina
from small_models import classifier, feed_of, same_weights


@pytest.mark.quick
@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 20},
        {"batch_size": 32},  # leaves a short batch of 4
        {"batch_size": 500},
        {"batch_size": 20, "epochs": 3},
        {"batch_size": 20, "steps_per_epoch": 3},
        {"batch_size": 20, "initial_epoch": 1, "epochs": 3},
        {"batch_size": 20, "class_weight": {0: 1.0, 1: 5.0, 2: 0.5}},
        {"batch_size": 20, "sample_weight": np.linspace(0, 2, 100)},
        {"batch_size": 20, "validation_split": 0.3},
        {"batch_size": 20, "epochs": 4, "validation_split": 0.3, "validation_freq": 2},
    ],
    ids=lambda a: ",".join(a),
)
def test_fit_gives_the_weights_and_the_history_of_keras(pair, blobs, arguments):
    ours, theirs = pair()
    history = ours.fit(*blobs, shuffle=False, verbose=0, **arguments)
    expected = theirs.fit(*blobs, shuffle=False, verbose=0, **arguments)
    assert same_weights(ours, theirs)
    assert sorted(history.history) == sorted(expected.history)
    assert history.epoch == expected.epoch
    for name, values in expected.history.items():
        np.testing.assert_allclose(history.history[name], values, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The data ended after 2 of 3:lamina.LaminaWarning")
def test_steps_per_epoch_goes_on_through_the_data_where_the_epoch_before_stopped(blobs):
    by_steps, by_epochs = classifier(), classifier()
    by_epochs.set_weights(by_steps.get_weights())
    history = by_steps.fit(
        *blobs, batch_size=20, steps_per_epoch=3, epochs=6, shuffle=False, verbose=0
    )
    by_epochs.fit(*blobs, batch_size=20, epochs=3, shuffle=False, verbose=0)  # 15 steps as well
    assert len(history.epoch) == 6
    assert same_weights(by_steps, by_epochs, 1e-6)


def test_fit_with_validation_data_and_weights_measures_what_keras_measures(pair, blobs):
    ours, theirs = pair(weighted_metrics=["accuracy"], metrics=None)
    x, y = blobs
    weight = np.linspace(0.1, 2, 30)
    validation = (x[:30], y[:30], weight)
    got = ours.fit(x, y, shuffle=False, verbose=0, validation_data=validation)
    expected = theirs.fit(x, y, shuffle=False, verbose=0, validation_data=validation)
    for name, values in expected.history.items():
        np.testing.assert_allclose(got.history[name], values, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("batch_size", [None, 7, 32, 100, 1000])
def test_evaluate_gives_the_numbers_of_keras(pair, blobs, batch_size):
    ours, theirs = pair()
    got = ours.evaluate(*blobs, batch_size=batch_size, verbose=0)
    np.testing.assert_allclose(got, theirs.evaluate(*blobs, verbose=0), atol=1e-6)
    assert ours.evaluate(*blobs, verbose=0, return_dict=True).keys() == {"loss", "accuracy"}
    assert ours.metrics_names == ["loss", "accuracy"]


def test_evaluate_of_a_model_without_metrics_is_a_number(blobs):
    model = classifier(metrics=None)
    assert isinstance(model.evaluate(*blobs, verbose=0), float)


@pytest.mark.parametrize("samples", [1, 2, 31, 32, 33, 64, 100])
def test_predict_gives_the_outputs_of_keras_for_any_number_of_samples(pair, blobs, samples):
    ours, theirs = pair()
    x = blobs[0][:samples]
    got = ours.predict(x)
    assert isinstance(got, np.ndarray)
    assert got.shape == (samples, 3)
    np.testing.assert_allclose(got, theirs.predict(x, verbose=0), atol=1e-6)
    np.testing.assert_allclose(got, ours.predict_on_batch(x), atol=1e-6)
    np.testing.assert_allclose(got, ours(x), atol=1e-6)


def test_train_on_batch_and_test_on_batch_give_the_numbers_of_keras(pair, blobs):
    ours, theirs = pair()
    x, y = blobs
    for start in (0, 40):
        rows = slice(start, start + 40)
        got = ours.train_on_batch(x[rows], y[rows])
        np.testing.assert_allclose(got, theirs.train_on_batch(x[rows], y[rows]), atol=1e-5)
    got = ours.test_on_batch(x, y, return_dict=True)
    expected = theirs.test_on_batch(x, y, return_dict=True)
    assert got == pytest.approx(expected, abs=1e-5)
    assert same_weights(ours, theirs)


def test_predict_accepts_a_list_of_one_input_and_the_step_argument(blobs):
    model = classifier()
    x = blobs[0]
    np.testing.assert_array_equal(model.predict([x]), model.predict(x))
    np.testing.assert_array_equal(model.predict(x, batch_size=10, steps=2), model.predict(x[:20]))


def test_data_frames_and_lists_are_data(blobs):
    pandas = pytest.importorskip("pandas")
    x, y = blobs
    model, other = classifier(), classifier()
    other.set_weights(model.get_weights())
    model.fit(pandas.DataFrame(x), pandas.Series(y), shuffle=False, verbose=0)
    other.fit(x.tolist(), y.tolist(), shuffle=False, verbose=0)
    assert same_weights(model, other, 1e-7)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(blobs):
    def trained(seed):
        lamina.set_random_seed(seed)
        model = classifier(dropout=0.5)
        model.fit(*blobs, epochs=2, verbose=0)
        return model

    first, again, other = trained(1), trained(1), trained(2)
    assert same_weights(first, again, 0)
    assert not same_weights(first, other, 1e-3)


def test_every_epoch_has_an_order_of_its_own_in_which_each_sample_comes_once():
    from lamina.training.feeds.epoch_order import epoch_order

    orders = [epoch_order(1000, 32, True, 7, epoch) for epoch in range(3)]
    for order in orders:
        assert sorted(order) == list(range(1000))
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[1], epoch_order(1000, 32, True, 7, 1))
    blocks = epoch_order(1000, 32, "batch", 7, 0)
    assert sorted(blocks) == list(range(1000))
    assert np.all(np.diff(blocks[:992].reshape(31, 32), axis=1) == 1)


def test_any_optax_transformation_is_an_optimizer(blobs):
    x, y = blobs
    schedule = optax.cosine_decay_schedule(0.1, 50)
    model = classifier(optimizer=optax.chain(optax.clip(1.0), optax.adam(schedule)))
    before = model.evaluate(x, y, verbose=0)[0]
    model.fit(x, y, epochs=5, verbose=0)
    assert model.evaluate(x, y, verbose=0)[0] < before / 2


def test_frozen_layers_keep_their_weights_and_unfrozen_ones_learn(blobs):
    model = classifier()
    first, last = model.layers
    first.trainable = False
    before = first.get_weights(), last.get_weights()
    model.fit(*blobs, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before[0], first.get_weights(), strict=True))
    assert not np.array_equal(before[1][0], last.get_weights()[0])
    first.trainable = True
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*blobs, verbose=0)
    assert not np.array_equal(before[0][0], first.get_weights()[0])


def test_data_of_whole_numbers_keeps_its_type_on_the_device(blobs):

    x = (blobs[0] * 10).clip(0, 255).astype("uint8")
    feed = feed_of(x, blobs[1], 32)
    assert feed.data[0].dtype == "uint8"
    model = classifier()
    model.fit(x, blobs[1], verbose=0)


def test_history_grows_with_every_fit_call_anew(blobs):
    model = classifier()
    assert model.fit(*blobs, epochs=2, verbose=0).history["loss"][1] < 10
    history = model.fit(*blobs, epochs=1, verbose=0)
    assert len(history.history["loss"]) == 1
    assert model.history is history


def test_what_a_user_holds_of_the_weights_survives_training(blobs):
    model = classifier()
    held = model.layers[0].kernel.value
    copy = np.array(held)
    model.fit(*blobs, epochs=2, verbose=0)
    np.testing.assert_array_equal(held, copy)


def test_run_eagerly_gives_the_same_as_the_compiled_loop(blobs):
    compiled, eager = classifier(), classifier(run_eagerly=True)
    eager.set_weights(compiled.get_weights())
    a = compiled.fit(*blobs, shuffle=False, verbose=0)
    b = eager.fit(*blobs, shuffle=False, verbose=0)
    assert same_weights(compiled, eager)
    assert a.history["loss"] == pytest.approx(b.history["loss"], abs=1e-5)


def test_a_model_of_dictionaries_and_lists_trains_like_keras(blobs, rng):
    keras = pytest.importorskip("keras")

    def make(k):
        a, b = k.Input((4,), name="a"), k.Input((2,), name="b")
        shared = k.layers.Dense(5, activation="relu")
        h = k.layers.Concatenate()([shared(a), shared(k.layers.Dense(4)(b))])
        outputs = {"class": k.layers.Dense(3, activation="softmax", name="class")(h),
                   "size": k.layers.Dense(1, name="size")(h)}  # fmt: skip
        model = k.Model({"a": a, "b": b}, outputs)
        model.compile(
            optimizer=k.optimizers.SGD(0.05, momentum=0.9),
            loss={"class": "sparse_categorical_crossentropy", "size": "mse"},
            loss_weights={"class": 1.0, "size": 0.25},
            metrics={"class": ["accuracy"], "size": ["mae"]},
        )
        return model

    ours, theirs = make(lamina), make(keras)
    ours.set_weights(theirs.get_weights())
    x = {"a": blobs[0], "b": rng.normal(size=(100, 2)).astype("float32")}
    y = {"class": blobs[1], "size": rng.normal(size=(100, 1)).astype("float32")}
    got = ours.fit(x, y, shuffle=False, verbose=0, epochs=2, validation_split=0.2)
    expected = theirs.fit(x, y, shuffle=False, verbose=0, epochs=2, validation_split=0.2)
    assert sorted(got.history) == sorted(expected.history)
    for name, values in expected.history.items():
        np.testing.assert_allclose(got.history[name], values, atol=1e-4, err_msg=name)
    assert same_weights(ours, theirs)
    predicted = ours.predict(x)
    assert predicted.keys() == {"class", "size"}
