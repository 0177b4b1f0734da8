"""What the outputs of a model mean: classes with names and probabilities, or numbers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.explanation.forward import Forward, activation_of
from lamina.models import Model
from lamina.prediction.predictor import Predictor
from lamina.prediction.probabilities import as_probabilities


@dataclass(frozen=True)
class OutputInterpretation:
    """What one output of a model says.

    Args:
        index: Its index among the outputs.
        name: Its name; `""` for the only one.
        kind: `"classes"`, of which one is right; `"two classes"`, with one number for both;
            `"labels"`, any of which may be right; `"numbers"`.
        names: Names of the classes, or of the numbers.
        positions: Number of positions with an answer each, as in a sequence; 1 for one answer.
    """

    index: int
    name: str
    kind: str
    names: tuple[str, ...]
    positions: int = 1

    @property
    def is_class(self) -> bool:
        """Whether the output predicts a class."""
        return self.kind != "numbers"

    def as_classes_if_probabilities(
        self, model: Model, output: np.ndarray
    ) -> "OutputInterpretation":
        """The interpretation, with kind `"classes"` if the numbers add up to 1.

        Args:
            model: The model.
            output: The output of the model for one sample, `(1, …)`.
        """
        sums = output.reshape(-1, _last_axis_size(output)).sum(axis=-1)
        if self.kind != "numbers" or _last_axis_size(output) < 2 or output.min() < 0:
            return self
        if not np.allclose(sums, 1, atol=1e-3):
            return self
        return replace(
            self, kind="classes", names=_infer_names(model, "classes", len(self.names), 1)
        )

    def values(self, output: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, or the numbers; their mean over all positions.

        Args:
            output: The output of the model for one sample, `(1, …)`.
        """
        rows = np.asarray(output, dtype=float).reshape(-1, _last_axis_size(output))
        if self.kind != "numbers":
            rows = as_probabilities(rows, independent=self.kind == "labels")
        return rows.mean(axis=0)

    def find_target(self, target: Any, values: np.ndarray) -> int:
        """The index of the class or number to explain; by default the likeliest class.

        Args:
            target: Index or name; None for the likeliest class, or the first number.
            values: Result of `values`.

        Raises:
            ValueError: If there is no such class or number.
        """
        what = "a class" if self.is_class else "an output"
        if target is None:
            return int(values.argmax()) if self.is_class else 0
        if isinstance(target, str) and target in self.names:
            return self.names.index(target)
        if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
            if 0 <= target < len(self.names):
                return int(target)
        shown = ", ".join(self.names[:12]) + (", …" if len(self.names) > 12 else "")
        hint = did_you_mean(str(target), self.names) if isinstance(target, str) else ""
        raise ValueError(
            f"target={target!r} is not {what} of the model, which has {len(self.names)}: "
            f"{shown}.{hint}"
        )

    def score(self, outputs: list[Any], target_index: int) -> Any:
        """The number to explain, from the outputs before softmax or sigmoid; to be traced.

        Args:
            outputs: The outputs of the model.
            target_index: Index of the class or number.
        """
        output = outputs[self.index].astype("float32")
        rows = output.reshape(-1, _last_axis_size(output))
        if self.kind == "two classes":
            return rows.mean() * (1 if target_index == 1 else -1)
        return rows[:, target_index].mean()


def interpret_output(forward: Forward, output: str | int | None = None) -> OutputInterpretation:
    """What an output of a model means.

    Args:
        forward: The model's computation.
        output: Name or number of the output; the first for None.

    Raises:
        ValueError: If there is no such output.
    """
    model = forward.model
    names = list(model._learner.signature.output_names)
    if len(names) != len(forward.outputs):
        names = [f"output_{i}" for i in range(len(forward.outputs))]
    index = _index_of(output, names)
    spec = forward.outputs[index]
    classes = spec.shape[-1] if len(spec.shape) > 1 else 1
    kind = _infer_kind(forward, index, classes, len(names) == 1)
    positions = int(np.prod(spec.shape[1:-1], dtype=int)) if len(spec.shape) > 2 else 1
    name = names[index] if len(names) > 1 else ""
    return OutputInterpretation(
        index, name, kind, _infer_names(model, kind, classes, len(names)), positions
    )


def _last_axis_size(output: Any) -> int:
    return int(output.shape[-1]) if output.ndim > 1 else 1


def _index_of(output: Any, names: list[str]) -> int:
    if output is None:
        return 0
    if isinstance(output, str) and output in names:
        return names.index(output)
    if isinstance(output, int) and not isinstance(output, bool) and 0 <= output < len(names):
        return output
    hint = did_you_mean(output, names) if isinstance(output, str) else ""
    raise ValueError(
        f"The model has no output {output!r}.{hint}\n  Its outputs: {', '.join(names)}."
    )


def _infer_kind(forward: Forward, index: int, classes: int, is_only: bool) -> str:
    activations = [activation_of(c.layer) for c in forward.calls if c.output_index == index]
    if "softmax" in activations and classes > 1:
        return "classes"
    if "sigmoid" in activations:
        return "two classes" if classes == 1 else "labels"
    contract = forward.model.input_contract
    class_names = contract.class_names if contract is not None and is_only else None
    loss = _crossentropy(forward.model, index)
    has_two_names = class_names is not None and len(class_names) == 2
    if loss == "binary" or (loss is None and has_two_names and classes == 1):
        return "two classes" if classes == 1 else "labels"
    if loss == "categorical" or (class_names is not None and len(class_names) == classes > 1):
        return "classes"
    return "numbers"


def _crossentropy(model: Model, index: int) -> str | None:
    """`"binary"` or `"categorical"`, if the loss of the output is such a crossentropy."""
    learner = model._learner
    if not learner.compiled:
        return None
    if learner.objectives.built:
        losses: list[Any] = [loss for i, loss in learner.objectives.losses if i == index]
    else:
        losses = [learner.objectives.loss]  # the argument of `compile`
    names = [str(getattr(loss, "name", loss)).lower().replace("_", "") for loss in losses]
    if not names or "crossentropy" not in names[0]:
        return None
    return "binary" if "binary" in names[0] else "categorical"


def _infer_names(model: Model, kind: str, classes: int, outputs: int) -> tuple[str, ...]:
    contract = model.input_contract
    if kind == "numbers":
        target = contract.target if contract is not None else None
        if classes == 1:
            return (target or "the output",)
        return tuple(f"{target or 'output'} {i + 1}" for i in range(classes))
    count = 2 if kind == "two classes" else classes
    class_names = contract.class_names if contract is not None else None
    if outputs == 1 and (class_names is None or len(class_names) == count):
        return Predictor(model).names_of(count)
    return tuple(map(str, range(count)))
