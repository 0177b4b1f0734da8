"""How the cost of training grows: with rows, parameters, layers, sequences, classes, vocabulary.

python benchmarks/scale.py
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from contender import Contender, attempt, keras

sys.path.append(str(Path(__file__).parent / "peers"))

from scale_cases import TITLES, VALUES

CONTENDERS = (
    Contender("Lamina", "scale_keras.py", options=("--library", "lamina")),
    keras("scale_keras.py")["jax"],
    Contender("PyTorch by hand", "scale_torch.py", "torch"),
)
LIMIT = 90.0  # seconds a process


def measure(quick: bool = False) -> dict:
    """All contenders, at every value of every axis, each in a process of its own.

    Returns:
        From axis to contender to value to the seconds of a step (`step`), of the first epoch
        (`first`) and the bytes of memory above those before (`memory`), or `{"failed": reason}`.
        With `quick` only the smallest value.
    """
    found: dict[str, dict] = {}
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as folder:
        for axis, values in VALUES.items():
            for value in values[:1] if quick else values:
                for contender in CONTENDERS:
                    result = attempt(contender, (axis, value), Path(folder), LIMIT)
                    found.setdefault(axis, {}).setdefault(contender.name, {})[str(value)] = result
    return found


def write_chart(path: Path, results: dict) -> None:
    """Draw every axis into one SVG file, both scales logarithmic."""
    import chart

    with chart.figure(path, rows=2, columns=3, size=(10, 6)) as axes:
        for panel, (axis, contenders) in zip(axes.flat, results.items(), strict=False):
            for name, by_value in contenders.items():
                points = [(int(v), m["step"] * 1e3) for v, m in by_value.items() if "step" in m]
                if points:
                    colour = chart.SHOWN.get(name, chart.LAMINA)
                    panel.plot(*zip(*points, strict=True), "o-", color=colour, label=name, ms=3)
            panel.set(xscale="log", yscale="log", title=axis, ylabel="ms a step")
            panel.spines[["top", "right"]].set_visible(False)
        for panel in axes.flat[len(results) :]:
            panel.set_axis_off()
        axes.flat[0].legend(frameon=False, fontsize=8)


def markdown(results: dict) -> list[str]:
    """A table for every axis."""
    from report import markdown_table

    parts = []
    for axis, contenders in results.items():
        names = list(contenders)
        rows = []
        for value in next(iter(contenders.values())):
            cells = [_cell(contenders[name].get(value, {})) for name in names]
            rows.append((f"{int(value):,}", *cells))
        head = (axis, *(f"{name}, ms (MB)" for name in names))
        parts += [f"{TITLES[axis][0].upper()}{TITLES[axis][1:]}:", markdown_table(head, rows)]
    return parts


def _cell(measured: dict) -> str:
    if "step" not in measured:
        return measured.get("failed", "")
    return f"{measured['step'] * 1e3:.3g} ({measured['memory'] / 1e6:.0f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smallest value of each axis")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
