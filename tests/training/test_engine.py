"""What surrounds the steps: hooks in Keras's order, early stopping, Ctrl-C, progress."""

import os
import signal

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from small_models import classifier


def recording(keras, log):
    """A callback of either library that writes down every hook that is called."""

    class Recorder(keras.callbacks.Callback):
        pass

    def hook(name):
        def record(self, *args, logs=None):
            log.append((name, *(a for a in args if isinstance(a, int))))

        return record

    for when in ("begin", "end"):
        for mode in ("train", "test", "predict"):
            setattr(Recorder, f"on_{mode}_{when}", hook(f"on_{mode}_{when}"))
            setattr(Recorder, f"on_{mode}_batch_{when}", hook(f"on_{mode}_batch_{when}"))
        setattr(Recorder, f"on_epoch_{when}", hook(f"on_epoch_{when}"))
    return Recorder()


def test_every_hook_is_called_when_keras_calls_it(pair, blobs):
    keras = pytest.importorskip("keras")
    logs = []
    for model, library in zip(pair(), (lamina, keras), strict=True):
        log = []
        callback = recording(library, log)
        model.fit(
            *blobs,
            batch_size=40,
            epochs=2,
            validation_data=blobs,
            validation_batch_size=50,
            verbose=0,
            callbacks=[callback],
        )
        model.evaluate(*blobs, batch_size=50, verbose=0, callbacks=[callback])
        model.predict(blobs[0], batch_size=50, verbose=0, callbacks=[callback])
        logs.append(log)
    assert logs[0] == logs[1]


def test_callbacks_see_the_running_loss_of_every_batch(blobs):
    losses = []
    watch = lamina.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: losses.append(logs["loss"])
    )
    model = classifier()
    history = model.fit(*blobs, batch_size=25, verbose=0, callbacks=[watch])
    assert len(losses) == 4
    assert losses[-1] == pytest.approx(history.history["loss"][0])


def test_early_stopping_ends_training_and_puts_the_best_weights_back(blobs):
    model = classifier(optimizer=lamina.optimizers.SGD(5.0, clipnorm=5.0))
    stop = lamina.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    history = model.fit(
        *blobs, epochs=50, validation_split=0.3, callbacks=[stop], shuffle=False, verbose=0
    )
    assert len(history.epoch) < 50
    best = min(history.history["val_loss"])
    got = model.evaluate(blobs[0][70:], blobs[1][70:], verbose=0, return_dict=True)["loss"]
    assert got == pytest.approx(best, abs=1e-6)


def test_a_callback_may_stop_training_in_the_middle_of_an_epoch(blobs):
    class StopAt(lamina.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.stop_training = True

    model = classifier()
    model.fit(*blobs, batch_size=10, epochs=3, callbacks=[StopAt()], verbose=0)
    assert int(model.optimizer.iterations.value) == 2


def test_ctrl_c_ends_training_with_what_was_learned(blobs, capsys):
    class Interrupt(lamina.callbacks.Callback):
        ended = False

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                os.kill(os.getpid(), signal.SIGINT)

        def on_train_end(self, logs=None):
            self.ended = True

    model, callback = classifier(), Interrupt()
    history = model.fit(*blobs, epochs=100, callbacks=[callback], verbose=2)
    assert len(history.epoch) == 2
    assert callback.ended
    assert "Stopped by Ctrl-C" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_loss_that_runs_away_is_told_with_its_step_and_what_to_do(rng):
    model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(1)])
    model.compile(lamina.optimizers.SGD(1e4), "mse")
    x = rng.normal(size=(640, 4)).astype("float32") * 100
    with pytest.raises(FloatingPointError, match=r"at step \d+ of epoch 1") as error:
        model.fit(x, x.sum(1), epochs=5, verbose=0)
    assert "learning rate is 10000" in str(error.value)
    assert "Fix:" in str(error.value)


def test_the_step_named_is_the_first_whose_loss_was_not_finite():
    class Spoilt(lamina.layers.Layer):
        def call(self, x):
            return jnp.where(x > 100, x * np.inf, x)

    x = np.ones((100, 1), "float32")
    x[37] = 1000
    model = lamina.Sequential([lamina.Input((1,)), Spoilt(), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(FloatingPointError, match="step 38 of epoch 1"):
        model.fit(x, x, batch_size=1, shuffle=False, verbose=0)


def test_terminate_on_nan_stops_quietly(rng):
    model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(1)])
    model.compile(lamina.optimizers.SGD(1e4), "mse")
    x = rng.normal(size=(640, 4)).astype("float32") * 100
    quiet = lamina.callbacks.TerminateOnNaN()
    history = model.fit(x, x.sum(1), epochs=5, verbose=0, callbacks=[quiet])
    assert len(history.epoch) <= 1
    assert model.stop_training


def test_verbose_2_prints_one_plain_line_an_epoch_that_names_the_accuracy(blobs, capsys):
    classifier().fit(*blobs, epochs=2, verbose=2, validation_split=0.2)
    split, *lines = capsys.readouterr().out.splitlines()
    assert split == "Validation on 20 of 100 samples, the last ones (split='tail')."
    assert len(lines) == 2
    assert lines[0].startswith("Epoch 1/2: loss ")
    assert "accuracy (sparse_categorical) 0." in lines[0]
    assert "val_loss" in lines[0]
    assert "samples/s" in lines[0]
    assert "\x1b" not in lines[0]


def test_a_pipe_gets_plain_lines_by_itself(blobs, capsys):
    classifier().fit(*blobs)
    out = capsys.readouterr().out
    assert out.startswith("Epoch 1/1: loss ")
    assert "\x1b" not in out
    assert "\r" not in out


def test_verbose_0_prints_nothing(blobs, capsys):
    model = classifier()
    model.fit(*blobs, verbose=0)
    model.evaluate(*blobs, verbose=0)
    model.predict(blobs[0], verbose=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verbose", [3, "yes"])
def test_an_unknown_verbose_is_refused(blobs, verbose):
    with pytest.raises(ValueError, match="verbose must be"):
        classifier().fit(*blobs, verbose=verbose)


def test_weights_are_averaged_in_the_end_with_use_ema(pair, blobs):
    keras = pytest.importorskip("keras")
    ours, theirs = pair()
    for model, library in ((ours, lamina), (theirs, keras)):
        optimizer = library.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.fit(*blobs, batch_size=20, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_predictions_of_random_layers_are_drawn_anew_for_every_batch_and_call():
    inputs = lamina.Input((50,))
    model = lamina.Model(inputs, lamina.layers.Dropout(0.5, seed=1)(inputs, training=True))
    x = np.ones((4, 50))
    first, second = (model.predict(x, batch_size=2, verbose=0) for _ in range(2))
    assert 0.3 < (first[:2] == first[2:]).mean() < 0.7
    assert 0.3 < (first == second).mean() < 0.7


def test_predictions_of_a_stateful_model_go_on_from_batch_to_batch(compilations):
    lstm = lamina.layers.LSTM(2, stateful=True)
    model = lamina.Sequential([lamina.Input((1, 3), batch_size=3), lstm])
    x = np.random.default_rng(seed=1).normal(size=(9, 1, 3))
    step_by_step = [model.predict(x[i : i + 3], verbose=0) for i in (0, 3, 6)]
    assert compilations.count("predict_program") == 1
    lstm.reset_state()
    np.testing.assert_allclose(
        model.predict(x, batch_size=3, verbose=0), np.concatenate(step_by_step), atol=1e-6
    )
    np.testing.assert_allclose(lstm.states[0], step_by_step[-1], atol=1e-6)


def test_callbacks_are_told_epochs_steps_and_verbosity_by_every_loop_as_in_keras(blobs):
    told = lamina.callbacks.Callback()
    model = classifier()
    model.evaluate(*blobs, batch_size=50, verbose=0, callbacks=[told])
    assert told.params.keys() == {"epochs", "steps", "verbose"}
    model.predict(blobs[0], verbose=0, callbacks=[told])
    assert told.params.keys() == {"epochs", "steps", "verbose"}
