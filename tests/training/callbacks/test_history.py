"""What a History shows at a prompt and in a notebook."""

import re
import xml.etree.ElementTree

import numpy as np
import pytest

import lamina
from lamina.training.callbacks.history_view import as_html, as_text

pytestmark = pytest.mark.quick

MEASURED = {"val_loss": [0.5, 0.45, 0.4], "loss": [0.5, 0.25, 0.125], "mae": [3.0, 2.0, 1.0]}


def test_the_table_has_a_line_for_each_epoch_and_the_loss_first():
    assert as_text(MEASURED, [0, 1, 2]).splitlines() == [
        "epoch    loss     mae  val_loss",
        "    1  0.5000  3.0000    0.5000",
        "    2  0.2500  2.0000    0.4500",
        "    3  0.1250  1.0000    0.4000",
    ]


def test_many_epochs_are_shown_by_their_ends():
    lines = as_text({"loss": list(np.linspace(1, 0, 500))}, range(500)).splitlines()
    assert len(lines) == 14
    assert lines[7].split() == ["…", "…"]
    assert lines[-1].split() == ["500", "0.0000"]


@pytest.mark.parametrize(("freq", "lines"), [(2, [2, 4]), ([1, 4], [1, 4])])
def test_validations_stand_beside_their_epochs(freq, lines):
    table = as_text({"loss": [4, 3, 2, 1], "val_loss": [0.2, 0.1]}, range(4), freq).splitlines()
    assert [i for i, line in enumerate(table) if len(line.split()) == 3 and i] == lines


def test_what_is_not_a_number_is_left_out():
    assert "counts" not in as_text({"loss": [0.5], "counts": [[1, 2]]}, [0])


def parts_of(page):
    return xml.etree.ElementTree.fromstring(page.replace("&nbsp;", " "))


def test_a_notebook_gets_a_curve_of_each_measure_and_of_its_validation():
    page = parts_of(as_html(MEASURED, [0, 1, 2]))
    pictures = page.findall("svg")
    assert [picture.get("aria-label") for picture in pictures] == [
        "loss over the epochs",
        "mae over the epochs",
    ]
    assert [len(picture.findall("polyline")) for picture in pictures] == [2, 1]
    assert len(page.findall(".//tbody/tr")) == 3


def test_curves_lie_inside_their_picture_and_go_down_where_the_numbers_do():
    (picture,) = parts_of(as_html({"loss": [3.0, 2.0, 0.5]}, [0, 1, 2])).findall("svg")
    points = [
        tuple(map(float, point.split(",")))
        for point in picture.find("polyline").get("points").split()
    ]
    assert all(0 <= x <= 300 and 0 <= y <= 190 for x, y in points)
    assert [y for _, y in points] == sorted(y for _, y in points)


def test_a_curve_that_hardly_moves_looks_like_it():
    (picture,) = parts_of(as_html({"loss": [0.9, 0.901, 0.9]}, [0, 1, 2])).findall("svg")
    heights = [float(p.split(",")[1]) for p in picture.find("polyline").get("points").split()]
    assert max(heights) - min(heights) < 5


def test_numbers_that_are_not_finite_leave_a_gap():
    page = as_html({"loss": [1.0, float("nan"), float("inf")]}, [0, 1, 2])
    assert "nan" not in re.search(r'points="(.*?)"', page)[1]


def test_names_are_escaped():
    assert "<b>" not in as_html({"<b>": [1.0, 2.0]}, [0, 1])


def test_fit_returns_what_shows_itself():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.zeros((4, 2)), np.zeros(4), epochs=2, verbose=0)
    assert repr(history).splitlines()[0].split() == ["epoch", "loss"]
    assert "<svg" in history._repr_html_()
    assert repr(lamina.callbacks.History()) == "<History of no epoch>"


def test_a_model_is_shown_in_a_notebook_by_its_layers():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(3, name="a_<dense>")])
    page = model._repr_html_()
    assert "a_&lt;dense&gt; (Dense)" in page
    assert "(None, 3)" in page
    assert "Parameters: 9" in page


def test_a_model_that_is_not_built_is_shown_as_well():
    assert "Not built yet" in lamina.Sequential([lamina.layers.Dense(3)])._repr_html_()
