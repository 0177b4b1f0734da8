"""A model file is somebody else's data: damaged or malicious, it is refused in plain words.

Never a traceback of the libraries that read it, never much time or memory, never code that runs.
"""

import json
import struct
import time
import traceback
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import given, strategies as st

import lamina
from lamina.saving import DamagedFileError, UnknownClassError, WeightsMismatchError

PLAIN_ERRORS = (DamagedFileError, UnknownClassError, WeightsMismatchError)


def refusal(function, *args, seconds=5.0, mebibytes=64):
    """The message of the plain error with which a call ends, soon and in little memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(PLAIN_ERRORS) as caught:
            function(*args)
        assert time.process_time() - start < seconds
        assert tracemalloc.get_traced_memory()[1] < mebibytes * 2**20
    finally:
        tracemalloc.stop()
    shown = "".join(traceback.format_exception(caught.value))
    for library in ("h5py", "zipfile", "json/", "jax", "zlib"):
        assert f"{library}" not in shown.replace("tracemalloc", ""), shown
    message = str(caught.value)
    assert len(message.splitlines()) <= 12
    assert max(map(len, message.splitlines())) < 600
    return message


def load(path):
    return lamina.saving.load_model(path)


# -- damaged ---------------------------------------------------------------------------------------


def test_a_model_cut_off_anywhere_is_refused(write_file):
    path = write_file()
    whole = path.read_bytes()
    for length in {0, 1, 2, 3, 4, 30, *range(5, len(whole), 500), len(whole) - 1}:
        path.write_bytes(whole[:length])
        message = refusal(load, path)
        assert str(path) in message
        assert "Fix: copy it again" in message or "is not a model" in message


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found_or_harmless(write_file, same_weights, place, bit):
    path = write_file()
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        model = load(path)
    except PLAIN_ERRORS:
        return
    assert same_weights(model)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_weights_file_is_found_or_harmless(
    write_file, good_parts, same_weights, tmp_path, place, bit
):
    model = load(write_file())
    content = bytearray(good_parts["model.weights.h5"])
    content[int(place * len(content))] ^= 1 << bit
    path = tmp_path / "model.weights.h5"
    path.write_bytes(content)
    try:
        model.load_weights(path)
    except PLAIN_ERRORS:
        pass
    assert same_weights(model)


def test_weights_cut_off_anywhere_are_refused_and_the_model_keeps_its_own(
    write_file, good_parts, same_weights, tmp_path
):
    model = load(write_file())
    whole = good_parts["model.weights.h5"]
    path = tmp_path / "model.weights.h5"
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refusal(model.load_weights, path)
        assert same_weights(model)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello, I am a text\n" * 20, "is not a model"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "is not a model"),
        (b"PK\x03\x04" + b"x" * 100, "incomplete or damaged"),
    ],
)
def test_a_file_that_is_no_model_is_told_apart(content, words, tmp_path):
    path = tmp_path / "epic_num_reader.model"
    path.write_bytes(content)
    assert words in refusal(load, path)


def test_a_weights_file_opened_as_a_model_says_what_it_is(write_file, tmp_path):
    path = tmp_path / "model.weights.h5"
    load(write_file()).save_weights(path)
    assert "model.load_weights(path)" in refusal(load, path)


def test_a_zip_of_something_else_says_what_is_inside(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.png", b"...")
    assert "no config.json inside, but 'cat.png'" in refusal(load, path)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_a_missing_part_is_named(member, write_file):
    assert f"it has no {member} inside" in refusal(load, write_file(leave_out=[member]))


def test_an_encrypted_part_is_refused(write_file):
    path = write_file()
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + place] |= 1  # "encrypted", says the flag
            at = content.find(signature, at + 1)
    path.write_bytes(content)
    assert "is damaged" in refusal(load, path)


# -- larger than they say --------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_is_not_unpacked(member, method, write_file):
    bomb = b" " * (50 * 2**20)
    part = {"config": bomb} if member == "config.json" else {"weights": bomb}
    assert "claims to be 52,428,800 bytes" in refusal(load, write_file(compression=method, **part))


def test_a_zip_that_lies_about_its_sizes_is_refused(write_file):
    path = write_file()
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    content[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    path.write_bytes(content)
    assert "claims to be" in refusal(load, path)


def test_an_array_that_claims_a_giant_shape_is_not_read(write_file, changed_weights):
    def claim(file):
        del file["layers/dense/vars/0"]
        shape = (10**6, 10**6)
        file.create_dataset("layers/dense/vars/0", shape, "f4", chunks=(1, 1), compression="gzip")

    message = refusal(load, write_file(weights=changed_weights(claim)))
    assert "the weights take 4,000,0" in message


def test_many_small_claims_are_added_up(write_file, changed_weights):
    def claim(file):
        for i in range(50):
            file.create_dataset(f"more/{i}", (500_000,), "f4", chunks=(1000,))

    assert "the weights take" in refusal(load, write_file(weights=changed_weights(claim)))


def test_a_giant_chunk_is_not_made(write_file, changed_weights):
    def claim(file):
        file.create_dataset("more", (1,), "f8", maxshape=(None,), chunks=(2**28,))

    assert "the weights take" in refusal(load, write_file(weights=changed_weights(claim)))


def layer(config, place=0):
    """The config of a layer of the small model; the first record is that of the input."""
    return config["config"]["layers"][place + 1]


def test_a_config_that_asks_for_giant_weights_gets_none(write_file, good_config):
    layer(good_config)["config"]["units"] = 10**10
    message = refusal(load, write_file(config=good_config))
    assert "needs more memory than is allowed" in message
    assert "In the config of Dense 'hidden'" in message


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**5, "[" * 900 + "]" * 900])
def test_a_config_nested_without_end_is_refused(text, write_file):
    assert "the description of the model cannot be used" in refusal(load, write_file(config=text))


def test_layers_nested_without_end_are_refused(write_file, good_config):
    del good_config["compile_config"]
    good_config["config"]["layers"] = ["@"]
    before, after = json.dumps(good_config).split('"@"')  # json.dumps itself has a limit
    refusal(load, write_file(config=before * 400 + "1" + after * 400))


def test_a_metric_that_asks_for_a_giant_table_gets_none(write_file, good_config):
    metric = {"module": "keras.metrics", "class_name": "AUC", "config": {"num_thresholds": 10**12}}
    good_config["compile_config"]["metrics"] = [metric]
    assert "must be 100,000 or less" in refusal(load, write_file(config=good_config))


# -- pointing elsewhere ----------------------------------------------------------------------------


def soft_link(file, secret):
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def external_link(file, secret):
    file["layers/dense/vars/0"] = h5py.ExternalLink(str(secret), "/secret")


def external_group(file, secret):
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink(str(secret), "/")


def external_storage(file, secret):
    file.create_dataset(
        "layers/dense/vars/0", (4, 3), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
    )


def virtual(file, secret):
    layout = h5py.VirtualLayout(shape=(4, 3), dtype="f4")
    layout[...] = h5py.VirtualSource(str(secret), "secret", shape=(4, 3))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


@pytest.mark.parametrize(
    "point", [soft_link, external_link, external_group, external_storage, virtual]
)
def test_weights_that_point_elsewhere_are_refused(point, write_file, changed_weights, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.ones((4, 3), "f4")

    def change(file):
        del file["layers/dense/vars/0"]
        point(file, secret)

    message = refusal(load, write_file(weights=changed_weights(change)))
    assert "links to another object" in message or "has its data in another file" in message


def test_a_group_inside_itself_ends(write_file, changed_weights, same_weights):
    def change(file):
        file["layers/again"] = file["layers"]

    assert same_weights(load(write_file(weights=changed_weights(change))))


@pytest.mark.parametrize(
    "dtype",
    [h5py.string_dtype(), "S10", h5py.ref_dtype, h5py.vlen_dtype("f4"), [("a", "f4")], "(3,)f4"],
    ids=str,
)
def test_weights_that_are_no_numbers_are_refused(dtype, write_file, changed_weights):
    def change(file):
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", (4, 3), dtype)

    message = refusal(load, write_file(weights=changed_weights(change)))
    assert "is not an array of numbers" in message or "do not fit" in message


def test_groups_nested_without_end_are_refused(write_file, changed_weights):
    def change(file):
        group = file
        for _ in range(2000):
            group = group.create_group("g")

    assert "is neither an array nor a group" in refusal(
        load, write_file(weights=changed_weights(change))
    )


# -- naming code -----------------------------------------------------------------------------------

MARK = "touch harmed"
CODE = [
    {"module": "os", "class_name": "system", "config": {"command": MARK}},
    {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
    {"module": "posix", "class_name": "system", "config": {"command": MARK}},
    {"module": "subprocess", "class_name": "Popen", "config": {"args": MARK, "shell": True}},
    {"module": "builtins", "class_name": "eval", "config": {"source": "__import__('os')"}},
    {"module": "builtins", "class_name": "function", "config": "exec"},
    {"module": "builtins", "class_name": "open", "config": {"file": "harmed", "mode": "w"}},
    {"module": None, "class_name": "os.system", "config": {"command": MARK}},
    {"module": "pickle", "class_name": "loads", "config": {"data": "x"}},
    {"module": "keras.utils", "class_name": "get_file", "config": {"fname": "harmed"}},
    {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
    {"module": "keras.saving", "class_name": "load_model", "config": {"filepath": "harmed"}},
    {"module": "lamina.saving.model_file", "class_name": "save_model", "config": {}},
    {"module": "lamina.os", "class_name": "system", "config": {"command": MARK}},
    {"module": "keras.callbacks", "class_name": "CSVLogger", "config": {"filename": "harmed"}},
    {"module": "keras", "class_name": "__import__", "config": {"name": "antigravity"}},
    {"class_name": "__lambda__", "config": {"value": ["4wAAAAAAAAAA", None, None]}},
    {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "x"}}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "harmed"}},
    {"class_name": "__typespec__", "config": {}, "module": "os", "spec_name": "system"},
    {"module": "os", "class_name": "Model", "config": {}, "registered_name": "os>system"},
]


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield
    assert not list(folder.iterdir())


def identify(record):
    return f"{record.get('module')}.{record['class_name']}"


@pytest.mark.parametrize("record", CODE, ids=identify)
@pytest.mark.parametrize("place", ["model", "layer", "activation", "loss", "build_config"])
def test_a_config_cannot_name_code(record, place, write_file, good_config, in_an_empty_folder):
    config = good_config
    if place == "model":
        config = record
    elif place == "layer":
        config["config"]["layers"][1] = record
    elif place == "activation":
        layer(config)["config"]["activation"] = record
    elif place == "loss":
        config["compile_config"]["loss"] = record
    else:
        config["config"]["layers"][1] = {**record, "build_config": {"input_shape": [None, 4]}}
    refusal(load, write_file(config=config))


@pytest.mark.parametrize("name", ["eval", "os.system", "__import__", "keras.utils.get_file"])
@pytest.mark.parametrize("place", ["activation", "kernel_initializer", "kernel_regularizer"])
def test_a_bare_name_cannot_name_code(name, place, write_file, good_config, in_an_empty_folder):
    layer(good_config)["config"][place] = name
    assert "Unknown" in refusal(load, write_file(config=good_config))


def test_a_users_own_function_is_never_called_by_a_config(write_file, good_config):
    called = []

    def dangerous(**arguments):
        called.append(arguments)

    layer(good_config)["config"]["activation"] = {
        "module": "mine",
        "class_name": "dangerous",
        "registered_name": "dangerous",
        "config": {"path": "anywhere"},
    }
    path = write_file(config=good_config)
    lamina.saving.load_model(path, custom_objects={"dangerous": dangerous})
    assert called == []


@pytest.mark.parametrize("record", CODE[-5:-3], ids=identify)
def test_a_lambda_is_refused_with_the_way_out(record, write_file, good_config):
    config = good_config
    config["config"]["layers"][1] = record
    message = refusal(load, write_file(config=config))
    assert "holds Python code" in message
    assert "register_keras_serializable" in message


def test_safe_mode_is_no_switch(write_file, good_config):
    good_config["config"]["layers"][1] = CODE[-5]
    path = write_file(config=good_config)
    with pytest.raises(UnknownClassError):
        lamina.saving.load_model(path, safe_mode=False)


# -- nonsense --------------------------------------------------------------------------------------

NONSENSE = [
    "",
    "nonsense",
    "[]",
    "{}",
    "1",
    "null",
    '"model"',
    "\ud800".encode("utf-8", "surrogatepass"),
    {"class_name": "Sequential"},
    {"class_name": "Sequential", "config": None},
    {"class_name": "Sequential", "config": {"layers": 5}, "module": "keras"},
    {"class_name": ["Sequential"], "config": {}},
    {"class_name": {"a": 1}, "config": {}},
    {"class_name": "Sequential", "config": {}, "module": ["keras"]},
    {"class_name": "Dense", "config": {"units": 3}, "module": "keras.layers"},
    {"class_name": "Adam", "config": {}, "module": "keras.optimizers"},
    {"class_name": "relu", "config": {"x": 1}, "module": "keras.activations"},
    {"class_name": "InputSpec", "config": {}, "module": "keras.layers"},
    {"class_name": "Functional", "config": {"name": "m", "layers": []}, "module": "keras"},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "U1000000000"}},
    {"class_name": "__tensor__", "config": {"value": [[1], [1, 2]], "dtype": "float32"}},
    {"class_name": "__slice__", "config": []},
    {"class_name": "A" * 10**6, "config": {}, "module": "B" * 10**6},
]


@pytest.mark.parametrize("config", NONSENSE, ids=lambda c: str(c)[:40])
def test_a_config_of_nonsense_is_refused(config, write_file):
    content = config if isinstance(config, (str, bytes)) else json.dumps(config)
    refusal(load, write_file(config=content))


@pytest.mark.parametrize("value", [-1, 0, 1.5, "many", None, [], {}, True, 10**30, float("nan")])
@pytest.mark.parametrize("key", ["units", "activation", "dtype", "kernel_initializer", "trainable"])
def test_nonsense_in_the_config_of_a_layer_is_refused_or_harmless(
    key, value, write_file, good_config, same_weights
):
    layer(good_config)["config"][key] = value
    path = write_file(config=good_config)
    try:
        model = load(path)
    except PLAIN_ERRORS:
        refusal(load, path)
    else:
        assert same_weights(model)


def test_control_characters_of_a_name_do_not_reach_the_terminal(write_file):
    config = {"class_name": "\x1b[2Jgone", "config": {}, "module": "m"}
    assert "\x1b" not in refusal(load, write_file(config=config))


ESCAPE = "\x1b[2J"


@pytest.mark.parametrize("place", ["a layer", "a model", "a metric", "the optimizer", "a loss"])
def test_a_name_with_control_characters_is_refused(place, write_file, good_config):
    compiled = good_config["compile_config"]
    if place == "a layer":
        layer(good_config)["config"]["name"] = ESCAPE
    elif place == "a model":
        good_config["config"]["name"] = ESCAPE
    elif place == "the optimizer":
        compiled["optimizer"]["config"]["name"] = ESCAPE
    else:
        kind = "MeanSquaredError"
        record = {"module": "keras.metrics", "class_name": kind, "config": {"name": ESCAPE}}
        record["module"] = "keras.metrics" if place == "a metric" else "keras.losses"
        compiled.update({"metrics": [record]} if place == "a metric" else {"loss": record})
    message = refusal(load, write_file(config=good_config))
    assert "without control characters" in message
    assert "\x1b" not in message


def test_a_name_of_an_output_with_control_characters_is_refused(tmp_path):
    inputs = lamina.Input((2,))
    path = tmp_path / "model.keras"
    lamina.Model(inputs, {"plain": lamina.layers.Dense(1)(inputs)}).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'{"plain":', b'{"\\u001b[2J":')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    message = refusal(load, path)
    assert "without control characters" in message
    assert "\x1b" not in message


def test_a_name_in_the_weights_does_not_reach_the_terminal(
    write_file, changed_weights, tmp_path, capsys
):
    def change(file):
        file[f"layers/{ESCAPE}/vars/0"] = np.zeros(2, "f4")

    weights = changed_weights(change)
    with pytest.warns(lamina.LaminaWarning, match="also holds weights of") as caught:
        load(write_file(weights=weights))
    path = tmp_path / "model.weights.h5"
    path.write_bytes(weights)
    lamina.saving.KerasFileEditor(path).summary()
    said = str(caught[0].message) + capsys.readouterr().out
    assert said.count("\\x1b[2J") == 2
    assert "\x1b" not in said


def test_a_name_that_is_refused_does_not_reach_the_terminal(write_file, changed_weights):
    def change(file):
        file[f"layers/dense/vars/{ESCAPE}"] = h5py.SoftLink("/layers")

    message = refusal(load, write_file(weights=changed_weights(change)))
    assert "\x1b" not in message


# -- weights that do not fit -----------------------------------------------------------------------


def test_a_weight_of_another_shape_is_named(write_file, changed_weights):
    def change(file):
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = np.zeros((4, 5), "f4")

    message = refusal(load, write_file(weights=changed_weights(change)))
    assert "at layers/dense: " in message
    assert "'kernel' has shape (4, 3), and the file holds shape (4, 5)" in message


def test_a_missing_weight_is_named(write_file, changed_weights):
    def change(file):
        file.move("layers/dense_1/vars/1", "layers/dense_1/vars/one")

    message = refusal(load, write_file(weights=changed_weights(change)))
    assert "at layers/dense_1: the file holds no weight '1'" in message
