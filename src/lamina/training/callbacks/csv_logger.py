"""CSVLogger: writes the logs of every epoch to a CSV file."""

import contextlib
import csv
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lamina.core import processes
from lamina.core.types import Logs, PathLike
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.user_data.paths import path_as_text
from lamina.training.callbacks.callback import Callback


def _explain_write_errors(write: Callable[..., None]) -> Callable[..., None]:
    """Decorator for a method that writes the file: adds an explanation to an OSError."""

    @functools.wraps(write)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            write(self, *args, **kwargs)
        except OSError as error:
            # If the file stayed open, Python would try to write the rest of its buffer again later.
            with contextlib.suppress(OSError):
                self.on_train_end()
            self.csv_file = self.writer = None
            raise type(error)(
                error.errno,
                f"CSVLogger cannot write {self.filename}: {error.strerror or error}.\n"
                "  The model keeps its trained weights, and the file its earlier lines.\n"
                "  Fix: free some disk space, or pass CSVLogger a file that can be written.",
            ) from None

    return wrapped


class CSVLogger(Callback):
    """Writes the logs to a CSV file, a line at the end of every epoch.

    The first line has the names: `epoch` (from 0), then those of the logs, sorted. A missing value
    is written as `NA`.

    Args:
        filename: Path of the file; missing folders are created.
        separator: Text between two values.
        append: Continue at the end of an existing file, instead of replacing it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "log.csv")
        >>> logger = CSVLogger(path)
        >>> logger.on_train_begin()
        >>> logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
        >>> logger.on_train_end()
        >>> print(path.read_text().strip())
        epoch,loss,val_loss
        0,0.5,0.75
    """

    state_names = ("keys", "size")

    @explain_arguments
    def __init__(self, filename: PathLike, separator: str = ",", append: bool = False):
        self.filename = path_as_text(filename, "CSVLogger")
        self.sep = separator
        self.append = append
        self.append_header = True  # whether an empty file gets a header line
        self._resumed = False
        self._reset()

    def _reset(self) -> None:
        self.keys: list[str] | None = None
        self.size: int | None = None  # bytes written so far
        self.csv_file: TextIO | None = None
        self.writer: Any = None

    @property
    def appends_to_file(self) -> bool:  # type: ignore[override]
        return self.append

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()
        self._resumed = False
        if self.append:
            path = Path(self.filename)
            self.size = path.stat().st_size if path.exists() else 0

    def set_state(self, state: Mapping[str, Any]) -> None:
        super().set_state(state)
        self._resumed = self.size is not None

    @_explain_write_errors
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            # The first epoch may have no validation, although later ones do.
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.csv_file is None:
            self.csv_file = self._open(["epoch", *self.keys])
        row = {key: _as_text(logs.get(key, "NA")) for key in self.keys}
        self.writer.writerow({"epoch": epoch, **row})
        self.csv_file.flush()
        self.size = self.csv_file.tell()

    def _open(self, names: list[str]) -> TextIO:
        # Not opened when training begins, because a resumed run (`set_state`) keeps
        # the lines that the interrupted run had written up to its checkpoint, and no others.
        path = Path(self.filename) if processes.is_first() else Path(os.devnull)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._resumed and path.exists():
            os.truncate(path, min(int(self.size or 0), path.stat().st_size))
        file = path.open("a" if self.append or self._resumed else "w", newline="")
        self.writer = csv.DictWriter(file, names, delimiter=self.sep)
        if self.append_header and file.tell() == 0:
            self.writer.writeheader()
        return file

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = self.writer = None


def _as_text(value: Any) -> Any:
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
