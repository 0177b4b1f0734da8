"""SIGTERM, as a scheduler sends it, and children that were forked."""

import os
import signal
import subprocess
import sys

import pytest

import lamina
from small_models import classifier


class Signal(lamina.callbacks.Callback):
    """Sends a signal to this process during a batch."""

    def __init__(self, number, at=2):
        super().__init__()
        self.number, self.at, self.ended = number, at, False

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.at:
            signal.raise_signal(self.number)

    on_test_batch_begin = on_train_batch_begin

    def on_train_end(self, logs=None):
        self.ended = True


@pytest.fixture
def _usual_handlers():
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_usual_handlers")
def test_sigterm_ends_the_process_after_the_step_with_a_backup(blobs, tmp_path, capsys):
    lamina.set_random_seed(1)
    undisturbed = classifier().fit(*blobs, batch_size=20, epochs=2, verbose=0).history
    lamina.set_random_seed(1)
    model, term = classifier(), Signal(signal.SIGTERM)
    backup = lamina.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(SystemExit) as ended:
        model.fit(*blobs, batch_size=20, epochs=2, verbose=2, callbacks=[backup, term])
    assert ended.value.code == 143
    assert term.ended
    assert int(model.optimizer.iterations.value) == 3
    assert "Stopped by SIGTERM" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    lamina.set_random_seed(1)
    again = classifier().fit(*blobs, batch_size=20, epochs=2, verbose=0, callbacks=[backup])
    assert again.history == undisturbed


@pytest.mark.usefixtures("_usual_handlers")
@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_second_signal_ends_training_at_once(blobs, number, error):
    model = classifier()
    press = lamina.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: [signal.raise_signal(number) for _ in range(2)]
    )
    with pytest.raises(error):
        model.fit(*blobs, verbose=0, callbacks=[press])
    assert int(model.optimizer.iterations.value) == 0


@pytest.mark.usefixtures("_usual_handlers")
def test_sigterm_ends_evaluate(blobs):
    with pytest.raises(SystemExit) as ended:
        classifier().evaluate(*blobs, batch_size=20, verbose=0, callbacks=[Signal(signal.SIGTERM)])
    assert ended.value.code == 143


@pytest.mark.usefixtures("_usual_handlers")
def test_a_handler_of_the_users_own_is_left_alone(blobs):
    heard = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    history = classifier().fit(*blobs, epochs=2, verbose=0, callbacks=[Signal(signal.SIGTERM)])
    assert len(history.epoch) == 2
    assert heard == [signal.SIGTERM] * 2


@pytest.mark.usefixtures("_usual_handlers")
@pytest.mark.parametrize("at", [2, "validation", "validation of the second"])
def test_the_history_after_ctrl_c_has_whole_epochs_only(blobs, at):
    class Press(lamina.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, at):
                signal.raise_signal(signal.SIGINT)

        def on_test_begin(self, logs=None):
            if at == ("validation" if self.epoch == 0 else "validation of the second"):
                signal.raise_signal(signal.SIGINT)

    model = classifier()
    history = model.fit(
        *blobs, batch_size=20, epochs=4, validation_data=blobs, verbose=0, callbacks=[Press()]
    )
    epochs = 0 if at == "validation" else 1
    assert history.epoch == list(range(epochs))
    assert {len(values) for values in history.history.values()} <= {epochs}
    assert ("val_loss" in history.history) == bool(epochs)


KILLED = """
import sys
import numpy as np
import lamina
model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
model.compile("sgd", "mse")

class Tell(lamina.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(epoch, flush=True)

x = np.ones((64, 2))
backup = lamina.callbacks.BackupAndRestore(sys.argv[1], save_freq=False)
model.fit(x, x[:, :1], epochs=10**6, verbose=0, callbacks=[Tell(), backup])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to wait for")
def test_a_job_that_is_told_to_end_writes_its_backup_and_ends_with_143(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "0\n"
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=100)
    assert job.returncode == 143
    assert (tmp_path / "training_state.h5").exists()


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")  # of JAX, about the fork itself
import numpy as np
import lamina
x = np.ones((8, 2))

def compiled():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model

if sys.argv[1] == "used":
    model = compiled()
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
if sys.argv[1] != "used":
    compiled().fit(x, x[:, :1], verbose=0)
    os._exit(0)
for call in (
    lambda: model.fit(x, x[:, :1], verbose=0),
    lambda: model.evaluate(x, x[:, :1], verbose=0),
    lambda: model.predict(x, verbose=0),
    lambda: model(x),
    lambda: lamina.layers.ReLU()(x),
):
    try:
        call()
    except RuntimeError as error:
        print(error, flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_of_a_process_that_used_jax_is_refused():
    def run(how):
        command = [sys.executable, "-c", FORKED, how]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)

    told = run("used").stdout
    for name in ("fit", "evaluate", "predict", "Sequential", "ReLU"):
        assert f"{name}() cannot work in this process: it was forked" in told
    assert told.count("Fix: multiprocessing.get_context('spawn')") == 5
    assert run("only imported").stdout == ""
