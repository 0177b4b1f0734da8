"""Answer: the prediction for one input, with the class names of the model's contract.

`Predictor.answer` returns answers, and `lamina predict` prints them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.prediction.probabilities import as_probabilities


@filter_tracebacks_of_methods
@dataclass(frozen=True)
class Answer:
    """The prediction of a model for one input.

    Args:
        input: Name of the input: a file, a row, a text.
        label: The most probable class, or None for a number.
        confidence: Probability of that class.
        probabilities: Probability of every class, by name.
        value: The number, or the list of numbers of a forecast; None for a class.
        error: Why there is no answer, or None.
        is_far: Whether the input is far from all inputs that the model was trained on, so that its
            class means little; None if that is not known.

    Example:
        >>> Answer("a.png", "cat", 0.9, {"cat": 0.9, "dog": 0.1}).to_json()["label"]
        'cat'
    """

    input: str
    label: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    value: float | list[float] | None = None
    error: str | None = None
    is_far: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """The answer as a dict, without the fields that do not apply."""
        if self.error is not None:
            return {"input": self.input, "error": self.error}
        if self.label is None:
            return {"input": self.input, "value": self.value}
        return {
            "input": self.input,
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": self.probabilities,
            **({} if self.is_far is None else {"none_of_these": self.is_far}),
        }


def make_answers(
    contract: Contract, names: list[str], outputs: np.ndarray, far: np.ndarray | None = None
) -> list[Answer]:
    """Convert the outputs of a model to answers.

    Args:
        contract: Contract of the model.
        names: Names of the inputs.
        outputs: `(samples, classes)`, or `(samples, 1)` or `(samples, forecast)` for numbers.
        far: Whether each input is far from those of training, if that is known.
    """
    if contract.class_names is None:
        values = np.asarray(outputs, dtype=float).reshape(len(names), -1)
        return [
            Answer(name, value=row[0] if len(row) == 1 else row)
            for name, row in zip(names, values.tolist(), strict=True)
        ]
    probabilities = as_probabilities(np.asarray(outputs))
    if probabilities.shape[1] != len(contract.class_names):
        raise ValueError(
            f"The model predicts {probabilities.shape[1]} classes, but its file has "
            f"{len(contract.class_names)} names of classes."
        )
    answers = []
    far_or_unknown = [None] * len(names) if far is None else far.tolist()
    for name, row, is_far in zip(names, probabilities.tolist(), far_or_unknown, strict=True):
        by_name = dict(zip(contract.class_names, row, strict=True))
        best = max(by_name, key=lambda label: by_name[label])
        answers.append(Answer(name, best, by_name[best], by_name, is_far=is_far))
    return answers
