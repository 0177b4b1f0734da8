"""What the TensorBoard callback writes of diagnosis: statistics of layers, and findings as text."""

from collections.abc import Iterable

from lamina.findings import Finding, Record

_STATISTICS = ("gradient", "update", "dead", "saturated", "rank")


def last_statistics(record: Record, after: int) -> tuple[int, dict[str, float]]:
    """The latest statistics of layers, if they are newer than a step.

    Args:
        record: What is known of the training.
        after: The step of those that were written before; -1 for none.

    Returns:
        Their step, and numbers by tag, such as `layers/dense/gradient`; `after` and none if there
        are no newer ones.
    """
    step = max((one.step for one in record.statistics), default=-1)
    if step <= after:
        return after, {}
    scalars = {
        f"layers/{one.layer}/{name}": float(value)
        for one in record.statistics
        if one.step == step
        for name in _STATISTICS
        if (value := getattr(one, name)) is not None
    }
    return step, scalars


def findings_as_text(findings: Iterable[Finding]) -> str:
    """Findings as a list in Markdown, which TensorBoard shows under Text."""
    return "\n\n".join(
        f"**{found.severity} {found.code}**: {found.title}  \nFix: `{found.fix}`"
        for found in findings
    )
