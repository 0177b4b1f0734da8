"""What was found in a user's data: everything that `load` has guessed, left out or noticed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods

# A class that is this many times rarer than the largest one is announced.
_IMBALANCE = 10
_SHOWN = 10


@dataclass(frozen=True)
class LeftOut:
    """Something of the source that is not among the samples, and why.

    Args:
        what: A file, column or row.
        why: The reason, as the end of a sentence: `"is damaged"`.
    """

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} {self.why}"


@filter_tracebacks_of_methods
@dataclass
class Description:
    """What `lamina.data.load` has found. `print` shows it as text.

    Args:
        title: What the source is, in a line.
        parts: Samples in each part.
        split: How the parts were made.
        classes: Samples of each class, in the order of the labels; empty for other targets.
        columns: For a table, a line for every column: its type and why it was taken for that.
        left_out: What could not be used.
        duplicates: Pairs of names of samples that are copies of each other.
        leaks: Those of them that are in different parts.
        remarks: What else the user should know.
    """

    title: str
    parts: dict[str, int]
    split: str
    classes: dict[str, int] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    leaks: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def baseline(self) -> float | None:
        """Accuracy of naming the largest class every time; None without classes."""
        total = sum(self.classes.values())
        return max(self.classes.values()) / total if total else None

    @property
    def is_imbalanced(self) -> bool:
        """Whether the largest class has more than ten times the samples of the smallest."""
        counts = [count for count in self.classes.values() if count]
        return bool(counts) and max(counts) > _IMBALANCE * min(counts)

    def headline(self) -> str:
        """The lines that `load` prints: what there is, and that something was left out."""
        sizes = ", ".join(f"{size:,} {part}" for part, size in self.parts.items())
        lines = [f"{self.title}: {sizes} (split: {self.split})."]
        if self.is_imbalanced and self.baseline is not None:
            largest = max(self.classes, key=lambda name: self.classes[name])
            lines.append(
                f"Classes are imbalanced: always answering {largest!r} is right for "
                f"{self.baseline:.1%}, which accuracy has to be compared with."
            )
        if self.leaks:
            lines.append(
                f"{len(self.leaks):,} samples of val or test are copies of training samples, so "
                "results there are too good."
            )
        if self.left_out:
            shown = "; ".join(map(str, self.left_out[:3]))
            more = f"; and {len(self.left_out) - 3:,} more" if len(self.left_out) > 3 else ""
            lines.append(f"Left out: {shown}{more}.")
        lines += self.remarks
        return "\n".join(lines)

    def __str__(self) -> str:
        sizes = ", ".join(f"{part} {size:,}" for part, size in self.parts.items())
        lines = [self.title, f"  Split ({self.split}): {sizes}"]
        if self.classes:
            lines.append(f"  Classes: {_counted(self.classes)}")
        if self.baseline is not None:
            lines.append(f"  Always answering the largest class is right for {self.baseline:.1%}")
        lines += _section("Columns", self.columns, None)
        lines += _section("Left out", list(map(str, self.left_out)))
        lines += _section("Copies", [f"{b} repeats {a}" for a, b in self.duplicates])
        lines += _section("In more than one part", [f"{b} repeats {a}" for a, b in self.leaks])
        lines += _section("Remarks", self.remarks, None)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def _counted(classes: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(classes.items())[:_SHOWN]]
    more = [f"and {len(classes) - _SHOWN:,} more"] if len(classes) > _SHOWN else []
    return ", ".join(shown + more)


def _section(title: str, lines: Sequence[str], most: int | None = _SHOWN) -> list[str]:
    if not lines:
        return []
    shown = lines if most is None else lines[:most]
    more = [f"    … and {len(lines) - len(shown):,} more"] if len(lines) > len(shown) else []
    return [f"  {title}:", *(f"    {line}" for line in shown), *more]
