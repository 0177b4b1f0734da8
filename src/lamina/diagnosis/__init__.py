"""Diagnosis of a training, and reports on a trained model.

`diagnose` finds what is wrong with a model and its data. `Examiner` does so at the end of `fit`,
after `lamina.config.set_diagnosis("full")`. `label_noise` finds wrong labels, and `find_duplicates`
finds validation samples that are also in the training data.

`write_report` measures a trained model and writes an HTML page. `measure` evaluates the model,
`judge` sums up the result in a sentence, `charts` draws figures, `write_page` writes the page.
"""

from lamina.diagnosis.data_checks.duplicates import find_duplicates
from lamina.diagnosis.data_checks.label_noise import LabelNoise, label_noise
from lamina.diagnosis.diagnose import diagnose
from lamina.diagnosis.html_page import write_page
from lamina.diagnosis.outcome import Outcome, measure
from lamina.diagnosis.report import write_report
from lamina.diagnosis.verdict import Verdict, judge
from lamina.findings import Findings

__all__ = [
    "Findings", "LabelNoise", "Outcome", "Verdict", "diagnose", "find_duplicates", "judge",
    "label_noise", "measure", "write_page", "write_report",
]  # fmt: skip
