"""Distribution does not change the program of one device, byte for byte."""

import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.extra

# Prints the texts of the training programs of an mlp and a CNN, each before and after distributions
# were used in the process. `lamina.distribution` is imported after the first ones.
SCRIPT = """
import json, sys
import numpy as np
import lamina
from lamina.training import compiled_function
from models_to_divide import cnn, make, mlp

texts = {}
compile_or_share = compiled_function._compile_or_share

def keep_text(lowered, *arguments):
    text = lowered.as_text()
    if "@jit_train_program" in text:
        texts[name] = text
    return compile_or_share(lowered, *arguments)

def train(when, **arguments):
    global name
    for kind in (mlp, cnn):
        name = f"{kind.__name__} {when}"
        model, x, y, own = make(kind)
        model.fit(x, y, batch_size=16, verbose=0, **own, **arguments)

compiled_function._compile_or_share = keep_text
train("in a fresh process")
assert "lamina.distribution" not in sys.modules
from lamina.distribution import DataParallel, list_devices, set_distribution
train("after the import")
set_distribution(DataParallel(devices=list_devices()))
train("on all devices")
set_distribution(None)
train("afterwards")
train("with devices=1", devices=1)
with DataParallel(devices=list_devices()[:1]).scope():
    train("in a distribution over one device")
print(json.dumps(texts))
"""
TRACES_OF_DISTRIBUTION = "sharding|sdy|mesh|all_reduce|all_gather|reduce_scatter|collective"


@pytest.fixture(scope="module")
def texts():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_the_program_of_one_device_has_nothing_of_distribution(kind, texts):
    assert not re.search(TRACES_OF_DISTRIBUTION, texts[f"{kind} in a fresh process"])
    assert re.search(TRACES_OF_DISTRIBUTION, texts[f"{kind} on all devices"])


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize(
    "when",
    ["after the import", "afterwards", "with devices=1", "in a distribution over one device"],
)
def test_the_program_of_one_device_is_the_same_byte_for_byte(kind, when, texts):
    assert texts[f"{kind} {when}"] == texts[f"{kind} in a fresh process"]
