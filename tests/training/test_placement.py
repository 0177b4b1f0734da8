"""Placement: where the arrays of a run are, and that nothing else decides it."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest

import lamina
from lamina.training import placement
from lamina.training.placement import OneDevice, Placement
from small_models import classifier

TRAINING = Path(lamina.__file__).parent / "training"

ON_THE_SECOND_DEVICE = """
import jax, lamina, numpy as np
from lamina.training.placement import OneDevice, use_placement
first, second = jax.devices()
x, y = np.ones((8, 3), "f4"), np.ones((8, 1), "f4")
model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y, verbose=0)
before = model.predict(x)
for variable in model.variables:
    variable._value = jax.device_put(variable._value, second)
assert (model.predict(x) == before).all(), "a program for another device"
model.fit(x, y, verbose=0)
assert model.variables[0].value.devices() == {second}
model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y, verbose=0)
with use_placement(OneDevice(second)):
    model.fit(x, y, verbose=0)
    assert model.variables[0].value.devices() == {second}
    assert model.evaluate(x, y, verbose=0) > 0
print("done")
"""


def test_programs_follow_their_arrays_to_another_device():
    run = subprocess.run(
        [sys.executable, "-c", ON_THE_SECOND_DEVICE],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        capture_output=True,
        text=True,
    )
    assert run.stdout == "done\n", run.stderr


def test_placements_alone_put_arrays_on_devices():
    asking = {
        path.name
        for path in TRAINING.rglob("*.py")
        if re.search(r"jax\.(device_put|default_backend)\(", path.read_text("utf-8"))
    }
    assert "placement.py" in asking
    assert [name for name in asking if not name.startswith("placement")] == []


def test_training_asks_models_and_feeds_by_their_protocols_alone():
    private = re.compile(r"\bmodel\._|type\(feed\)|isinstance\(\w*feed\w*,")
    found = [
        f"{path.name}: {line.strip()}"
        for path in TRAINING.rglob("*.py")
        if path.name != "trainer.py"
        for line in path.read_text("utf-8").splitlines()
        if private.search(line)
    ]
    assert not found


def test_one_device_is_a_placement():
    one = OneDevice()
    assert isinstance(one, Placement)
    assert one.platform == jax.default_backend()
    assert "one device" in one.describe()


def test_text_stays_where_it_is():
    text = np.array(["a", "b"])
    assert OneDevice().put_batch([text])[0] is text
    assert OneDevice().put_data([text])[0] is text


class Counting(OneDevice):
    """One device, and how often it was asked."""

    def put_data(self, arrays):
        PUT.append(arrays)
        return super().put_data(arrays)


PUT: list = []


def test_another_placement_needs_no_change_to_feeds_steps_or_engine(blobs):
    PUT.clear()
    model = classifier()
    with placement.use_placement(Counting()):
        model.fit(*blobs, verbose=0)
    assert len(PUT) == 1


@pytest.mark.parametrize("kind", ["train", "test", "predict"])
def test_the_placement_is_part_of_a_programs_key(kind, blobs):
    model = classifier()
    model.fit(*blobs, verbose=0)
    learner = model._learner
    here, _ = learner.program(kind)
    with placement.use_placement(Counting()):
        there, _ = learner.program(kind)
    assert here is not there


class Noting(OneDevice):
    """One device, and which threads asked it."""

    def put_batch(self, arrays):
        THREADS.append(threading.current_thread().name)
        return super().put_batch(arrays)


THREADS: list = []


def test_what_a_thread_of_a_feed_sends_goes_where_the_run_is_placed(blobs, tmp_path):
    THREADS.clear()
    np.save(tmp_path / "x.npy", blobs[0])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")  # of which the order is sent as well
    lamina.config.set_resident_budget(0)
    with placement.use_placement(Noting()):
        classifier().fit(mapped, blobs[1], verbose=0)
    assert len(THREADS) == 4  # rows and their order, of the whole batches and of the rest
    assert set(THREADS) == {"lamina-feed"}
