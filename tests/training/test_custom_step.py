"""A user's own train_step, losses and metrics in plain object style, still compiled."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from small_models import classifier, same_weights


class Plain(lamina.Model):
    """Writes out what the trainer does by itself."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.out = layers.Dense(3, activation="softmax")

    def call(self, x, training=False):
        return self.out(self.hidden(x))

    def train_step(self, data):
        x, y = data

        def loss():
            y_pred = self(x, training=True)
            return self.compute_loss(y=y, y_pred=y_pred), y_pred

        (loss, y_pred), gradients = lamina.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
        return {**self.compute_metrics(x, y, y_pred), "mean_output": jnp.mean(y_pred)}


def test_a_train_step_of_ones_own_trains_like_the_usual_one(blobs, compilations):
    own, usual = Plain(), classifier()
    own.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    own.build((None, 4))
    own.set_weights(usual.get_weights())
    history = own.fit(*blobs, batch_size=20, shuffle=False, epochs=2, verbose=0)
    usual.fit(*blobs, batch_size=20, shuffle=False, epochs=2, verbose=0)
    assert same_weights(own, usual, 1e-6)
    assert history.history["mean_output"][0] == pytest.approx(1 / 3, abs=1e-5)
    assert compilations.names.count("jit(train_program)") == 2  # one each


def test_compute_loss_may_be_overridden(blobs):
    class Penalised(lamina.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            usual = super().compute_loss(x, y, y_pred, sample_weight, training)
            return usual + 10.0

    model = Penalised([layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.fit(*blobs, verbose=0).history["loss"][0] > 10


class Halves(lamina.Model):
    """One output, of which a loss sees the first half and another the second."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4, kernel_initializer="zeros")

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y, [y_pred[:, :2], y_pred[:, 2:]], sample_weight)


class NamedPart(lamina.Model):
    """Two outputs, of which losses and metrics see one."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="zeros")

    def call(self, x):
        return {"features": x, "answer": self.dense(x)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y, y_pred["answer"], sample_weight)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, y_pred["answer"], sample_weight)


def test_losses_are_matched_to_what_compute_loss_passes_on():
    model = Halves()
    model.compile(lamina.optimizers.SGD(0.1), loss=["mse", "mae"])
    x, y = np.zeros((8, 4)), [np.ones((8, 2)), 3 * np.ones((8, 2))]
    history = model.fit(x, y, epochs=2, verbose=0).history
    assert history["loss"] == pytest.approx([4.0, 0.81 + 2.95])
    assert model.evaluate(x, y, verbose=0) == pytest.approx([3.5561, 0.6561, 2.9])


def test_metrics_are_matched_to_what_compute_metrics_passes_on():
    model = NamedPart()
    model.compile("sgd", loss="mse", metrics=["mae"])
    x, y = np.zeros((8, 4)), 2 * np.ones((8, 1))
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert (history["loss"], history["mae"]) == ([4.0], [2.0])
    assert history["val_mae"] == pytest.approx([1.96])


def test_two_optimizers_take_turns_as_in_a_gan(rng):
    class Gan(lamina.Model):
        def __init__(self):
            super().__init__()
            self.generator = lamina.Sequential([layers.Dense(8, activation="relu"),
                                                layers.Dense(2)])  # fmt: skip
            self.critic = lamina.Sequential([layers.Dense(16, activation="relu"),
                                             layers.Dense(1)])  # fmt: skip
            self.seed = lamina.random.SeedGenerator(1)
            self.loss_fn = lamina.losses.BinaryCrossentropy(from_logits=True)

        def compile(self, d_optimizer, g_optimizer):
            super().compile(optimizer=g_optimizer)
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

        def call(self, x):
            return self.critic(self.generator(x))

        def train_step(self, real):
            n = real.shape[0]
            noise = lamina.random.normal((n, 3), seed=self.seed)

            def d_loss():
                fake = self.generator(noise)
                return self.loss_fn(jnp.ones((n, 1)), self.critic(real)) + self.loss_fn(
                    jnp.zeros((n, 1)), self.critic(fake)
                )

            def g_loss():
                return self.loss_fn(jnp.ones((n, 1)), self.critic(self.generator(noise)))

            d, grads = lamina.value_and_grad(d_loss, self.critic.trainable_variables)()
            self.d_optimizer.apply(grads, self.critic.trainable_variables)
            g, grads = lamina.value_and_grad(g_loss, self.generator.trainable_variables)()
            self.g_optimizer.apply(grads, self.generator.trainable_variables)
            return {"d_loss": d, "g_loss": g}

    gan = Gan()
    gan.generator.build((None, 3))
    gan.critic.build((None, 2))
    gan.built = True
    gan.compile(lamina.optimizers.Adam(1e-2), lamina.optimizers.Adam(1e-3))
    real = (rng.normal(size=(256, 2)) * 0.1 + 3).astype("float32")
    history = gan.fit(real, batch_size=32, epochs=15, verbose=0)
    assert history.history["d_loss"][-1] < history.history["d_loss"][0]
    assert int(gan.d_optimizer.iterations.value) == 15 * 8
    samples = gan.generator.predict(rng.normal(size=(100, 3)).astype("float32"))
    assert samples.mean() > 0.3  # on the way from 0 to 3


def test_a_metric_kept_on_the_model_is_tracked_logged_and_reset(blobs):
    class Counting(lamina.Sequential):
        def __init__(self, *args):
            super().__init__(*args)
            self.seen = lamina.metrics.Sum(name="seen")

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            self.seen.update_state(jnp.ones(x.shape[0]))
            return super().compute_metrics(x, y, y_pred, sample_weight)

    model = Counting([layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(*blobs, batch_size=32, epochs=2, verbose=0)
    assert history.history["seen"] == [100, 100]


def test_a_loss_that_is_a_plain_function_and_one_that_is_a_class(pair, blobs):
    def squares(y_true, y_pred):
        return jnp.mean((y_true - y_pred) ** 2, axis=-1)

    one_hot = np.eye(3, dtype="float32")[blobs[1]]
    mine, named = classifier(loss=squares, metrics=None), classifier(loss="mse", metrics=None)
    named.set_weights(mine.get_weights())
    a = mine.fit(blobs[0], one_hot, shuffle=False, verbose=0)
    b = named.fit(blobs[0], one_hot, shuffle=False, verbose=0)
    assert a.history["loss"] == pytest.approx(b.history["loss"], abs=1e-6)
    assert same_weights(mine, named, 1e-6)


class JaxStyle(lamina.Model):
    """Steps as functions of lists of values, the way Keras's guide for JAX writes them."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.out = layers.Dense(3, activation="softmax")

    def call(self, x, training=False):
        return self.out(self.norm(self.hidden(x), training=training))

    def loss_and_rest(self, trainable, rest, x, y, training):
        y_pred, rest = self.stateless_call(trainable, rest, x, training=training)
        return self.compute_loss(x, y, y_pred), (y_pred, rest)

    def measured(self, values, loss, y, y_pred):
        logs, new = {}, []
        for metric in self.metrics:
            own = values[len(new) : len(new) + len(metric.variables)]
            seen = (loss,) if metric.name == "loss" else (y, y_pred)
            own = metric.stateless_update_state(own, *seen)
            logs[metric.name] = metric.stateless_result(own)
            new += own
        return logs, new

    def train_step(self, state, data):
        trainable, rest, optimizer, metrics = state
        x, y = data
        differentiate = jax.value_and_grad(self.loss_and_rest, has_aux=True)
        (loss, (y_pred, rest)), gradients = differentiate(trainable, rest, x, y, training=True)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, metrics = self.measured(metrics, loss, y, y_pred)
        return logs, (trainable, rest, optimizer, metrics)

    def test_step(self, state, data):
        trainable, rest, metrics = state
        x, y = data
        loss, (y_pred, rest) = self.loss_and_rest(trainable, rest, x, y, training=False)
        logs, metrics = self.measured(metrics, loss, y, y_pred)
        return logs, (trainable, rest, metrics)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_steps_in_the_style_of_keras_for_jax_train_and_measure_like_the_usual_ones(
    blobs, run_eagerly
):
    class Usual(JaxStyle):
        train_step, test_step = lamina.Model.train_step, lamina.Model.test_step

    own, usual = JaxStyle(), Usual()
    for model in (own, usual):
        model.build((None, 4))
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
    own.set_weights(usual.get_weights())
    data = [values[:60] for values in blobs]
    settings = {"batch_size": 20, "shuffle": False, "epochs": 2, "verbose": 0}
    got, expected = (m.fit(*data, validation_data=data, **settings).history for m in (own, usual))
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        assert got[name] == pytest.approx(values, abs=1e-5)
    np.testing.assert_allclose(own.get_weights()[0], usual.get_weights()[0], atol=1e-6)


class Counts(lamina.Model):
    """Steps in the style of Keras for JAX that leave the usual part to the model."""

    def __init__(self):
        super().__init__()
        self.hidden, self.drop = layers.Dense(8), layers.Dropout(0.5)
        self.normalize, self.scores = layers.BatchNormalization(), layers.Dense(3, "softmax")

    def call(self, x, training=None):
        return self.scores(self.normalize(self.drop(self.hidden(x)), training=training))

    def train_step(self, state, data):
        logs, state = super().train_step(state, data)
        return {**logs, "twice": 2 * logs["loss"]}, state

    def test_step(self, state, data):
        logs, state = super().test_step(state=state, data=data)
        return {**logs, "twice": 2 * logs["loss"]}, state

    def predict_step(self, state, data):
        outputs, state = super().predict_step(state, data)
        return -outputs, state


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_step_in_that_style_may_call_the_usual_one(blobs, run_eagerly):
    class Usual(Counts):
        train_step, test_step = lamina.Model.train_step, lamina.Model.test_step
        predict_step = lamina.Model.predict_step

    found = []
    for cls in (Counts, Usual):
        lamina.utils.set_random_seed(3)
        lamina.utils.clear_session()
        model = cls()
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
        data = [values[:40] for values in blobs]
        history = model.fit(*data, 20, epochs=2, verbose=0, validation_data=data).history
        found.append((history, model.get_weights(), model.predict(data[0], verbose=0)))
    (own, weights, outputs), (usual, expected, probabilities) = found
    assert own["twice"] == pytest.approx([2 * loss for loss in usual["loss"]], rel=1e-5)
    assert own["val_twice"] == pytest.approx([2 * loss for loss in usual["val_loss"]], rel=1e-5)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(outputs, -probabilities, atol=1e-6)


def test_a_step_in_that_style_that_forgets_a_part_of_the_state_is_told_which(blobs):
    class Forgets(JaxStyle):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return logs, state[:3]

    model = Forgets()
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(
        TypeError, match=r"(?s)Forgets\.train_step\(state, data\).*optimizer, metri"
    ):
        model.fit(*blobs, verbose=0)


def test_compute_loss_may_be_overridden_without_the_newer_training_argument(blobs):
    class Own(lamina.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return jnp.mean(y_pred) * 0 + 7.0

    model = Own([layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.fit(*blobs, verbose=0).history["loss"] == [7.0]
    assert model.evaluate(*blobs, verbose=0) == 7.0


def test_a_step_set_on_the_model_itself_gives_the_logs(rng):
    x, y = rng.normal(size=(64, 4)), np.ones((64, 1))
    model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(1)])
    model.test_step = types.MethodType(lambda self, data: {"loss": np.float32(7.0)}, model)
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": 7.0}
    # A step that reads nothing of its batch is a program for its size all the same.
    assert model.evaluate(x[:40], y[:40], verbose=0, return_dict=True) == {"loss": 7.0}


@pytest.mark.parametrize("eager", [False, True])
def test_what_an_override_of_compute_metrics_returns_is_logged(rng, eager):
    class Own(lamina.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            usual = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**usual, "six": lamina.ops.mean(y) * 6.0}

    x, y = rng.normal(size=(8, 4)), np.ones((8, 1))
    model = Own([lamina.Input((4,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=eager)
    assert model.fit(x, y, verbose=0).history["six"] == [6.0]
    assert model.evaluate(x, y, verbose=0, return_dict=True)["six"] == 6.0


def test_outputs_that_do_not_depend_on_the_data_are_given_for_any_number_of_rows():
    ones = lamina.layers.Lambda(lambda x: lamina.ops.ones((3, 1)))
    model = lamina.Sequential([lamina.Input((4,)), ones])
    for rows in (32, 7):
        assert model.predict(np.zeros((rows, 4)), verbose=0).shape == (3, 1)
