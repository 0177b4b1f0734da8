import shutil

import pytest
from PIL import Image

import lamina
from lamina.cli import main
from lamina.jobs import architectures


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs a command in an empty folder: `(exit code, stdout, stderr)`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return leaving.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def digits():
    return lamina.datasets.load("digits")


@pytest.fixture(scope="session")
def trained_file(digits, tmp_path_factory):
    """A model that reads digits with 97 %, saved as a user would."""
    lamina.utils.set_random_seed(1)
    model = architectures.build(digits, "mlp")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*digits.train, epochs=15, verbose=0)
    path = tmp_path_factory.mktemp("trained") / "model.keras"
    model.save(path)
    return path


@pytest.fixture
def model_file(trained_file, tmp_path):
    return shutil.copy(trained_file, tmp_path / "model.keras")


@pytest.fixture
def picture(digits, tmp_path):
    """Writes a test image as a file, enlarged as a scan would be."""

    def write(number, name="digit.png", inverted=False, size=(160, 160), mode="L"):
        pixels = (digits.test[0][number] * (255 / 16)).astype("uint8")
        image = Image.fromarray(255 - pixels if inverted else pixels).resize(
            (size[1], size[1]), Image.Resampling.BICUBIC
        )
        ground = Image.new("L", size, 255 if inverted else 0)
        ground.paste(image, ((size[0] - size[1]) // 2, 0))
        path = tmp_path / name
        ground.convert(mode).save(path)
        return path

    return write


@pytest.fixture
def save(tmp_path):
    """Saves a small untrained model."""

    def save(*layers, name="custom", compiled=False, file="custom.keras"):
        model = lamina.Sequential(list(layers), name=name)
        if compiled:
            model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.save(tmp_path / file)
        return tmp_path / file

    return save
