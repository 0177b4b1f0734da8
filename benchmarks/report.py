"""Turns the measurements of `first_network.py` into tables for the screen and for the docs."""

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.table import Table

COLUMNS = (
    "contender",
    "import, s",
    "first epoch, s",
    "later epoch, s",
    "cold process, s",
    "peak memory, MB",
    "test accuracy",
    "share of peak",
)
LAMINA, LAMINA_AGAIN = "Lamina, first start", "Lamina, second start"


def later_epoch(run: dict) -> float:
    """Seconds of a typical epoch after the first."""
    return statistics.median(run["epochs"][1:])


def cold_process(run: dict) -> float:
    """Seconds from the start of the process to the printed prediction."""
    return run["cold"]


# What is compared, on which figure, with the rows whose names begin like this, and the aim.
AIMS: tuple[tuple[str, Callable[[dict], float], str, float], ...] = (
    ("later epoch, Keras on JAX at its best", later_epoch, "Keras on JAX", 1.8),
    ("later epoch, PyTorch loop by hand", later_epoch, "PyTorch loop", 2.5),
    ("later epoch, Keras on TensorFlow, default", later_epoch, "Keras on TensorFlow, d", 10.0),
    ("later epoch, lax.scan by hand", later_epoch, "lax.scan", 1.0),
    ("cold process, Keras on JAX", cold_process, "Keras on JAX", 3.0),
)


def tables(results: dict) -> list[Table]:
    """The measurements and the ratios, for a terminal."""
    both = []
    for title, head, rows in (
        (headline(results), COLUMNS, measured_rows(results)),
        ("Lamina is this many times faster", ("on", "ratio", "aim", "verdict"), ratios(results)),
    ):
        table = Table(title=title)
        for position, name in enumerate(head):
            table.add_column(name, justify="right" if position else "left", no_wrap=not position)
        for row in rows:
            table.add_row(*row)
        both.append(table)
    return both


def write_page(path: Path, results: dict) -> None:
    """Put the tables between the markers of a Markdown page; the prose around them stays.

    Markers are `<!-- measured: begin -->` and `<!-- measured: end -->` for everything, and
    `<!-- measured ratios: … -->` for the short table of `how_much_faster`.

    Raises:
        ValueError: If the page has no markers.
    """
    put_between_markers(
        path, {"measured": markdown(results), "measured ratios": how_much_faster(results)}
    )


def put_between_markers(path: Path, sections: Mapping[str, str]) -> None:
    """Replace what stands between `<!-- name: begin -->` and `<!-- name: end -->` in a page.

    Args:
        sections: From name to text; names whose markers the page does not have are left out.

    Raises:
        ValueError: If the page has the markers of none.
    """
    page, found = path.read_text(), 0
    for name, text in sections.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin in page and end in page:
            before, rest = page.split(begin, 1)
            page = f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end, 1)[1]}"
            found += 1
    if not found:
        raise ValueError(f"{path} has no markers such as <!-- {next(iter(sections))}: begin -->.")
    path.write_text(page)


def how_much_faster(results: dict) -> str:
    """One row per peer: how many times Lamina is faster, below 1 where it is slower."""
    runs = results["runs"]
    first, second = runs.get(LAMINA, []), runs.get(LAMINA_AGAIN, [])
    if not first or not second:
        return "Lamina was not measured."
    rows = [
        (
            name,
            f"{times_faster(first, theirs, later_epoch):.1f}×",
            f"{times_faster(first, theirs, cold_process):.1f}×",
            f"{times_faster(second, theirs, cold_process):.1f}×",
        )
        for name, theirs in runs.items()
        if name not in (LAMINA, LAMINA_AGAIN)
    ]
    head = ("Lamina against", "an epoch", "whole script, first start", "whole script, later starts")
    return f"{markdown_table(head, rows)}\n\n{headline(results)}."


def markdown(results: dict) -> str:
    """Both tables, and under which conditions they were measured."""
    peak = results["peak_flops_per_second"] / 1e9
    work = results["flops_per_epoch"] / 1e9
    versions = sorted(
        {
            f"{package} {version}"
            for runs in results["runs"].values()
            for package, version in runs[0]["versions"].items()
        }
    )
    parts = [
        f"{headline(results)}.",
        markdown_table(COLUMNS, measured_rows(results)),
        f"Peak of the machine in a large float32 matrix product: {peak:.0f} GFLOP/s. "
        f"The matrix products of one epoch: {work:.1f} GFLOP. {used_by_others(results)}",
        "Lamina is this many times faster:",
        markdown_table(("on", "ratio", "aim", "verdict"), ratios(results)),
        f"Versions: {', '.join(versions)}.",
    ]
    return "\n\n".join(parts)


def headline(results: dict) -> str:
    """What was measured where, in one line."""
    return (
        f"{results['data']}, 784-128-128-10, batch 32, {results['epochs']} epochs; "
        f"{results['machine']}; medians of {results['rounds']} rounds, {results['date']}"
    )


def used_by_others(results: dict) -> str:
    """How busy the machine was with other things: then threads that wait for each other suffer."""
    shares = [run["used_by_others"] for runs in results["runs"].values() for run in runs]
    return f"Other programs used {statistics.mean(shares):.0%} of the machine between the runs."


def measured_rows(results: dict) -> list[tuple[str, ...]]:
    """One row per contender; those without measurements say why."""
    rows = []
    for name, runs in results["runs"].items():
        later = statistics.median(map(later_epoch, runs))
        speed = results["flops_per_epoch"] / later
        rows.append(
            (
                name,
                f"{statistics.median(run['import'] for run in runs):.2f}",
                f"{statistics.median(run['epochs'][0] for run in runs):.2f}",
                f"{later:.3f}",
                f"{statistics.median(map(cold_process, runs)):.2f}",
                f"{statistics.median(run['peak_memory'] for run in runs) / 1e6:.0f}",
                f"{statistics.median(run['accuracy'] for run in runs):.4f}",
                f"{speed / results['peak_flops_per_second']:.0%}",
            )
        )
    blank = ("",) * (len(COLUMNS) - 2)
    rows += [(name, "not installed", *blank) for name in results["not_installed"]]
    rows += [(name, "failed", *blank) for name in results["failed"]]
    return rows


def ratios(results: dict) -> list[tuple[str, str, str, str]]:
    """Every aim with the ratio that was measured: met, missed by how much, or not measured.

    A ratio is the median over the rounds of the ratio within a round, because a machine's speed
    drifts from round to round. Of several rows of one peer, the one that is hardest on Lamina
    counts.
    """
    runs = results["runs"]
    first, second = runs.get(LAMINA, []), runs.get(LAMINA_AGAIN, [])
    rows = []
    for text, figure, prefix, aim in AIMS:
        peers = [runs_of_peer for name, runs_of_peer in runs.items() if name.startswith(prefix)]
        measured = [times_faster(first, peer, figure) for peer in peers if first]
        rows.append((text, *_verdict(min(measured, default=None), aim)))
    again = times_faster(second, first, cold_process) if first and second else None
    rows.append(("cold process, second start against the first", *_verdict(again, 1.3)))
    return rows


def times_faster(runs: list[dict], slower: list[dict], figure: Callable[[dict], float]) -> float:
    """Median over the rounds of how many times less a figure is than another contender's."""
    pairs = zip(runs, slower, strict=True)
    return statistics.median(figure(theirs) / figure(ours) for ours, theirs in pairs)


def _verdict(ratio: float | None, aim: float) -> tuple[str, str, str]:
    if ratio is None:
        return "", f"{aim:.1f}", "not measured"
    verdict = "met" if ratio >= aim else f"missed by {1 - ratio / aim:.0%}"
    return f"{ratio:.2f}", f"{aim:.1f}", verdict


def markdown_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
