"""predict: the compiled function with little around it; what is kept must not outlive a change."""

import gc
import weakref

import jax
import numpy as np
import pytest

import lamina
from lamina import layers, ops
from lamina.core.variable.changes import last_change
from lamina.training import learner
from lamina.training.feeds.prediction_calls import plan_padded_calls
from lamina.training.learner import Learner
from small_models import classifier


@pytest.fixture
def walks(monkeypatch):
    """How often the layers of a model were walked through to find its Variables."""
    found = []
    walk = Learner.state
    monkeypatch.setattr(Learner, "state", lambda self, kind: found.append(self) or walk(self, kind))
    return found


def test_predictions_are_the_users_own_to_change(blobs):
    model = classifier()
    x = blobs[0].copy()
    for rows in (1, 30, 100):
        first = model.predict(x[:rows], batch_size=32)
        kept = first.copy()
        first[:] = 7
        np.testing.assert_array_equal(model.predict(x[:rows], batch_size=32), kept)


def test_a_model_that_changes_nothing_does_not_hand_out_the_users_array():
    same = lamina.Sequential([lamina.Input((4,)), lamina.layers.Activation("linear")])
    x = np.ones((8, 4), "float32")
    same.predict(x)[:] = 0
    assert x.min() == 1


def test_predictions_in_pieces_are_those_of_single_samples(blobs):
    model = classifier()
    x = blobs[0]
    one_by_one = np.concatenate([model.predict(x[i : i + 1]) for i in range(len(x))])
    # 100 rows by 1 are two calls of a program, by 7 batches with a short one.
    for batch_size in (1, 7, 32, 100):
        np.testing.assert_allclose(model.predict(x, batch_size=batch_size), one_by_one, atol=1e-6)


def test_outputs_of_a_stream_of_unknown_length_are_those_of_its_batches(blobs):
    model = classifier()
    batches = [blobs[0][:30], blobs[0][30:40], blobs[0][40:]]
    np.testing.assert_allclose(model.predict(iter(batches)), model.predict(blobs[0]), atol=1e-6)


def test_asking_again_does_not_look_for_the_weights_again(blobs, walks):
    model = classifier()
    model.predict(blobs[0][:1])
    before = len(walks)
    for _ in range(5):
        model.predict(blobs[0][:1])
    assert len(walks) == before


def test_new_weights_are_used_at_once(blobs):
    model = classifier()
    before = model.predict(blobs[0][:1])
    model.set_weights([0 * w for w in model.get_weights()])
    np.testing.assert_allclose(model.predict(blobs[0][:1]), 1 / 3, atol=1e-6)
    assert abs(before - 1 / 3).max() > 0.01


def test_a_layer_on_top_is_noticed(blobs):
    model = classifier()
    model.predict(blobs[0][:1])
    model.add(lamina.layers.Dense(2))
    assert model.predict(blobs[0][:1]).shape == (1, 2)
    model.pop()
    assert model.predict(blobs[0][:1]).shape == (1, 3)


def test_another_shape_is_refused_after_one_that_was_right(blobs):
    model = classifier()
    model.predict(blobs[0][:2])
    with pytest.raises(ValueError, match=r"takes arrays of shape \(samples, 4\)"):
        model.predict(blobs[0][:2, :3])


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model.layers[0], "trainable", False),
        lambda model: setattr(model.weights[0], "trainable", False),
        lambda model: setattr(model.optimizer, "learning_rate", lambda: 0.1),
        lambda model: model.compile("sgd", "mse"),
        lambda model: setattr(model, "extra", lamina.layers.Dense(1)),
        lambda model: delattr(model.layers[0], "note"),
    ],
)
def test_a_change_of_what_a_model_holds_is_noticed(change):
    model = classifier()
    model.layers[0].note = "about to go"
    before = last_change()
    change(model)
    assert last_change() is not before


@pytest.mark.parametrize("batch_size", [1, 7, 32, 256])
def test_pieces_cover_all_rows_in_few_sizes_with_little_to_spare(batch_size):
    sizes = set()
    for total in range(1, 1000):
        plan = plan_padded_calls(total, batch_size, by_step=False, is_batch_size_fixed=False)
        assert sum(rows for rows, _ in plan) == total
        assert all(rows == size for rows, size in plan[:-1])
        assert sum(size for _, size in plan) <= 2 * total
        sizes.update(size for _, size in plan)
    assert len(sizes) <= 6


def test_a_hundred_rows_are_computed_by_one_program():
    assert plan_padded_calls(100, 32, by_step=False, is_batch_size_fixed=False) == [
        (32, 32)
    ] * 3 + [(4, 32)]


def test_a_callback_hears_of_every_batch_once(blobs):
    heard = []
    hook = lamina.callbacks.LambdaCallback(
        on_predict_batch_end=lambda batch, logs: heard.append(len(logs["outputs"]))
    )
    classifier().predict(blobs[0][:70], callbacks=[hook])
    assert heard == [32, 32, 6]


def test_a_model_let_go_leaves_no_array_behind(blobs):
    gc.collect()
    before = len(jax.live_arrays())
    model = classifier()
    model.fit(*blobs, verbose=0)
    model.predict(blobs[0])
    model.evaluate(*blobs, verbose=0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert len(jax.live_arrays()) <= before


# -- rows that depend on each other ----------------------------------------------------------------


class Of(lamina.Model):
    """A model of a function of the batch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def normalized_by_the_batch():
    inputs = lamina.Input((4,))
    return lamina.Model(inputs, layers.BatchNormalization()(inputs, training=True))


def with_deviation_of_the_batch(x):
    return ops.concatenate([x, ops.zeros_like(x[:, :1]) + ops.mean(ops.std(x, axis=0))], axis=1)


OF_THE_BATCH = {
    "mean": lambda: Of(lambda x: x - ops.mean(x, axis=0)),
    "softmax": lambda: Of(lambda x: jax.nn.softmax(x, axis=0)),
    "size": lambda: Of(lambda x: x / x.shape[0]),
    "BatchNormalization": normalized_by_the_batch,
    "minibatch deviation": lambda: Of(with_deviation_of_the_batch),
    "attention over rows": lambda: Of(lambda x: jax.nn.softmax(x @ x.T) @ x),
    "similarities": lambda: Of(lambda x: ops.matmul(x, ops.transpose(x))),
    "a number": lambda: Of(ops.mean),
    "a table": lambda: Of(lambda x: ops.ones((7, 2)) * ops.mean(x)),
    "flattened": lambda: Of(lambda x: ops.reshape(x, (-1, 1))),
}


@pytest.mark.parametrize("make", OF_THE_BATCH.values(), ids=OF_THE_BATCH)
@pytest.mark.parametrize(("rows", "batch_size"), [(5, None), (12, 4), (9, 4), (3, 1)])
def test_rows_are_computed_with_those_of_their_batch(make, rows, batch_size, rng):
    model, x = make(), rng.normal(size=(rows, 4)).astype("float32")
    size = batch_size or 32
    expected = [np.asarray(model(x[i : i + size])) for i in range(0, rows, size)]
    if len({np.shape(part)[1:] for part in expected}) > 1:
        with pytest.raises(ValueError, match=r"cannot join its outputs.*\n.*\n.*predict_on_batch"):
            model.predict(x, batch_size=batch_size, verbose=0)
        return
    expected = np.concatenate([np.atleast_1d(part) for part in expected])
    actual = model.predict(x, batch_size=batch_size, verbose=0)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("make", OF_THE_BATCH.values(), ids=OF_THE_BATCH)
def test_one_batch_is_one_whatever_its_size(make, rng):
    model, x = make(), rng.normal(size=(37, 4)).astype("float32")
    np.testing.assert_allclose(model.predict_on_batch(x), np.asarray(model(x)), atol=1e-5)


def test_a_model_that_runs_eagerly_gets_the_batches_asked_for(rng):
    sizes = []
    model = Of(lambda x: sizes.append(len(x)) or x)
    model.compile(run_eagerly=True)
    x = rng.normal(size=(10, 4)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, batch_size=4, verbose=0), x)
    assert sizes[-3:] == [4, 4, 2]


def test_what_a_forward_pass_changes_is_changed_once_a_batch():
    model = normalized_by_the_batch()
    x = np.ones((5, 4), "float32")
    model.predict(x, verbose=0)
    by_hand = normalized_by_the_batch()
    by_hand(x)
    np.testing.assert_allclose(
        model.layers[1].moving_mean.numpy(), by_hand.layers[1].moving_mean.numpy(), atol=1e-6
    )


def test_looking_into_a_model_is_done_once(blobs, monkeypatch):
    looks = []
    look = learner.rows_are_independent
    monkeypatch.setattr(
        learner, "rows_are_independent", lambda *args: looks.append(1) or look(*args)
    )
    model = classifier()
    for rows in (1, 8, 32, 64):  # programs there are, so nothing is filled up
        model.predict(blobs[0][:rows], verbose=0)
    assert looks == []
    for rows in (5, 9, 33, 100):
        model.predict(blobs[0][:rows], verbose=0)
    assert len(looks) == 1


def test_a_stateful_model_is_asked_in_batches_of_its_own_size(rng):
    model = lamina.Sequential([lamina.Input((2, 3), batch_size=4), layers.LSTM(2, stateful=True)])
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(8, 2, 3)).astype("float32"), np.zeros((8, 2), "float32")

    def measured(ask):
        model.layers[0].reset_state()
        return ask()

    expected = measured(lambda: model.evaluate(x, y, batch_size=4, verbose=0))
    assert measured(lambda: model.evaluate(x, y, verbose=0)) == pytest.approx(expected)
    outputs = measured(lambda: model.predict(x, verbose=0))
    assert np.mean(outputs**2) == pytest.approx(expected)
    fitted = model.fit(x, y, shuffle=False, validation_data=(x, y), verbose=0)
    assert fitted.history["val_loss"][0] > 0


def test_predicting_first_leaves_accuracy_to_be_told_from_the_targets():
    model = lamina.Sequential([lamina.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.zeros((6, 3)), np.array([0, 1, 0, 1, 0, 1])
    said = model.predict(x, verbose=0).argmax(axis=1)
    _, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy == np.mean(said == y)


def test_a_test_step_of_ones_own_is_no_business_of_predict():
    class Own(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense = lamina.layers.Dense(2, activation="softmax")

        def call(self, x):
            return self.dense(x)

        def test_step(self, data):
            x, y = data
            return {"loss": self.compute_loss(x, y, self(x, training=False))}

    model = Own()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((4, 3))
    assert model.predict(x, verbose=0).shape == (4, 2)
    assert model.evaluate(x, np.array([0, 1, 0, 1]), verbose=0) == pytest.approx(np.log(2))


def test_a_changed_setting_of_a_layer_is_seen_by_the_next_predict():
    dense = lamina.layers.Dense(1, kernel_initializer="ones")
    model = lamina.Sequential([lamina.Input((3,)), dense])
    model.compile("sgd", "mse")
    x = np.full((4, 3), -1.0, "float32")
    assert model.predict(x)[0] == -3
    dense.activation = lamina.activations.relu
    assert model.predict(x)[0] == 0
