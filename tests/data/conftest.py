"""Small folders of pictures, texts and sounds."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile


@pytest.fixture
def pictures(tmp_path, rng):
    """Ten pictures of unequal size in two classes, and a file that is none."""
    folder = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            height, width = rng.integers(9, 25, 2)
            pixels = rng.integers(0, 256, (height, width, 3), dtype="uint8")
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    (folder / "dog" / "notes.md").write_text("not a picture")
    return folder


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    for name, words in {"ham": "see you soon", "spam": "win a prize now"}.items():
        (folder / name).mkdir(parents=True)
        for number in range(3):
            (folder / name / f"{number}.txt").write_text(f"{words} {number}", encoding="utf-8")
    return folder


@pytest.fixture
def sounds(tmp_path):
    """Four tones of unequal length, 8,000 samples per second."""
    folder = tmp_path / "sounds"
    for name, frequency in {"low": 100, "high": 400}.items():
        (folder / name).mkdir(parents=True)
        for number in range(2):
            time = np.arange(80 + 20 * number) / 8000
            wave = (np.sin(2 * np.pi * frequency * time) * 32767).astype("int16")
            wavfile.write(folder / name / f"{number}.wav", 8000, wave)
    return folder
