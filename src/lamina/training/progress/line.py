"""One line of progress that fits a width; the most important parts first."""

import textwrap
from dataclasses import dataclass, field

_LEAST_BAR, _WHOLE_BAR = 8, 24


@dataclass
class Status:
    """The state of an epoch.

    Args:
        title: Such as `Epoch 3/10`.
        step: Steps that are done.
        steps: Steps of the epoch; None if unknown.
        measures: Such as `loss 0.2631`, the loss first.
        speed: Such as `2,560 samples/s`.
        seconds_left: Estimated time left in this epoch.
        waiting: Shown before there are measures.
    """

    title: str = ""
    step: int = 0
    steps: int | None = None
    measures: list[str] = field(default_factory=list)
    speed: str = ""
    seconds_left: float | None = None
    waiting: str = ""


def live_line(status: Status, width: int, ascii_only: bool = False) -> str:
    """The line, no longer than `width`: title, bar, time left, loss, steps, the rest, speed.

    Example:
        >>> status = Status("Epoch 3/10", 40, 100, ["loss 0.2631", "accuracy 0.91"], "", 12)
        >>> print(live_line(status, 40, ascii_only=True))
        Epoch 3/10 #####------- 0:12 loss 0.2631
        >>> print(live_line(status, 62, ascii_only=True))
        Epoch 3/10 #####------- 0:12 40/100 loss 0.2631, accuracy 0.91
    """
    known = status.steps is not None
    done = f"{status.step}/{status.steps}" if known else f"step {status.step}"
    left = "" if status.seconds_left is None or not known else duration(status.seconds_left)
    space = width - len(status.title) - (_LEAST_BAR + 1 if known else 0)
    taken = {}
    # In the order of importance; each takes a space as well.
    for name, text in (("left", left), ("measures", "".join(status.measures[:1])), ("done", done)):
        if text and len(text) < space:
            taken[name] = text
            space -= len(text) + 1
    for measure in status.measures[1:]:
        if "measures" not in taken or len(measure) + 2 > space:
            break
        taken["measures"] += f", {measure}"
        space -= len(measure) + 2
    speed = status.speed if len(status.speed) < space else ""
    space -= len(speed) + bool(speed)
    bar = ""
    if known:
        size = min(_WHOLE_BAR, _LEAST_BAR + max(space, 0))
        full = round(size * min(1.0, status.step / max(status.steps or 1, 1)))
        one, other = ("#", "-") if ascii_only else ("━", "─")
        bar = one * full + other * (size - full)
    shown = taken.get("measures", status.waiting if len(status.waiting) < space else "")
    pieces = [status.title, bar, taken.get("left"), taken.get("done"), shown, speed]
    return " ".join(piece for piece in pieces if piece)[:width]


def folded(title: str, parts: list[str], width: int) -> str:
    """A finished line, broken between its parts where it is longer than `width`.

    Example:
        >>> print(folded("Epoch 1/3", ["loss 0.2631", "accuracy 0.9231", "1.2 s"], 30))
        Epoch 1/3: loss 0.2631,
          accuracy 0.9231, 1.2 s
    """
    kept_together = [part.replace(" ", "\0") for part in parts]
    return wrapped(f"{title}: {', '.join(kept_together)}", width).replace("\0", " ")


def wrapped(text: str, width: int) -> str:
    """Lines broken between words, the second and later ones indented."""
    return "\n".join(
        textwrap.fill(
            line,
            max(width, 20),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def duration(seconds: float) -> str:
    """`0:12`, `12:34` or `1:02:03`.

    Example:
        >>> duration(12), duration(3723)
        ('0:12', '1:02:03')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
