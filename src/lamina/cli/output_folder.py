"""Prepares the folder that a run writes to, before training; existing runs are not overwritten."""

import tempfile
from pathlib import Path

# A folder with one of these files has a run.
_RUN_FILES = ("model.keras", "history.csv", "report.html", "train.py", "quickstart.py")


def prepare(chosen: Path | None, default: Path, overwrite: bool = False) -> Path:
    """Create a writable folder without an earlier run.

    Args:
        chosen: The folder given by the user, or None.
        default: The folder if `chosen` is None; a number is appended if it has an earlier run.
        overwrite: Whether the files of an earlier run may be replaced.

    Raises:
        ValueError: If the folder cannot be written, or the chosen one has an earlier run.
    """
    folder = chosen or default
    if not overwrite and has_run(folder):
        if chosen is not None:
            raise ValueError(
                f"{folder} holds an earlier run, which would be overwritten.\n"
                "  Fix: name another folder with --out, or add --overwrite."
            )
        folder = _next_free(default)
    _make_writable(folder)
    return folder


def has_run(folder: Path) -> bool:
    """Whether there are files of an earlier run."""
    return folder.is_dir() and any((folder / name).exists() for name in _RUN_FILES)


def _next_free(folder: Path) -> Path:
    number = 2
    while (candidate := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return candidate


def _make_writable(folder: Path) -> None:
    for parent in (folder, *folder.parents):
        if parent.exists() and not parent.is_dir():
            raise ValueError(
                f"{folder} cannot be written to: {parent} is a file.\n"
                "  Fix: name a folder with --out."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"can be written")
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written to: {error.strerror or error}.\n"
            "  Fix: name another folder with --out. Nothing was trained."
        ) from None
