"""Samples that occur more than once, also if a picture was compressed or resized meanwhile."""

import io

import numpy as np
import pytest
from PIL import Image

from lamina.data.loading.duplicates import copies_of_pictures


def photos(rng, number=12, side=96):
    small = rng.integers(0, 256, (number, 7, 7, 3)).astype("uint8")
    return np.stack(
        [
            np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BICUBIC))
            for p in small
        ]
    )


def compressed(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def resized(picture):
    image = Image.fromarray(picture)
    return np.asarray(image.resize((60, 60)).resize(image.size, Image.Resampling.BICUBIC))


@pytest.mark.parametrize("change", [np.copy, compressed, resized])
def test_a_copy_is_found_though_it_was_compressed_or_resized(rng, change):
    pictures = photos(rng)
    copies = copies_of_pictures(np.concatenate([pictures, [change(p) for p in pictures]]))
    assert copies.pairs == [(i, i + 12) for i in range(12)]


def test_other_pictures_are_no_copies(rng):
    pictures = photos(rng)
    inverted, mirrored = 255 - pictures, pictures[:, :, ::-1]
    recoloured = pictures[..., [2, 0, 1]]
    made = np.concatenate([pictures, inverted, mirrored, recoloured])
    assert copies_of_pictures(made).pairs == []


def test_small_drawings_on_a_large_page_are_no_copies(rng):
    pages = np.zeros((60, 64, 64, 1), "uint8")
    for page in pages:
        y, x = rng.integers(0, 56, 2)
        page[y : y + 8, x : x + 8, 0] = 200 * (rng.random((8, 8)) < 0.5)
    assert copies_of_pictures(pages).pairs == []


def test_all_copies_of_one_picture_are_one_group(rng):
    pictures = np.repeat(photos(rng, 2), 20, axis=0)
    copies = copies_of_pictures(pictures)
    assert sorted(set(copies.groups.tolist())) == [0, 20]
    assert len(copies.pairs) == 38


@pytest.mark.parametrize("number", [0, 1])
def test_one_picture_or_none_has_no_copy(number):
    assert copies_of_pictures(np.zeros((number, 8, 8, 1), "uint8")).pairs == []
