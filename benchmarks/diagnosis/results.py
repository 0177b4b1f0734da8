"""Results as JSON lines: a run that was stopped goes on where it was, with the same code."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parents[1] / "src/lamina"


@cache
def code_digest() -> str:
    """A digest of the code that decides what is found: diagnosis, findings, programs and faults."""
    files = [
        *sorted((SOURCE / "diagnosis").rglob("*.py")),
        *sorted((SOURCE / "findings").rglob("*.py")),
        *(FOLDER / name for name in ("cases.py", "injectors.py", "programs.py")),
    ]
    # Confidence is fitted to results, and does not change what is found.
    texts = [path.read_bytes() for path in files if path.name != "calibration_table.py"]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


def known_rows(path: Path, keep: bool = False) -> list[dict[str, Any]]:
    """The rows of a file that need not be measured again.

    Args:
        path: The file, which is made if there is none.
        keep: Also rows that other code has measured.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if keep or row.get("source") == code_digest()]
