"""Several processes train one model, agree with each other, and end together."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from lamina.core.ports import free_port
from several_processes import run, signal_when, start, wait

pytestmark = pytest.mark.extra

NETWORK = """
lamina.config.set_floatx("float64")
rng = np.random.default_rng(0)
x, y = rng.normal(size=(61, 12)), rng.integers(0, 4, 61)

def network():
    lamina.set_random_seed(1)
    model = lamina.Sequential([
        lamina.Input((12,)),
        lamina.layers.Dense(16, activation="relu", name="hidden"),
        lamina.layers.BatchNormalization(),
        lamina.layers.Dropout(0.2),
        lamina.layers.Dense(4, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
DISTRIBUTIONS = {
    "data": "set_distribution(DataParallel())\n",
    "fully sharded": "set_distribution(DataParallel(shard_parameters=True))\n",
    "model": (
        "layouts = LayoutMap(DeviceMesh((1, jax.device_count()), ('batch', 'model')))\n"
        "layouts['.*hidden/kernel'] = (None, 'model')\n"
        "set_distribution(ModelParallel(layout_map=layouts))\n"
    ),
}
TRAIN = """
model = network()
callbacks = [
    lamina.callbacks.CSVLogger("log.csv"),
    lamina.callbacks.TensorBoard("board", histogram_freq=1),
    lamina.callbacks.ModelCheckpoint("{epoch}.keras"),
    lamina.callbacks.BackupAndRestore("backup"),
]
history = model.fit(
    x, y, epochs=2, batch_size=16, validation_split=0.2, callbacks=callbacks, verbose=2
)
batches = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 48, 16)]
model.fit((batch for batch in batches), verbose=0)
outputs = model.predict(x, batch_size=16, verbose=0)
scores = model.evaluate(x, y, batch_size=16, verbose=0)
model.save("end.keras")
again = lamina.models.load_model("end.keras").predict(x, batch_size=16, verbose=0)
weights = np.concatenate([w.ravel() for w in model.get_weights()])
import json
print("RESULT", json.dumps([outputs.tolist(), again.tolist(), scores, weights.tolist()]))
"""
# A callback that is slow enough for a signal to come while the model trains.
SLOW = """
import time

class Slow(lamina.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.2)

"""


def results(output):
    (line,) = [line for line in output.splitlines() if line.startswith("RESULT")]
    return np.concatenate([np.ravel(part) for part in json.loads(line.removeprefix("RESULT "))])


@pytest.fixture(scope="module")
def of_one_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    return results(run(NETWORK + TRAIN, folder, processes=1)[0])


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("how", DISTRIBUTIONS)
def test_two_processes_give_what_one_gives(how, devices, tmp_path, of_one_process):
    outputs = run(DISTRIBUTIONS[how] + NETWORK + TRAIN, tmp_path, devices=devices)
    for output in outputs:
        np.testing.assert_allclose(results(output), of_one_process, atol=1e-12)
    assert "Epoch 2/2" in outputs[0]
    assert "Epoch" not in outputs[1]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    assert f"{2 * devices} devices in 2 processes" in outputs[0]
    assert len(list((tmp_path / "board" / "train").iterdir())) == 1


# Trains on data that are streamed, of which each process reads its own rows.
STREAMED = """
lamina.config.set_resident_budget(1024)
import json, scipy.sparse, tempfile

class Samples:
    read = 0

    def __len__(self):
        return 61

    def __getitem__(self, index):
        Samples.read += 1
        return x[index], y[index]

with tempfile.TemporaryDirectory() as folder:
    np.save(folder + "/x.npy", x)
    sources = {
        "arrays": (x, y),
        "file": (np.load(folder + "/x.npy", mmap_mode="r"), y),
        "sparse": (scipy.sparse.csr_matrix(x), y),
        "samples": (Samples(), None),
    }
    weights = []
    for name, (inputs, targets) in sources.items():
        model = network()
        model.fit(inputs, targets, epochs=2, batch_size=16, verbose=0)
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]).tolist())
print("READ", Samples.read)
print("RESULT", json.dumps(weights))
"""


def test_streamed_data_that_processes_read_in_part_give_what_one_gives(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    (alone,) = run(NETWORK + STREAMED, folders[0], processes=1)
    both = run(DISTRIBUTIONS["data"] + NETWORK + STREAMED, folders[1], processes=2)
    for output in both:
        np.testing.assert_allclose(results(output), results(alone), atol=1e-12)
        # In each epoch half of three batches and all of the last one; also the first batch, whole.
        assert f"READ {2 * (3 * 8 + 13) + 8}" in output
    assert f"READ {2 * 61}" in alone


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ("x = x + number\n", "do not agree on the data"),
        ("model.layers[0].kernel.assign_add(np.ones((12, 16)) * number)\n", "on the weights"),
        ("lamina.set_random_seed(number)\n", "on the order of the samples"),
        ("epochs += number\n", "on the arguments of fit"),
    ],
)
def test_processes_that_would_compute_different_things_are_stopped(difference, words, tmp_path):
    script = DISTRIBUTIONS["data"] + NETWORK + "model, epochs = network(), 1\n" + difference
    started = start(script + "model.fit(x, y, epochs=epochs, verbose=0)", tmp_path)
    statuses, outputs = wait(started, tmp_path)
    assert statuses == [75, 75]
    for output in outputs:
        assert words in output
        assert "Fix:" in output


def test_data_that_end_earlier_in_one_process_end_all_with_a_message(tmp_path):
    script = DISTRIBUTIONS["data"] + NETWORK + "model = network()\n"
    ends = "batches = ((x[:16], y[:16]) for _ in range(5 - number))\n"
    fit = "model.fit(batches, verbose=0)\nmodel.predict(x)\n"
    statuses, outputs = wait(start(script + ends + fit, tmp_path), tmp_path, seconds=60)
    assert statuses == [75, 75]
    for output in outputs:
        assert "the data of process 1 differ from those" in output


def train_slowly(epochs):
    fit = f"history = model.fit(x, y, epochs={epochs}, callbacks=[Slow()], verbose=2)\n"
    report = "print('LENGTH', len(history.history['loss']), float(model.get_weights()[0].sum()))\n"
    return DISTRIBUTIONS["data"] + NETWORK + SLOW + "model = network()\n" + fit + report


@pytest.mark.parametrize("victim", [0, 1])
def test_a_stop_of_one_process_stops_all_after_the_same_step(victim, tmp_path):
    started = start(train_slowly(epochs=300), tmp_path)
    signal_when("Epoch 3", started, tmp_path, victim, signal.SIGINT)
    statuses, outputs = wait(started, tmp_path, seconds=20)
    assert statuses == [0, 0]
    lengths = {line for o in outputs for line in o.splitlines() if line.startswith("LENGTH")}
    assert len(lengths) == 1


def test_sigterm_to_one_process_ends_all_with_its_exit_status(tmp_path):
    started = start(train_slowly(epochs=300), tmp_path)
    signal_when("Epoch 3", started, tmp_path, 1, signal.SIGTERM)
    statuses, outputs = wait(started, tmp_path, seconds=20)
    assert statuses == [143, 143]
    assert "Stopped by SIGTERM" in outputs[0]


@pytest.mark.parametrize("victim", [0, 1])
def test_the_others_end_soon_after_a_process_is_killed(victim, tmp_path):
    started = start(train_slowly(epochs=300), tmp_path)
    signal_when("Epoch 3", started, tmp_path, victim, signal.SIGKILL)
    statuses, outputs = wait(started, tmp_path, seconds=10)
    assert statuses[victim] == -signal.SIGKILL
    assert statuses[1 - victim] in (75, -signal.SIGABRT)
    if victim == 1:
        assert "Process 0 lost the connection to another process" in outputs[0]


def test_an_exception_in_one_process_ends_all(tmp_path):
    fails = SLOW.replace("time.sleep(0.2)", "assert (number, epoch) != (1, 2), 'broken here'")
    script = DISTRIBUTIONS["data"] + NETWORK + fails + "model = network()\n"
    started = start(script + "model.fit(x, y, epochs=300, callbacks=[Slow()])", tmp_path)
    statuses, outputs = wait(started, tmp_path, seconds=60)
    assert statuses == [75, 75]
    assert "broken here" in outputs[1]
    assert "lost the connection" in outputs[0]


def test_a_save_in_one_process_alone_is_not_waited_for_without_end(tmp_path):
    script = (
        DISTRIBUTIONS["data"]
        + NETWORK
        + "from lamina.core import processes\n"
        + "processes._WAIT_SECONDS = 2\nmodel = network()\nmodel.fit(x, y, verbose=0)\n"
        + "if number == 0:\n    model.save('one.keras')\n"
        + "else:\n    import time; time.sleep(4)\n"
    )
    statuses, outputs = wait(start(script, tmp_path), tmp_path)
    assert statuses[0] == 75
    assert "Fix: call it in every process; the first one writes files." in outputs[0]
    assert (tmp_path / "one.keras").exists()


def test_a_divided_weight_that_differs_between_two_processes_is_named(tmp_path):
    # Process 0 has both halves of a kernel, and so has process 1.
    layouts = DISTRIBUTIONS["model"].replace("(1, jax.device_count())", "(2, 2)")
    differ = "kernel = model.layers[0].kernel\nkernel.assign(np.ones((12, 16)) * number)\n"
    script = layouts + NETWORK + "model = network()\n" + differ + "model.fit(x, y, verbose=0)"
    statuses, outputs = wait(start(script, tmp_path, devices=2), tmp_path)
    assert statuses == [75, 75]
    assert "do not agree on part 0 of the weight sequential/hidden/kernel" in outputs[0]


def test_a_divided_weight_that_one_process_reads_alone_is_not_waited_for_without_end(tmp_path):
    script = (
        DISTRIBUTIONS["model"]
        + NETWORK
        + "from lamina.core import processes\nprocesses._WAIT_SECONDS = 2\nmodel = network()\n"
        + "assert model.layers[0].kernel.numpy().shape == (12, 16)  # both read it\n"
        + "if number == 0:\n    model.layers[0].kernel.numpy()\n"
        + "else:\n    import time; time.sleep(4)\n"
    )
    statuses, outputs = wait(start(script, tmp_path), tmp_path)
    assert statuses[0] == 75
    assert "waited 2 s for the others at reading sequential/hidden/kernel, of which" in outputs[0]


def test_an_exception_in_a_thread_that_trains_ends_all(tmp_path):
    fails = SLOW.replace("time.sleep(0.2)", "assert (number, epoch) != (1, 2), 'broken here'")
    script = (
        "import threading\n"
        + NETWORK
        + fails
        + "def fit():\n"
        + f"    {DISTRIBUTIONS['data']}"
        + "    network().fit(x, y, epochs=300, callbacks=[Slow()])\n"
        + "harmless = threading.Thread(target=lambda: 1 / 0)\nharmless.start(); harmless.join()\n"
        + "thread = threading.Thread(target=fit)\nthread.start(); thread.join()\n"
    )
    statuses, outputs = wait(start(script, tmp_path), tmp_path, seconds=60)
    assert statuses == [75, 75]
    assert "broken here" in outputs[1]
    assert "lost the connection" in outputs[0]


def test_tf_config_connects_the_workers_of_a_strategy(tmp_path):
    config = {"cluster": {"worker": [f"127.0.0.1:{free_port()}", "127.0.0.1:1"]}}
    (tmp_path / "train.py").write_text(
        "import tensorflow as tf\n"
        "print(tf.distribute.MultiWorkerMirroredStrategy().num_replicas_in_sync)"
    )
    started = []
    for index in (0, 1):
        text = json.dumps({**config, "task": {"type": "worker", "index": index}})
        command = [sys.executable, "-m", "lamina", "run", "train.py"]
        environ = {**os.environ, "TF_CONFIG": text, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
        with open(tmp_path / str(index), "w") as output:
            started.append(
                subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=output, stderr=output)
            )
    statuses, outputs = wait(started, tmp_path)
    assert statuses == [0, 0], outputs
    assert outputs[0].splitlines()[-1] == "2"


def test_a_folder_of_checkpoints_that_is_not_shared_is_refused(tmp_path):
    script = DISTRIBUTIONS["data"] + NETWORK
    script += "callbacks = [lamina.callbacks.BackupAndRestore(f'folder{number}')]\n"
    script += "network().fit(x, y, callbacks=callbacks, verbose=0)\n"
    statuses, outputs = wait(start(script, tmp_path), tmp_path)
    assert statuses == [75, 75]
    for output in outputs:
        assert "Process 1 does not see what process 0 writes to folder" in output
