"""How long it takes until there is something to work with: import, `--help`, first prediction.

python benchmarks/start.py
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from contender import Contender, attempt, keras

LIBRARIES = {
    "Lamina": Contender("lamina", "start.py"),
    **{c.name: c for c in keras("start.py").values()},
    "PyTorch by hand": Contender("torch", "start.py", "torch"),
}
HELP = Contender("lamina --help", "lamina_help.py")


def measure(repeats: int = 5) -> dict:
    """Median seconds of a process of each kind, contenders in turn.

    Returns:
        From contender to `import`, `first_prediction` (nothing compiled is kept yet),
        `prediction` (later) and, for Lamina, `help`; or to `{"failed": reason}`.
    """
    seconds: dict[str, dict] = {name: {} for name in LIBRARIES}
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as scratch:
        # The first repeat finds nothing on the disk: neither the library nor its programs.
        for repeat in range(1 + repeats):
            for name, contender in LIBRARIES.items():
                folder = Path(scratch) / name.replace(" ", "-")
                if "failed" not in seconds[name]:
                    _once(contender, folder, repeat == 0, seconds[name])
    return {name: _medians(measured) for name, measured in seconds.items()}


def _once(contender: Contender, folder: Path, first: bool, seconds: dict) -> None:
    library = "keras" if contender.name.startswith("Keras") else contender.name
    file = "model.pt" if library == "torch" else "model.keras"
    tasks = [(contender, "import", (library,)), (contender, "load", (library, file))]
    if first:
        tasks.insert(0, (contender, "save", (library, file)))
    if library == "lamina":
        tasks.append((HELP, "help", ()))
    for who, task, arguments in tasks:
        result = attempt(who, arguments if who is HELP else (task, *arguments), folder)
        if "failed" in result:
            seconds["failed"] = result["failed"]
            return
        seconds.setdefault(task, []).append(result["cold"] or result["seconds"])


def _medians(seconds: dict) -> dict:
    if "failed" in seconds:
        return {"failed": seconds["failed"]}
    medians = {
        task: statistics.median(seconds[task][1:]) for task in ("import", "help") if task in seconds
    }
    first, *later = seconds["load"]
    return {**medians, "first_prediction": first, "prediction": statistics.median(later)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    print(json.dumps(measure(parser.parse_args().repeats), indent=1))
