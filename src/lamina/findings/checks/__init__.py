"""Checks: functions from a record of a training to findings, one file for each kind.

A check is a function that takes a `Record` and yields `Finding`s. `CHECKS` lists them; add your own
with `CHECKS.append(check)`.
"""

from collections.abc import Callable, Iterable

from lamina.findings.checks import architecture, curves, failures, inputs, layers, outputs, targets
from lamina.findings.finding import Finding, Findings
from lamina.findings.record import Record

Check = Callable[[Record], Iterable[Finding]]

CHECKS: list[Check] = [
    outputs.check,
    inputs.check,
    targets.check,
    architecture.check,
    layers.check,
    curves.check,
    failures.check,
]

# Findings that many causes lead to, from the least to the most specific. They are left out if
# another finding explains them.
_SYMPTOMS = (
    "labels-unrelated",
    "too-few-epochs",
    "optimizer-choice",
    "batch-size-too-small",
    "learning-rate-too-low",
    "targets-not-scaled",
)
# Findings about the split, which explain poor results in validation.
_SPLIT_CODES = {"data-not-shuffled", "validation-unlike-training"}
_MIN_CONFIDENCE = 0.7


def all_findings_of(record: Record) -> list[Finding]:
    """The findings of every check, including those that another finding explains."""
    return [finding for check in CHECKS for finding in check(record)]


def findings_of(record: Record) -> Findings:
    """All findings of a record, the most important first.

    Args:
        record: The record of a training.

    Returns:
        `Findings`, without those that another finding explains.
    """
    findings = all_findings_of(record)
    codes = {finding.code for finding in findings}
    explained: set[str] = set()
    causes = [f for f in findings if f.severity == "problem" and f.confidence >= _MIN_CONFIDENCE]
    if any(f.code not in _SYMPTOMS for f in causes):
        explained.update(_SYMPTOMS)
    if any(f.severity == "problem" for f in findings if f.code != "labels-unrelated"):
        explained.add("labels-unrelated")
    if codes & _SPLIT_CODES:
        explained |= {"overfitting", "labels-unrelated"}
    findings = [finding for finding in findings if finding.code not in explained]
    findings.sort(key=lambda finding: (finding.code in _SYMPTOMS, -finding.confidence))
    return Findings(findings, record.unchecked)
