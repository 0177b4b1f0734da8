"""Formats a line of progress to fit a width; the most important parts have priority."""

import textwrap
from dataclasses import dataclass, field

_MIN_BAR, _MAX_BAR = 8, 24  # width of the bar in characters


@dataclass
class Status:
    """The state of an epoch.

    Args:
        title: Such as `Epoch 3/10`.
        step: Number of finished steps.
        steps: Steps of the epoch; None if unknown.
        metrics: Such as `loss 0.2631`, the loss first.
        speed: Such as `2,560 samples/s`.
        seconds_left: Estimated time left in this epoch.
        placeholder: Text that is shown until there are metrics.
    """

    title: str = ""
    step: int = 0
    steps: int | None = None
    metrics: list[str] = field(default_factory=list)
    speed: str = ""
    seconds_left: float | None = None
    placeholder: str = ""


def live_line(status: Status, width: int, ascii_only: bool = False) -> str:
    """A line of at most `width` characters: title, bar, time left, steps, metrics and speed.

    Parts that do not fit are left out, the least important first.

    Example:
        >>> status = Status("Epoch 3/10", 40, 100, ["loss 0.2631", "accuracy 0.91"], "", 12)
        >>> print(live_line(status, 40, ascii_only=True))
        Epoch 3/10 #####------- 0:12 loss 0.2631
        >>> print(live_line(status, 62, ascii_only=True))
        Epoch 3/10 #####------- 0:12 40/100 loss 0.2631, accuracy 0.91
    """
    has_total = status.steps is not None
    steps_text = f"{status.step}/{status.steps}" if has_total else f"step {status.step}"
    time_left = (
        "" if status.seconds_left is None or not has_total else duration(status.seconds_left)
    )
    space = width - len(status.title) - (_MIN_BAR + 1 if has_total else 0)
    texts = {}
    # In order of importance. Each part needs a space before it.
    for name, text in (
        ("time left", time_left),
        ("metrics", "".join(status.metrics[:1])),
        ("steps", steps_text),
    ):
        if text and len(text) < space:
            texts[name] = text
            space -= len(text) + 1
    for metric in status.metrics[1:]:
        if "metrics" not in texts or len(metric) + 2 > space:
            break
        texts["metrics"] += f", {metric}"
        space -= len(metric) + 2
    speed = status.speed if len(status.speed) < space else ""
    space -= len(speed) + bool(speed)
    bar = ""
    if has_total:
        size = min(_MAX_BAR, _MIN_BAR + max(space, 0))
        full = round(size * min(1.0, status.step / max(status.steps or 1, 1)))
        full_character, empty_character = ("#", "-") if ascii_only else ("━", "─")
        bar = full_character * full + empty_character * (size - full)
    text = texts.get("metrics", status.placeholder if len(status.placeholder) < space else "")
    pieces = [status.title, bar, texts.get("time left"), texts.get("steps"), text, speed]
    return " ".join(piece for piece in pieces if piece)[:width]


def wrap_parts(title: str, parts: list[str], width: int) -> str:
    """The line of a finished epoch, broken between its parts if it is longer than `width`.

    Example:
        >>> print(wrap_parts("Epoch 1/3", ["loss 0.2631", "accuracy 0.9231", "1.2 s"], 30))
        Epoch 1/3: loss 0.2631,
          accuracy 0.9231, 1.2 s
    """
    unbroken_parts = [part.replace(" ", "\0") for part in parts]
    return wrap_words(f"{title}: {', '.join(unbroken_parts)}", width).replace("\0", " ")


def wrap_words(text: str, width: int) -> str:
    """Break lines between words, and indent continuation lines."""
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
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole_seconds:02}" if hours else f"{minutes}:{whole_seconds:02}"
