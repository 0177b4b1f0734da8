import numpy as np
import pytest
from PIL import Image

from lamina.data.picture_files import read_picture


@pytest.mark.parametrize(
    ("array", "scale"),
    [
        (np.array([[0, 65_535]], "uint16"), 65_535),
        (np.array([[0, 4000]], "uint16"), 4095),
        (np.array([[0, 200]], "uint16"), 255),
        (np.array([[0, 0.5]], "float32"), 1),
    ],
)
def test_grey_values_of_more_than_8_bits_are_scaled_and_noted(tmp_path, array, scale):
    path = tmp_path / "deep.tif"
    Image.fromarray(array).save(path)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.grey, array / scale, atol=1e-6)
    assert picture.note.endswith(f"taken as 0…{scale}")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_is_read_as_colours_from_0_to_1(tmp_path, mode):
    path = tmp_path / "a.tif"
    if mode in ("P", "LA"):
        path = tmp_path / "a.png"
    Image.new("L", (6, 5), 255).convert(mode).save(path)
    picture = read_picture(path)
    assert picture.pixels.shape == (5, 6, 3)
    np.testing.assert_allclose(picture.pixels, 1, atol=0.02)
    assert picture.is_blank


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"hello", "is not an image"),
        ("a.png", b"", "is empty"),
        ("a.csv", b"x,y\n1,2\n", "is a table"),
        ("a.keras", b"PK", "is a model, not a picture"),
    ],
)
def test_what_is_no_picture_says_what_it_is(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "tif"])
def test_a_truncated_file_is_named(tmp_path, kind, rng):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), "uint8")).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(ValueError, match=rf"a\.{kind}"):
        read_picture(path)


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        read_picture(tmp_path)


def test_a_large_picture_is_averaged_down(tmp_path):
    Image.new("L", (900, 300)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", largest=300).pixels.shape == (100, 300, 3)
