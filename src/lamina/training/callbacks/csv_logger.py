"""CSVLogger: one line of a table for every epoch."""

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
from lamina.core.user_data.paths import path_of
from lamina.training.callbacks.callback import Callback


def _explains_failure(write: Callable[..., None]) -> Callable[..., None]:
    """Decorator of a method that writes the file: explains errors of the operating system."""

    @functools.wraps(write)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            write(self, *args, **kwargs)
        except OSError as error:
            # Otherwise Python would try to write the remaining text again later, and fail.
            with contextlib.suppress(OSError):
                self.on_train_end()
            self.csv_file = self.writer = None
            raise type(error)(
                error.errno,
                f"CSVLogger cannot write {self.filename}: {error.strerror or error}.\n"
                "  The model keeps what it has learned so far, and the file its earlier lines.\n"
                "  Fix: make room, or give CSVLogger a file that can be written.",
            ) from None

    return wrapped


class CSVLogger(Callback):
    """Writes the logs to a CSV file, a line at the end of every epoch.

    The first line has the names: `epoch` (from 0), then those of the logs, sorted. A missing value
    is written as `NA`.

    Args:
        filename: The file; folders are made.
        separator: Separator of two values.
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
        self.filename = path_of(filename, "CSVLogger")
        self.sep = separator
        self.append = append
        self.append_header = True  # whether an empty file gets a first line with the names
        self._resumed = False
        self._reset()

    def _reset(self) -> None:
        self.keys: list[str] | None = None
        self.size: int | None = None  # bytes written so far
        self.csv_file: TextIO | None = None
        self.writer: Any = None

    @property
    def adds_to_a_file(self) -> bool:  # type: ignore[override]
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

    @_explains_failure
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            # The first epoch may not be validated while later ones are.
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.csv_file is None:
            self.csv_file = self._open(["epoch", *self.keys])
        row = {key: _as_text(logs.get(key, "NA")) for key in self.keys}
        self.writer.writerow({"epoch": epoch, **row})
        self.csv_file.flush()
        self.size = self.csv_file.tell()

    def _open(self, names: list[str]) -> TextIO:
        # The file is opened only now, not when training begins: a resumed run (`set_state`) keeps
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
