"""Runs the examples with full diagnosis, and writes what was said of them, as JSON lines.

Each says which figure its short run must reach; a run that does not reach it does not count as
healthy and is left out.
"""

import argparse
import contextlib
import io
import json
import re
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from results import code_digest, known_rows
from run import measured

import lamina
from lamina.training.recorder import Recorder

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
_FIGURE = re.compile(r"\bat\s+(least|most)\s+(\d[\d.]*\d|\d)")


@contextlib.contextmanager
def recorded_findings() -> Iterator[list[Any]]:
    """Context manager that gives the findings of every `fit`."""
    found: list[Any] = []
    conclude = Recorder.conclude

    def recording(self: Recorder, *args: Any, **kwargs: Any) -> None:
        conclude(self, *args, **kwargs)
        found.append(self._history.findings)

    with mock.patch.object(Recorder, "conclude", recording):
        yield found


def result_of(script: Path, arguments: list[str]) -> dict[str, Any]:
    """One example, as a row of the results."""
    lamina.config.set_diagnosis("full")
    began = time.process_time()
    with (
        mock.patch.object(sys, "argv", [str(script), *arguments]),
        contextlib.redirect_stdout(io.StringIO()),
        measured(),
        recorded_findings() as found,
    ):
        names = runpy.run_path(str(script), run_name="__main__")
    promised = _FIGURE.search(names["__doc__"])
    assert promised is not None
    reached, figure = float(names["reached"]), float(promised.group(2))
    return {
        "program": script.name,
        "fault": None,
        "right": [],
        "seed": 0,
        "level": "full",
        "source": code_digest(),
        "score": reached,
        "is_healthy": reached >= figure if promised.group(1) == "least" else reached <= figure,
        "seconds": round(time.process_time() - began, 2),
        "fits": len(found),
        "findings": [one.to_json() for findings in found for one in findings],
        "unchecked": [note for findings in found for note in findings.unchecked],
        "trials": [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="not only their short form: minutes")
    parser.add_argument("--short", action="store_true", help="one of them")
    parser.add_argument("--names", default="", help="a part of a name")
    parser.add_argument("--keep", action="store_true", help="rows that older code has measured")
    parser.add_argument("--out", type=Path, default=Path("diagnosis.jsonl"))
    options = parser.parse_args()
    done = {row["program"] for row in known_rows(options.out, options.keep)}
    names = "first_network" if options.short else options.names
    with options.out.open("a", encoding="utf-8") as out:
        for script in EXAMPLES:
            if names not in script.name or script.name in done:
                continue
            row = result_of(script, [] if options.whole else ["--short"])
            codes = [found["code"] for found in row["findings"] if found["severity"] != "hint"]
            verdict = "" if row["is_healthy"] else "does not reach its figure"
            print(script.name, row["score"], codes, f"{row['seconds']}s", verdict, file=sys.stderr)
            if row["is_healthy"]:
                out.write(json.dumps(row, default=str) + "\n")
                out.flush()


if __name__ == "__main__":
    main()
