"""A flipped bit in any file that is written here is found and named, or changes nothing."""

import contextlib
import io
import json
import pathlib
import warnings

import h5py
import keras
import numpy as np
import pytest

import lamina
from lamina.saving import DamagedFileError, UnknownClassError, WeightsMismatchError
from lamina.saving.state_file import read_state, write_state

PLAIN_ERRORS = (DamagedFileError, UnknownClassError, WeightsMismatchError)
# Of all bytes, one in so many has a bit flipped; another one in every format.
EVERY = 401


def made_model():
    """Small, with weights of every kind: a bias, bfloat16, moving averages, an optimizer."""
    model = lamina.Sequential(
        [
            lamina.Input((2,)),
            lamina.layers.Dense(2, activation="relu", name="hidden"),
            lamina.layers.BatchNormalization(name="norm"),
            lamina.layers.Dense(1, name="scores", dtype=lamina.DTypePolicy("bfloat16")),
        ],
        name="small",
    )
    model.compile(optimizer=lamina.optimizers.Adam(0.00125), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


class Scale(lamina.layers.Layer):
    """Has a weight without axes."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale


def written_by_editor(model, path):
    plain = path.with_name("plain.weights.h5")
    model.save_weights(plain)
    with contextlib.redirect_stdout(io.StringIO()):
        lamina.saving.KerasFileEditor(plain).save(path)


STATE = {"step": 7, "rate": 0.5, "values": np.arange(3.0), "count": np.array(5), "words": ["a"]}
SAVE = {
    "model.keras": lambda model, path: model.save(path),
    "model.h5": lambda model, path: model.save(path),
    "model.weights.h5": lambda model, path: model.save_weights(path),
    "edited.weights.h5": written_by_editor,
    "shards.weights.json": lambda model, path: model.save_weights(path, max_shard_size=1e-6),
    "training_state.h5": lambda model, path: write_state(path, STATE),
}


def variables_of(model):
    return [*model.variables, *model.optimizer.variables]


def contents(model):
    """Everything that a file says of a model."""
    values = [np.asarray(v).tobytes() for v in variables_of(model)]
    return json.dumps([model.get_config(), model.get_compile_config()], default=str), values


@pytest.fixture(scope="module")
def target():
    return made_model()


def read(path, target):
    """What a file holds, as something that can be compared."""
    if path.name == "training_state.h5":
        return repr(read_state(path))
    if path.name in ("model.keras", "model.h5"):
        return contents(lamina.saving.load_model(path))
    for variable in variables_of(target):
        variable.assign(np.zeros(variable.shape))
    target.load_weights(path)
    return contents(target)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one file of each kind."""
    folder = tmp_path_factory.mktemp("saved")
    model = made_model()
    for number, variable in enumerate(variables_of(model)):
        values = np.random.default_rng(number).uniform(1, 9, variable.shape)
        variable.assign(values.astype("float32"))
    for name, save in SAVE.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*in the layout of Keras 2", lamina.LaminaWarning)
            save(model, folder / name)
    return folder


@pytest.fixture
def flip(saved):
    """Flips a bit of a file, and puts it right again afterwards."""
    with contextlib.ExitStack() as stack:

        def flipped(path, place, bit):
            whole = path.read_bytes()
            stack.callback(path.write_bytes, whole)
            content = bytearray(whole)
            content[place] ^= 1 << bit
            path.write_bytes(content)

        yield flipped


def all_files(saved):
    shard = next(saved.glob("shards_*.h5"))
    return [
        *((saved / name, saved / name) for name in SAVE),
        (shard, saved / "shards.weights.json"),
    ]


@pytest.mark.parametrize("number", range(len(SAVE) + 1), ids=[*SAVE, "a shard"])
def test_a_flipped_bit_is_found_or_harmless(number, saved, target):
    damaged, opened = all_files(saved)[number]
    good = read(opened, target)
    whole = damaged.read_bytes()
    try:
        for place in range(number, len(whole), min(EVERY, len(whole) // 20)):
            content = bytearray(whole)
            content[place] ^= 1 << (place % 8)
            damaged.write_bytes(content)
            with contextlib.suppress(PLAIN_ERRORS):
                assert read(opened, target) == good, (place, place % 8)
    finally:
        damaged.write_bytes(whole)


def numbers_in(path):
    """Place in the file and name of every array without axes, which HDF5 has no checksum for."""
    found = {}

    def visit(name, part):
        if isinstance(part, h5py.Dataset) and part.shape == ():
            found[name] = (part.id.get_offset(), part.dtype.itemsize)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5", "training_state.h5", "a shard"])
def test_every_bit_of_an_array_without_axes_is_guarded(name, saved, target, flip):
    list_or_file = saved / ("shards.weights.json" if name == "a shard" else name)
    shards = [p for p in saved.glob("shards_*.h5") if numbers_in(p)]
    damaged = shards[0] if name == "a shard" else saved / name
    numbers = numbers_in(damaged)
    assert numbers
    where, (start, size) = next(iter(numbers.items()))
    for bit in range(8 * size):
        flip(damaged, start + bit // 8, bit % 8)
        with pytest.raises(DamagedFileError) as caught:
            read(list_or_file, target)
        flip(damaged, start + bit // 8, bit % 8)  # twice is as before
        assert f"{where!r} in the file is damaged" in str(caught.value)


def test_a_damaged_number_in_a_layer_is_named(tmp_path, flip):
    model = lamina.Sequential([lamina.Input((2,)), Scale(name="scale")])
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    ((where, (start, _)),) = numbers_in(path).items()
    flip(path, start, 6)
    with pytest.raises(DamagedFileError, match=f"{where}' in the file is damaged"):
        model.load_weights(path)
    assert model.get_weights() == [1]


def test_a_damaged_array_is_named(saved, target, flip):
    path = saved / "model.weights.h5"
    with h5py.File(path) as file:
        place = file["layers/dense/vars/0"].id.get_chunk_info(0).byte_offset
    flip(path, place, 3)
    with pytest.raises(DamagedFileError, match="'layers/dense/vars/0' in the file is damaged"):
        target.load_weights(path)


@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5"])
def test_every_array_has_a_digest(name, saved):
    missing = []

    def visit(path, part):
        if isinstance(part, h5py.Dataset) and "crc32" not in part.attrs:
            missing.append(path)

    with h5py.File(saved / name) as file:
        file.visititems(visit)
    assert not missing


def test_the_config_in_an_h5_file_is_guarded(saved, flip):
    path = saved / "model.h5"
    rate = b'"learning_rate": '
    flip(path, path.read_bytes().index(rate) + len(rate), 0)  # 0.00125 becomes 1.00125
    with pytest.raises(DamagedFileError, match="'training_config' in the file is damaged"):
        lamina.saving.load_model(path)


def test_files_without_digests_are_opened(saved, target, tmp_path):
    good = read(saved / "model.weights.h5", target)
    old = tmp_path / "old.weights.h5"
    old.write_bytes((saved / "model.weights.h5").read_bytes())
    with h5py.File(old, "r+") as file:
        file.visititems(lambda path, part: part.attrs.pop("crc32", None))
    assert read(old, target) == good


@pytest.mark.parametrize("value", ["text", [1, 2], 1.5, -1])
def test_a_digest_that_is_none_is_refused(value, saved, target, tmp_path):
    path = tmp_path / "odd.weights.h5"
    path.write_bytes((saved / "model.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file["layers/dense/vars/0"].attrs["crc32"] = value
    with pytest.raises(DamagedFileError, match="'layers/dense/vars/0' in the file is damaged"):
        target.load_weights(path)


def keras_model():
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(2, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(1, name="scores", dtype="bfloat16"),
        ],
        name="small",
    )


@pytest.mark.parametrize(
    "name", [name for name in SAVE if name not in ("model.h5", "training_state.h5")]
)
def test_keras_opens_files_with_digests(name, saved, target):
    read(saved / "model.weights.h5", target)
    if name == "model.keras":
        theirs = keras.saving.load_model(saved / name)
    else:
        theirs = keras_model()
        theirs.load_weights(saved / name)
    for own, other in zip(target.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(own.astype("float32"), np.asarray(other, "float32"))


# -- shards of two saves ---------------------------------------------------------------------------


def test_shards_of_two_saves_are_told_apart(saved, target, tmp_path):
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        target.save_weights(folder / "big.weights.json", max_shard_size=1e-6)
    stray = tmp_path / "2/big_00000.weights.h5"
    stray.replace(tmp_path / "1/big_00000.weights.h5")
    with pytest.raises(DamagedFileError, match="was not saved together with it"):
        target.load_weights(tmp_path / "1/big.weights.json")


# -- a damaged list of contents --------------------------------------------------------------------


def test_a_vocabulary_whose_name_is_damaged_is_not_missed(tmp_path):
    lookup = lamina.layers.StringLookup()
    lookup.adapt(["cat", "dog"])
    path = pathlib.Path(tmp_path / "model.keras")
    lamina.Sequential([lamina.Input((1,), dtype="string"), lookup]).save(path)
    content = path.read_bytes()
    path.write_bytes(
        content[: content.rindex(b"assets/")] + b"b" + content[content.rindex(b"assets/") + 1 :]
    )
    with pytest.raises(DamagedFileError, match="list of contents is damaged"):
        lamina.saving.load_model(path)
