"""Optimizers, losses and metrics of a user's own: the same class, in Lamina and in Keras.

Each factory gets the library, `lamina` or `keras`, and subclasses its base. Both train the same
model from the same weights in the same order, so that every number must agree.
"""

import keras
import numpy as np
import pytest

import lamina

# Keras's own way of reading a Variable with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 5)).astype("float32")
Y = np.tanh(X @ RNG.normal(size=(5, 2))).astype("float32")
WEIGHTS = [RNG.normal(size=s).astype("float32") for s in ((5, 4), (4,), (4, 2), (2,))]
SAMPLE_WEIGHT = RNG.random(48).astype("float32")


def momentum(K, **settings):
    class Momentum(K.optimizers.Optimizer):
        """As in Keras's guide, without a guard in build."""

        def __init__(self, learning_rate=0.05, momentum=0.9, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)
            self.momentum = momentum

        def build(self, variables):
            super().build(variables)
            self.momentums = [
                self.add_variable_from_reference(reference_variable=v, name="momentum")
                for v in variables
            ]

        def update_step(self, gradient, variable, learning_rate):
            learning_rate = K.ops.cast(learning_rate, variable.dtype)
            gradient = K.ops.cast(gradient, variable.dtype)
            m = self.momentums[self._get_variable_index(variable)]
            kept = K.ops.multiply(m, K.ops.cast(self.momentum, variable.dtype))
            self.assign(m, K.ops.subtract(kept, K.ops.multiply(gradient, learning_rate)))
            self.assign_add(variable, m)

        def get_config(self):
            return {**super().get_config(), "momentum": self.momentum}

    return Momentum(**settings)


def rprop(K, **settings):
    class Rprop(K.optimizers.Optimizer):
        """Two slots of each weight, one scalar of its own, and assign_sub."""

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.before, self.size = self.add_optimizer_variables(
                variables, ["before", "size"], initializer=["zeros", "ones"]
            )
            self.steps = self.add_variable(shape=(), dtype="int", name="steps")

        def update_step(self, gradient, variable, learning_rate):
            i = self._get_variable_index(variable)
            agrees = K.ops.sign(gradient * self.before[i])
            self.assign(self.size[i], self.size[i] * K.ops.power(1.5, agrees))
            self.assign(self.before[i], gradient)
            self.assign_sub(variable, learning_rate * self.size[i] * K.ops.sign(gradient))
            self.assign_add(self.steps, 1)

    return Rprop(learning_rate=0.01, **settings)


def adam_of_two_rates(K, **settings):
    class TwoRates(K.optimizers.Adam):
        """One of the library's optimizers, with another rule around its own."""

        def apply(self, grads, trainable_variables=None):
            grads = [g * 0.5 if len(g.shape) == 1 else g for g in grads]
            super().apply(grads, trainable_variables)

    return TwoRates(0.02, **settings)


def halved(K, name="Adam", **settings):
    class Halved(getattr(K.optimizers, name)):
        """The rule of one of the library's optimizers, on other gradients."""

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(K.ops.clip(gradient, -0.05, 0.05), variable, learning_rate / 2)

    return Halved(0.02, **settings)


def fourth_power(K):
    class FourthPower(K.losses.Loss):
        def __init__(self, scale=2.0, **kwargs):
            super().__init__(**kwargs)
            self.scale = scale

        def call(self, y_true, y_pred):
            return K.ops.mean(self.scale * K.ops.power(y_true - y_pred, 4), axis=-1)

    return FourthPower(name="fourth")


def largest_error(K):
    class LargestError(K.metrics.Metric):
        def __init__(self, name="largest_error", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")
            self.seen = self.add_weight(shape=(2,), initializer="zeros", name="seen")

        def update_state(self, y_true, y_pred, sample_weight=None):
            error = K.ops.abs(y_true - y_pred)
            if sample_weight is not None:
                error = error * K.ops.expand_dims(sample_weight, -1)
            self.largest.assign(K.ops.maximum(self.largest, K.ops.max(error)))
            self.seen.assign_add(K.ops.sum(error, axis=0))

        def result(self):
            return self.largest + 0.001 * K.ops.sum(self.seen)

    return LargestError()


def mean_difference(y_true, y_pred):
    return (y_true - y_pred).mean(axis=-1)


def warm_up(K):
    class WarmUp(K.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            step = K.ops.cast(step, "float32")
            return K.ops.where(step < 5, 0.02 * step, 0.1 / K.ops.sqrt(step + 1))

        def get_config(self):
            return {}

    return WarmUp()


def box(K):
    class Box(K.constraints.Constraint):
        def __call__(self, w):
            return K.ops.clip(w, -0.9, 0.9)

    return Box()


def build(K, **settings):
    inputs = K.Input((5,))
    x = K.layers.Dense(4, activation="tanh", **settings)(inputs)
    model = K.Model(inputs, K.layers.Dense(2)(x))
    model.set_weights(WEIGHTS)
    return model


def both_histories(compiled, epochs=3, layer=lambda K: {}, **fit):
    histories, models = [], []
    for K in (lamina, keras):
        model = build(K, **layer(K))
        model.compile(**{"loss": "mse", **compiled(K)})
        history = model.fit(
            X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, **fit
        ).history
        histories.append(history)
        models.append(model)
    ours, theirs = histories
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-4, atol=1e-6, err_msg=name)
    for mine, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=2e-5)
    return models


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (momentum, {}),
        (momentum, {"clipnorm": 0.1, "weight_decay": 0.1}),
        (momentum, {"global_clipnorm": 0.1, "loss_scale_factor": 8.0}),
        (momentum, {"clipvalue": 0.01, "use_ema": True, "ema_overwrite_frequency": 2}),
        (momentum, {"gradient_accumulation_steps": 3}),
        (momentum, {"use_ema": True, "ema_momentum": 0.8}),
        (rprop, {}),
        (adam_of_two_rates, {}),
        (halved, {"weight_decay": 0.1}),
        (halved, {"name": "Nadam"}),
        (halved, {"name": "SGD", "momentum": 0.9}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_optimizer_of_ones_own_trains_as_in_keras(make, settings):
    ours, theirs = both_histories(lambda K: {"optimizer": make(K, **settings)})
    found = [(v.shape, v.dtype) for v in ours.optimizer.variables]
    assert found == [(tuple(v.shape), v.dtype) for v in theirs.optimizer.variables]


def test_training_goes_on_with_the_slots_it_had(compilations):
    model = build(lamina)
    model.compile(momentum(lamina), "mse")
    model.fit(X, Y, batch_size=16, verbose=0)
    slots = list(model.optimizer.variables)
    compilations.reset()
    model.fit(X, Y, batch_size=16, verbose=0)
    assert compilations.count("train_program") == 0
    assert all(a is b for a, b in zip(slots, model.optimizer.variables, strict=True))


def test_weights_left_out_of_the_decay_are_left_out_in_fit():
    def compiled(K):
        optimizer = K.optimizers.SGD(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return {"optimizer": optimizer}

    both_histories(compiled)


def test_a_schedule_of_ones_own_is_followed_as_in_keras():
    both_histories(lambda K: {"optimizer": K.optimizers.SGD(warm_up(K), momentum=0.9)})


def test_a_constraint_and_a_regularizer_of_ones_own_hold_as_in_keras():
    def layer(K):
        return {
            "kernel_constraint": box(K),
            "kernel_regularizer": lambda w: 0.1 * K.ops.sum(K.ops.abs(w)),
        }

    ours, _ = both_histories(lambda K: {"optimizer": K.optimizers.SGD(0.2)}, layer=layer)
    assert np.abs(ours.get_weights()[0]).max() <= 0.9


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_and_metrics_of_ones_own_measure_as_in_keras(weighted):
    sample_weight = SAMPLE_WEIGHT if weighted else None
    both_histories(
        lambda K: {
            "optimizer": K.optimizers.SGD(0.01),
            "loss": fourth_power(K),
            "metrics": [largest_error(K), mean_difference],
            "weighted_metrics": [K.metrics.MeanAbsoluteError(name="mae")],
        },
        sample_weight=sample_weight,
        validation_data=(X[:20], Y[:20]),
    )


def test_a_metric_kept_by_a_layer_is_logged_and_starts_afresh_each_epoch():
    """Keras on JAX cannot do this: the metric has no variables yet when it is compiled."""

    class Measuring(lamina.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.size = lamina.metrics.Mean(name="size")

        def call(self, x):
            self.size.update_state(abs(x))
            self.add_loss(0.01 * (x * x).mean())
            return x

    inputs = lamina.Input((5,))
    hidden = lamina.layers.Dense(4, activation="tanh")(inputs)
    model = lamina.Model(inputs, lamina.layers.Dense(2)(Measuring()(hidden)))
    model.set_weights(WEIGHTS)
    model.compile(lamina.optimizers.SGD(0.0), "mse")
    history = model.fit(X, Y, batch_size=16, epochs=2, verbose=0).history
    hidden = np.tanh(X @ WEIGHTS[0] + WEIGHTS[1])
    error = np.mean((hidden @ WEIGHTS[2] + WEIGHTS[3] - Y) ** 2)
    np.testing.assert_allclose(history["size"], np.abs(hidden).mean(), rtol=1e-5)
    np.testing.assert_allclose(history["loss"], error + 0.01 * np.mean(hidden**2), rtol=1e-5)
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["size"] == pytest.approx(
        np.abs(hidden).mean(), rel=1e-5
    )


@pytest.mark.parametrize("loss", ["dice", "tversky", lamina.losses.Dice(axis=(1, 2, 3))])
def test_areas_are_learned_and_measured(loss):
    brightness = np.linspace(0.5, 2, 64)[:, None, None, None]
    images = (RNG.random((64, 6, 6, 1)) ** brightness).astype("float32")
    areas = (images > 0.5).astype("float32")
    model = lamina.Sequential([lamina.Input((6, 6, 1)), lamina.layers.Dense(1, "sigmoid")])
    model.compile("adam", loss, metrics=[lamina.metrics.BinaryIoU(name="iou")])
    model.optimizer.learning_rate = 0.3
    history = model.fit(images, areas, batch_size=32, epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 0.2
    assert history["iou"][-1] > 0.8
    # The loss of a batch is not a mean over its samples: it is not measured in other batches.
    of_two_batches = model.evaluate(images, areas, batch_size=32, verbose=0)[0]
    assert model.evaluate(images, areas, verbose=0)[0] == pytest.approx(of_two_batches, rel=1e-5)


class Padding(lamina.layers.Layer):
    """Masks the steps that hold nothing but zeros."""

    def call(self, x):
        return x

    def compute_mask(self, x, previous_mask=None):
        return (x != 0).any(axis=-1)


@pytest.mark.parametrize("loss", ["mse", "huber", "cosine_similarity"])
def test_masked_steps_count_in_no_loss_and_no_metric(loss):
    steps = RNG.normal(size=(12, 4, 3)).astype("float32")
    steps[:6, 2:] = 0.0
    targets = RNG.normal(size=(12, 4, 1 if loss != "cosine_similarity" else 2)).astype("float32")
    found = []
    for change in (0.0, 100.0):
        y = targets.copy()
        y[:6, 2:] += change  # what is masked may be anything
        model = lamina.Sequential(
            [lamina.Input((4, 3)), Padding(), lamina.layers.Dense(y.shape[-1])]
        )
        lamina.set_random_seed(1)
        model.set_weights([np.full(w.shape, 0.3, "float32") for w in model.get_weights()])
        model.compile("sgd", loss, metrics=["mse", "mae"], weighted_metrics=["mae"])
        history = model.fit(steps, y, shuffle=False, verbose=0, sample_weight=np.arange(12) / 12)
        found.append([values[0] for values in history.history.values()])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


class LowAndHigh(lamina.metrics.Metric):
    """Two numbers from one state."""

    def __init__(self, name="low_and_high", **kwargs):
        super().__init__(name=name, **kwargs)
        self.batches = self.add_variable(shape=(), initializer="zeros", name="batches")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches.assign_add(1.0)

    def result(self):
        return {"z_low": self.batches * 1.0, "a_high": self.batches * 10.0}


class Batches(LowAndHigh):
    """A result that is the Variable itself, as in Keras's documentation."""

    def result(self):
        return self.batches


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eagerly"])
def test_results_of_a_dict_and_of_a_variable_are_in_the_lists_in_the_order_of_keras(eager):
    model = lamina.Sequential([lamina.Input((5,)), lamina.layers.Dense(2)])
    parts = [LowAndHigh(), Batches(name="batches"), "mae"]
    model.compile("sgd", "mse", metrics=parts, run_eagerly=eager)
    # loss, batches, mae, then the parts of a dict by name.
    assert model.evaluate(X, Y, batch_size=16, verbose=0)[1::2] == [3.0, 30.0]
    assert model.test_on_batch(X, Y)[3:] == [10.0, 1.0]
    assert model.train_on_batch(X, Y)[3:] == [10.0, 1.0]
    assert model.fit(X, Y, verbose=0).history["batches"] == [2.0]


def test_results_of_a_dict_are_told_apart_by_output():
    given = lamina.Input((5,))
    heads = [lamina.layers.Dense(2, name=name)(given) for name in "ab"]
    model = lamina.Model(given, heads)
    model.compile("sgd", "mse", metrics=[[LowAndHigh()], [LowAndHigh()]], run_eagerly=True)
    logs = model.test_on_batch(X, [Y, Y], return_dict=True)
    assert {"z_low", "b_low_and_high_z_low"} <= logs.keys()


def test_what_a_test_step_logs_besides_is_in_the_list_after_the_metrics():
    class Own(lamina.Sequential):
        def test_step(self, data):
            return {**super().test_step(data), "own": lamina.ops.convert_to_tensor(7.0)}

    model = Own([lamina.Input((5,)), lamina.layers.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.test_on_batch(X, Y)[1] == 7.0
