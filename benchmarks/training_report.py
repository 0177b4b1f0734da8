"""The arithmetic of the training workloads: from measured epochs to steps, ratios and tables."""

import statistics

from rich.table import Table

COLUMNS = (
    "contender", "ms a step", "later epoch, s", "first epoch, s",
    "compile, s", "import, s", "peak memory, MB", "final loss", "Lamina is faster by",
)  # fmt: skip


def rows_of(contender: str, result: dict) -> list[dict]:
    """One row for each setting of a process."""
    return [
        {
            "name": row_name(contender, entry["setting"]),
            "epochs": entry["epochs"],
            "loss": entry["loss"],
            "steps": result["steps"],
            "import": result["import"],
            "peak_memory": result["peak_memory"],
            "parameters": result.get("parameters"),
            "versions": result["versions"],
            "used_by_others": result["used_by_others"],
            "cold": position == 0,
        }
        for position, entry in enumerate(result["settings"])
    ]


def row_name(contender: str, setting: dict) -> str:
    """E.g. `Keras on JAX, 50 steps`; `default` where Keras's settings are left alone."""
    words = []
    if "steps_per_execution" in setting:
        words.append(f"{setting['steps_per_execution']} steps")
    if setting.get("scaled"):
        words.append("pixels scaled before")
    if setting.get("jit_compile") is False:
        words.append("jit_compile off")
    if not words and contender.startswith("Keras"):
        words.append("default")
    return ", ".join([contender, *words])


def later(epochs: list[float]) -> float:
    """Seconds of a typical epoch after the first."""
    return statistics.median(epochs[1:])


def step_seconds(runs: list[dict]) -> float:
    """Seconds of a step: median over all later epochs of all rounds."""
    return statistics.median(e / run["steps"] for run in runs for e in run["epochs"][1:])


def overhead(run: dict) -> float:
    """Seconds that the first epoch takes longer than a later one: tracing, compiling, copying."""
    return run["epochs"][0] - later(run["epochs"])


def compile_seconds(runs: list[dict]) -> float | None:
    """Median of `overhead` over the rounds, and never quite nothing.

    None if another setting was always trained before in the same process: most of what a library
    does at its first use was done by then, and Lamina has no such advantage.
    """
    cold = [overhead(run) for run in runs if run["cold"]]
    return max(statistics.median(cold), 1e-3) if cold else None


def first_epoch(runs: list[dict], steps: int) -> float | None:
    """Seconds of a first epoch of so many steps; None as for `compile_seconds`."""
    extra = compile_seconds(runs)
    return None if extra is None else extra + step_seconds(runs) * steps


def times_faster(ours: list[dict], theirs: list[dict]) -> float:
    """How many times less Lamina needs for a step.

    The median over the rounds of the ratio within a round, because a machine's speed drifts. A
    contender that ran in some rounds only is compared in those.
    """
    return statistics.median(
        (later(other["epochs"]) / other["steps"]) / (later(run["epochs"]) / run["steps"])
        for run, other in zip(ours, theirs, strict=False)
    )


def table(results: dict) -> Table:
    """All rows of a workload, for a terminal."""
    table = Table(title=f"{results['workload']}: {results['title']}; {results['machine']}")
    for position, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if position else "left", no_wrap=not position)
    for row in measured_rows(results):
        table.add_row(*row)
    return table


def measured_rows(results: dict) -> list[tuple[str, ...]]:
    """One row a contender and setting; those without measurements say why."""
    ours, steps, rows = results["runs"].get("Lamina"), results["steps"], []
    for name, runs in results["runs"].items():
        own_peaks = [run["peak_memory"] for run in runs if run["cold"]]
        rows.append(
            (
                name,
                f"{step_seconds(runs) * 1e3:.3f}",
                f"{step_seconds(runs) * steps:.3f}",
                _seconds(first_epoch(runs, steps)),
                _seconds(compile_seconds(runs)),
                f"{statistics.median(run['import'] for run in runs):.2f}",
                f"{statistics.median(own_peaks) / 1e6:.0f}" if own_peaks else "",
                f"{runs[-1]['loss']:.4f}",
                f"{times_faster(ours, runs):.2f}×" if ours else "",
            )
        )
    blank = ("",) * (len(COLUMNS) - 2)
    rows += [(name, "not installed", *blank) for name in results["not_installed"]]
    rows += [(name, why, *blank) for name, why in results["failed"].items()]
    return rows


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
