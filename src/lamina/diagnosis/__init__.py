"""What a training says: verdicts, pictures and the report page.

`measure` takes the measures of a trained classifier, `judge` puts the verdict into one sentence,
`pictures` draws, `write_report` writes the page.
"""

from lamina.diagnosis.outcome import Outcome, measure
from lamina.diagnosis.report import write_report
from lamina.diagnosis.verdict import Verdict, judge

__all__ = ["Outcome", "Verdict", "judge", "measure", "write_report"]
