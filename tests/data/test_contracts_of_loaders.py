"""Keras's loaders hand on the names of classes and how files become inputs, to the saved model."""

import numpy as np
import pytest
from PIL import Image

import lamina
from lamina.contract import Contract
from lamina.data import (
    Dataset,
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)
from lamina.layers import Dense, Flatten, GlobalAveragePooling2D, Input, Rescaling


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures and texts of two classes; the pictures are wider than high."""
    folder = tmp_path_factory.mktemp("samples")
    for name, grey, text in (("dark", 20, "night"), ("light", 230, "day")):
        (folder / name).mkdir()
        for i in range(3):
            pixels = np.full((8, 12, 3), grey + 4 * i, "uint8")
            pixels[:, 3 * i : 3 * i + 2] = 128
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
            (folder / name / f"{i}.txt").write_text(f"{text} {text} {i}")
    return folder


def trained(dataset, *layers):
    model = lamina.Sequential([*layers, Dense(2, activation="softmax")])
    model.compile(lamina.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    model.fit(dataset, epochs=3, verbose=0)
    return model


def again(model, tmp_path):
    """The model as another process would have it."""
    model.save(tmp_path / "model.keras")
    return lamina.models.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("mode", ["rgb", "grayscale"])
def test_a_file_gets_the_answer_that_the_loader_made_it_ready_for(folder, tmp_path, how, mode):
    options = {} if how == "stretch" else {f"{how}_to_aspect_ratio": True}
    pictures = image_dataset_from_directory(
        folder, image_size=(6, 6), color_mode=mode, shuffle=False, verbose=False, **options
    )
    shape = (6, 6, 3 if mode == "rgb" else 1)
    model = trained(pictures, Input(shape), Rescaling(1 / 255), Flatten())
    model = again(model, tmp_path)
    assert model.input_contract.class_names == ("dark", "light")
    expected = model.predict(pictures, verbose=0)
    found = lamina.Predictor(model).answer(pictures.file_paths)
    np.testing.assert_allclose(
        [[*answer.probabilities.values()] for answer in found], expected, atol=1e-5
    )
    ((x, _),) = list(pictures)
    names = np.array(["dark", "light"])[expected.argmax(axis=1)]
    assert model.predict_labels(x).tolist() == names.tolist()


def test_other_sources_of_a_picture_give_the_answer_of_the_file(folder):
    pictures = image_dataset_from_directory(folder, image_size=(6, 6), verbose=False)
    model = trained(pictures, Input((6, 6, 3)), Rescaling(1 / 255), Flatten())
    path = folder / "dark" / "1.png"
    with Image.open(path) as image:
        sources = [str(path), path.read_bytes(), image.copy(), np.asarray(image)]
    found = [lamina.Predictor(model).answer(source)[0].confidence for source in sources]
    np.testing.assert_allclose(found, found[0], atol=1e-5)
    damaged = lamina.Predictor(model).answer(b"no picture")[0]
    assert damaged.error


def test_pixels_on_another_scale_than_the_loader_gave_are_announced(folder):
    pictures = image_dataset_from_directory(folder, image_size=(6, 6), verbose=False)
    model = trained(pictures, Input((6, 6, 3)), Rescaling(1 / 255), GlobalAveragePooling2D())
    ((x, _),) = list(pictures)
    model.predict(x, verbose=0)
    with pytest.warns(lamina.LaminaWarning, match="times smaller than in training"):
        model.predict(x / 255, verbose=0)


def test_texts_of_a_folder_get_names(folder, tmp_path):
    texts = text_dataset_from_directory(folder, verbose=False)
    read = lamina.layers.TextVectorization(max_tokens=10, output_mode="multi_hot")
    read.adapt(texts.map(lambda x, y: x))
    model = again(trained(texts, Input((), dtype="string"), read), tmp_path)
    assert model.input_contract.kind == "text"
    answers = lamina.Predictor(model).answer(["night", str(folder / "light" / "0.txt")])
    assert [answer.label for answer in answers] == ["dark", "light"]


def test_what_a_map_has_changed_keeps_the_names_of_classes_alone(folder):
    pictures = image_dataset_from_directory(folder, image_size=(6, 6), verbose=False)
    scaled = pictures.map(lambda x, y: (x / 255, y)).prefetch(1)
    assert scaled.contract == Contract(target="class", class_names=("dark", "light"))
    assert pictures.take(1).contract == pictures.contract
    model = trained(scaled, Input((6, 6, 3)), Flatten())
    assert model.input_contract.class_names == ("dark", "light")
    assert pictures.sample_names == pictures.file_paths


def test_a_series_remembers_the_values_of_its_targets(tmp_path):
    steps = np.arange(12.0)
    windows = timeseries_dataset_from_array(steps[:-3], steps[3:], 3, batch_size=4)
    model = lamina.Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(windows.map(lambda x, y: (x / 100, y / 100)), verbose=0)
    model.fit(windows, verbose=0, steps_per_epoch=1)
    known = again(model, tmp_path).input_contract.target_range
    assert (known.low, known.high) == (3, 9)


def test_files_without_classes_have_no_contract(folder):
    pictures = image_dataset_from_directory(folder, labels=None, image_size=(6, 6), verbose=False)
    assert pictures.contract is None


def test_a_source_of_batches_may_have_names_of_classes(rng):
    x, y = rng.random((6, 2)), np.arange(6) % 2

    class Loader:
        """As a DataLoader of PyTorch around a folder of pictures."""

        dataset = type("ImageFolder", (), {"classes": ["cat", "dog"]})()

        def __iter__(self):
            return iter([(x, y)])

    model = trained(Loader(), Input((2,)))
    assert set(model.predict_labels(x).tolist()) <= {"cat", "dog"}
    # What says nothing takes nothing away.
    model.fit(Dataset.from_tensor_slices((x, y)).batch(2), verbose=0)
    assert model.input_contract.class_names == ("cat", "dog")


def test_sounds_have_names_of_classes(tmp_path):
    import wave

    for name in ("high", "low"):
        (tmp_path / name).mkdir()
        with wave.open(str(tmp_path / name / "a.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 4, "NONE", ""))
            file.writeframes(b"\0" * 8)
    sounds = audio_dataset_from_directory(tmp_path, verbose=False)
    assert sounds.contract == Contract(target="class", class_names=("high", "low"))
