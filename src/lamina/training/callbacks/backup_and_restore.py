"""BackupAndRestore: stores checkpoints of a run, and resumes interrupted training."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamina.core import processes
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import Logs, PathLike
from lamina.core.user_data.arguments import explain_arguments
from lamina.saving.atomic import make_folder
from lamina.saving.hdf5 import DamagedFileError
from lamina.saving.shared_folder import check_is_shared
from lamina.saving.state_file import read_state, write_state
from lamina.training.callbacks.callback import Callback

_FILE, _PREVIOUS = "training_state.h5", "training_state.previous.h5"


class BackupAndRestore(Callback):
    """Stores checkpoints of training in a folder, from which the same call of `fit` is resumed.

    After a crash, `kill -9` or Ctrl-C, run the same script again. It ends with exactly the weights,
    optimizer state and history of an uninterrupted run. A checkpoint contains all Variables, the
    random states, the position in the data, whether a callback has stopped training, and the states
    of the other callbacks (`Callback.get_state`). At most the steps since the last checkpoint are
    repeated. See docs/reliability.md for the guarantees.

    To resume, a generator is iterated again from its start up to the position, and other iterables
    from the beginning of the epoch. Arrays and a `PyDataset` continue at the position directly.

    Args:
        backup_dir: A folder that only this training uses.
        save_freq: `"epoch"` for a backup after every epoch, a number of batches between backups, or
            False for a backup only when Ctrl-C ends training. A number does not slow down training.
        double_checkpoint: Keep the previous backup as well, in case the last file is damaged.
        delete_checkpoint: Delete the backup when training is complete.

    Raises:
        ValueError: If an argument is wrong, or the backup belongs to another model or other data.

    Example:
        >>> import tempfile
        >>> import lamina
        >>> import numpy as np
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> folder = tempfile.mkdtemp()
        >>> x = np.ones((4, 2), "float32")
        >>> def train(epochs):
        ...     backup = BackupAndRestore(folder, delete_checkpoint=False)
        ...     return model.fit(x, x[:, :1], epochs=epochs, callbacks=[backup], verbose=0)
        >>> train(epochs=2).epoch
        [0, 1]
        >>> train(epochs=3).epoch
        [0, 1, 2]
    """

    @explain_arguments
    def __init__(
        self,
        backup_dir: PathLike,
        save_freq: int | str | bool = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        if not backup_dir or not isinstance(backup_dir, (str, os.PathLike)):
            raise ValueError(
                f"BackupAndRestore: backup_dir must name a folder; received {backup_dir!r}."
            )
        is_count = type(save_freq) is int and save_freq > 0
        if save_freq != "epoch" and save_freq is not False and not is_count:
            raise ValueError(
                "BackupAndRestore: save_freq must be 'epoch', a number of batches, 1 or more, or "
                f"False; received {save_freq!r}."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = Path(self.backup_dir, _FILE)
        self._previous = Path(self.backup_dir, _PREVIOUS)
        self._steps_at_save = 0
        self._steps = 0
        self._interrupted = False
        self._has_only_initial_state = False  # whether the file has the state before the first step

    def _stored_run(self) -> Mapping[str, Any] | None:
        self._steps_at_save = self._steps = 0
        self._interrupted = self._has_only_initial_state = False
        check_is_shared(self.backup_dir)
        problems = []
        for path in (self._path, self._previous):
            try:
                contents = read_state(path)
                self._steps_at_save = self._steps = contents.get("steps", 0)
                self._has_only_initial_state = "steps" not in contents
                return contents
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                make_folder(
                    self.backup_dir
                )  # raises an error that names the part of the path that is a file
            except (DamagedFileError, OSError) as error:
                problems.append(str(error))
                if path == self._path and self._previous.exists():
                    warnings.warn(
                        f"{error}\n  Training continues from the previous backup.",
                        LaminaWarning,
                        stacklevel=stacklevel_of_user(),
                    )
        if problems:
            problem = problems[0].partition("\n")[0]
            raise DamagedFileError(
                f"{problem}\n  Fix: delete the folder {self.backup_dir} to start over; "
                "double_checkpoint=True keeps a second backup next time."
            )
        return None

    def _steps_to_checkpoint(self) -> int | None:
        if not self._counts_batches:
            return None
        return max(1, int(self.save_freq) - (self._steps - self._steps_at_save))

    def _at_checkpoint(self, checkpoint: Any) -> None:
        self._steps = checkpoint.steps
        self._interrupted = checkpoint.interrupted
        if checkpoint.steps == 0 and not checkpoint.interrupted:
            initial_contents = checkpoint.initial_contents()
            if initial_contents is not None and self.save_freq is not False:
                self._has_only_initial_state = True
                write_state(self._path, initial_contents)
            return
        if self._counts_batches:
            is_due = self._steps - self._steps_at_save >= int(self.save_freq)
        else:
            is_due = self.save_freq == "epoch" and checkpoint.step == 0
        was_stopped = checkpoint.stopped and checkpoint.step == 0 and self.save_freq is not False
        if is_due or was_stopped or self._interrupted:
            self._steps_at_save = self._steps
            self._save(checkpoint.contents())

    def on_train_end(self, logs: Logs | None = None) -> None:
        if not self.delete_checkpoint or self._interrupted:
            return
        if not processes.is_first():
            return
        for path in (self._path, self._previous):
            path.unlink(missing_ok=True)
        folder = Path(self.backup_dir)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    @property
    def _counts_batches(self) -> bool:
        return self.save_freq != "epoch" and self.save_freq is not False

    def _save(self, contents: Mapping[str, Any]) -> None:
        keeps_previous = self.double_checkpoint and not self._has_only_initial_state
        if keeps_previous and processes.is_first() and self._path.exists():
            os.replace(self._path, self._previous)
        write_state(self._path, contents)
        self._has_only_initial_state = False
