"""Evaluation of a trained model in words and pictures: verdict, charts and a report page.

`write_report` measures a trained model and writes the page. Its parts: `measure`
evaluates the model, `judge` sums up the result in a sentence, `charts` draws, `write_page` writes.
"""

from lamina.diagnosis.html_page import write_page
from lamina.diagnosis.outcome import Outcome, measure
from lamina.diagnosis.report import write_report
from lamina.diagnosis.verdict import Verdict, judge

__all__ = ["Outcome", "Verdict", "judge", "measure", "write_page", "write_report"]
