"""Description of loaded data: what `load` has guessed, left out or noticed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods

# Classes are imbalanced if the largest has this many times the samples of the smallest.
_IMBALANCE = 10
_MAX_SHOWN = 10


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
    """Description of data that `lamina.data.load` has loaded. `print` shows it as text.

    Args:
        title: The source, in one line.
        parts: Number of samples in each part.
        split: How the samples were split.
        classes: Number of samples of each class, in the order of the labels; empty for a number.
        columns: For a table, a line for every column: its kind and the reason for it.
        left_out: What could not be used.
        duplicates: Pairs of names of samples that are copies of each other.
        leaks: The duplicates whose samples are in different parts.
        remarks: Further remarks for the user.
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
        """Accuracy of always predicting the largest class; None without classes."""
        total = sum(self.classes.values())
        return max(self.classes.values()) / total if total else None

    @property
    def is_imbalanced(self) -> bool:
        """Whether the largest class has more than ten times the samples of the smallest."""
        counts = [count for count in self.classes.values() if count]
        return bool(counts) and max(counts) > _IMBALANCE * min(counts)

    def headline(self) -> str:
        """The lines that `load` prints."""
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
            lines.append(f"  Classes: {_list_counts(self.classes)}")
        if self.baseline is not None:
            lines.append(f"  Always answering the largest class is right for {self.baseline:.1%}")
        lines += _format_section("Columns", self.columns, None)
        lines += _format_section("Left out", list(map(str, self.left_out)))
        lines += _format_section("Copies", [f"{b} repeats {a}" for a, b in self.duplicates])
        lines += _format_section(
            "In more than one part", [f"{b} repeats {a}" for a, b in self.leaks]
        )
        lines += _format_section("Remarks", self.remarks, None)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def _list_counts(classes: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(classes.items())[:_MAX_SHOWN]]
    more = [f"and {len(classes) - _MAX_SHOWN:,} more"] if len(classes) > _MAX_SHOWN else []
    return ", ".join(shown + more)


def _format_section(
    title: str, lines: Sequence[str], max_lines: int | None = _MAX_SHOWN
) -> list[str]:
    if not lines:
        return []
    shown = lines if max_lines is None else lines[:max_lines]
    more = [f"    … and {len(lines) - len(shown):,} more"] if len(lines) > len(shown) else []
    return [f"  {title}:", *(f"    {line}" for line in shown), *more]
