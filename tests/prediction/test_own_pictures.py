"""Pictures are made like those of training: light or dark, in the right place and size."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lamina.contract import Contract, Drawing, ImageInput, novelty
from lamina.data.picture_files import picture_of
from lamina.prediction.own_pictures import match_training

RNG = np.random.default_rng(0)
STROKES = ImageInput(28, 28, 1, Drawing(longest=20, centred_by="mass", strokes=True, is_dark=False))


def made(image, contract):
    return match_training(picture_of(image), contract, lambda: picture_of(image))


@pytest.fixture(scope="module")
def page():
    """A thick line in ink, in the corner of a page."""
    page = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(page).line([(40, 20), (30, 120)], fill="navy", width=12)
    return page


def box_of(pixels):
    there = np.argwhere(pixels[..., 0] > 100)
    return there.min(axis=0), there.max(axis=0) + 1


def test_a_drawing_is_cropped_scaled_centred_and_made_light_on_dark(page):
    picture = made(page, Contract("images", image=STROKES))
    assert picture.is_inverted
    assert picture.is_centred
    first, last = box_of(picture.pixels)
    assert max(last - first) == pytest.approx(20, abs=1)
    assert (first + last) / 2 == pytest.approx([14.5, 14.5], abs=1)


def test_a_drawing_is_made_dark_on_light_for_a_model_that_learnt_such_ones(page):
    light = made(page, Contract("images", image=STROKES)).pixels
    drawing = Drawing(longest=20, centred_by="mass", strokes=True, is_dark=True)
    dark = made(page, Contract("images", image=ImageInput(28, 28, 1, drawing)))
    assert not dark.is_inverted
    np.testing.assert_allclose(255 - dark.pixels.astype(int), light, atol=30)


def test_a_picture_like_those_of_training_is_only_resized(page):
    contract = Contract("images", image=STROKES)
    usual = made(page, contract).pixels
    again = made(Image.fromarray(usual[..., 0]), contract)
    assert not again.is_centred
    np.testing.assert_array_equal(again.pixels, usual)


def test_without_a_form_an_unusual_picture_is_inverted_if_that_makes_it_usual():
    faces = np.clip(200 + 20 * RNG.normal(size=(300, 1, 1, 1)) * np.ones((1, 12, 12, 3)), 0, 255)
    faces[:, 4:8, 4:8] = 60
    faces = faces + RNG.normal(size=faces.shape)
    contract = Contract(
        "images", image=ImageInput(12, 12, 3), novelty=novelty.compute_statistics({"x": faces})
    )
    usual = Image.fromarray(faces[0].astype("uint8"))
    assert not made(usual, contract).is_inverted
    inverse = made(Image.fromarray(255 - faces[0].astype("uint8")), contract)
    assert inverse.is_inverted
    np.testing.assert_array_equal(inverse.pixels, made(usual, contract).pixels)
    noise = Image.fromarray(RNG.integers(0, 256, (12, 12, 3)).astype("uint8"))
    assert not made(noise, contract).is_inverted


def test_a_blank_page_stays_as_it_is():
    picture = made(Image.new("L", (100, 100), 255), Contract("images", image=STROKES))
    assert picture.pixels.min() == 255


def test_what_is_no_stroke_is_not_made_like_one():
    drawing = Drawing(longest=20, centred_by="mass", strokes=True, is_dark=False, fullest=0.6)
    contract = Contract("images", image=ImageInput(28, 28, 1, drawing))
    shirt = Image.new("L", (200, 200), 255)
    shirt.paste(60, (40, 30, 160, 180))
    assert not made(shirt, contract).is_centred


def test_a_picture_of_the_size_and_background_of_training_is_not_changed():
    contract = Contract("images", image=STROKES)
    corner = np.zeros((28, 28), "uint8")
    corner[2:12, 3:5] = 255
    np.testing.assert_array_equal(made(Image.fromarray(corner), contract).pixels[..., 0], corner)
