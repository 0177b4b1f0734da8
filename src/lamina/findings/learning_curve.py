"""LearningCurve: what copies reach that were trained on fewer samples."""

from dataclasses import asdict, dataclass
from typing import Any

# A gain of this share from twice the samples is worth collecting them.
_WORTH = 0.01
_ERRORS = 2.0


@dataclass(frozen=True)
class LearningCurve:
    """Scores of copies of a model that were trained on parts of the samples.

    Every copy makes the same number of steps, so the scores differ by what there is to learn from
    and not by how long was learned.

    Args:
        samples: Numbers of training samples, ascending.
        scores: The measure on validation samples, for each of them.
        train_scores: The same on training samples.
        gain: How much the validation score rose from the last but one number to the last.
        error: The standard error of that, over the validation samples.
        measure: What the scores are: `"balanced accuracy"` or `"R²"`.
        skipped: What was left out, and why; empty if nothing was.

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
        before, after = (self._shown(score) for score in self.scores[-2:])
        facts = (
            f"with {self.samples[-1]:,} instead of {self.samples[-2]:,} the {self.measure} "
            f"{'rose' if self.gain > 0 else 'went'} from {before} to {after}"
        )
        if self.gain > max(_WORTH, _ERRORS * self.error):
            return f"More samples would probably help: {facts}."
        if self.gain + _ERRORS * self.error < 2 * _WORTH:
            return f"More samples of this kind would gain little: {facts}."
        return (
            "Whether more samples would help cannot be told from so few validation samples: "
            f"{facts}, ± {self._shown(_ERRORS * self.error)}."
        )

    def _shown(self, score: float) -> str:
        return f"{score:.2f}" if self.measure == "R²" else f"{100 * score:.1f} %"

    def to_json(self) -> dict[str, Any]:
        """The curve as plain data.

        Returns:
            A dict of its fields and the sentence.
        """
        return {**asdict(self), "sentence": self.sentence}
