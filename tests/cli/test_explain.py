import json

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina import layers


def test_a_picture_is_explained_and_drawn(run, model_file, picture, tmp_path):
    code, out, err = run("explain", model_file, picture(0), "--out", "why.png")
    assert code == 0, err
    assert "says 6 (" in out
    assert out.splitlines()[1].startswith("  Most for 6: row ")
    assert (tmp_path / "why.png").read_bytes()[:4] == b"\x89PNG"


def test_json_has_the_probabilities_and_the_class_that_was_asked_for(run, model_file, picture):
    code, out, _ = run("explain", model_file, picture(0), "--target", "3", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["explained"] == "3"
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)


@pytest.fixture
def houses(tmp_path):
    """A model of a table with a contract, and the table."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 9, 30), "town": ["a", "b", "c"] * 10})
    frame["price"] = frame["size"] * 10 + rng.normal(0, 9, 30)
    frame.to_csv(tmp_path / "houses.csv", index=False)
    data = lamina.data.load(tmp_path / "houses.csv", target="price", verbose=False)
    inputs, x = data.encoded()
    model = lamina.Model(inputs, layers.Dense(1)(x), name="houses")
    model.compile("sgd", "mse")
    model.fit(data.train, verbose=0)
    model.save(tmp_path / "houses.keras")
    return tmp_path


def test_a_row_of_a_table_is_explained_by_its_columns(run, houses):
    code, out, err = run("explain", "houses.keras", "houses.csv", "--row", "2")
    assert code == 0, err
    assert "gives price = " in out
    assert "town = b" in out
    code, _, err = run("explain", "houses.keras", "houses.csv", "--row", "99")
    assert code == 1
    assert "has 30 samples, but --row is 99" in err


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"hello", (), "is not an image"),
        (None, (), "There is no file"),
        ("picture", ("--target", "cat"), "target='cat' is not a class"),
        ("picture", ("--out", "no/such/folder/why.png"), "name a file in a folder that exists"),
        ("picture", ("--out", "why.doc"), "is saved as a picture or a page"),
    ],
)
def test_what_cannot_be_explained_is_said(
    run, model_file, picture, tmp_path, content, arguments, message
):
    path = tmp_path / "digit.png"
    if content == "picture":
        picture(0)
    elif content is not None:
        path.write_bytes(np.bytes_(content))
    code, out, err = run("explain", model_file, path, *arguments)
    assert (code, out) == (1, "")
    assert message in err
