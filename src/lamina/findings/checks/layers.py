"""What layers did: dead and saturated units, gradients that vanish or explode."""

from collections.abc import Callable, Iterator

from lamina.findings.finding import Change, Finding
from lamina.findings.moments import as_evidence, epoch_of_step, seen_since
from lamina.findings.performance import performance
from lamina.findings.record import LayerStatistics, Record

_DEAD, _MOST_DEAD = 0.5, 0.9
_SATURATED = 0.7
# The gradient of the first layer relative to that of the last one.
_VANISHING = 1e-3
_EXPLODING = 100.0
# A training that came so far is not hindered.
_WELL = 0.8


def check(record: Record) -> Iterator[Finding]:
    """Findings about what layers did at the end of a training."""
    if not record.statistics:
        return
    progress = performance(record)
    if progress is not None and progress.learned > _WELL:
        return
    last_step = max(measured.step for measured in record.statistics)
    last = [measured for measured in record.statistics if measured.step == last_step]
    # The last layer may be as certain as it likes, and checks of outputs tell of its activation.
    yield from _dead(record, last[:-1])
    yield from _saturated(record, last[:-1])
    yield from _gradients(record, last)


def _is_dead(measured: LayerStatistics) -> bool:
    return (measured.dead or 0.0) > _DEAD


def _is_saturated(measured: LayerStatistics) -> bool:
    return (measured.saturated or 0.0) > _SATURATED


def _dead(record: Record, last: list[LayerStatistics]) -> Iterator[Finding]:
    dead = [measured for measured in last if _is_dead(measured)]
    if not dead:
        return
    worst = max(dead, key=lambda measured: measured.dead or 0.0)
    share = worst.dead or 0.0
    yield Finding(
        "dead-relu",
        "problem" if share > _MOST_DEAD else "warning",
        title=f"{share:.0%} of the units of {worst.layer!r} give 0 for every sample, so their "
        "weights do not change any more.",
        fix=f"activation='leaky_relu' in {worst.layer!r}, or a smaller learning rate.",
        evidence={
            "share of dead units": share,
            **as_evidence(seen_since(record, worst.layer, _is_dead)),
        },
        where=worst.layer,
        change=Change.joined(
            Change("layer", "activation", "leaky_relu", measured.layer) for measured in dead
        ),
        confidence=0.6,
        others=("learning-rate-too-high", "bad-initialization", "inputs-not-scaled"),
    )


def _saturated(record: Record, last: list[LayerStatistics]) -> Iterator[Finding]:
    ends = [measured for measured in last if _is_saturated(measured)]
    if not ends:
        return
    worst = max(ends, key=lambda measured: measured.saturated or 0.0)
    share = worst.saturated or 0.0
    yield Finding(
        "saturated-activations",
        "warning",
        title=f"{share:.0%} of the outputs of {worst.layer!r} are at an end of its activation, "
        "where gradients are close to 0.",
        fix=f"activation='relu' in {worst.layer!r}, or smaller inputs.",
        evidence={
            "share of saturated outputs": share,
            **as_evidence(seen_since(record, worst.layer, _is_saturated)),
        },
        where=worst.layer,
        change=Change.joined(
            Change("layer", "activation", "relu", measured.layer) for measured in ends
        ),
        confidence=0.6,
        others=("inputs-not-scaled", "bad-initialization", "learning-rate-too-high"),
    )


def _ends(measured: list[LayerStatistics]) -> tuple[float, float] | None:
    """The gradients of the first and the last layer that have one."""
    gradients = [one.gradient for one in measured if one.gradient is not None]
    return (gradients[0], gradients[-1]) if len(gradients) >= 3 else None


def _vanishes(first: float, final: float) -> bool:
    return final > 0 and first < _VANISHING * final


def _explodes(first: float, final: float) -> bool:
    return final > 0 and first > _EXPLODING * max(final, 1e-6) and first > 1.0


def _since(record: Record, is_bad: Callable[[float, float], bool]) -> dict[str, float]:
    """The epoch since which the gradients at both ends are bad, as evidence."""
    since = None
    for step in sorted({one.step for one in record.statistics}, reverse=True):
        ends = _ends([one for one in record.statistics if one.step == step])
        if ends is None or not is_bad(*ends):
            break
        since = step
    return as_evidence(None if since is None else epoch_of_step(record, since))


def _gradients(record: Record, last: list[LayerStatistics]) -> Iterator[Finding]:
    ends = _ends(last)
    if ends is None:
        return
    with_gradient = [measured for measured in last if measured.gradient is not None]
    first, final = ends
    gradients = {"gradient of the first layer": first, "gradient of the last layer": final}
    if _vanishes(first, final):
        yield Finding(
            "vanishing-gradients",
            "warning",
            title=f"The gradient of {with_gradient[0].layer!r} is {first / final:.1g} times that "
            f"of {with_gradient[-1].layer!r}: the first layers hardly learn.",
            fix="activation='relu' in hidden layers, BatchNormalization between them, or fewer "
            "layers.",
            evidence={**gradients, **_since(record, _vanishes)},
            where=with_gradient[0].layer,
            confidence=0.6,
            others=("dead-relu", "saturated-activations", "bad-initialization"),
        )
    elif _explodes(first, final):
        yield Finding(
            "exploding-gradients",
            "warning",
            title=f"The gradient of {with_gradient[0].layer!r} is {first / final:.3g} times that "
            f"of {with_gradient[-1].layer!r}.",
            fix="clipnorm=1.0 in the optimizer.",
            evidence={**gradients, **_since(record, _explodes)},
            where=with_gradient[0].layer,
            change=Change("compile", "clipnorm", 1.0),
            confidence=0.5,
            others=("bad-initialization", "inputs-not-scaled"),
        )
