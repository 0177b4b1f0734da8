"""Inputs unlike those of training are found; those like them are not."""

import numpy as np
import pytest

from lamina.contract.compare import difference
from lamina.contract.measure import measure_range


def strokes(rng, samples, size=12):
    """Light strokes on a dark ground, of different thickness."""
    images = np.zeros((samples, size, size), "float32")
    for image in images:
        row, width = rng.integers(1, size - 4), rng.integers(1, 4)
        image[row : row + width, 1:-1] = rng.uniform(0.7, 1)
    return images


@pytest.fixture
def known(rng):
    return measure_range("x", strokes(rng, 500))


CHANGES = {
    "scale": (lambda x: 255 * x, "x / 255"),
    "inverted": (lambda x: 1 - x, "1 - x"),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("samples", [1, 4, 100])
def test_a_change_of_all_inputs_is_found_with_the_line_that_mends_it(known, rng, kind, samples):
    change, fix = CHANGES[kind]
    found = difference(known, change(strokes(rng, samples)))
    assert (found.kind, found.fix) == (kind, fix)


def test_inputs_scaled_down_are_found(rng):
    found = difference(measure_range("x", 255 * strokes(rng, 100)), strokes(rng, 20))
    assert (found.kind, found.fix) == ("scale", "x * 255")


def test_swapped_channels_are_found(rng):
    shade = np.array([0.8, 0.5, 0.2])
    pictures = rng.random((200, 8, 8, 3)) * shade
    known = measure_range("x", pictures)
    fresh = rng.random((50, 8, 8, 3)) * shade
    assert difference(known, fresh) is None
    found = difference(known, fresh[..., ::-1])
    assert (found.kind, found.fix) == ("channels", "x[..., ::-1]")


@pytest.mark.parametrize("samples", [1, 2, 8, 64])
def test_clean_inputs_raise_no_alarm(known, rng, samples):
    alarms = [difference(known, strokes(rng, samples)) for _ in range(200)]
    assert not any(alarms)


@pytest.mark.parametrize("size", [(6,), (5, 5), (4, 4, 3)])
def test_numbers_of_one_distribution_raise_no_alarm(rng, size):
    known = measure_range("x", rng.normal(3, 2, (300, *size)))
    assert not any(difference(known, rng.normal(3, 2, (n, *size))) for n in [1] * 200 + [32] * 50)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 12, 12)), np.full((2, 12, 12), np.nan), np.array(["a", "b"]), np.ones(0)]
)
def test_what_tells_nothing_raises_no_alarm(known, array):
    assert difference(known, array) is None


def test_ranges_are_those_of_numpy_and_missing_values_do_not_count():
    values = np.array([[1.0, np.nan], [3.0, 8.0]])
    found = measure_range("x", values)
    assert (found.low, found.high) == (1.0, 8.0)
    assert found.mean == pytest.approx(np.nanmean(values))
    assert found.spread == pytest.approx(np.nanstd(values))


@pytest.mark.parametrize("array", [np.array(["a"]), np.zeros((0, 3)), np.full((2, 2), np.nan)])
def test_what_has_no_numbers_has_no_range(array):
    assert measure_range("x", array) is None


def test_one_ordinary_row_of_numbers_raises_no_alarm(rng):
    known = measure_range("x", rng.normal(size=(300,)))
    assert difference(known, np.array([0.001])) is None
    assert (
        difference(measure_range("x", rng.lognormal(size=(300, 20))), rng.lognormal(3, 1, (4, 20)))
        is None
    )


def test_windows_of_a_series_are_not_taken_for_inverted_images(rng):
    level = np.linspace(0, 10, 300)[:, None, None]
    known = measure_range("x", level[:150] + rng.random((150, 24, 2)))
    assert difference(known, level[250:] + rng.random((50, 24, 2))) is None
