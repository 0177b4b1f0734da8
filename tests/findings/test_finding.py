"""Findings are sorted, shown as text and HTML, and written as JSON."""

import json

from lamina.findings import Change, Finding, Findings

HINT = Finding("b", "hint", "B is so.", "do b.")
PROBLEM = Finding(
    "a", "problem", "A <is> so.", "do a.", {"share": 0.5}, "x", Change("fit", "epochs", 3)
)


def test_problems_come_before_hints():
    assert Findings([HINT, PROBLEM]).codes == ["a", "b"]
    assert Findings([HINT, PROBLEM])[:1].codes == ["a"]


def test_json_has_every_field():
    record = json.loads(Findings([PROBLEM], ["streams"]).to_json())
    assert record["unchecked"] == ["streams"]
    (finding,) = record["findings"]
    assert finding["evidence"] == {"share": 0.5}
    change = {"where": "fit", "name": "epochs", "value": 3, "layer": None, "also": []}
    assert finding["change"] == change


def test_html_has_no_markup_of_the_user():
    page = Findings([PROBLEM])._repr_html_()
    assert "A &lt;is&gt; so." in page
    assert Findings()._repr_html_() == "<p>Nothing was found.</p>"


def test_changes_are_told_in_words():
    told = [
        Change("fit", "epochs", 3),
        Change("layer", "activation", "relu", "hidden"),
        Change("data", "standardize-inputs"),
    ]
    assert [change.describe() for change in told] == [
        "epochs = 3 in fit",
        "activation = 'relu' in layer 'hidden'",
        "standardize inputs",
    ]
