"""Picture files in the size and colours that a model takes."""

import numpy as np
from PIL import Image

from lamina.prediction.inputs import InputForm
from lamina.prediction.picture_inputs import looks_inverted, read_image, write_enlarged


def test_a_wide_image_is_filled_up_and_not_stretched(tmp_path):
    picture = np.full((10, 20), 255, dtype="uint8")
    picture[3:7, 8:12] = 0
    Image.fromarray(picture).save(tmp_path / "wide.png")
    image = read_image(tmp_path / "wide.png", InputForm(20, 20, 1, (20, 20)))
    dark = np.argwhere(image < 0.5)
    height, width = dark.max(axis=0) - dark.min(axis=0) + 1
    assert height == width == 4
    assert looks_inverted(image)


def test_a_transparent_ground_counts_as_paper(tmp_path):
    picture = np.zeros((8, 8, 4), dtype="uint8")
    picture[2:6, 3:5, 3] = 255  # opaque black strokes on nothing
    Image.fromarray(picture).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", InputForm(8, 8, 1, (8, 8)))
    assert image[0, 0] == 1
    assert image[3, 3] == 0


def test_an_empty_page_is_not_taken_for_writing():
    assert not looks_inverted(np.ones((8, 8)))
    assert not looks_inverted(np.zeros((8, 8)))


def test_an_image_is_written_so_large_that_its_pixels_are_seen(tmp_path):
    write_enlarged(np.eye(8), tmp_path / "seen.png")
    written = np.asarray(Image.open(tmp_path / "seen.png"))
    assert written.shape == (280, 280)
    np.testing.assert_array_equal(written[::35, ::35] / 255, np.eye(8))
