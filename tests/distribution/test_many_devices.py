"""Training on 2 to 8 simulated devices gives what it gives on one; see `make test-extra`."""

import contextlib
import functools
import re

import jax
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.distribution import (
    DataParallel,
    DeviceMesh,
    LayoutMap,
    ModelParallel,
    list_devices,
    set_distribution,
    transformer_layout_map,
)
from models_to_divide import KINDS, cnn, gpt_block, lstm, make, mlp

pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("eight_devices", "in_float64")]

TOLERANCE = 1e-12
COLLECTIVES = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"


def train(kind, distribution=None, **arguments):
    """Weights, history, predictions and measures after three epochs."""
    set_distribution(distribution)
    model, x, y, own = make(kind)
    settings = {"epochs": 3, "batch_size": 16, "validation_split": 0.2, "split": "random"}
    history = model.fit(x, y, verbose=0, **settings | own | arguments)
    outputs = model.predict(x[:37], batch_size=16, verbose=0)
    measured = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    set_distribution(None)
    weights = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
    return {"weights": weights, "history": history.history, "outputs": outputs, "scores": measured}


@functools.cache
def on_one_device(kind):
    return train(kind)


def largest_difference(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(np.abs(np.asarray(a, float) - np.asarray(b, float)).max() for a, b in pairs)


def data_parallel(devices, **arguments):
    return DataParallel(devices=list_devices()[:devices], **arguments)


def divided_kernels(shape):
    layouts = LayoutMap(DeviceMesh(shape, ("batch", "model")))
    layouts[".*hidden/kernel"] = (None, "model")
    layouts[".*hidden/bias"] = ("model",)
    return ModelParallel(layout_map=layouts, batch_dim_name="batch")


@pytest.mark.parametrize("devices", [2, 3, 4, 8])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_data_parallel_training_equals_one_device(kind, devices):
    result = train(kind, data_parallel(devices))
    assert largest_difference(on_one_device(kind), result) < TOLERANCE


@pytest.mark.parametrize("setting", ["shard_optimizer", "shard_parameters"])
@pytest.mark.parametrize("kind", [mlp, cnn, lstm], ids=lambda kind: kind.__name__)
def test_divided_state_gives_the_same_numbers(kind, setting):
    result = train(kind, data_parallel(4, **{setting: True}))
    assert largest_difference(on_one_device(kind), result) < TOLERANCE


@pytest.mark.parametrize("shape", [(8, 1), (1, 8), (2, 4), (4, 2)])
def test_model_parallel_training_equals_one_device(shape):
    result = train(mlp, divided_kernels(shape))
    assert largest_difference(on_one_device(mlp), result) < TOLERANCE


@pytest.mark.parametrize("rows", [1, 7, 55])
@pytest.mark.parametrize("batch_size", [1, 5, 32])
def test_any_number_of_rows_and_any_batch_size_work_on_three_devices(rows, batch_size):
    def results(distribution):
        set_distribution(distribution)
        model, x, y, _ = make(mlp)
        x, y = x[:rows], y[:rows]
        model.fit(x, y, batch_size=batch_size, verbose=0)
        scores = model.evaluate(x, y, batch_size=batch_size, verbose=0)
        return model.predict(x, batch_size=batch_size, verbose=0), scores, model.get_weights()

    assert largest_difference(results(None), results(data_parallel(3))) < TOLERANCE


@pytest.mark.parametrize("devices", ["all", 3, ["cpu:1", "cpu:5"]])
def test_fit_takes_devices(devices):
    assert largest_difference(on_one_device(mlp), train(mlp, devices=devices)) < TOLERANCE


def test_a_distribution_may_be_set_after_the_model_is_trained():
    def train_four_times(distributions):
        model, x, y, _ = make(mlp)
        for distribution in distributions:
            set_distribution(distribution)
            model.fit(x, y, batch_size=16, verbose=0)
        return model

    expected = train_four_times([None] * 4)
    model = train_four_times([None, divided_kernels((2, 4)), data_parallel(8), None])
    assert largest_difference(expected.get_weights(), model.get_weights()) < TOLERANCE
    assert model.layers[1].kernel.value.sharding.is_fully_replicated


class Batches(lamina.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return -(-len(self.x) // 16)

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * index + 16)
        return self.x[rows], self.y[rows]


def of_memory_mapped_file(x, y, folder):
    np.save(folder / "x.npy", x)
    return {"x": np.load(folder / "x.npy", mmap_mode="r"), "y": y, "batch_size": 16}


SOURCES = {
    "batches of a PyDataset": lambda x, y, folder: {"x": Batches(x, y)},
    "batches of a generator": lambda x, y, folder: {
        "x": (batch for batch in Batches(x, y)),
        "steps_per_epoch": 2,
    },
    "batches of a Dataset": lambda x, y, folder: {
        "x": lamina.data.Dataset.from_tensor_slices((x, y)).shuffle(64, seed=2).batch(16)
    },
    "arrays beyond the budget": lambda x, y, folder: {"x": x, "y": y, "batch_size": 16},
    "a memory-mapped file": of_memory_mapped_file,
}


@pytest.mark.parametrize("devices", [3, 4])
@pytest.mark.parametrize("source", SOURCES)
def test_streamed_batches_give_what_they_give_on_one_device(source, devices, tmp_path):
    def weights(distribution):
        set_distribution(distribution)
        model, x, y, _ = make(mlp)
        with streamed():
            model.fit(**SOURCES[source](x, y, tmp_path), epochs=2, verbose=0)
            outputs = model.predict(Batches(x, y), verbose=0)
        return [*model.get_weights(), outputs]

    assert largest_difference(weights(None), weights(data_parallel(devices))) < TOLERANCE


@contextlib.contextmanager
def streamed():
    budget = lamina.config.resident_budget()
    lamina.config.set_resident_budget(2048)
    yield
    lamina.config.set_resident_budget(budget)


def test_a_device_gets_its_own_rows_of_a_streamed_batch_only():
    set_distribution(data_parallel(8))
    model, x, y, _ = make(mlp)
    model.fit(Batches(x[:48], y[:48]), verbose=0)
    (program,) = programs_of(model)
    _, data, *_ = program.input_shardings[0]
    assert [sharding.spec[0] for sharding in jax.tree.leaves(data)] == ["batch", "batch"]
    collectives = re.findall(rf" ({COLLECTIVES})(?:-start)?\(", program.as_text())
    assert collectives == ["all-reduce"]


def programs_of(model, mode="train"):
    program, _ = model._learner.program(mode)
    return list(program._programs.values())


@pytest.mark.parametrize(
    "distribution",
    [
        lambda: data_parallel(8),
        lambda: data_parallel(8, shard_optimizer=True),
        lambda: data_parallel(8, shard_parameters=True),
        lambda: divided_kernels((2, 4)),
    ],
)
def test_a_step_is_compiled_once(distribution):
    set_distribution(distribution())
    model, x, y, _ = make(mlp)
    model.fit(x[:48], y[:48], epochs=2, batch_size=16, verbose=0)
    model.optimizer.learning_rate = 0.01
    model.fit(x[:48], y[:48], epochs=3, batch_size=16, verbose=0)
    assert len(programs_of(model)) == 1


# XLA joins the gradients of a dense network in one message. That of a recurrent kernel, which is
# ready first, has its own.
@pytest.mark.parametrize(("kind", "count"), [(mlp, 1), (lstm, 2)])
def test_a_data_parallel_step_sends_the_gradients_and_nothing_else(kind, count):
    set_distribution(data_parallel(8))
    model, x, y, _ = make(kind)
    model.fit(x[:48], y[:48], batch_size=16, verbose=0)
    (program,) = programs_of(model)
    collectives = re.findall(rf"= (.*?) ({COLLECTIVES})(?:-start)?\(", program.as_text())
    assert [name for _, name in collectives] == ["all-reduce"] * count
    shapes = re.findall(r"f64\[([\d,]*)\]", "".join(results for results, _ in collectives))
    sizes = [int(np.prod([int(n) for n in shape.split(",") if n])) for shape in shapes]
    # The gradients, and two numbers: the sum of the losses and the number of right answers.
    assert sum(sizes) <= model.count_params() + 2


def bytes_on(device, variables):
    shards = (s for v in variables for s in v.value.addressable_shards)
    return sum(s.data.nbytes for s in shards if s.device == device)


@pytest.mark.parametrize("devices", [4, 8])
@pytest.mark.parametrize("how", ["shard_optimizer", "shard_parameters", "layout map"])
def test_each_device_holds_its_part_of_the_state(how, devices):
    if how == "layout map":
        layouts = LayoutMap(DeviceMesh((1, devices), ("batch", "model"), list_devices()[:devices]))
        layouts[".*kernel"] = (None, "model")
        layouts[".*bias"] = ("model",)
        set_distribution(ModelParallel(layout_map=layouts))
    else:
        set_distribution(data_parallel(devices, **{how: True}))
    model = lamina.Sequential([lamina.Input((256,)), layers.Dense(512), layers.Dense(64)])
    model.compile("adam", "mse")
    model.fit(np.ones((16, 256)), np.ones((16, 64)), verbose=0)
    optimizer = [v for v in model.optimizer.variables if v.ndim]
    divided = optimizer if how == "shard_optimizer" else [*model.variables, *optimizer]
    total = sum(v.value.nbytes for v in divided)
    for device in jax.devices()[:devices]:
        assert bytes_on(device, divided) <= 1.1 * total / devices


def test_no_device_ever_holds_a_whole_kernel_that_is_divided(monkeypatch):
    largest = []
    put, make_array = jax.device_put, jax.make_array_from_callback

    def device_put(x, *args, **kwargs):
        array = put(x, *args, **kwargs)
        largest.extend(s.data.size for s in getattr(array, "addressable_shards", []))
        return array

    def from_callback(shape, sharding, callback, *args, **kwargs):
        array = make_array(shape, sharding, callback, *args, **kwargs)
        largest.extend(s.data.size for s in array.addressable_shards)
        return array

    monkeypatch.setattr(jax, "device_put", device_put)
    monkeypatch.setattr(jax, "make_array_from_callback", from_callback)
    layouts = LayoutMap(DeviceMesh((1, 8), ("batch", "model")))
    layouts[".*hidden/kernel"] = (None, "model")
    with ModelParallel(layout_map=layouts).scope():
        model = lamina.Sequential([lamina.Input((40,)), layers.Dense(80, name="hidden")])
        model.compile("adam", "mse")
        model.fit(np.ones((4, 40)), np.ones((4, 80)), verbose=0)
        model.set_weights(model.get_weights())
    assert max(largest) <= 40 * 80 // 8


def test_a_model_file_is_the_same_from_any_layout(tmp_path):
    set_distribution(divided_kernels((2, 4)))
    model, x, y, _ = make(mlp)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "divided.keras")
    expected = model.get_weights()
    for distribution in (None, data_parallel(8), divided_kernels((4, 2))):
        set_distribution(distribution)
        loaded = lamina.models.load_model(tmp_path / "divided.keras")
        assert largest_difference(expected, loaded.get_weights()) == 0
        loaded.fit(x, y, verbose=0)
    set_distribution(None)
    single = lamina.models.load_model(tmp_path / "divided.keras")
    single.save(tmp_path / "single.keras")
    again = lamina.models.load_model(tmp_path / "single.keras")
    assert largest_difference(expected, again.get_weights()) == 0


def test_a_backup_continues_on_another_layout(tmp_path):
    class Stop(lamina.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    set_distribution(divided_kernels((2, 4)))
    model, x, y, _ = make(mlp)
    settings = {"epochs": 3, "batch_size": 16, "verbose": 0}
    backup = [lamina.callbacks.BackupAndRestore(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, callbacks=[*backup, Stop()], **settings)
    set_distribution(data_parallel(3))
    model, x, y, _ = make(mlp)
    model.fit(x, y, callbacks=backup, **settings)
    set_distribution(None)
    expected, x, y, _ = make(mlp)
    expected.fit(x, y, **settings)
    assert largest_difference(expected.get_weights(), model.get_weights()) < TOLERANCE


def test_a_pattern_without_a_variable_is_named():
    layouts = LayoutMap(DeviceMesh((1, 8), ("batch", "model")))
    layouts["den/kernel"] = (None, "model")
    set_distribution(ModelParallel(layout_map=layouts))
    model, x, y, _ = make(mlp)
    with pytest.warns(lamina.LaminaWarning, match=r"'den/kernel'.*matches no variable") as seen:
        model.fit(x, y, verbose=0)
    assert ".*den/kernel.*" in str(seen[0].message)


def test_an_axis_that_cannot_be_divided_is_named():
    layouts = LayoutMap(DeviceMesh((1, 8), ("batch", "model")))
    layouts[".*head/kernel"] = (None, "model")
    set_distribution(ModelParallel(layout_map=layouts))
    with pytest.raises(ValueError, match=r"Axis 1 of .*head/kernel.* has size 4 .* over 8 devices"):
        make(mlp)


def test_the_output_of_a_layer_can_have_a_layout():
    layouts = LayoutMap(DeviceMesh((2, 4), ("batch", "model")))
    layouts[".*hidden/output"] = ("batch", "model")
    result = train(mlp, ModelParallel(layout_map=layouts, batch_dim_name="batch"))
    assert largest_difference(on_one_device(mlp), result) < TOLERANCE


def test_the_layout_map_of_transformers_divides_heads_and_units():
    layouts = transformer_layout_map(
        DeviceMesh((2, 4), ("batch", "model")), feed_forward=("up", "down")
    )
    parallel = ModelParallel(layout_map=layouts, batch_dim_name="batch")
    result = train(gpt_block, parallel)
    assert largest_difference(on_one_device(gpt_block), result) < TOLERANCE
    with parallel.scope():
        model, *_ = make(gpt_block)
    large = [v for v in model.variables if v.ndim > 1 and "head" not in v.path]
    assert {v.value.addressable_shards[0].data.size * 4 == v.size for v in large} == {True}


def test_fit_says_how_it_distributes(capsys):
    model, x, y, _ = make(mlp)
    model.fit(x, y, verbose=2, devices=4)
    text = capsys.readouterr().out
    assert "Training on 4 devices (batch=4): batches divided by 4" in text


@pytest.mark.parametrize("devices", [0, 9, "gpu:3", [], ["cpu:1", "cpu:1"], "two", True])
def test_devices_that_do_not_exist_are_refused(devices):
    model, x, y, _ = make(mlp)
    with pytest.raises(ValueError, match=r"device"):
        model.fit(x, y, verbose=0, devices=devices)


def test_equal_models_on_different_devices_do_not_share_a_program():
    results = [train(mlp, devices=["cpu:0", "cpu:1"]), train(mlp, devices=["cpu:2", "cpu:3"])]
    assert largest_difference(*results) < TOLERANCE
