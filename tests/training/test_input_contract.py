"""`fit` records what a model was trained on, and `predict` says when inputs are unlike it."""

import dataclasses
import json
import warnings
import zipfile

import numpy as np
import pytest

import lamina
from lamina.contract import Contract
from lamina.core.messages.errors import LaminaWarning
from lamina.data import LoadedPart
from lamina.layers import Dense, Flatten, Input


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    images = np.zeros((64, 8, 8), "float32")
    images[:, 2:4] = rng.uniform(0.7, 1, (64, 2, 8))
    labels = rng.integers(0, 2, 64)
    model = lamina.Sequential([Input((8, 8)), Flatten(), Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images, labels, verbose=0)
    return model, images


def fresh(trained):
    """The model, as if it had never been asked."""
    model, images = trained
    contract = model.input_contract
    model.input_contract = contract
    return model, images


def test_ranges_are_recorded(trained):
    model, images = trained
    (known,) = model.input_contract.inputs
    assert (known.name, known.shape, known.dtype) == ("x", (8, 8), "float32")
    assert (known.low, known.high) == (images.min(), images.max())


@pytest.mark.parametrize(
    ("change", "words", "fix"),
    [
        (lambda x: 255 * x, "about 255 times larger", "x / 255"),
        (lambda x: 1 - x, "light and dark seem to be swapped", "1 - x"),
    ],
)
def test_inputs_unlike_those_of_training_are_announced(trained, change, words, fix):
    model, images = fresh(trained)
    with pytest.warns(LaminaWarning, match=f"(?s){words}.*Fix: .*{fix}"):
        model.predict(change(images[:4]), verbose=0)


def test_inputs_like_those_of_training_are_not(trained):
    model, images = fresh(trained)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in (1, 3, 64):
            model.predict(images[:rows], verbose=0)


def test_a_file_carries_the_contract_and_keras_ignores_it(trained, tmp_path):
    model, images = trained
    path = tmp_path / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("contract.json"))["version"] == 1
    again = lamina.models.load_model(path)
    assert again.input_contract == model.input_contract
    with pytest.warns(LaminaWarning, match="255 times larger"):
        again.predict(255 * images[:2], verbose=0)
    keras = pytest.importorskip("keras")
    theirs = keras.models.load_model(path)
    np.testing.assert_allclose(
        theirs.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"version": 9}', b"[" * 100_000])
def test_a_damaged_contract_is_left_out_with_a_warning(trained, tmp_path, content):
    model, _ = trained
    path = tmp_path / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in (parts | {"contract.json": content}).items():
            archive.writestr(name, part)
    with pytest.warns(LaminaWarning, match=r"contract\.json was not used"):
        again = lamina.models.load_model(path)
    assert again.input_contract is None


def test_a_model_that_was_never_trained_has_none_and_its_file_neither(tmp_path):
    model = lamina.Sequential([Input((2,)), Dense(1)])
    assert model.input_contract is None
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert "contract.json" not in archive.namelist()


def test_a_part_of_loaded_data_gives_its_names_and_stays_on_the_device(compilations):
    part = LoadedPart(
        np.eye(4, dtype="float32").repeat(8, axis=0),
        np.arange(32, dtype="int32") % 4,
        [str(i) for i in range(32)],
        batch_size=8,
        contract=Contract("arrays", class_names=("a", "b", "c", "d"), target="letter"),
    )
    model = lamina.Sequential([Input((4,)), Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(part, validation_data=part, epochs=2, verbose=0)
    assert history.params["steps"] == 4
    assert model.input_contract.class_names == ("a", "b", "c", "d")
    assert model.input_contract.inputs[0].high == 1.0
    assert set(model.predict_labels(part.x).tolist()) <= {"a", "b", "c", "d"}
    expected = np.array(["a", "b", "c", "d"])[model.predict(part.x, verbose=0).argmax(axis=1)]
    assert model.predict_labels(part.x).tolist() == expected.tolist()


def test_training_further_on_arrays_keeps_the_names(rng):
    x, y = rng.random((8, 3)), np.arange(8) % 2
    part = LoadedPart(x, y, list("abcdefgh"), contract=Contract(class_names=("no", "yes")))
    model = lamina.Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(part, verbose=0)
    model.fit(x, y, verbose=0)
    assert model.input_contract.class_names == ("no", "yes")


def test_labels_need_names(trained):
    model, images = trained
    with pytest.raises(ValueError, match=r"(?s)class names.*argmax\(axis=-1\)"):
        model.predict_labels(images)


def test_a_model_that_asks_for_nan_may_be_given_it(rng):
    table = rng.normal(size=(32, 2)).astype("float32")
    table[3, 1] = np.nan
    numbers = Input((2,))
    filled = lamina.ops.where(lamina.ops.isnan(numbers), 0.0, numbers)
    model = lamina.Model(numbers, Dense(1)(filled))
    model.compile("sgd", "mse")
    history = model.fit(table, np.ones(32), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    plain = lamina.Sequential([Input((2,)), Dense(1)])
    plain.compile("sgd", "mse")
    with pytest.raises(ValueError, match="NaN"):
        plain.fit(table, np.ones(32), verbose=0)


def test_labels_of_inputs_far_from_training_are_unknown(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)).astype("float32")
    model = lamina.Sequential([lamina.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, (x[:, 0] > 0).astype(int), epochs=1, verbose=0)
    model.input_contract = dataclasses.replace(model.input_contract, class_names=("no", "yes"))
    model.save(tmp_path / "model.keras")
    model = lamina.models.load_model(tmp_path / "model.keras")
    mixed = np.array([[0, 0, 0], [50, 0, 0]], "float32")
    assert model.predict_labels(mixed)[1] == "none of these?"
    assert set(model.predict_labels(mixed, unknown=None)) <= {"no", "yes"}
    assert model.predict_labels(mixed, unknown="?")[1] == "?"


def test_numbers_have_no_novelty():
    model = lamina.Sequential([lamina.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(400, 3))
    model.fit(x, x[:, 0], epochs=1, verbose=0)
    assert model.input_contract.novelty is None


def test_the_same_data_are_examined_for_novelty_once():
    x = np.random.default_rng(0).normal(size=(300, 3)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    model = lamina.Sequential([lamina.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    learned = model.input_contract.novelty
    model.fit(x, y, verbose=0)
    assert model.input_contract.novelty is learned
    model.fit(x + 1, y, verbose=0)
    assert model.input_contract.novelty != learned


class _Named(lamina.data.Dataset):
    """Batches of labels 0 and 1, with names of classes."""

    def __init__(self, *names):
        x, y = np.ones((4, 2), "float32"), np.array([0, 1, 0, 1])
        super().__init__(lambda: iter([(x, y)]), 1, class_names=list(names))


@pytest.fixture(scope="module")
def of_cats_and_dogs():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(_Named("cat", "dog"), verbose=0)
    return model


def test_labels_that_mean_other_classes_are_announced(of_cats_and_dogs):
    model = of_cats_and_dogs
    with pytest.warns(LaminaWarning, match="Label 0 means 'bird' in x and 'cat' in training"):
        model.evaluate(_Named("bird", "dog"), verbose=0)
    with pytest.warns(LaminaWarning, match="Label 1 means 'owl' in validation_data and 'dog'"):
        model.fit(_Named("cat", "dog"), validation_data=_Named("cat", "owl"), verbose=0)


@pytest.mark.parametrize("names", [("cat", "dog"), ("cat",)])
def test_labels_that_mean_the_same_classes_are_not(of_cats_and_dogs, names):
    of_cats_and_dogs.evaluate(_Named(*names), verbose=0)
    of_cats_and_dogs.evaluate(np.ones((4, 2)), np.array([0, 1, 0, 1]), verbose=0)
