"""RemoteMonitor, SwapEMAWeights, ProgbarLogger, and what callbacks may change on the way."""

import inspect
import json
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import keras
import numpy as np
import pytest

import lamina
from lamina import callbacks
from lamina.callbacks import (
    BackupAndRestore,
    Callback,
    ModelCheckpoint,
    ProgbarLogger,
    RemoteMonitor,
    SwapEMAWeights,
)

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = 2 * X.sum(axis=1, keepdims=True) + 1


def make(library, optimizer):
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    model.layers[-1].set_weights([np.ones((3, 1)), np.zeros(1)])
    model.compile(optimizer, "mse")
    return model


SHARED = sorted(
    name
    for name in dir(keras.callbacks)
    if inspect.isclass(getattr(keras.callbacks, name)) and hasattr(callbacks, name)
)


@pytest.mark.parametrize("name", SHARED)
def test_arguments_are_those_of_keras_in_their_order(name):
    def arguments(cls):
        skipped = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        parameters = inspect.signature(cls.__init__).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind not in skipped][1:]

    ours, theirs = getattr(callbacks, name), getattr(keras.callbacks, name)
    if name == "LambdaCallback":  # takes hooks of any name
        assert callable(ours(**dict.fromkeys(dict(arguments(theirs)), print)).on_epoch_end)
        return
    assert arguments(ours)[: len(arguments(theirs))] == arguments(theirs)


# RemoteMonitor


@pytest.fixture
def server():
    """A server that remembers what was posted to it."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            posted.append((self.path, dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", posted
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.mark.parametrize("send_as_json", [True, False])
def test_every_epoch_is_posted(server, send_as_json):
    root, posted = server
    monitor = RemoteMonitor(root, headers={"X-Run": "7"}, send_as_json=send_as_json)
    history = make(lamina, "sgd").fit(X, Y, epochs=2, verbose=0, callbacks=[monitor]).history
    assert len(posted) == 2
    path, headers, body = posted[1]
    assert path == "/publish/epoch/end/"
    assert headers["X-Run"] == "7"
    record = json.loads(body if send_as_json else parse_qs(body)["data"][0])
    assert record == {"epoch": 1, "loss": history["loss"][1]}


def test_a_server_that_does_not_answer_does_not_end_training():
    monitor = RemoteMonitor("http://127.0.0.1:9")
    with pytest.warns(lamina.LaminaWarning, match="could not reach http://127.0.0.1:9/publish"):
        make(lamina, "sgd").fit(X, Y, verbose=0, callbacks=[monitor])


# SwapEMAWeights


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_validation_sees_the_averages_as_in_keras(swap_on_epoch):
    def run(library):
        optimizer = library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
        model = make(library, optimizer)
        swap = library.callbacks.SwapEMAWeights(swap_on_epoch)
        history = model.fit(X, Y, 4, 3, 0, validation_data=(X, Y), shuffle=False, callbacks=[swap])
        return model.get_weights(), history.history

    (ours, logs), (theirs, expected) = run(lamina), run(keras)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-5)


@pytest.mark.parametrize("inside", [lambda o: o, lamina.optimizers.LossScaleOptimizer])
def test_what_is_saved_after_an_epoch_is_the_average(tmp_path, inside):
    optimizer = lamina.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model = make(lamina, inside(optimizer))
    save = ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    model.fit(X, Y, 4, 1, 0, callbacks=[SwapEMAWeights(swap_on_epoch=True), save])
    saved = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
    saved.load_weights(tmp_path / "1.weights.h5")
    for (_, average), value in zip(optimizer.averages(), saved.get_weights(), strict=True):
        np.testing.assert_allclose(average.numpy(), value)


def test_the_averages_stay_when_training_ends_early():
    """Keras is left with the raw weights here: it looks for the last epoch by its number."""

    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    optimizer = lamina.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model = make(lamina, optimizer)
    model.fit(X, Y, 4, 3, 0, callbacks=[SwapEMAWeights(swap_on_epoch=True), Stop()])
    for weight, average in optimizer.averages():
        np.testing.assert_array_equal(weight.numpy(), average.numpy())


def test_predict_gives_the_weights_back():
    """In Keras the averages stay in the model after predict."""
    model = make(lamina, lamina.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    model.fit(X, Y, 4, 1, 0)
    model.layers[0].set_weights([np.full((3, 1), 7.0), np.zeros(1)])
    predicted = model.predict(X, verbose=0, callbacks=[SwapEMAWeights()])
    assert np.abs(predicted).max() < 10
    assert model.get_weights()[0].max() == 7


def test_averages_come_back_after_an_interruption(tmp_path):
    class PowerCut(Exception):
        pass

    class Cut(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise PowerCut

    def run(*more):
        model = make(lamina, lamina.optimizers.SGD(0.1, use_ema=True))
        model.fit(X, Y, 4, 4, 0, [*more], shuffle=False)
        return model.get_weights()

    expected = run(SwapEMAWeights(swap_on_epoch=True))
    with pytest.raises(PowerCut):
        run(BackupAndRestore(tmp_path), SwapEMAWeights(True), Cut())
    again = run(BackupAndRestore(tmp_path), SwapEMAWeights(True))
    for a, b in zip(expected, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_optimizer_without_averages_is_refused_before_the_first_epoch():
    with pytest.raises(
        ValueError, match="computes no moving averages.\n  Fix: compile with use_ema"
    ):
        make(lamina, "sgd").fit(X, Y, verbose=0, callbacks=[SwapEMAWeights()])


# ProgbarLogger, and where messages go


def test_progbar_logger_takes_the_place_of_the_progress_of_fit(capsys):
    model = make(lamina, "sgd")
    model.fit(X, Y, 4, 2, verbose=2, callbacks=[ProgbarLogger()], validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2"
    assert re.match(r"3/3 - \d+s - ", lines[1])
    assert " - val_loss: " in lines[1]
    assert len(lines) == 4
    model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[ProgbarLogger()])
    model.predict(X, verbose=0, callbacks=[ProgbarLogger()])


def test_messages_go_to_the_logger_where_that_was_asked_for(capsys, caplog):
    lamina.config.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, "lamina"):
            make(lamina, "sgd").fit(X, Y, verbose=1)
    finally:
        lamina.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert caplog.messages[0].startswith("Epoch 1/1: loss")


# What a callback may change on the way


def test_a_callback_may_set_the_learning_rate_and_weights_and_end_training(compilations):
    seen = []

    class Meddle(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.0 if epoch == 1 else 0.1

        def on_train_batch_end(self, batch, logs=None):
            if len(seen) == 1 and batch == 0:
                self.model.layers[0].set_weights([np.full((3, 1), 5.0), np.zeros(1)])

        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights()[0].copy())
            self.model.stop_training = epoch == 2

    model = make(lamina, "sgd")
    model.fit(X, Y, 4, 1, 0)
    compilations.reset()
    history = model.fit(X, Y, 4, 10, 0, [Meddle()])
    assert history.epoch == [0, 1, 2]
    np.testing.assert_array_equal(seen[1], np.full((3, 1), 5.0))
    assert (seen[2] != 5).all()
    assert compilations.count("train_program") == 0


def test_a_callback_may_freeze_and_unfreeze_layers():
    seen = []

    class Freeze(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.layers[0].trainable = epoch != 1

        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights()[0].copy())

    model = make(lamina, "adam")
    model.fit(X, Y, 4, 3, 0, [Freeze()])
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[1] != seen[2]).all()
