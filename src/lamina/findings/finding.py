"""Finding: a fault of a training, with its evidence and a fix; and Change, the fix as data."""

import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.findings.learning_curve import LearningCurve

SEVERITIES = ("problem", "warning", "hint")


@filter_tracebacks_of_methods
@dataclass(frozen=True)
class Change:
    """What to change, as a value: an argument, a setting of a layer, or an operation on the data.

    Args:
        where: `"compile"` or `"fit"` for an argument, `"layer"` for a setting of a layer, `"data"`
            for an operation on inputs or targets, `"model"` for an operation on its layers.
        name: The argument, the setting, or the operation.
        value: The new value, as plain data.
        layer: Name of the layer, for `"layer"`; None for all layers.
        also: Changes to make together with this one.

    Example:
        >>> Change("compile", "learning_rate", 0.001).describe()
        'learning_rate = 0.001 in compile'
    """

    where: str
    name: str
    value: Any = None
    layer: str | None = None
    also: tuple["Change", ...] = ()

    @classmethod
    def joined(cls, changes: "Iterable[Change]") -> "Change":
        """Combine several changes into one.

        Args:
            changes: One or more changes.

        Returns:
            The first single change, with the others in `also`.
        """
        first, *rest = (part for change in changes for part in change.parts)
        return replace(first, also=tuple(rest))

    @property
    def parts(self) -> "tuple[Change, ...]":
        """This change and those of `also`, as single changes."""
        return (replace(self, also=()), *(part for change in self.also for part in change.parts))

    def describe(self) -> str:
        """The change in words.

        Returns:
            One line of text.
        """
        layers: dict[tuple[str, str, str], list[str | None]] = {}
        values: dict[tuple[str, str, str], Any] = {}
        for part in self.parts:
            key = (part.where, part.name, repr(part.value))
            layers.setdefault(key, []).append(part.layer)
            values[key] = part.value
        return ", and ".join(
            _describe_part(name, values[where, name, value], where, layers[where, name, value])
            for where, name, value in layers
        )

    def to_json(self) -> dict[str, Any]:
        """The change as plain data.

        Returns:
            A dict of its fields.
        """
        return {**vars(self), "also": [part.to_json() for part in self.also]}


_MAX_NAMES = 3


def _describe_part(name: str, value: Any, where: str, layers: Sequence[str | None]) -> str:
    if where == "model":
        return f"{name.replace('-', ' ')} ({value}) before {layers[0]!r}"
    if where == "data":
        return name.replace("-", " ") + ("" if value is None else f" {value:g}")
    if where == "layer":
        where = "all layers"
        if None not in layers:
            where = "layer " if len(layers) == 1 else "layers "
            where += ", ".join(map(repr, layers[:_MAX_NAMES]))
            where += f" and {len(layers) - _MAX_NAMES} more" if len(layers) > _MAX_NAMES else ""
    return f"{name} = {value!r} in {where}"


@filter_tracebacks_of_methods
@dataclass(frozen=True)
class Finding:
    """A fault of a training, or a suspected one.

    Args:
        code: A stable name, such as `"inputs-not-scaled"`.
        severity: `"problem"`, `"warning"` or `"hint"`.
        title: The fault, in one sentence with its numbers.
        fix: What to do, in one sentence.
        evidence: From names to the numbers that show the fault; `"epoch"` is when it began, from 1.
        where: A layer, an argument, or indices of samples.
        change: The fix as a value; None if no single change fixes it.
        confidence: From 0 to 1.
        others: Codes of other causes that would show the same evidence.
        samples: Indices of the training samples concerned, the most doubtful first; some of them,
            if there are many.

    Example:
        >>> finding = Finding("one-class", "problem", "All labels are 3.", "Shuffle the data.")
        >>> print(finding)
        problem one-class: All labels are 3.
          Fix: Shuffle the data.
    """

    code: str
    severity: str
    title: str
    fix: str
    evidence: Mapping[str, float | str] = field(default_factory=dict)
    where: str | None = None
    change: Change | None = None
    confidence: float = 1.0
    others: tuple[str, ...] = ()
    samples: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity} {self.code}: {self.title}\n  Fix: {self.fix}"

    @property
    def epoch(self) -> int | None:
        """The epoch, from 1, in which it began or showed; None if no epoch is known."""
        epoch = self.evidence.get("epoch")
        return int(epoch) if isinstance(epoch, (int, float)) else None

    def apply(self, model: Any) -> Any:
        """Train a copy of the model with the change, and one without it, and compare them.

        Both are trained from the weights that the model had before its last `fit`, with the same
        data, epochs and batch size. The model is not changed.

        Args:
            model: The model that the finding is about, after `fit` with
                `lamina.config.set_diagnosis("full")`.

        Returns:
            An object with `helped`, the scores `before` and `after`, and the trained `model`.

        Raises:
            ValueError: If the finding has no change, or the training was not recorded.
        """
        if self.change is None:
            raise ValueError(f"{self.code} has no change to apply; what to do: {self.fix}")
        findings = getattr(getattr(model, "history", None), "findings", None)
        if findings is None or findings.apply is None:
            raise ValueError(
                f"The training of {getattr(model, 'name', model)!r} was not recorded.\n"
                '  Fix: lamina.config.set_diagnosis("full") before fit, or '
                "lamina.diagnosis.diagnose(model, x, y).apply(finding.change)."
            )
        return findings.apply(self.change)

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data.

        Returns:
            A dict of its fields.
        """
        return {
            **vars(self),
            "evidence": dict(self.evidence),
            "change": None if self.change is None else self.change.to_json(),
            "others": list(self.others),
            "samples": list(self.samples),
        }


@filter_tracebacks_of_methods
class Findings(Sequence[Finding]):
    """Findings, problems before warnings before hints, and what was not checked.

    Args:
        findings: Any number of findings.
        unchecked: What could not be checked, and why.
        apply: A function that takes a `Change`, trains copies with and without it, and returns the
            comparison; None if the training cannot be repeated.
        learning_curve: The scores of copies that were trained on fewer samples; None if there are
            none.

    Example:
        >>> hint, problem = Finding("b", "hint", "B.", "x"), Finding("a", "problem", "A.", "y")
        >>> [finding.code for finding in Findings([hint, problem])]
        ['a', 'b']
    """

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        unchecked: Sequence[str] = (),
        apply: Callable[[Change], Any] | None = None,
        learning_curve: LearningCurve | None = None,
    ):
        self._findings = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self.unchecked = tuple(unchecked)
        self.apply = apply
        self.learning_curve = learning_curve

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> "Findings": ...
    def __getitem__(self, index: int | slice) -> "Finding | Findings":
        if isinstance(index, slice):
            return Findings(self._findings[index], self.unchecked, self.apply, self.learning_curve)
        return self._findings[index]

    def __len__(self) -> int:
        return len(self._findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    @property
    def codes(self) -> list[str]:
        """The codes, in the same order."""
        return [finding.code for finding in self]

    def __str__(self) -> str:
        lines = [str(finding) for finding in self] or ["Nothing was found."]
        if self.learning_curve is not None:
            lines.append(self.learning_curve.sentence)
        if self.unchecked:
            lines.append(f"Not checked: {'; '.join(self.unchecked)}.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """For notebooks."""
        rows = "".join(
            f"<tr><td>{html.escape(finding.severity)}</td><td>{html.escape(finding.code)}</td>"
            f"<td>{html.escape(finding.title)}<br><b>Fix:</b> {html.escape(finding.fix)}</td></tr>"
            for finding in self
        )
        head = "<tr><th>severity</th><th>code</th><th>finding</th></tr>"
        notes = ""
        if self.unchecked:
            notes = f"<p>Not checked: {html.escape('; '.join(self.unchecked))}.</p>"
        if self.learning_curve is not None:
            notes = f"<p>{html.escape(self.learning_curve.sentence)}</p>" + notes
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        return (table if rows else "<p>Nothing was found.</p>") + notes

    def to_json(self) -> str:
        """The findings as JSON.

        Returns:
            The text of an object with `findings`, `unchecked` and, if there is one,
            `learning_curve`.
        """
        record: dict[str, Any] = {
            "findings": [finding.to_json() for finding in self],
            "unchecked": self.unchecked,
        }
        if self.learning_curve is not None:
            record["learning_curve"] = self.learning_curve.to_json()
        return json.dumps(record, indent=2, default=str)
