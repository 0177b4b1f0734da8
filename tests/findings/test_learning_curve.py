"""Whether more samples would help, as a sentence."""

import json

import pytest

from lamina.findings import Findings, LearningCurve


def curve(gain, error, measure="balanced accuracy"):
    return LearningCurve(
        (250, 500, 1000), (0.7, 0.8, 0.8 + gain), (1.0, 0.99, 0.98), gain, error, measure
    )


@pytest.mark.parametrize(
    ("gain", "error", "words"),
    [
        (0.05, 0.01, "More samples would probably help"),
        (0.05, 0.04, "cannot be told from so few validation samples"),
        (0.004, 0.002, "More samples of this kind would gain little"),
        (-0.03, 0.01, "More samples of this kind would gain little"),
    ],
)
def test_a_gain_counts_only_beyond_chance(gain, error, words):
    assert words in curve(gain, error).sentence


def test_the_sentence_has_the_scores():
    assert "with 1,000 instead of 500 the balanced accuracy rose from 80.0 % to 85.0 %" in (
        curve(0.05, 0.01).sentence
    )
    assert "the R² rose from 0.80 to 0.85" in curve(0.05, 0.01, "R²").sentence


def test_findings_carry_it_as_text_and_as_data():
    found = Findings(learning_curve=curve(0.05, 0.01))
    assert curve(0.05, 0.01).sentence in str(found)
    assert found[:1].learning_curve == found.learning_curve
    assert json.loads(found.to_json())["learning_curve"]["samples"] == [250, 500, 1000]
    assert "probably help" in found._repr_html_()
