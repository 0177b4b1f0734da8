"""Everything: all workloads with all peers, and the page that shows them.

    python benchmarks/run_all.py                              # about an hour on two cores
    python benchmarks/run_all.py --only mlp,predict           # measures these again
    python benchmarks/run_all.py --quick                      # does everything run?

What was measured is kept in `performance.json` after every workload; the page is made from it.
"""

import argparse
import json
import time
from pathlib import Path

import building
import machine
import overheads
import page
import predict
import scale
import single_layers
import start
import stream
import train
import workloads
from rich.console import Console

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
OTHERS = {
    "predict": predict,
    "stream": stream,
    "start": start,
    "overheads": overheads,
    "layers": single_layers,
    "building": building,
    "scale": scale,
}
EVERYTHING = (*workloads.NAMES, *OTHERS)

console = Console(stderr=True)


def main() -> None:
    options = parse_arguments()
    results = json.loads(options.json.read_text()) if options.json.exists() else {}
    results |= {"machine": machine.describe(), "date": time.strftime("%Y-%m-%d")}
    todo = [] if options.page_only else ["machine", *options.only]
    if "machine_limits" in results and options.only != EVERYTHING:
        todo = [name for name in todo if name != "machine"]
    for name in todo:
        began = time.perf_counter()
        if name == "machine":
            results["machine_limits"] = machine.limits()
        elif name in workloads.NAMES:
            results.setdefault("training", {})[name] = train.measure(name, options)
        else:
            results[name] = measure_other(name, options.quick)
        options.json.write_text(json.dumps(results, indent=1) + "\n")
        console.print(f"{name}: {time.perf_counter() - began:.0f} s")
    page.write(options.write, results)
    console.print(f"Page: {options.write}; all measurements: {options.json}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=EVERYTHING, metavar="A,B"
    )
    train.add_options(parser)
    parser.add_argument("--quick", action="store_true", help="one round of everything, untuned")
    parser.add_argument("--json", type=Path, default=Path("performance.json"))
    parser.add_argument("--write", type=Path, default=PAGE, metavar="PAGE")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    options = parser.parse_args()
    unknown = [name for name in options.only if name not in EVERYTHING]
    if unknown:
        parser.error(f"no workload {unknown[0]!r}; there are {', '.join(EVERYTHING)}")
    options.contenders = list(train.CONTENDERS)
    if options.quick:
        options.rounds, options.later, options.no_tune = 1, 1, True
        options.contenders = [c for c in options.contenders if c not in train.TORCH_COMPILERS]
    return options


def measure_other(name: str, quick: bool) -> dict:
    if name == "start":
        return start.measure(repeats=1 if quick else 5)
    return OTHERS[name].measure(quick)


if __name__ == "__main__":
    main()
