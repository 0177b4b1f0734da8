"""Checks whether inputs are scaled, and whether their columns vary."""

from collections.abc import Iterator

from lamina.findings.finding import Change, Finding
from lamina.findings.performance import performance
from lamina.findings.properties import LARGE_INPUT_SHARE, WEIGHTED_KINDS
from lamina.findings.record import Record, Values

# Inputs with a smaller standard deviation are too small.
_MIN_STD = 0.01
_SCALING_KINDS = ("Rescaling", "Normalization", "BatchNormalization", "LayerNormalization")
# Above this multiple of the loss of guessing, the first loss shows that outputs are too large.
_MAX_FIRST_LOSS = 3.0


def check(record: Record) -> Iterator[Finding]:
    """Findings about the inputs of a model."""
    scaled = is_scaled(record)
    for values in record.inputs:
        if not scaled:
            yield from _check_scale(record, values.name, values)
        if values.constant > 0.5 and len(values.shape) == 1 and values.shape[0] > 2:
            yield Finding(
                "constant-inputs",
                "warning",
                title=f"{values.constant:.0%} of the columns of {values.name} have the same value "
                "in every sample.",
                fix="Look for the step that lost the values, or leave these columns out.",
                evidence={"share of constant columns": values.constant},
                where=values.name,
                confidence=0.7,
            )


def is_scaled(record: Record) -> bool:
    """Whether a layer may scale the inputs before the first layer with a kernel."""
    for layer in record.layers:
        if not layer.is_from_lamina or layer.kind in _SCALING_KINDS or layer.kind == "Embedding":
            return True
        if layer.kind in WEIGHTED_KINDS:
            return False
    return True


def _check_scale(record: Record, name: str, values: Values) -> Iterator[Finding]:
    large = values.large > LARGE_INPUT_SHARE
    small = 0 < values.std < _MIN_STD and max(abs(values.low), abs(values.high)) < 10 * _MIN_STD
    if not large and not small:
        return
    are_pixels = values.kind in "iu" or (0 <= values.low and values.high <= 255)
    are_pixels = are_pixels and 200 < values.high <= 255 and len(values.shape) > 1
    evidence = {"lowest": values.low, "highest": values.high, "mean": values.mean}
    progress = performance(record)
    effect = ""
    if (
        progress is not None
        and progress.first_loss > _MAX_FIRST_LOSS * progress.guessing_loss
        and large
    ):
        evidence |= {
            "loss of epoch 1": progress.first_loss,
            "loss of guessing": progress.guessing_loss,
        }
        effect = (
            f" The loss of the first epoch was {progress.first_loss:.3g}, where guessing gives "
            f"{progress.guessing_loss:.3g}."
        )
    went_well = (
        progress is not None
        and (progress.train_progress if progress.val_progress is None else progress.val_progress)
        > 0.9
    )
    yield Finding(
        "inputs-not-scaled",
        "warning" if went_well else "problem",
        title=f"{name} runs from {values.low:.4g} to {values.high:.4g}, and no layer scales "
        f"it.{effect}",
        fix=f"{name} = {name} / 255."
        if are_pixels
        else "normalization = lamina.layers.Normalization(); normalization.adapt(x), and "
        "normalization as the first layer.",
        evidence=evidence,
        where=name,
        change=Change("data", "divide-inputs-by", 255)
        if are_pixels
        else Change("data", "standardize-inputs"),
        confidence=0.9 if effect else 0.7,
    )
