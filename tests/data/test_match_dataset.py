import numpy as np
import pytest
from PIL import Image

import drawings
import lamina
from lamina.data.match_dataset import form_of, match_picture, pictures_like
from lamina.data.picture_files import Picture, read_picture

MNIST = form_of("mnist")


def read(path):
    return match_picture(read_picture(path, 512), MNIST)


def centre_of_mass(image):
    rows, columns = np.indices(image.shape)
    return [float((at * image).sum() / image.sum()) for at in (rows, columns)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The digits 2 to 7 but one in eleven styles: what it is, how it is drawn, the file."""
    return list(drawings.write_all(tmp_path_factory.mktemp("pages"), (2, 3, 4, 5, 7)))


@pytest.fixture(scope="module")
def made(pages):
    """What is made of them, in the same order."""
    return [(style, digit, read(path)) for style, digit, path in pages]


def test_every_drawing_becomes_light_on_dark_20_pixels_long_and_centred_by_mass(made):
    assert len(made) == 55
    for style, digit, one in made:
        assert not one.is_blank, (style, digit)
        there = np.argwhere(one.image > 0.1)
        sides = there.max(axis=0) - there.min(axis=0) + 1
        # It may lie between pixels, and then touches one more.
        assert 19 <= sides.max() <= 21, (style, digit)
        assert np.abs(np.array(centre_of_mass(one.image)) - 14).max() < 0.75, (style, digit)
        assert one.image.max() > 0.9, (style, digit)


def test_whatever_paper_pen_and_light_the_same_strokes_are_found(made):
    """The images of one digit agree with its first style, black on white."""
    first = {digit: one.image for style, digit, one in made if style == "black on white"}
    for style, digit, one in made:
        image = one.image
        if style == "a thin pen":  # other strokes
            continue
        likeness = np.corrcoef(image.ravel(), first[digit].ravel())[0, 1]
        others = [
            np.corrcoef(image.ravel(), o.ravel())[0, 1] for d, o in first.items() if d != digit
        ]
        assert likeness > 0.8, (style, digit)
        assert likeness > max(others) + 0.2, (style, digit)


def test_dark_on_light_is_told(made):
    dark = {"black on white": True, "white on black": False, "chalk on a board": False,
            "photographed": True, "transparent": True}  # fmt: skip
    for style, digit, one in made:
        if style in dark:
            assert one.inverted == dark[style], (style, digit)


@pytest.mark.extra
def test_peoples_drawings_are_read(pages, real_data, optimized):
    """A dense network reads at least 52 of 55; unprepared it was 29."""
    (x, y), _ = lamina.datasets.mnist.load_data()
    layers = lamina.layers
    model = lamina.Sequential(
        [
            layers.Input((28, 28)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:20_000], y[:20_000], epochs=3, batch_size=64, verbose=0)
    images = pictures_like("mnist", [path for _, _, path in pages])
    assert images.shape == (55, 28, 28)
    said = model.predict(images, verbose=0).argmax(axis=1)
    assert np.sum(said == [digit for _, digit, _ in pages]) >= 52


def test_an_image_of_the_set_itself_is_left_as_it_is(tmp_path):
    image = np.zeros((28, 28), dtype="uint8")
    image[4:24, 13:16] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    made = read(tmp_path / "a.png")
    np.testing.assert_allclose(made.image, image / 255, atol=1e-6)
    assert not made.inverted


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_page_of_one_colour_is_blank(value):
    assert match_picture(Picture(np.full((40, 50, 3), value / 255), True), MNIST).is_blank


def test_a_photograph_of_an_empty_page_is_blank(rng):
    slope = np.linspace(0.5, 0.9, 80)[None, :, None]
    page = slope + rng.normal(0, 0.02, (60, 80, 3))
    assert match_picture(Picture(page.clip(0, 1), False), MNIST).is_blank


def test_colours_as_light_as_each_other_are_told_apart():
    page = np.zeros((60, 60, 3))
    page[..., 1] = 0.299 / 0.587  # green as light as the red
    page[10:50, 28:34] = (1, 0, 0)
    made = match_picture(Picture(page, False), MNIST)
    assert not made.is_blank
    assert made.image[14, 14] > 0.5


def test_light_strokes_on_a_transparent_ground_are_seen(tmp_path):
    image = np.zeros((60, 60, 4), dtype="uint8")
    image[10:50, 28:34] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    made = read(tmp_path / "a.png")
    assert (made.is_blank, made.inverted) == (False, False)
    assert made.image[14, 14] == 1


def test_specks_and_the_edge_of_a_table_are_left_out():
    page = np.full((100, 100, 3), 0.9)
    page[30:70, 45:52] = 0.1
    page[95:, :] = 0.3  # the table
    page[5, 5] = 0.1
    made = match_picture(Picture(page, False), MNIST)
    there = np.argwhere(made.image > 0.3)
    height, width = there.max(axis=0) - there.min(axis=0) + 1
    assert height in (20, 21)
    assert width <= 5


def test_clothes_are_made_light_on_dark_and_fill_the_image():
    page = np.full((100, 80, 3), 1.0)
    page[20:80, 30:50] = 0.4
    made = match_picture(Picture(page, False), form_of("fashion_mnist"))
    assert made.inverted
    assert made.image[:, 13].min() > 0.4  # from top to bottom
    assert made.image[:, :8].max() == 0


def test_what_the_user_says_of_light_and_dark_is_taken():
    page = np.full((60, 60, 3), 0.9)
    page[10:50, 28:34] = 0.1
    picture = Picture(page, True)
    assert match_picture(picture, MNIST, is_dark=True).image[14, 14] == 1
    assert match_picture(picture, MNIST, is_dark=False).image[14, 10:18].min() < 0.2


def test_a_blank_file_is_an_error_in_python(tmp_path):
    Image.new("L", (30, 30), 255).save(tmp_path / "page.png")
    with pytest.raises(ValueError, match=r"page\.png is blank"):
        pictures_like("mnist", [tmp_path / "page.png"])


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="Did you mean 'mnist'"):
        pictures_like("mnits", [])


def test_noise_is_not_called_blank(tmp_path, rng):
    noise = rng.integers(0, 256, (120, 120), dtype="uint8")
    Image.fromarray(noise).save(tmp_path / "noise.png")
    with pytest.raises(ValueError, match="looks like noise"):
        pictures_like("mnist", [tmp_path / "noise.png"])
