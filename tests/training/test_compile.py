"""What compile accepts, and what it says about a loss that does not fit the last layer."""

import keras
import numpy as np
import pytest

import lamina
from lamina import layers
from small_models import classifier

pytestmark = pytest.mark.quick


def stack(last_activation):
    return lamina.Sequential([lamina.Input((4,)), layers.Dense(3, activation=last_activation)])


def test_metrics_as_the_third_argument_are_metrics_as_in_keras_2(blobs):
    model = stack("softmax")
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    assert model.fit(*blobs, verbose=0).history.keys() == {"loss", "accuracy"}


def test_crossentropy_is_the_one_that_fits_the_labels(blobs):
    short, full = classifier(loss="crossentropy"), classifier()
    full.set_weights(short.get_weights())
    expected = full.evaluate(*blobs, verbose=0)
    assert short.evaluate(*blobs, verbose=0) == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy",
                                  lamina.losses.SparseCategoricalCrossentropy()])  # fmt: skip
def test_logits_where_probabilities_are_expected_are_told_once(blobs, loss):
    model = stack(None)
    model.compile("adam", loss)
    with pytest.warns(lamina.LaminaWarning, match="no activation, so its outputs are logits"):
        model.fit(*blobs, verbose=0)
    model.fit(*blobs, verbose=0)


def test_logits_with_a_loss_that_expects_them_are_fine(blobs):
    model = stack(None)
    model.compile("adam", lamina.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*blobs, verbose=0)


def test_probabilities_where_logits_are_expected_are_refused_before_the_first_step(blobs):
    model = stack("softmax")
    model.compile("adam", lamina.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    with pytest.raises(ValueError, match="already applies softmax"):
        model.fit(*blobs, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("argument", "value", "meant"),
    [
        ("optimizer", "adm", "adam"),
        ("loss", "sparse_categorical_crossentrpy", "sparse_categorical_crossentropy"),
        ("metrics", ["acuracy"], "accuracy"),
    ],
)
def test_a_misspelt_name_is_refused_by_compile_with_the_nearest_one(argument, value, meant):
    with pytest.raises(ValueError, match=f"(?i)Did you mean '{meant}'"):
        stack("softmax").compile(**{argument: value})


def test_a_misspelt_argument_is_refused_with_the_nearest_one():
    with pytest.raises(TypeError, match="Did you mean 'metrics'"):
        stack("softmax").compile(metric=["accuracy"])


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy",
                                  lamina.losses.sparse_categorical_crossentropy,
                                  lamina.losses.SparseCategoricalCrossentropy()])  # fmt: skip
def test_labels_out_of_range_are_found_however_the_loss_was_given(blobs, loss):
    model = stack("softmax")
    model.compile("adam", loss)
    with pytest.raises(ValueError, match="labels run from 1 to 3"):
        model.fit(blobs[0], blobs[1] + 1, verbose=0)


def heads(library, outputs):
    given = library.Input((4,))
    first = library.layers.Dense(1, name="size", kernel_initializer="ones")(given)
    second = library.layers.Dense(1, name="age", kernel_initializer="zeros")(given)
    return library.Model(given, outputs(first, second))


@pytest.mark.parametrize(
    ("outputs", "loss", "metrics"),
    [
        (lambda a, b: {"size": a, "age": b}, {"size": "mse", "age": "mae"}, {"size": ["mape"]}),
        (lambda a, b: {"size": a, "age": b}, {"age": "mae", "size": "mse"}, {"age": ["mse"]}),
        (lambda a, b: [a, b], {"age": "mae", "size": "mse"}, [["msle", "mape"], ["mae"]]),
        (lambda a, b: [a, b], ["mae", None], None),
    ],
    ids=["dict", "dict, losses the other way round", "list", "an output without a loss"],
)
def test_evaluate_lists_losses_and_metrics_of_many_outputs_as_keras(outputs, loss, metrics):
    x = np.random.default_rng(0).uniform(1, 2, (8, 4))
    targets = outputs(x[:, :1], x[:, 1:2] * 5)
    got = []
    for library in (lamina, keras):
        model = heads(library, outputs)
        model.compile("sgd", loss, metrics=metrics)
        got.append(model.evaluate(x, targets, verbose=0))
    assert got[0] == pytest.approx(got[1], rel=1e-5)


def test_a_fit_that_is_refused_leaves_no_metric_behind(rng):
    model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3)])
    metric = Refusing()
    model.compile("sgd", "mse", metrics=["mae", metric])
    x, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
    with pytest.raises(ValueError, match="not now"):
        model.fit(x, y, verbose=0)
    metric.refuses = False
    model.fit(x, y, verbose=0)
    assert [metric.name for metric in model.metrics] == ["loss", "mae", "mean"]


class Refusing(lamina.metrics.Mean):
    refuses = True

    def build(self, *shapes):
        if self.refuses:
            raise ValueError("not now")

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)


class Recompiles(lamina.callbacks.Callback):
    """Compiles the model anew after the first call of a hook."""

    def __init__(self, hook):
        super().__init__()
        self.done = False
        setattr(self, hook, self._once)

    def _once(self, *args, **kwargs):
        if not self.done:
            self.done = True
            self.model.compile(lamina.optimizers.SGD(0.0), "mae", metrics=["mse"])
            self.weights = self.model.get_weights()


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_end", "on_test_end"])
def test_a_callback_may_compile_the_model_anew(hook, rng):
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(32, 4)).astype("float32"), rng.normal(size=(32, 1))
    callback = Recompiles(hook)
    history = model.fit(
        x, y, batch_size=16, epochs=3, validation_data=(x, y), callbacks=[callback], verbose=0
    ).history
    assert len(history["loss"]) == 3
    # The new optimizer stands still, and the new loss is what is shown.
    assert all(map(np.array_equal, model.get_weights(), callback.weights))
    measured = np.abs(y - np.asarray(model(x))).mean()
    assert history["loss"][-1] == pytest.approx(measured, rel=1e-5)
    assert {"mse", "val_mse"} <= history.keys()
