"""The chart of the page: how many times longer than Lamina each contender takes for a step."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import training_report
import workloads

LAMINA = "#1b7f4b"
# Shown if measured, each at its best setting; colours that people tell apart.
SHOWN = {
    "Lamina with kernels": "#7fc29b",
    "JAX by hand": "#8a8f98",
    "Keras on JAX": "#3b78c3",
    "PyTorch by hand": "#e07a3f",
    "Keras on TensorFlow": "#c9a227",
    "Keras on PyTorch": "#a05195",
}


def bars(training: dict) -> dict[str, dict[str, float]]:
    """From contender to workload to how many times longer than Lamina's its step takes."""
    found: dict[str, dict[str, float]] = {name: {} for name in SHOWN}
    for workload, measured in training.items():
        runs = measured["runs"]
        for contender in SHOWN:
            ratios = [
                training_report.times_faster(runs["Lamina"], theirs)
                for name, theirs in runs.items()
                if name.startswith(contender) and "Lamina" in runs
            ]
            if ratios:
                found[contender][workload] = min(ratios)
    return {name: ratios for name, ratios in found.items() if ratios}


@contextlib.contextmanager
def figure(path: Path, rows: int, columns: int, size: tuple[float, float]) -> Iterator[Any]:
    """Axes to draw on; the file is written at the end, the same for the same drawing."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    settings = {"svg.fonttype": "none", "svg.hashsalt": "lamina", "font.size": 10}
    with plt.rc_context(settings):
        drawing, axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
        yield axes
        drawing.savefig(path, metadata={"Date": None})
        plt.close(drawing)


def write(path: Path, training: dict) -> None:
    """Draw the bars into an SVG file."""
    shown = bars(training)
    names = [name for name in workloads.NAMES if name in training]
    with figure(path, rows=1, columns=1, size=(9, 4)) as axes:
        width = 0.8 / max(1, len(shown))
        for i, (contender, ratios) in enumerate(shown.items()):
            at = [names.index(name) - 0.4 + (i + 0.5) * width for name in ratios]
            drawn = axes.bar(
                at, list(ratios.values()), width * 0.92, color=SHOWN[contender], label=contender
            )
            axes.bar_label(drawn, [f"{v:.1f}" for v in ratios.values()], fontsize=7, padding=1)
        axes.axhline(1, color=LAMINA, linewidth=1.5, label="Lamina")
        axes.set_yscale("log")
        ticks = [0.5, 1, 2, 5, 10, 20, 50]
        axes.set_yticks(ticks, [f"{tick:g}×" for tick in ticks])
        axes.minorticks_off()
        axes.set_xticks(range(len(names)), names)
        axes.set_ylabel("time a step, Lamina = 1")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(ncols=3, frameon=False, fontsize=8, loc="upper left")
        axes.margins(y=0.25)
