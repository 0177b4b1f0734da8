"""Pictures that are nearly the same."""

import numpy as np
import pytest

from lamina.diagnosis import find_duplicates
from lamina.diagnosis.data_checks.near_copies import near_copies


@pytest.fixture
def pictures(rng):
    """Forty smooth pictures of 20×20 pixels."""
    rough = rng.random((40, 5, 5, 1)).astype("float32")
    return rough.repeat(4, axis=1).repeat(4, axis=2)


CHANGES = {
    "equal": lambda part, rng: part,
    "noise": lambda part, rng: part + rng.normal(0, 0.01, part.shape),
    "down": lambda part, rng: np.roll(part, 1, axis=1),
    "left and up": lambda part, rng: np.roll(part, (-1, -1), axis=(1, 2)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_copy_is_found_though_it_was_changed_a_little(pictures, rng, change):
    copies = change(pictures[[7, 30]], rng)
    assert near_copies(copies, pictures).tolist() == [7, 30]


def test_other_pictures_are_no_copies(pictures):
    assert (near_copies(pictures[:20], pictures[20:]) == -1).all()


def test_a_picture_is_no_copy_of_itself(pictures):
    assert (near_copies(pictures, pictures, skip=np.arange(40)) == -1).all()


def test_empty_pictures_are_no_copies():
    assert (near_copies(np.zeros((2, 8, 8, 1)), np.zeros((3, 8, 8, 1))) == -1).all()


def test_near_copies_count_as_duplicates(pictures):
    moved = np.roll(pictures[[3]], 1, axis=2)
    x_val = np.concatenate([pictures[20:22], moved])
    assert find_duplicates(pictures[:20], x_val).tolist() == [2]
