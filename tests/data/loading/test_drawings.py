"""Whether images are drawings of one form is measured, not guessed from a name."""

import dataclasses

import numpy as np
import pytest

import lamina
from lamina.contract import Drawing
from lamina.data.loading.drawings import detect_drawing

RNG = np.random.default_rng(0)


def bars(place, length=20):
    """Light bars on dark images of 28 pixels; `place` gives the first row and column."""
    images = np.zeros((100, 28, 28, 1), "uint8")
    for image in images:
        row, column = place()
        image[row : row + length, column : column + 3] = 255
    return images


def test_bars_in_the_middle_have_a_form():
    assert detect_drawing(bars(lambda: (4, 12))) == Drawing(20, "mass", False, False, fullest=0.15)
    assert detect_drawing(255 - bars(lambda: (4, 12))).is_dark


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(bars(lambda: RNG.integers(0, 8, 2)), id="anywhere"),
        pytest.param(RNG.integers(0, 256, (100, 28, 28, 1)).astype("uint8"), id="noise"),
        pytest.param(np.zeros((100, 28, 28, 1), "uint8"), id="blank"),
        pytest.param(bars(lambda: (4, 12))[:20], id="too few"),
        pytest.param(np.repeat(bars(lambda: (4, 12)), 3, axis=3), id="colour"),
    ],
)
def test_other_images_have_none(images):
    assert detect_drawing(images) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # MNIST's authors scaled digits to 20 pixels and centred them by mass.
        ("mnist", Drawing(20, "mass", strokes=True, is_dark=False)),
        ("fashion_mnist", Drawing(28, "box", strokes=False, is_dark=False)),
    ],
)
def test_the_forms_of_known_sets_are_found(name, expected, real_data):
    (x, _), _ = getattr(lamina.datasets, name).load_data()
    found = detect_drawing(x[:2000, ..., None])
    assert dataclasses.replace(found, fullest=1.0) == expected


def test_the_fullest_drawing_is_found():
    squares = bars(lambda: (4, 12))
    squares[:, 4:6, 4:24] = 255
    found = detect_drawing(squares)
    assert found.strokes
    assert found.fullest == pytest.approx((20 * 3 + 2 * 17) / 400, abs=0.001)
