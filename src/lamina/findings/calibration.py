"""Calibration: converts the confidence of checks and trials to the share of right findings.

Checks and trials weigh evidence with numbers that were chosen by hand; how often the
findings are right was measured on programs with known faults, see `calibration_table.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lamina.findings.calibration_table import SHARES
from lamina.findings.finding import Finding, Findings

Steps = Sequence[tuple[float, float]]
# Evidence of a change that was tried on a copy.
_SCORE_ALONE, _SCORE_TOGETHER = "score with the change", "score with all changes"


def evidence_of(finding: Finding, is_first: bool) -> str:
    """The kind of evidence, by which findings are calibrated.

    Args:
        finding: The finding.
        is_first: Whether no other finding is shown before it.
    """
    if finding.severity == "hint":
        return "hint"
    tried = _SCORE_ALONE in finding.evidence or _SCORE_TOGETHER in finding.evidence
    return f"{'tried' if tried else 'seen'}, {'first' if is_first else 'later'}"


def calibrated(findings: Findings) -> Findings:
    """The same findings, each with the share of such findings that are right as its confidence.

    Args:
        findings: Findings with the confidence of the checks and trials.

    Returns:
        Findings in the same order.

    Example:
        >>> sure = Finding("one-class", "problem", "All labels are 3.", "Shuffle.", confidence=1.0)
        >>> calibrated(Findings([sure])).codes
        ['one-class']
    """
    found = [
        replace(finding, confidence=share_right(evidence_of(finding, i == 0), finding.confidence))
        for i, finding in enumerate(findings)
    ]
    return Findings(found, findings.unchecked, findings.apply, findings.learning_curve)


def share_right(evidence: str, confidence: float, shares: Mapping[str, Steps] = SHARES) -> float:
    """How often findings of a kind and confidence are right.

    Args:
        evidence: The kind, from `evidence_of`.
        confidence: What the check or the trial gave.
        shares: The steps of each kind.

    Returns:
        The share of the last step that begins at or below the confidence; the confidence itself
        for a kind without steps.
    """
    steps = shares.get(evidence)
    if not steps:
        return confidence
    reached_shares = [share for lowest, share in steps if confidence >= lowest]
    return reached_shares[-1] if reached_shares else steps[0][1]
