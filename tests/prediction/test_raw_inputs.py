"""Whatever a model is given becomes inputs, or is refused with what the model takes."""

import collections
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lamina.contract import Column, Contract, ImageInput, SeriesInput
from lamina.prediction.raw_inputs import read_inputs

COLUMNS = (
    Column("size", "number", decimal_comma=True),
    Column("place", "category", categories=("a", "b")),
    Column("day", "date", day_first=True),
)
CONTRACTS = {
    "images": Contract("images", image=ImageInput(4, 4, 3), class_names=("a", "b")),
    "table": Contract("table", columns=COLUMNS, target="price"),
    "text": Contract("text", columns=(Column("message", "text"),), class_names=("a", "b")),
    "series": Contract(
        "series", columns=(Column("v", "number"),), series=SeriesInput(3, 2, "when", True)
    ),
}
TAKES = {
    "images": (r"The model takes pictures: .*answer\('photo.jpg'\)"),
    "table": r"answer\({'size': 1.0, 'place': 'a', 'day': '2024-01-31'}\)",
    "text": r"answer\('a text'\)",
    "series": r"answer\(\[1, 2, 3\]\)|predictor.answer\({'v': \[…\]}\)",
}
Row = collections.namedtuple("Row", "size place day")
ROW = {"size": "2,5 ", "place": "b", "day": "02/03/2024"}


def read(kind, sources):
    return read_inputs(CONTRACTS[kind], sources)


# Of a type that nothing can be made of by any of the models.
WRONG = {
    "None": None,
    "a number": 3,
    "an object": object(),
    "an empty list": [],
    "an empty dict": {},
    "lists in lists": [[[]]],
    "NaN": float("nan"),
    "a complex number": 1j,
    "a set": {"a.png"},
    "a function": print,
    "a type": int,
    "a range": range(3),
    "numbers and texts": [1, "a"],
    "an array without axes": np.array(3.0),
    "an array of None": np.array([None, 1j], dtype=object),
    "complex numbers": np.ones((4, 4)) * 1j,
    "a date": pd.Timestamp("2024-01-01"),
    "an empty generator": (x for x in ()),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("kind", CONTRACTS)
def test_what_the_model_cannot_take_is_answered_with_what_it_takes(kind, what):
    with pytest.raises((TypeError, ValueError), match=f"(?s){TAKES[kind]}"):
        read(kind, WRONG[what])


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        ("images", ROW, "received a dict"),
        ("images", pd.DataFrame([ROW]), "received a DataFrame"),
        ("table", b"size", "received bytes"),
        ("table", np.ones((2, 3)), r"received an array of float64, of shape \(2, 3\)"),
        ("table", {**ROW, "size": object()}, "The value of 'size' is an object"),
        ("table", {**ROW, "size": {3}}, "The value of 'size' is a set"),
        ("table", {**ROW, "size": 1j}, "The value of 'size' is 1j"),
        ("table", {"size": [[1]], "place": ["a"], "day": [""]}, "'size' has a list in it"),
        ("table", {**ROW, "size": [1, 2]}, "It has size a list of 2, place one value"),
        ("table", {"size": 1, "place": "a"}, "no column 'day'"),
        ("table", pd.DataFrame([ROW])[:0], "The table has no rows"),
        ("table", pd.DataFrame([[1, 2]], columns=["size"] * 2), "several columns of one name"),
        ("text", {"words": "a", "more": "b"}, "no column 'message'"),
        ("text", {"message": [["a"]]}, "'message' has a list in it"),
        ("text", np.array([["a"]]), "received an array"),
        ("series", {"v": 3}, "received 3 for the column 'v'"),
        ("series", {"v": ["a", "b", "c"]}, "has no numbers to forecast from"),
        ("series", {"v": [None] * 4}, "has no numbers to forecast from"),
        ("series", {"v": [[1]] * 4}, "'v' has a list in it"),
        ("series", np.ones((4, 2)), r"received an array of shape \(4, 2\)"),
        ("series", b"1,2,3", "received bytes"),
        ("series", {"w": [1, 2, 3]}, "no column 'v'"),
    ],
)
def test_what_is_wrong_is_named(kind, wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read(kind, wrong)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"bytes", "these bytes are not a picture"),
        (io.BytesIO(b"bytes"), "these bytes are not a picture"),
        (np.ones(3), "not a picture: give"),
        (np.full((4, 4), np.nan), "NaN among them"),
        (-np.ones((4, 4)), "values from -1 to -1 is not a picture"),
        (np.full((4, 4), 256), "values from 256 to 256 is not a picture"),
        ("a\0b", "not a path"),
        ("x" * 5000, "not a path"),
        ("gone.png", "There is no file"),
    ],
)
def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_not_lost(source, error):
    found = read("images", [source, np.zeros((4, 4))])
    assert len(found.x) == 1
    assert error in next(iter(found.errors.values()))


def test_rows_may_have_many_forms():
    rows = (
        ROW,
        Row(*ROW.values()),
        pd.Series(ROW),
        pd.DataFrame([ROW]),
        {name: [value] for name, value in ROW.items()},
    )
    for row in (*rows, [ROW], (row for row in [ROW])):
        x = read("table", row).x
        assert (x["size"].tolist(), x["place"].tolist(), x["day_month"].tolist()) == (
            [2.5], ["b"], [3.0]
        )  # fmt: skip
    assert read("table", list(rows)).names == [f"row {i}" for i in range(1, 6)]


def test_values_that_are_of_another_kind_count_as_missing_and_are_named():
    found = read("table", [ROW, {**ROW, "size": "large", "day": "soon"}, {**ROW, "size": "x"}])
    assert np.isnan(found.x["size"]).tolist() == [False, True, True]
    assert found.remarks == [
        "size: 'large' in row 2 is not a number and counts as missing, and 1 more.",
        "day: 'soon' in row 2 is not a date and counts as missing.",
    ]


@pytest.mark.parametrize(
    "source",
    [
        [1, 2, 3],
        [0.5, 1, 2, 3],
        (1, 2, 3),
        np.array([1, 2, 3]),
        np.array([[[1], [2], [3]]]),
        pd.Series([1.0, 2.0, 3.0]),
        [1, None, 3],
        {"v": [0, 1, 2, 3]},
        pd.DataFrame({"when": ["02/03/2024", "01/03/2024", "01/02/2024"], "v": [3, 2, 1]}),
        [[1, 2, 3]],
    ],
)
def test_a_series_may_have_many_forms(source):
    assert read("series", source).x.tolist() == [[[1.0], [2.0], [3.0]]]


def test_several_series_are_several_forecasts():
    assert read("series", [[1, 2, 3], np.arange(4.0)]).x.shape == (2, 3, 1)


@pytest.mark.parametrize(
    "source",
    ["a b", b"a b", ["a b"], np.array(["a b"]), np.array("a b"), pd.Series(["a b"]),
     {"message": "a b"}, {"message": ["a b"]}, pd.DataFrame({"message": ["a b"]})],
)  # fmt: skip
def test_a_text_may_have_many_forms(source):
    assert read("text", source).x.tolist() == ["a b"]


@pytest.mark.parametrize(
    ("table", "value", "remark"),
    [
        ({"size": ["1.234", "2.5"]}, 1.234, "1.234 is read as 1.234, with a decimal point"),
        ({"size": ["1.234", "2,5"]}, 1234, None),
        ({"size": "1.234"}, 1234, None),
        ({"size": "2.50"}, 2.5, None),
        ({"size": ["1.234"], "other": ["0.5"]}, 1.234, "1.234 is read as 1.234"),
    ],
)
def test_numbers_are_read_as_the_table_tells_and_else_as_in_training(table, value, remark):
    several = isinstance(table["size"], list)
    rest = {name: ROW[name] for name in ("place", "day")}
    rest = {n: [v] * len(table["size"]) for n, v in rest.items()} if several else rest
    found = read("table", {**table, **rest})
    assert found.x["size"][0] == np.float32(value)
    said = [line for line in found.remarks if line.startswith("size: ")]
    assert len(said) == (remark is not None)
    assert all(remark in line for line in said)


def test_dates_are_read_in_the_order_that_the_table_tells_and_that_is_said():
    rows = [{**ROW, "day": "02/03/2024"}, {**ROW, "day": "01/31/2024"}]
    found = read("table", pd.DataFrame(rows))
    assert found.x["day_month"].tolist() == [2, 1]
    assert found.remarks == [
        "day: 02/03/2024 is read with the month first, as other dates of the column show; in "
        "training the day came first."
    ]


def test_a_value_that_is_new_in_a_category_is_named_with_what_may_be_meant():
    found = read("table", [{**ROW, "place": "B"}, {**ROW, "place": "x"}, {**ROW, "place": None}])
    assert found.remarks == [
        "place: 'B' in row 1 was not in training, where it is 'b', and counts as missing, "
        "and 1 more."
    ]


def test_an_infinite_number_counts_as_missing_and_is_named():
    found = read("table", {**ROW, "size": float("inf")})
    assert np.isnan(found.x["size"][0])
    assert "size: 'inf' in row 1 is not a number" in found.remarks[0]


def test_what_could_not_be_read_keeps_its_place():
    found = read("images", ["gone.png", np.zeros((4, 4)), "gone.png"])
    assert [(failure.name, failure.before) for failure in found.failures] == [
        ("gone.png", 0),
        ("gone.png", 1),
    ]


def test_what_is_odd_in_the_time_of_a_series_is_said():
    rows = {"when": ["01/01/2024", "03/01/2024", "02/01/2024", "09/01/2024"], "v": [1, 3, 2, 9]}
    remarks = read("series", pd.DataFrame(rows)).remarks
    assert "Rows were sorted by 'when'." in remarks
    assert any("intervals of" in remark for remark in remarks)
    (remark,) = read("series", pd.DataFrame({"v": [1, 2, 3]})).remarks
    assert "no column 'when'" in remark
    with pytest.raises(ValueError, match="several series"):
        read("series", pd.concat([pd.DataFrame(rows)] * 2))


def test_a_word_is_a_text_though_a_file_or_folder_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "README").write_text("win")
    (tmp_path / "home" / "a.txt").write_text("from a file")
    assert read("text", ["home", "README"]).x.tolist() == ["home", "README"]
    assert read("text", ["home/", "home/a.txt"]).x.tolist() == ["from a file"] * 2
    assert read("text", tmp_path / "home").x.tolist() == ["from a file"]


@pytest.mark.parametrize("text", ["", ".", "a\0b", "x" * 5000])
def test_a_text_that_could_be_a_path_and_is_none_is_a_text(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.txt").write_text("not asked for")
    found = read("text", [text, "gone.txt"])
    assert found.x.tolist() == [text]
    assert found.errors == {"gone.txt": "there is no such file"}


def test_pictures_may_be_open_files_columns_of_paths_and_several_in_an_array(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    with open(tmp_path / "a.png", "rb") as file:
        assert read("images", file).x[0, 0, 0].tolist() == [255, 0, 0]
    assert len(read("images", pd.Series([str(tmp_path / "a.png")] * 2)).x) == 2
    assert len(read("images", np.ones((3, 4, 4, 3))).x) == 3
