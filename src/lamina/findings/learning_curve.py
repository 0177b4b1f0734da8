"""LearningCurve: scores of copies of a model that were trained on fewer samples."""

from dataclasses import asdict, dataclass
from typing import Any

# A gain of this fraction makes it worthwhile to collect twice the samples.
_WORTHWHILE_GAIN = 0.01
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class LearningCurve:
    """Scores of copies of a model that were trained on parts of the samples.

    Every copy makes the same number of steps, so that the scores depend on the number of samples
    and not on the length of the training.

    Args:
        samples: Numbers of training samples, ascending.
        scores: The measure on validation samples, for each of them.
        train_scores: The same on training samples.
        gain: How much the validation score rose from the second to last number to the last.
        error: The standard error of that, over the validation samples.
        measure: What the scores are: `"balanced accuracy"` or `"R²"`.
        skipped: What was not measured, and why; empty if everything was.

    Example:
        >>> curve = LearningCurve((50, 100), (0.7, 0.8), (1.0, 1.0), 0.1, 0.02, "R²")
        >>> curve.sentence
        'More samples would probably help: with 100 instead of 50 the R² rose from 0.70 to 0.80.'
    """

    samples: tuple[int, ...]
    scores: tuple[float, ...]
    train_scores: tuple[float, ...]
    gain: float
    error: float
    measure: str
    skipped: str = ""

    @property
    def sentence(self) -> str:
        """Whether more samples would help."""
        before, after = (self._format(score) for score in self.scores[-2:])
        facts = (
            f"with {self.samples[-1]:,} instead of {self.samples[-2]:,} the {self.measure} "
            f"{'rose' if self.gain > 0 else 'went'} from {before} to {after}"
        )
        if self.gain > max(_WORTHWHILE_GAIN, _STANDARD_ERRORS * self.error):
            return f"More samples would probably help: {facts}."
        if self.gain + _STANDARD_ERRORS * self.error < 2 * _WORTHWHILE_GAIN:
            return f"More samples of this kind would gain little: {facts}."
        return (
            "Whether more samples would help cannot be told from so few validation samples: "
            f"{facts}, ± {self._format(_STANDARD_ERRORS * self.error)}."
        )

    def _format(self, score: float) -> str:
        return f"{score:.2f}" if self.measure == "R²" else f"{100 * score:.1f} %"

    def to_json(self) -> dict[str, Any]:
        """The curve as plain data.

        Returns:
            A dict of its fields and the sentence.
        """
        return {**asdict(self), "sentence": self.sentence}
