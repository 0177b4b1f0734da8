"""One model in several threads: asked, measured, copied and saved while one of them trains it."""

import threading
import time

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core.variable import threads

SAMPLES = 64


class Steps(layers.Layer):
    """Two weights that both count the steps, so that their difference is 0 at every moment."""

    def build(self, shape):
        self.one = self.add_weight((), "zeros", name="one")
        self.other = self.add_weight((), "zeros", name="other")

    def call(self, x):
        outputs = lamina.ops.stack([self.one - self.other, self.one.value])
        return 0 * x + outputs


def minus_both(y_true, y_pred):
    return y_pred[:, 0] - 2 * y_pred[:, 1]


def difference(y_true, y_pred):
    return lamina.ops.abs(y_pred[:, 0])


def made():
    model = lamina.Sequential([lamina.Input((2,)), Steps()])
    model.compile(lamina.optimizers.SGD(1.0), minus_both, metrics=[difference])
    return model


class Trained:
    """A model that a thread trains inside, for some tenths of a second."""

    def __init__(self, model, seconds=0.4):
        self.model, self.seconds = model, seconds
        self.stop, self.errors = threading.Event(), []
        self.thread = threading.Thread(target=self._train)

    def _train(self):
        x = np.zeros((SAMPLES, 2), "float32")
        end = time.monotonic() + self.seconds
        try:
            while time.monotonic() < end:
                self.model.fit(x, x, batch_size=8, epochs=3, verbose=0)
        except Exception as error:
            self.errors.append(error)
        self.stop.set()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.thread.join()
        assert self.errors == []


def run_together(work, count):
    started = [threading.Thread(target=work) for _ in range(count)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def in_threads(count, work, stop):
    """What `work` gave in so many threads, again and again until it is time to stop."""
    found, errors = [], []

    def run():
        try:
            while not stop.is_set():
                found.append(work())
        except Exception as error:
            errors.append(error)

    run_together(run, count)
    assert errors == []
    return found


@pytest.fixture(scope="module")
def model():
    model = made()
    x = np.zeros((SAMPLES, 2), "float32")
    model.fit(x, x, batch_size=8, verbose=0)  # compiled, so that the threads meet
    return model


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_predictions_of_eight_threads_are_each_of_one_moment(model, rows):
    x = np.zeros((rows, 2), "float32")
    model.predict(x, batch_size=4, verbose=0)
    with Trained(model) as trained:
        found = in_threads(8, lambda: model.predict(x, batch_size=4, verbose=0), trained.stop)
    assert all(np.all(outputs == [0, outputs[0, 1]]) for outputs in found)
    assert len({outputs[0, 1] for outputs in found}) > 1  # it learned meanwhile


def test_weights_read_in_eight_threads_are_of_one_moment(model):
    with Trained(model) as trained:
        found = in_threads(8, model.get_weights, trained.stop)
    assert all(one == other for one, other in found)


def test_calls_and_single_variables_can_be_read_in_eight_threads(model):
    x = np.zeros((3, 2), "float32")

    def work():
        return np.asarray(model(x)), float(model.weights[0]), model.optimizer.iterations.numpy()

    with Trained(model) as trained:
        found = in_threads(8, work, trained.stop)
    assert all(np.isfinite(value).all() for values in found for value in values)


def test_what_is_measured_beside_training_is_of_one_moment(model):
    x = np.zeros((40, 2), "float32")
    model.evaluate(x, x, batch_size=16, verbose=0)
    with Trained(model) as trained:
        found = in_threads(4, lambda: model.evaluate(x, x, batch_size=16, verbose=0), trained.stop)
    assert all(apart == 0 for _, apart in found)


def test_measuring_beside_training_does_not_touch_what_training_counts():
    model, x = made(), np.zeros((SAMPLES, 2), "float32")
    alone = model.fit(x, x, batch_size=1, epochs=20, shuffle=False, verbose=0).history["loss"]
    model.set_weights([np.zeros(()), np.zeros(())])
    stop, found = threading.Event(), []
    other = threading.Thread(
        target=lambda: found.extend(in_threads(1, lambda: model.evaluate(x, x, verbose=0), stop))
    )
    hook = lamina.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with threads.mark_training(model):
        other.start()
        history = model.fit(
            x, x, batch_size=1, epochs=20, shuffle=False, verbose=0, callbacks=[hook]
        ).history
        stop.set()
    other.join()
    assert history["loss"] == pytest.approx(alone)
    assert found


def test_a_file_saved_beside_training_is_of_one_moment(model, tmp_path):
    numbers = iter(range(10**6))

    def work():
        path = tmp_path / f"{next(numbers)}.weights.h5"
        model.save_weights(path)
        return path

    with Trained(model) as trained:
        paths = in_threads(2, work, trained.stop)
    other = made()
    for path in paths[:10]:
        other.load_weights(path)
        one, same = other.get_weights()
        assert one == same > 0


def test_a_model_is_built_and_compiled_once_for_eight_threads(compilations):
    model = lamina.Sequential([layers.Dense(2), layers.Dense(3)])
    x = np.zeros((1, 4), "float32")
    begin, found = threading.Barrier(8), []

    def work():
        begin.wait()
        found.append(model.predict(x, verbose=0))

    run_together(work, 8)
    assert len(found) == 8
    assert len(model.weights) == 4
    assert compilations.count("predict_program") == 1


def test_losses_that_layers_add_are_those_of_the_thread():
    class Adding(layers.Layer):
        def call(self, x):
            self.add_loss(lamina.ops.sum(x))
            return x

    layer = Adding()
    layer(np.ones((2, 3)))
    other = threading.Thread(target=lambda: layer(np.ones((5, 3))))
    other.start()
    other.join()
    assert [float(loss) for loss in layer.losses] == [6.0]
