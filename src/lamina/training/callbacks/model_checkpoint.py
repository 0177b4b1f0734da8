"""ModelCheckpoint: saves the model, or its weights, during training."""

import os
import string
from pathlib import Path
from typing import Any

from lamina.core import processes
from lamina.core.types import Logs, PathLike
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.user_data.paths import path_as_text
from lamina.saving.atomic import make_folder
from lamina.training.callbacks.callback import Callback, mark_as_no_op
from lamina.training.callbacks.monitor import MonitorCallback, MonitoredMetric


class ModelCheckpoint(MonitorCallback, Callback):
    """Saves the model after every epoch or number of batches, optionally only if it improved.

    Args:
        filepath: Path of the file, in which `{epoch:02d}` (from 1), `{batch}` and names in the
            logs, such as `{val_loss:.2f}`, are filled in. Missing folders are created.
        monitor: Name of the metric in the logs that decides which model is best.
        verbose: 1 to print a message for every save.
        save_best_only: Save only when the metric is better than at every earlier save.
        save_weights_only: Save with `model.save_weights`, not `model.save`.
        mode: `"min"` if lower is better, `"max"` if higher is, `"auto"` to decide by the metric.
        save_freq: `"epoch"`, or a number of batches, which makes training slower; see `Callback`.
        initial_value_threshold: The model is first saved when the metric is better than this.

    Raises:
        ValueError: If an argument is wrong, or the logs have no entry that `filepath` or `monitor`
            names.

    Example:
        >>> class Model:
        ...     def save(self, filepath, overwrite):
        ...         print("saved", filepath)
        >>> checkpoint = ModelCheckpoint("digits-{epoch:02d}.keras")
        >>> checkpoint.set_model(Model())
        >>> checkpoint.on_epoch_end(0, {"val_loss": 0.25})
        saved digits-01.keras
    """

    state_names = ("best", "batches_since_save", "last_batch", "epoch")

    @explain_arguments
    def __init__(
        self,
        filepath: PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ):
        self._monitored = MonitoredMetric("ModelCheckpoint", monitor, mode)
        self.filepath = _check_path(filepath)
        if save_freq != "epoch" and not (type(save_freq) is int and save_freq > 0):
            raise ValueError(
                "ModelCheckpoint: save_freq must be 'epoch' or a number of batches, 1 or more; "
                f"received {save_freq!r}."
            )
        if save_best_only and save_freq != "epoch" and monitor.startswith("val_"):
            raise ValueError(
                f"ModelCheckpoint cannot find the best {monitor!r} every {save_freq} batches: it "
                "is measured at the end of an epoch.\n  Fix: save_freq='epoch', or monitor="
                f"{monitor.removeprefix('val_')!r}."
            )
        self.monitor = monitor
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.mode = mode
        self.min_delta = 0.0
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.batches_since_save = 0
        self.last_batch: int | None = None
        self.epoch = 0

    def has_batch_hooks(self, mode: str) -> bool:
        counts_batches = mode == "train" and self.save_freq != "epoch"
        return counts_batches or super().has_batch_hooks(mode)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.save_best_only:
            self._find_direction()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save_if_due(epoch, dict(logs or {}))

    @mark_as_no_op  # if save_freq is "epoch"; see has_batch_hooks
    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        new_epoch = self.last_batch is None or batch <= self.last_batch
        # A call may stand for several batches.
        self.batches_since_save += batch + 1 if new_epoch else batch - int(self.last_batch or 0)
        self.last_batch = batch
        if self.batches_since_save >= int(self.save_freq):
            self.batches_since_save = 0
            self._save_if_due(self.epoch, {"batch": batch + 1, **(logs or {})})

    def _save_if_due(self, epoch: int, logs: dict[str, Any]) -> None:
        reason = ""
        if self.save_best_only:
            current = self._monitored.value(logs, self.params)
            if current is None:
                return
            if not self._is_improvement(current, self.best):
                self._print(epoch, f"{self.monitor} is {current:.5g}, the best is {self.best:.5g}")
                return
            old_best = "" if self.best is None else f", before {self.best:.5g}"
            reason = f" ({self.monitor} {current:.5g}{old_best})"
            self.best = current
        self._print(epoch, f"saved {self._save(epoch, logs)}{reason}")

    def _save(self, epoch: int, logs: dict[str, Any]) -> str:
        """Save now, and return the path."""
        path = self._path(epoch, logs)
        if os.path.dirname(path):
            make_folder(os.path.dirname(path))
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        return path

    def _path(self, epoch: int, logs: dict[str, Any]) -> str:
        values = {**logs, "epoch": epoch + 1}
        try:
            return self.filepath.format(**values)
        except KeyError as error:
            raise ValueError(
                f"ModelCheckpoint cannot fill in {error.args[0]!r} of filepath {self.filepath!r}; "
                f"known are {', '.join(values)}."
            ) from None

    def _print(self, epoch: int, message: str) -> None:
        if self.verbose:
            processes.print_from_first(f"Epoch {epoch + 1}: {message}.")


def _check_path(filepath: PathLike) -> str:
    path = path_as_text(filepath, "ModelCheckpoint")
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(path) if name is not None]
    except ValueError as error:
        raise ValueError(
            f"ModelCheckpoint: filepath {path!r} has an unmatched brace "
            f"({error}).\n  Fix: '{{epoch:02d}}.keras' to fill in a number; double a literal brace."
        ) from None
    if "" in names:
        raise ValueError(
            f"ModelCheckpoint: filepath {path!r} has an empty {{}}.\n"
            "  Fix: write a name in the braces, such as {epoch:02d} or {val_loss:.2f}."
        )
    if not path or Path(path).is_dir():
        raise ValueError(
            f"ModelCheckpoint needs the name of a file; received the folder {path!r}.\n"
            f"  Fix: filepath={str(Path(path) / '{epoch:02d}.keras')!r}."
        )
    return path
