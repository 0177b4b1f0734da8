"""Checks of a training: the record that they read, the checks, and the findings that they return.

Everything here is plain data and pure functions. `lamina.training` fills records and shows
findings; `lamina.diagnosis` examines trained models.
"""

from lamina.findings.calibration import calibrated
from lamina.findings.checks import CHECKS, all_findings_of, findings_of
from lamina.findings.finding import SEVERITIES, Change, Finding, Findings
from lamina.findings.learning_curve import LearningCurve
from lamina.findings.record import (
    LayerFacts,
    LayerStatistics,
    OutputFacts,
    Record,
    Targets,
    Values,
)
from lamina.findings.refusals import finding_of_error

__all__ = [
    "CHECKS",
    "Change",
    "Finding",
    "Findings",
    "LayerFacts",
    "LayerStatistics",
    "LearningCurve",
    "OutputFacts",
    "Record",
    "SEVERITIES",
    "Targets",
    "Values",
    "all_findings_of",
    "calibrated",
    "finding_of_error",
    "findings_of",
]
