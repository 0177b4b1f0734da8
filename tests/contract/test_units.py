"""A column in another unit is found and named; one in its own unit is left alone."""

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina.contract.compare import difference
from lamina.contract.measure import measure_range
from lamina.contract.units import compute_quantiles, find_other_unit
from lamina.core.messages.errors import LaminaWarning

CHANGES = [
    (lambda x: x * 10, "x / 10"),
    (lambda x: x / 10, "x * 10"),
    (lambda x: x / 0.3048, "x / 3.28084"),
    (lambda x: x * 0.3048, "x * 3.28084"),
    (lambda x: x / 0.45359237, "x / 2.20462"),
    (lambda x: x * 2.54, "x / 2.54"),
    (lambda x: x * 1.609344, "x / 1.60934"),
    (lambda x: x * 1.8 + 32, "(x - 32) / 1.8"),
    (lambda x: (x - 32) / 1.8, "x * 1.8 + 32"),
]


def column(rng, rows):
    return rng.normal(20, 2, rows).astype("float32")


@pytest.mark.parametrize(("change", "fix"), CHANGES)
def test_a_column_in_another_unit_is_found_with_the_line_that_mends_it(rng, change, fix):
    known = measure_range("x", column(rng, 1000))
    found = difference(known, change(column(rng, 50)))
    assert (found.kind, found.fix) == ("unit", fix)


def test_the_line_that_mends_it_brings_the_values_back(rng):
    values = column(rng, 100)
    known = measure_range("x", values)
    for change, _ in CHANGES:
        x = change(values)
        np.testing.assert_allclose(eval(difference(known, x).fix), values, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 29, 30, 400])
def test_a_column_in_its_own_unit_raises_no_alarm(rng, rows):
    for draw in (rng.normal, rng.gumbel, rng.lognormal):
        known = measure_range("x", draw(size=500))
        assert not any(difference(known, draw(size=rows)) for _ in range(100))


@pytest.mark.parametrize(
    "values", [np.arange(10.0).repeat(20), np.full(200, np.nan), np.zeros(0), np.eye(200)[0]]
)
def test_numbers_of_a_few_values_are_not_judged(values):
    assert compute_quantiles(values) == ((), ())


def test_too_few_rows_are_not_judged(rng):
    known = compute_quantiles(column(rng, 500))
    assert find_other_unit(*known, 10 * column(rng, 29)) is None
    assert find_other_unit(*known, np.full(50, np.nan)) is None


def test_predict_names_the_column_and_the_unit(rng):
    frame = pd.DataFrame({"warmth": rng.normal(15, 8, 200), "other": rng.normal(size=200)})
    frame["y"] = frame["warmth"] + frame["other"]
    data = lamina.data.load(frame, target="y", verbose=False)
    inputs, x = data.encoded()
    model = lamina.Model(inputs, data.decoded(lamina.layers.Dense(1)(x), inputs))
    model.compile("adam", "mse")
    model.fit(data.train, epochs=1, verbose=0)
    lamina.Predictor(model).answer(frame)
    with pytest.warns(LaminaWarning, match=r"(?s)input warmth .*°F in place of °C.*- 32\) / 1.8"):
        lamina.Predictor(model).answer(frame.assign(warmth=frame["warmth"] * 1.8 + 32))
