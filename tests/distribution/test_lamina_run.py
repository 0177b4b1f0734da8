"""`lamina run --processes`: a script that knows nothing of processes trains in all of them."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.extra

SCRIPT = """
import os, sys, time
import numpy as np
import tensorflow as tf
from tensorflow import keras

number = int(os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", "0"))
keras.backend.set_floatx("float64")
keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(61, 12)), rng.integers(0, 4, 61)

class Trouble(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        TROUBLE

model = keras.Sequential([
    keras.Input((12,)),
    keras.layers.Dense(16, activation="relu"),
    keras.layers.Dropout(0.2),
    keras.layers.Dense(4, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
callbacks = [keras.callbacks.BackupAndRestore("backup"), Trouble()]
model.fit(x, y, epochs=EPOCHS, batch_size=16, callbacks=callbacks, verbose=2)
np.save("weights.npy", model.get_weights()[0]) if number == 0 else None
print("END", number)
"""


def command(folder, *options, trouble="pass", epochs=4):
    folder.mkdir(exist_ok=True)
    text = SCRIPT.replace("TROUBLE", trouble).replace("EPOCHS", str(epochs))
    (folder / "train.py").write_text(text)
    return {
        "args": [sys.executable, "-m", "lamina", "run", *options, "train.py"],
        "cwd": folder,
        "env": {**os.environ, "JAX_ENABLE_X64": "1", "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"},
        "text": True,
    }


def run(*arguments, **options):
    return subprocess.run(**command(*arguments, **options), capture_output=True, timeout=400)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights after training in two processes that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(folder, "--processes", "2")
    assert done.returncode == 0, done.stderr
    return np.load(folder / "weights.npy")


def test_the_weights_are_those_of_one_process_and_the_first_one_prints(undisturbed, tmp_path):
    done = run(tmp_path, "--processes", "2", "--devices-per-process", "2")
    assert done.returncode == 0, done.stderr
    assert "Training on 4 devices in 2 processes" in done.stdout
    assert done.stdout.count("END") == 1
    alone = run(tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    expected = np.load(tmp_path / "alone" / "weights.npy")
    np.testing.assert_allclose(np.load(tmp_path / "weights.npy"), expected, atol=1e-12)
    np.testing.assert_allclose(undisturbed, expected, atol=1e-12)


@pytest.mark.parametrize("victim", [0, 1])
def test_after_a_kill_it_goes_on_from_the_last_checkpoint_to_the_same_weights(
    victim, undisturbed, tmp_path
):
    done = run(
        tmp_path, "--processes", "2", "--restarts", "1",
        trouble=f"""
        if number == {victim} and epoch == 2 and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), 9)""",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Process {victim} of 2" in done.stderr
    assert "was ended by SIGKILL" in done.stderr
    assert "again (1 of 1)" in done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "weights.npy"), undisturbed)


@pytest.mark.parametrize(
    ("trouble", "statuses", "words"),
    [
        ("raise ValueError('broken here')", (75,), "[1] ValueError: broken here"),
        ("sys.exit(3)", (3,), "Process 1 of 2"),
        # JAX's abort and Lamina's end race with each other.
        ("os.kill(os.getpid(), signal.SIGSTOP)", (75, 134), "process 1 no longer answered"),
    ],
)
def test_trouble_in_one_process_ends_all_and_is_named(trouble, statuses, words, tmp_path):
    trouble = f"import signal\n        if (number, epoch) == (1, 2): {trouble}"
    done = run(tmp_path, "--processes", "2", trouble=trouble, epochs=100_000)
    assert done.returncode in statuses, done.stderr
    assert words in done.stderr
    assert "Fix: " in done.stderr


def test_ctrl_c_at_the_launcher_stops_all_after_the_same_step(tmp_path):
    slow = "time.sleep(0.05)"
    options = command(tmp_path, "--processes", "2", trouble=slow, epochs=100_000)
    launcher = subprocess.Popen(**options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while "Epoch 2/" not in launcher.stdout.readline():
            assert launcher.poll() is None
        launcher.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, err = launcher.communicate(timeout=60)
    finally:
        launcher.kill()
        launcher.wait()
    assert launcher.returncode == 0, err
    assert "Ctrl-C was passed on to all processes" in err
    assert "END 0" in out
    assert time.monotonic() - start < 30


def test_strategies_of_tensorflow_have_the_devices_of_all_processes(tmp_path):
    (tmp_path / "train.py").write_text(
        "import tensorflow as tf\n"
        "tf.keras.distribution.initialize()  # connected already: nothing happens\n"
        "print(tf.distribute.MultiWorkerMirroredStrategy().num_replicas_in_sync,"
        " tf.distribute.MirroredStrategy().num_replicas_in_sync)"
    )
    options = command(tmp_path / "unused", "--processes", "2", "--devices-per-process", "2")
    done = subprocess.run(**{**options, "cwd": tmp_path}, capture_output=True, timeout=300)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "4 4"), done.stderr
