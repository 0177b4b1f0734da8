"""Checks of layer statistics: dead and saturated units, gradients that vanish or explode."""

from collections.abc import Callable, Iterator

from lamina.findings.finding import Change, Finding
from lamina.findings.moments import as_evidence, epoch_of_step, seen_since
from lamina.findings.performance import performance
from lamina.findings.record import LayerStatistics, Record

# Fractions of dead units from which there is a warning, and a problem.
_DEAD_WARNING, _DEAD_PROBLEM = 0.5, 0.9
_SATURATED_WARNING = 0.7
# The gradient of the first layer relative to that of the last one.
_VANISHING = 1e-3
_EXPLODING = 100.0
# Above this progress from guessing (0) to a loss of 0 (1), nothing is reported.
_GOOD_PROGRESS = 0.8


def check(record: Record) -> Iterator[Finding]:
    """Findings from the layer statistics at the end of a training."""
    if not record.statistics:
        return
    progress = performance(record)
    if progress is not None and progress.train_progress > _GOOD_PROGRESS:
        return
    last_step = max(statistics.step for statistics in record.statistics)
    final_statistics = [
        statistics for statistics in record.statistics if statistics.step == last_step
    ]
    # Saturated outputs of the last layer are normal; `outputs.py` checks its activation.
    yield from _check_dead_units(record, final_statistics[:-1])
    yield from _check_saturation(record, final_statistics[:-1])
    yield from _check_gradients(record, final_statistics)


def _is_dead(statistics: LayerStatistics) -> bool:
    return (statistics.dead or 0.0) > _DEAD_WARNING


def _is_saturated(statistics: LayerStatistics) -> bool:
    return (statistics.saturated or 0.0) > _SATURATED_WARNING


def _check_dead_units(record: Record, final_statistics: list[LayerStatistics]) -> Iterator[Finding]:
    dead = [statistics for statistics in final_statistics if _is_dead(statistics)]
    if not dead:
        return
    worst = max(dead, key=lambda statistics: statistics.dead or 0.0)
    share = worst.dead or 0.0
    yield Finding(
        "dead-relu",
        "problem" if share > _DEAD_PROBLEM else "warning",
        title=f"{share:.0%} of the units of {worst.layer!r} output 0 for every sample, so their "
        "weights no longer change.",
        fix=f"activation='leaky_relu' in {worst.layer!r}, or a smaller learning rate.",
        evidence={
            "share of dead units": share,
            **as_evidence(seen_since(record, worst.layer, _is_dead)),
        },
        where=worst.layer,
        change=Change.joined(
            Change("layer", "activation", "leaky_relu", statistics.layer) for statistics in dead
        ),
        confidence=0.6,
        others=("learning-rate-too-high", "bad-initialization", "inputs-not-scaled"),
    )


def _check_saturation(record: Record, final_statistics: list[LayerStatistics]) -> Iterator[Finding]:
    saturated = [statistics for statistics in final_statistics if _is_saturated(statistics)]
    if not saturated:
        return
    worst = max(saturated, key=lambda statistics: statistics.saturated or 0.0)
    share = worst.saturated or 0.0
    yield Finding(
        "saturated-activations",
        "warning",
        title=f"{share:.0%} of the outputs of {worst.layer!r} are where its activation saturates "
        "and gradients are close to 0.",
        fix=f"activation='relu' in {worst.layer!r}, or smaller inputs.",
        evidence={
            "share of saturated outputs": share,
            **as_evidence(seen_since(record, worst.layer, _is_saturated)),
        },
        where=worst.layer,
        change=Change.joined(
            Change("layer", "activation", "relu", statistics.layer) for statistics in saturated
        ),
        confidence=0.6,
        others=("inputs-not-scaled", "bad-initialization", "learning-rate-too-high"),
    )


def _end_gradients(statistics: list[LayerStatistics]) -> tuple[float, float] | None:
    """The gradients of the first and the last layer that have one."""
    gradients = [layer.gradient for layer in statistics if layer.gradient is not None]
    return (gradients[0], gradients[-1]) if len(gradients) >= 3 else None


def _vanishes(first: float, last: float) -> bool:
    return last > 0 and first < _VANISHING * last


def _explodes(first: float, last: float) -> bool:
    return last > 0 and first > _EXPLODING * max(last, 1e-6) and first > 1.0


def _first_bad_epoch(record: Record, is_bad: Callable[[float, float], bool]) -> dict[str, float]:
    """The epoch since which the gradients of the first and last layer are bad, as evidence."""
    first_bad_step = None
    for step in sorted({statistics.step for statistics in record.statistics}, reverse=True):
        ends = _end_gradients([layer for layer in record.statistics if layer.step == step])
        if ends is None or not is_bad(*ends):
            break
        first_bad_step = step
    return as_evidence(None if first_bad_step is None else epoch_of_step(record, first_bad_step))


def _check_gradients(record: Record, final_statistics: list[LayerStatistics]) -> Iterator[Finding]:
    ends = _end_gradients(final_statistics)
    if ends is None:
        return
    with_gradient = [
        statistics for statistics in final_statistics if statistics.gradient is not None
    ]
    first, last = ends
    gradients = {"gradient of the first layer": first, "gradient of the last layer": last}
    if _vanishes(first, last):
        yield Finding(
            "vanishing-gradients",
            "warning",
            title=f"The gradient of {with_gradient[0].layer!r} is {first / last:.1g} times that "
            f"of {with_gradient[-1].layer!r}: the first layers hardly learn.",
            fix="activation='relu' in hidden layers, BatchNormalization between them, or fewer "
            "layers.",
            evidence={**gradients, **_first_bad_epoch(record, _vanishes)},
            where=with_gradient[0].layer,
            confidence=0.6,
            others=("dead-relu", "saturated-activations", "bad-initialization"),
        )
    elif _explodes(first, last):
        yield Finding(
            "exploding-gradients",
            "warning",
            title=f"The gradient of {with_gradient[0].layer!r} is {first / last:.3g} times that "
            f"of {with_gradient[-1].layer!r}.",
            fix="clipnorm=1.0 in the optimizer.",
            evidence={**gradients, **_first_bad_epoch(record, _explodes)},
            where=with_gradient[0].layer,
            change=Change("compile", "clipnorm", 1.0),
            confidence=0.5,
            others=("bad-initialization", "inputs-not-scaled"),
        )
