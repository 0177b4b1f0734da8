"""Checks why a training ended with a loss that is NaN or infinite."""

from collections.abc import Iterator

from lamina.findings.checks.curves import rate_ratio
from lamina.findings.finding import Change, Finding
from lamina.findings.record import Record

# Above this multiple of the usual learning rate, trainings often diverge.
_HIGH_RATIO = 10.0


def check(record: Record) -> Iterator[Finding]:
    """Findings about a training that diverged."""
    if record.ended != "not finite":
        return
    ratio, rate, usual = rate_ratio(record), record.learning_rate, record.usual_rate
    epoch = len(record.epochs) + 1
    when = f"in epoch {epoch}"
    if ratio is not None and ratio >= _HIGH_RATIO and usual is not None:
        yield Finding(
            "learning-rate-too-high",
            "problem",
            title=f"The loss stopped being a finite number {when}, with a learning rate of "
            f"{rate:g}.",
            fix=f"optimizer=lamina.optimizers.{record.optimizer}({usual:g}).",
            evidence={"epoch": epoch, "learning rate": rate or 0.0, "usual": usual},
            where="learning_rate",
            change=Change("compile", "learning_rate", usual),
            confidence=0.8,
            others=("non-finite",),
        )
        return
    yield Finding(
        "non-finite",
        "problem",
        title=f"The loss stopped being a finite number {when}.",
        fix="clipnorm=1.0 in the optimizer and a tenth of the learning rate; inputs between 0 and "
        "1.",
        evidence={"epoch": epoch, **({} if rate is None else {"learning rate": rate})},
        where="optimizer",
        change=None if rate is None else Change("compile", "learning_rate", rate / 10),
        confidence=0.5,
        others=("learning-rate-too-high", "exploding-gradients", "inputs-not-scaled"),
    )
