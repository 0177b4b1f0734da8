"""Attacks on Keras that have a public number, tried on Lamina; docs/security.md lists them."""

import io
import json
import pickle
import re
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.saving import DamagedFileError, UnknownClassError
from lamina.utils import archives

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
# Bytecode as `marshal` writes it, in base 64: what Keras keeps a lambda as.
CODE = "4wEAAAAAAAAAAAAAAAEAAAABAAAAQwAAAHMEAAAAZABTACkBTnICAAAAcgIAAAByAgAAAHICAAAA"
LAMBDA = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}
LAMBDA_LAYER = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {"name": "code", "function": LAMBDA, "arguments": {}},
    "registered_name": None,
}
SECRET = np.full((4, 3), 42, "f4")


def refused(path, error=UnknownClassError):
    with pytest.raises(error) as caught:
        lamina.saving.load_model(path)
    return str(caught.value)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, which stays empty."""
    place = tmp_path / "empty"
    place.mkdir()
    monkeypatch.chdir(place)
    yield place
    assert not list(place.iterdir())


@pytest.fixture
def with_layer(good_config, write_file):
    """A model file with a layer's record in the place of the first one."""

    def write(record):
        good_config["config"]["layers"][1] = record
        return write_file(config=good_config)

    return write


def function(module, name):
    """How Keras writes a function into a config."""
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


# -- code in a file --------------------------------------------------------------------------------


def test_cve_2021_37678_models_are_not_read_from_yaml():
    with pytest.raises(AttributeError, match="no attribute 'model_from_yaml'"):
        lamina.models.model_from_yaml  # noqa: B018
    with pytest.raises(json.JSONDecodeError):
        lamina.models.model_from_json("!!python/object/new:type\nargs: ['z', !!python/tuple []]")


def test_cve_2024_3660_a_lambda_in_a_file_is_not_run(with_layer):
    assert "holds Python code" in refused(with_layer(LAMBDA_LAYER))


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "exec"), ("subprocess", "Popen"), ("lamina.os", "system")],
)
def test_cve_2025_1550_a_config_cannot_name_a_module(module, name, with_layer):
    record = {**LAMBDA_LAYER, "config": {"name": "code", "function": function(module, name)}}
    message = refused(with_layer(record))
    assert f"'{name}'" in message


OWN_FUNCTIONS = [
    ("keras.utils", "get_file"),
    ("keras.models", "load_model"),
    ("keras.config", "set_dtype_policy"),
    ("keras.datasets.mnist", "load_data"),
    ("keras.utils", "pad_sequences"),
]


@pytest.mark.parametrize(("module", "name"), OWN_FUNCTIONS)
def test_cve_2025_8747_a_lambda_cannot_be_one_of_the_librarys_functions(module, name, with_layer):
    record = {
        **LAMBDA_LAYER,
        "config": {"name": "code", "function": function(module, name)},
        "inbound_nodes": [{"args": [], "kwargs": {"inputs": "https://example.org/x"}}],
    }
    refused(with_layer(record))


@pytest.fixture
def legacy(tmp_path):
    """An `.h5` model whose first layer has been replaced by a record."""

    def write(record):
        path = tmp_path / "model.h5"
        config = {"name": "m", "layers": [record]}
        with h5py.File(path, "w") as file:
            whole = {"class_name": "Sequential", "config": config}
            file.attrs["model_config"] = json.dumps(whole)
            file.create_group("model_weights").attrs["layer_names"] = ["code"]
        return path

    return write


@pytest.mark.parametrize("safe_mode", [True, False])
@pytest.mark.parametrize("code", [[CODE, None, None], LAMBDA, {"class_name": "x", "config": {}}])
def test_cve_2025_9905_a_lambda_in_an_h5_file_is_not_run(code, safe_mode, legacy):
    config = {"name": "code", "function": code, "function_type": "lambda", "module": "os"}
    path = legacy({"class_name": "Lambda", "config": {**config, "batch_input_shape": [None, 4]}})
    with pytest.raises(UnknownClassError, match="holds Python code"):
        lamina.saving.load_model(path, safe_mode=safe_mode)


def test_cve_2025_9906_a_file_cannot_switch_the_protection_off(with_layer, good_config):
    switch = function("keras.config", "enable_unsafe_deserialization")
    record = {**LAMBDA_LAYER, "config": {"name": "off", "function": switch}}
    refused(with_layer(record))


def test_cve_2025_9906_there_is_no_protection_to_switch_off(with_layer):
    with pytest.warns(lamina.LaminaWarning):
        lamina.config.enable_unsafe_deserialization()
    assert "holds Python code" in refused(with_layer(LAMBDA_LAYER))


class Marker:
    """Unpickled, it would make a folder."""

    def __reduce__(self):
        return Path.mkdir, (Path("harmed"),)


def test_cve_2025_49655_a_torch_module_in_a_file_is_not_unpickled(with_layer):
    module = pickle.dumps(Marker()).decode("latin-1")
    record = {
        "module": "keras.layers",
        "class_name": "TorchModuleWrapper",
        "config": {"name": "torch", "module": {"class_name": "__bytes__", "config": module}},
    }
    refused(with_layer(record), DamagedFileError)


def test_cve_2026_1462_a_saved_model_is_not_loaded(with_layer, tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"a program of TensorFlow")
    config = {"name": "program", "filepath": str(tmp_path / "saved"), "call_endpoint": "serve"}
    record = {"module": "keras.layers", "class_name": "TFSMLayer", "config": config}
    assert "TFSMLayer" in refused(with_layer(record), DamagedFileError)


@pytest.mark.parametrize(
    "read",
    [
        lambda: layers.deserialize(LAMBDA_LAYER),
        lambda: lamina.saving.deserialize_keras_object(LAMBDA_LAYER, safe_mode=False),
        lambda: layers.Lambda.from_config(dict(LAMBDA_LAYER["config"])),
        lambda: lamina.saving.deserialize_keras_object(LAMBDA_LAYER),
        lambda: lamina.Sequential.from_config({"name": "m", "layers": [LAMBDA_LAYER]}),
        lambda: lamina.models.model_from_json(
            json.dumps(
                {
                    "module": "keras",
                    "class_name": "Sequential",
                    "config": {"name": "m", "layers": [LAMBDA_LAYER]},
                }
            )
        ),
    ],
    ids=["deserialize", "unsafe", "from_config", "object", "Sequential", "json"],
)
def test_cve_2026_12481_a_lambda_in_a_config_is_not_run_outside_of_files(read):
    with pytest.raises(UnknownClassError, match="holds Python code"):
        read()


# -- files elsewhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["a file", "http://127.0.0.1:1/secret", "gs://bucket/secret"])
@pytest.mark.parametrize("kind", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_cve_2025_12058_a_vocabulary_is_not_read_from_a_path(kind, place, with_layer, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("1\n2\n")
    vocabulary = str(secret) if place == "a file" else place
    record = {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": "words", "vocabulary": vocabulary},
    }
    message = refused(with_layer(record), DamagedFileError)
    assert "a config does not open files" in message


def external_link(group, secret):
    group["0"] = h5py.ExternalLink(str(secret), "/secret")


def external_storage(group, secret):
    place = [(str(secret), 0, h5py.h5f.UNLIMITED)]
    group.create_dataset("0", (4, 3), "f4", external=place)


def soft_link(group, secret):
    group["0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def virtual(group, secret):
    layout = h5py.VirtualLayout(shape=(4, 3), dtype="f4")
    layout[...] = h5py.VirtualSource(str(secret), "secret", shape=(4, 3))
    group.create_virtual_dataset("0", layout)


READERS = {
    "load_model": lambda path, model: lamina.saving.load_model(path),
    "load_weights": lambda path, model: model.load_weights(path),
    "KerasFileEditor": lambda path, model: lamina.saving.KerasFileEditor(path),
}


def read_with_elsewhere(point, reader, write_file, changed_weights, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = SECRET

    def change(file):
        group = file["layers/dense/vars"]
        del group["0"]
        point(group, secret)

    model = lamina.saving.load_model(write_file())
    before = model.get_weights()
    weights = changed_weights(change)
    path = write_file(weights=weights)
    if reader != "load_model":
        path = tmp_path / "model.weights.h5"
        path.write_bytes(weights)
    with pytest.raises(DamagedFileError, match="links to another object|in another file"):
        READERS[reader](path, model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("point", [external_link, external_storage, soft_link])
def test_cve_2026_1669_weights_are_not_read_from_another_file(
    point, reader, write_file, changed_weights, tmp_path
):
    read_with_elsewhere(point, reader, write_file, changed_weights, tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_cve_2026_12480_virtual_datasets_are_not_followed(
    reader, write_file, changed_weights, tmp_path
):
    read_with_elsewhere(virtual, reader, write_file, changed_weights, tmp_path)


@pytest.mark.parametrize("group", ["model_weights", "model_weights/code"])
def test_cve_2026_1669_an_h5_model_does_not_link_to_another(group, legacy, tmp_path):
    path = legacy({"class_name": "Dense", "config": {"name": "code", "units": 3}})
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["model_weights/code/kernel:0"] = SECRET
    with h5py.File(path, "r+") as file:
        file.pop(group, None)
        file[group] = h5py.ExternalLink(str(tmp_path / "other.h5"), f"/{group}")
    assert "links to another object" in refused(path, DamagedFileError)


# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("chunks", [(1, 1), None])
def test_cve_2026_0897_an_array_larger_than_its_file_is_not_made(
    reader, chunks, write_file, changed_weights, tmp_path
):
    def change(file):
        group = file["layers/dense/vars"]
        del group["0"]
        group.create_dataset("0", (50_000_000, 50_000_000), "f4", chunks=chunks)

    model = lamina.saving.load_model(write_file())
    weights = changed_weights(change)
    path = write_file(weights=weights)
    if reader != "load_model":
        path = tmp_path / "model.weights.h5"
        path.write_bytes(weights)
    with pytest.raises(DamagedFileError, match=r"the weights take 10,000,000,\d+"):
        READERS[reader](path, model)


# -- archives and folders --------------------------------------------------------------------------


def tar_with(path, *entries):
    with tarfile.open(path, "w") as tar:
        for name, kind, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            body = b"harmed" if kind == tarfile.REGTYPE else b""
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


def unpacks_nothing(path, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("whole")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(archives.RefusedArchiveError, match="nothing was unpacked"):
        archives.unpack(path, tmp_path / "out", "tar")
    assert sorted(tmp_path.rglob("*")) == before
    assert victim.read_text() == "whole"


FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


@pytest.mark.parametrize("name", ["../victim.txt", "a/../../victim.txt", "/tmp/../victim.txt"])
def test_cve_2024_55459_a_tar_does_not_write_outside_its_folder(name, tmp_path):
    unpacks_nothing(tar_with(tmp_path / "a.tar", (name, FILE, "")), tmp_path)


@pytest.mark.parametrize("kind", [LINK, HARD])
def test_cve_2025_12060_a_tar_does_not_write_through_links(kind, tmp_path):
    entries = [("a", kind, "../victim.txt"), ("a", FILE, "")]
    unpacks_nothing(tar_with(tmp_path / "a.tar", *entries), tmp_path)


def test_cve_2025_12638_links_longer_than_a_path_may_be_are_refused(tmp_path):
    # `realpath` stops looking in the middle of such a path (CVE-2025-4517 of Python).
    long, entries, path = "d" * 247, [], ""
    for step in "abcdefghijklmnop":
        entries += [(f"{path}{long}", FOLDER, ""), (f"{path}{step}", LINK, long)]
        path += f"{long}/"
    steps = "/".join("abcdefghijklmnop")
    entries.append((f"{steps}/{'l' * 254}", LINK, "../" * 16))
    entries += [("escape", LINK, f"{steps}/{'l' * 254}/../victim.txt"), ("escape", FILE, "")]
    unpacks_nothing(tar_with(tmp_path / "a.tar", *entries), tmp_path)


def test_ghsa_hqp4_2352_xf5r_a_folder_that_begins_like_the_target_is_another(tmp_path):
    (tmp_path / "out_of_somebody_else").mkdir()
    entry = ("../out_of_somebody_else/victim.txt", FILE, "")
    unpacks_nothing(tar_with(tmp_path / "a.tar", entry), tmp_path)


def test_cve_2026_12479_a_name_of_a_layer_is_no_path(tmp_path):
    lookup = layers.StringLookup(name="..")
    lookup.adapt(["cat", "dog"])
    model = lamina.Sequential([lamina.Input((1,), dtype="string"), lookup], name="..")
    path = tmp_path / "inside" / "model.keras"
    model.save(path)
    assert lamina.saving.load_model(path).layers[0].get_vocabulary() == ["[UNK]", "dog", "cat"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["empty", "inside", "model.keras"]
    with zipfile.ZipFile(path) as archive:
        assert not any(".." in name for name in archive.namelist())


# -- reported without a number ---------------------------------------------------------------------

CALLING = ["Switch", "Cond", "Map", "VectorizedMap", "ForiLoop", "WhileLoop", "Scan"]


@pytest.mark.parametrize("kind", CALLING)
@pytest.mark.parametrize(("module", "name"), OWN_FUNCTIONS)
def test_an_operation_that_leads_nowhere_calls_no_function(
    kind, module, name, write_file, tmp_path
):
    inputs = lamina.Input((2,), name="inputs")
    path = tmp_path / "model.keras"
    lamina.Model(inputs, layers.Dense(1)(inputs)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    record = json.loads(parts["config.json"])
    called = function(module, name)
    dead = {
        "module": "keras.src.ops.core",
        "class_name": kind,
        "config": {"name": "dead"},
        "registered_name": kind,
        "name": "dead",
        "inbound_nodes": [{"args": [0, [called], called, [[1]]], "kwargs": {}}],
    }
    record["config"]["layers"].append(dead)
    with zipfile.ZipFile(path, "w") as archive:
        for n, content in {**parts, "config.json": json.dumps(record)}.items():
            archive.writestr(n, content)
    assert f"no {name!r} in {module!r}" in refused(path)
    assert lamina.config.dtype_policy().name == "float32"


def test_layers_that_wait_for_one_another_are_refused(write_file, tmp_path):
    inputs = lamina.Input((2,), name="inputs")
    first = layers.Dense(2, name="first")(inputs)
    path = tmp_path / "model.keras"
    lamina.Model(inputs, layers.Dense(2, name="second")(first)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    text = parts["config.json"].decode()
    text = text.replace('"keras_history": ["inputs", 0, 0]', '"keras_history": ["second", 0, 0]')
    with zipfile.ZipFile(path, "w") as archive:
        for n, content in {**parts, "config.json": text}.items():
            archive.writestr(n, content)
    assert "whose inputs are never computed" in refused(path, DamagedFileError)


def test_a_build_config_cannot_ask_for_giant_weights(write_file, good_config):
    good_config["config"]["layers"][1]["build_config"] = {"input_shape": [None, 10**9]}
    message = refused(write_file(config=good_config), DamagedFileError)
    assert "needs more memory than is allowed" in message


# -- the page --------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_here():
    tests = dict(re.findall(r"`(test_\w+)` in `(tests/\S+\.py)`", PAGE))
    assert len(tests) > 3
    for name, file in tests.items():
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), (file, name)
    own = Path(__file__).read_text(encoding="utf-8")
    for name in re.findall(r"`(test_\w+)`(?! in)", PAGE):
        assert f"def {name}(" in own, name


def test_every_number_that_is_tried_here_is_on_the_page():
    own = Path(__file__).read_text(encoding="utf-8")
    for year, number in set(re.findall(r"def test_cve_(\d+)_(\d+)_", own)):
        assert f"CVE-{year}-{number}" in PAGE
