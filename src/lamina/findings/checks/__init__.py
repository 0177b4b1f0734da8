"""Checks: functions from a record of a training to findings, one file for each kind.

A check is a function that takes a `Record` and yields `Finding`s. `CHECKS` lists them; your own is
added with `CHECKS.append(check)`.
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

# What the losses show whatever the cause is, from the vaguest to the most certain. A symptom is
# left out if a cause is known that explains it.
_SYMPTOMS = (
    "labels-unrelated",
    "too-few-epochs",
    "optimizer-choice",
    "batch-size-too-small",
    "learning-rate-too-low",
    "targets-not-scaled",
)
# They explain a validation that goes badly.
_OF_THE_SPLIT = {"data-not-shuffled", "validation-unlike-training"}
_CERTAIN = 0.7


def all_findings_of(record: Record) -> list[Finding]:
    """What every check finds, including symptoms of what another one finds."""
    return [finding for check in CHECKS for finding in check(record)]


def findings_of(record: Record) -> Findings:
    """All findings of a record, the most important first.

    Args:
        record: What is known of a training.

    Returns:
        `Findings`, without those that another one explains.
    """
    found = all_findings_of(record)
    codes = {finding.code for finding in found}
    explained: set[str] = set()
    if any(f.severity == "problem" and f.confidence >= _CERTAIN for f in found):
        causes = [f for f in found if f.severity == "problem" and f.confidence >= _CERTAIN]
        if any(f.code not in _SYMPTOMS for f in causes):
            explained.update(_SYMPTOMS)
    if codes - {"labels-unrelated"} and any(
        f.severity == "problem" for f in found if f.code != "labels-unrelated"
    ):
        explained.add("labels-unrelated")
    if codes & _OF_THE_SPLIT:
        explained |= {"overfitting", "labels-unrelated"}
    kept = [finding for finding in found if finding.code not in explained]
    kept.sort(key=lambda finding: (finding.code in _SYMPTOMS, -finding.confidence))
    return Findings(kept, record.unchecked)
