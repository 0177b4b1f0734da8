"""Checkpoints of Orbax, written in parts and read on other devices and processes, bit for bit."""

import json

import numpy as np
import pytest

import lamina
from lamina.distribution import (
    DataParallel,
    DeviceMesh,
    LayoutMap,
    ModelParallel,
    list_devices,
    set_distribution,
)
from lamina.saving import orbax_folder
from models_to_divide import make, mlp
from several_processes import run

pytest.importorskip("orbax.checkpoint", reason="needs Orbax: pip install 'lamina[orbax]'")

pytestmark = [
    pytest.mark.extra,
    pytest.mark.usefixtures("eight_devices", "in_float64"),
    pytest.mark.filterwarnings("ignore"),
]


def two_by_four():
    layouts = LayoutMap(DeviceMesh((2, 4), ("batch", "model")))
    layouts[".*hidden/kernel"] = (None, "model")
    layouts[".*hidden/bias"] = ("model",)
    return ModelParallel(layout_map=layouts, batch_dim_name="batch")


def fully_sharded(devices):
    return DataParallel(devices=list_devices()[:devices], shard_parameters=True)


LAYOUTS = {
    "one device": lambda: None,
    "4 devices": lambda: DataParallel(devices=list_devices()[:4]),
    "fully sharded over 4": lambda: fully_sharded(4),
    "2 x 4": two_by_four,
}
IN_PROCESSES = """
lamina.config.set_floatx("float64")
set_distribution(DataParallel(shard_parameters=True))

def arrays(model):
    return [v.numpy().tolist() for v in [*model.variables, *model.optimizer.variables]]

"""


def arrays(model):
    return [v.numpy().tolist() for v in [*model.variables, *model.optimizer.variables]]


def train(distribution, folder):
    """A checkpoint of a model on these devices, and its arrays."""
    set_distribution(distribution)
    model, x, y, _ = make(mlp)
    callback = lamina.callbacks.OrbaxCheckpoint(folder)
    model.fit(x, y, batch_size=16, epochs=2, callbacks=[callback], verbose=0)
    expected = arrays(model)
    set_distribution(None)
    return expected


@pytest.fixture(scope="module")
def of_eight_devices(tmp_path_factory):
    floatx = lamina.config.floatx()
    lamina.config.set_floatx("float64")
    folder = tmp_path_factory.mktemp("eight")
    expected = train(fully_sharded(8), folder)
    lamina.config.set_floatx(floatx)
    return folder, expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_checkpoint_of_eight_devices_is_read_on_others(layout, of_eight_devices):
    folder, expected = of_eight_devices
    set_distribution(LAYOUTS[layout]())
    model = lamina.models.load_model(folder)
    assert arrays(model) == expected
    x = np.zeros((8, 12))
    model.fit(x, np.zeros(8, int), verbose=0)  # it trains there
    assert arrays(model) != expected
    model.load_weights(folder)
    assert arrays(model) == expected


def test_each_device_writes_and_reads_its_part(of_eight_devices):
    folder, _ = of_eight_devices
    stored = orbax_folder.shapes_in(folder / "1")["trainable_variables"]
    kernel = stored["hidden"]["kernel"]
    assert kernel.storage_metadata.chunk_shape == (12, 2)
    set_distribution(two_by_four())
    kernel = lamina.models.load_model(folder).get_layer("hidden").kernel
    assert {s.data.shape for s in kernel.value.addressable_shards} == {(12, 4)}


def test_each_part_has_a_checksum():
    set_distribution(fully_sharded(2))
    weight = lamina.Variable(np.arange(8.0)).value
    sums = json.loads(orbax_folder.checksums({"w": weight})["crc32"])["w"]
    assert [bounds for bounds, _ in sums] == [[[0, 4]], [[4, 8]]]
    for loaded in (weight, np.arange(8.0)):
        assert orbax_folder._has_checksum(loaded, sums)
        for part in (0, 1):
            damaged = [[bounds, crc ^ (i == part)] for i, (bounds, crc) in enumerate(sums)]
            assert not orbax_folder._has_checksum(loaded, damaged)


def test_two_processes_write_what_one_reads_and_the_other_way_round(of_eight_devices, tmp_path):
    folder, expected = of_eight_devices
    script = (
        IN_PROCESSES
        + f"model = lamina.models.load_model({str(folder)!r})\n"
        + "before = arrays(model)\n"
        + "kernel = model.get_layer('hidden').kernel.value\n"
        + "assert kernel.addressable_shards[0].data.size == kernel.size // 2\n"
        + "x = np.random.default_rng(0).normal(size=(8, 12))\n"
        + "callbacks = [lamina.callbacks.OrbaxCheckpoint('checkpoints')]\n"
        + "model.fit(x, np.zeros(8, int), callbacks=callbacks, verbose=0)\n"
        + "import json\nprint('RESULT', json.dumps([before, arrays(model)]))\n"
    )
    for output in run(script, tmp_path):
        (line,) = [line for line in output.splitlines() if line.startswith("RESULT")]
        before, after = json.loads(line.removeprefix("RESULT"))
        assert before == expected
    for layout in LAYOUTS.values():
        set_distribution(layout())
        assert arrays(lamina.models.load_model(tmp_path / "checkpoints")) == after
