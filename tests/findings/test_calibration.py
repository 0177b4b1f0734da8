"""Confidence: how often findings with the same evidence are right."""

import pytest

from lamina.findings import Finding, Findings
from lamina.findings.calibration import calibrated, evidence_of, share_right
from lamina.findings.calibration_table import SHARES

SEEN = Finding("zeros", "problem", "Zeros.", "Change it.")
TRIED = Finding("zeros", "problem", "Zeros.", "Change it.", {"score with the change": 0.9})
HINT = Finding("zeros", "hint", "Zeros.", "Change it.")


@pytest.mark.parametrize(
    ("finding", "is_first", "evidence"),
    [
        (SEEN, True, "seen, first"),
        (SEEN, False, "seen, later"),
        (TRIED, True, "tried, first"),
        (TRIED, False, "tried, later"),
        (HINT, True, "hint"),
    ],
)
def test_evidence_is_what_was_tried_and_in_which_place(finding, is_first, evidence):
    assert evidence_of(finding, is_first) == evidence


@pytest.mark.parametrize(
    ("confidence", "share"), [(0.3, 0.4), (0.5, 0.4), (0.79, 0.4), (0.8, 0.7), (1.0, 0.7)]
)
def test_the_share_is_that_of_the_last_step_reached(confidence, share):
    steps = {"seen, first": ((0.5, 0.4), (0.8, 0.7))}
    assert share_right("seen, first", confidence, steps) == share


def test_evidence_that_was_not_measured_keeps_its_confidence():
    assert share_right("seen, first", 0.3, {}) == 0.3


def test_calibration_changes_nothing_but_the_confidence():
    before = Findings([TRIED, SEEN, HINT], ["labels"], apply=print)
    after = calibrated(before)
    assert after.codes == before.codes
    assert after.unchecked == before.unchecked
    assert after.apply is print
    assert [found.evidence for found in after] == [found.evidence for found in before]


@pytest.mark.parametrize("evidence", list(SHARES))
def test_shares_rise_with_the_confidence_and_are_never_certain(evidence):
    least, shares = zip(*SHARES[evidence], strict=True)
    assert list(least) == sorted(least)
    assert list(shares) == sorted(shares)
    assert shares[0] > 0
    assert shares[-1] < 1
