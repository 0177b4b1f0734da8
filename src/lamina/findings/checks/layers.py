"""What layers did: dead and saturated units, gradients that vanish or explode."""

from collections.abc import Iterator

from lamina.findings.finding import Change, Finding
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
    yield from _dead(last[:-1])
    yield from _saturated(last[:-1])
    yield from _gradients(last)


def _dead(last: list[LayerStatistics]) -> Iterator[Finding]:
    dead = [measured for measured in last if (measured.dead or 0.0) > _DEAD]
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
        evidence={"share of dead units": share},
        where=worst.layer,
        change=Change.joined(
            Change("layer", "activation", "leaky_relu", measured.layer) for measured in dead
        ),
        confidence=0.6,
        others=("learning-rate-too-high", "bad-initialization", "inputs-not-scaled"),
    )


def _saturated(last: list[LayerStatistics]) -> Iterator[Finding]:
    ends = [measured for measured in last if (measured.saturated or 0.0) > _SATURATED]
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
        evidence={"share of saturated outputs": share},
        where=worst.layer,
        change=Change.joined(
            Change("layer", "activation", "relu", measured.layer) for measured in ends
        ),
        confidence=0.6,
        others=("inputs-not-scaled", "bad-initialization", "learning-rate-too-high"),
    )


def _gradients(last: list[LayerStatistics]) -> Iterator[Finding]:
    with_gradient = [measured for measured in last if measured.gradient is not None]
    if len(with_gradient) < 3:
        return
    first, final = with_gradient[0].gradient or 0.0, with_gradient[-1].gradient or 0.0
    if final > 0 and first < _VANISHING * final:
        yield Finding(
            "vanishing-gradients",
            "warning",
            title=f"The gradient of {with_gradient[0].layer!r} is {first / final:.1g} times that "
            f"of {with_gradient[-1].layer!r}: the first layers hardly learn.",
            fix="activation='relu' in hidden layers, BatchNormalization between them, or fewer "
            "layers.",
            evidence={"gradient of the first layer": first, "gradient of the last layer": final},
            where=with_gradient[0].layer,
            confidence=0.6,
            others=("dead-relu", "saturated-activations", "bad-initialization"),
        )
    elif final > 0 and first > _EXPLODING * max(final, 1e-6) and first > 1.0:
        yield Finding(
            "exploding-gradients",
            "warning",
            title=f"The gradient of {with_gradient[0].layer!r} is {first / final:.3g} times that "
            f"of {with_gradient[-1].layer!r}.",
            fix="clipnorm=1.0 in the optimizer.",
            evidence={"gradient of the first layer": first, "gradient of the last layer": final},
            where=with_gradient[0].layer,
            change=Change("compile", "clipnorm", 1.0),
            confidence=0.5,
            others=("bad-initialization", "inputs-not-scaled"),
        )
