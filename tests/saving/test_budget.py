"""What a few bytes of a model file may ask for: one budget, which a user can raise."""

import json
import math
import time
import zipfile

import h5py
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core.configuration import config
from lamina.saving import DamagedFileError

pytestmark = pytest.mark.quick

MANY = 10**8


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setattr(config, "_settings", dict(config._settings))
    monkeypatch.delenv("LAMINA_LOADING_BYTES", raising=False)


@pytest.fixture
def file_of(tmp_path):
    """Saves a model of one layer with some settings of its config changed."""

    def write(layer, changes, shape=(1,), dtype="float32"):
        path = tmp_path / "model.keras"
        lamina.Sequential([lamina.Input(shape, dtype=dtype), layer]).save(path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        record = json.loads(parts["config.json"])
        record["config"]["layers"][1]["config"].update(changes)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**parts, "config.json": json.dumps(record)}.items():
                archive.writestr(name, content)
        return path

    return write


def refusal(path, seconds=5):
    start = time.process_time()
    with pytest.raises(DamagedFileError) as caught:
        lamina.saving.load_model(path)
    assert time.process_time() - start < seconds
    return str(caught.value)


def words(**kwargs):
    return layers.StringLookup(vocabulary=["a", "b"], **kwargs)


def texts(**kwargs):
    return layers.TextVectorization(vocabulary=["a", "b"], **kwargs)


PADDED = {"pad_to_max_tokens": True, "max_tokens": 10}
ASKING = {
    "buckets for unknown words": (words(), {"num_oov_indices": MANY}, "string"),
    "a weight for every token": (
        words(output_mode="tf_idf", idf_weights=[1.0, 2.0], **PADDED),
        {"max_tokens": 2**28},
        "string",
    ),
    "a place for every token": (
        words(output_mode="multi_hot", **PADDED),
        {"max_tokens": 2**28},
        "string",
    ),
    "a place for every number": (
        layers.IntegerLookup(vocabulary=[1, 2], output_mode="one_hot", **PADDED),
        {"max_tokens": 2**28},
        "int32",
    ),
    "the width of texts": (texts(output_mode="count", **PADDED), {"max_tokens": 2**28}, "string"),
    "the length of texts": (
        texts(output_sequence_length=4),
        {"output_sequence_length": MANY},
        "string",
    ),
    "categories": (layers.CategoryEncoding(4), {"num_tokens": MANY}, "int32"),
    "hashes": (layers.Hashing(4, output_mode="one_hot"), {"num_bins": MANY}, "string"),
    "rows of a table": (layers.Embedding(4, 2), {"input_dim": MANY}, "int32"),
    "units": (layers.Dense(4), {"units": MANY}, "float32"),
}


@pytest.mark.parametrize("case", ASKING)
def test_a_number_in_a_config_cannot_ask_for_much_memory(case, file_of):
    layer, changes, dtype = ASKING[case]
    message = refusal(file_of(layer, changes, dtype=dtype))
    assert "needs more memory than is allowed" in message
    assert "In the config of" in message
    assert "lamina.config.set_loading_budget(float('inf'))" in message


def test_long_runs_of_words_cost_no_more_than_the_texts(file_of):
    path = file_of(texts(ngrams=2), {"ngrams": MANY}, dtype="string")
    start = time.process_time()
    model = lamina.saving.load_model(path)
    assert np.asarray(model(np.array([["b a"]]))).shape == (1, 3)  # b, a, "b a"
    assert time.process_time() - start < 5


def test_a_metric_cannot_ask_for_a_table_of_all_classes(tmp_path):
    path = tmp_path / "model.keras"
    model = lamina.Sequential([lamina.Input((2,)), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[lamina.metrics.MeanIoU(3)])
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = parts["config.json"].decode().replace('"num_classes": 3', f'"num_classes": {MANY}')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**parts, "config.json": text}.items():
            archive.writestr(name, content)
    assert "needs more memory than is allowed" in refusal(path)


# -- raising it ------------------------------------------------------------------------------------


def by_function(monkeypatch, size):
    lamina.config.set_loading_budget(size)


def by_environment(monkeypatch, size):
    monkeypatch.setenv("LAMINA_LOADING_BYTES", str(size))


@pytest.mark.parametrize("size", [2**30, math.inf])
@pytest.mark.parametrize("allow", [by_function, by_environment])
def test_a_user_who_trusts_a_file_can_raise_the_budget(allow, size, file_of, monkeypatch):
    many = 10**7
    path = file_of(layers.CategoryEncoding(4), {"num_tokens": many}, dtype="int32")
    refusal(path)
    allow(monkeypatch, size)
    assert lamina.saving.load_model(path).output_shape == (None, many)


def test_the_budget_grows_with_the_file():
    assert config.loading_budget(0) == 32 * 2**20
    assert config.loading_budget(10**9) == 32 * 2**20 + 16 * 10**9


@pytest.mark.parametrize("value", ["much", "-1", "nan", "8GB"])
def test_a_budget_that_is_no_number_of_bytes_is_refused(value, monkeypatch):
    monkeypatch.setenv("LAMINA_LOADING_BYTES", value)
    with pytest.raises(ValueError, match="LAMINA_LOADING_BYTES is a number of bytes, such as 8e9"):
        config.loading_budget()


@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_budget_below_nothing_is_refused(value):
    with pytest.raises(ValueError, match="0 or more"):
        config.set_loading_budget(value)


# -- compressed ------------------------------------------------------------------------------------


def zeros(path, mebibytes, **how):
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        shape = (mebibytes * 2**18,)
        group.create_dataset("0", shape, "f4", chunks=(2**18,), fillvalue=0, **how)[:1] = 0
    return path


@pytest.fixture
def dense():
    return lamina.Sequential([lamina.Input((4,)), layers.Dense(3)])


def test_weights_that_unpack_to_much_more_are_refused(dense, tmp_path):
    path = zeros(tmp_path / "bomb.weights.h5", 40, compression="gzip")
    with pytest.raises(DamagedFileError, match="the weights take 41,943,040 bytes") as caught:
        dense.load_weights(path)
    assert "set_loading_budget" in str(caught.value)


def test_compressed_weights_within_the_budget_are_read(dense, tmp_path):
    path = tmp_path / "packed.weights.h5"
    dense.save_weights(path)
    with h5py.File(path, "r+") as file:
        group = file["layers/dense/vars"]
        kernel = group["0"][()]
        del group["0"]
        group.create_dataset("0", data=kernel + 1, compression="gzip", shuffle=True)
    dense.load_weights(path)
    np.testing.assert_array_equal(dense.get_weights()[0], kernel + 1)


def test_a_vocabulary_that_unpacks_to_too_many_words_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    lookup = layers.StringLookup()
    lookup.adapt(["a"])
    lamina.Sequential([lamina.Input((1,), dtype="string"), lookup]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (vocabulary,) = (name for name in parts if name.endswith("vocabulary.txt"))
    parts[vocabulary] = b"[UNK]\n" + b"a\n" * 10**6
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert "a vocabulary of 1,000,001 lines needs more memory" in refusal(path)


# -- without a file --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: layers.Dense(10**6).build((None, 10**6)), "dense"),
        (lambda: layers.Embedding(10**9, 10**3).build(), "embedding"),
    ],
)
def test_a_model_larger_than_the_machine_is_refused_in_words(make, name):
    with pytest.raises(MemoryError, match=r"this machine has [\d,]+ GiB") as caught:
        make()
    assert name in str(caught.value)
    assert "fewer units" in str(caught.value)
