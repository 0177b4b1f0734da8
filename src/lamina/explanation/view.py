"""Explanations as text and as HTML."""

import base64
import html
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.explanation.explanation import Explanation
    from lamina.explanation.names import Contribution

_MAX_NAMES = 3  # in a sentence
_MAX_ROWS = 12  # of a table


def as_text(explanation: "Explanation") -> str:
    """The model's answer, its probability, and what raised and lowered the score most."""
    lines = [_answer_as_text(explanation)]
    raised, lowered = "Raised it most", "Lowered it most"
    if explanation.is_class:
        name = explanation.names[explanation.target]
        raised, lowered = f"Most for {name}", f"Most against {name}"
    for words, sign in ((raised, 1), (lowered, -1)):
        largest = [a for a in explanation.contributions if sign * a.amount > 0][:_MAX_NAMES]
        if largest:
            lines.append(f"  {words}: {'; '.join(map(format_contribution, largest))}.")
    if not any(contribution.amount for contribution in explanation.contributions):
        lines.append("  No number of the sample affects the score.")
    if explanation.grad_cam is not None and not explanation.grad_cam.any():
        lines.append(f"  No position of {explanation.grad_cam_layer!r} supports it (Grad-CAM).")
    difference = explanation.score - explanation.baseline_score
    if abs(explanation.gap) > max(0.05 * abs(difference), 1e-3):
        lines.append(
            f"  The contributions are inexact: they add up to {difference + explanation.gap:.3g}, "
            f"but the score differs from the baseline's by {difference:.3g}. More steps help."
        )
    return "\n".join(lines)


def format_contribution(contribution: "Contribution") -> str:
    """A contribution as text, such as `age = 42 (+0.3)`."""
    value = f" = {contribution.value}" if contribution.value else ""
    return f"{contribution.name}{value} ({contribution.amount:+.2g})"


def percent(share: float) -> str:
    """A probability in percent, never rounded to certainty.

    Example:
        >>> percent(0.9751), percent(0.99996), percent(0.00001)
        ('97.5%', 'over 99.9%', 'under 0.1%')
    """
    if 0.999 < share < 1:
        return "over 99.9%"
    return "under 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def as_html(explanation: "Explanation") -> str:
    """The text, followed by a picture, coloured words or a table."""
    lines = as_text(explanation).splitlines()
    parts = [f"<p>{'<br>'.join(html.escape(line.strip()) for line in lines)}</p>"]
    if explanation.kind == "words":
        parts.append(_coloured_words(explanation))
    elif explanation.kind == "picture":
        parts.append(_figure_as_html(explanation))
    else:
        parts.append(_contributions_as_table(explanation))
    return f'<div class="lamina-explanation">{"".join(parts)}</div>'


def as_page(explanation: "Explanation") -> str:
    """A complete HTML page."""
    title = html.escape(_answer_as_text(explanation))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>:root{color-scheme:light dark}"
        "body{font-family:sans-serif;margin:2em;max-width:60em}td{padding:0.1em 0.8em}"
        f"img{{max-width:100%}}</style></head><body>{as_html(explanation)}</body></html>"
    )


def _answer_as_text(explanation: "Explanation") -> str:
    names, values, target = explanation.names, explanation.values, explanation.target
    where = f" for {explanation.output!r}" if explanation.output else ""
    subject = f"Model {explanation.model!r}"
    if not explanation.is_class:
        return f"{subject} gives {names[target]} = {values[target]:.4g}{where}."
    ranking = sorted(range(len(names)), key=lambda i: -values[i])
    best, *others = ranking
    second = ""
    if others:
        second = f", before {names[others[0]]} ({percent(float(values[others[0]]))})"
    text = f"{subject} says {names[best]} ({percent(float(values[best]))}){where}{second}."
    if target != best:
        text += f" Explained is {names[target]} ({percent(float(values[target]))})."
    return text


def _colour(amount: float, largest: float) -> str:
    """Red for an amount that raises the score, blue for one that lowers it."""
    share = min(abs(amount) / largest, 1.0) if largest else 0.0
    red_green_blue = "201,79,10" if amount > 0 else "37,99,201"
    return f"rgba({red_green_blue},{0.6 * share:.2f})"


def _coloured_words(explanation: "Explanation") -> str:
    largest = max((abs(a.amount) for a in explanation.in_order), default=0.0)
    spans = " ".join(
        f'<span style="background:{_colour(a.amount, largest)};padding:0.1em 0.2em" '
        f'title="{a.amount:+.3g}">{html.escape(a.name)}</span>'
        for a in explanation.in_order
    )
    return f'<p style="line-height:1.8">{spans}</p>'


def _contributions_as_table(explanation: "Explanation") -> str:
    largest = max((abs(a.amount) for a in explanation.contributions), default=0.0)
    rows = "".join(
        f"<tr><td>{html.escape(a.name)}</td><td>{html.escape(a.value)}</td>"
        f'<td style="background:{_colour(a.amount, largest)}">{a.amount:+.3g}</td></tr>'
        for a in explanation.contributions[:_MAX_ROWS]
    )
    head = "<tr><th>name</th><th>value</th><th>raised the score by</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _figure_as_html(explanation: Any) -> str:
    content = io.BytesIO()
    explanation.plot().savefig(content, format="png", dpi=100)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="The sample and what supports the class" src="data:image/png;base64,{data}">'
