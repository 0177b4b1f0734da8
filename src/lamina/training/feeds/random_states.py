"""States of NumPy's and Python's global random generators, by position in a source of batches.

Many scripts augment images with `np.random` in `__getitem__` or in a function for `Dataset.map`, or
shuffle with it in `on_epoch_end`, in a thread that works ahead of training. The states are
recorded, so that a run that is resumed in another process gets the same batches.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.core.variable.seed import python_and_numpy_state, restore_python_and_numpy_state


class RandomStates:
    """Records states: before the first batch, before and after every epoch, after each batch.

    When a source reaches a position at which an earlier run recorded a state, that state is
    restored, so that the source yields the same batches as in the earlier run.
    """

    def __init__(self) -> None:
        self.is_recording = False  # set to True if a callback stores checkpoints
        self._states: list[np.ndarray] = []
        self._positions: dict[str, int] = {}
        self._after_batch: dict[int, np.ndarray] = {}

    def before_first_batch(self) -> None:
        """Called before the first batch is read, for the checks before the run."""
        self._restore_or_record("example")

    def on_epoch_begin(self, epoch: int) -> None:
        """Called before the source begins an epoch, which is counted from 0 in this run."""
        if self.is_recording:
            self._after_batch.clear()
            self._restore_or_record(f"begin {epoch}")

    def on_epoch_continue(self, epoch: int) -> None:
        """Called instead of `on_epoch_begin` if an epoch begins within a pass, in a thread.

        The state at this point is unknown. A resumed run repeats the pass from its beginning.
        """
        if self.is_recording:
            self._after_batch.clear()
            before = f"begin {epoch - 1}" if epoch else "example"
            self._positions.setdefault(f"begin {epoch}", self._positions[before])

    def on_epoch_end(self, epoch: int) -> None:
        """Called before the source ends an epoch."""
        if self.is_recording:
            self._restore_or_record(f"end {epoch}")

    def on_batch_end(self, count: int) -> None:
        """Called when the source has yielded `count` batches of the epoch."""
        if self.is_recording:
            self._after_batch[count] = python_and_numpy_state()

    def state_after_batch(self, count: int) -> np.ndarray | None:
        """The state after `count` batches of the epoch; deletes the states before it."""
        state = self._after_batch.get(count)
        for earlier in [number for number in list(self._after_batch) if number < count]:
            del self._after_batch[earlier]
        return state

    def state_at_epoch_begin(self, epoch: int) -> np.ndarray | None:
        """The state at the beginning of an epoch."""
        position = self._positions.get(f"begin {epoch}")
        return None if position is None else self._states[position]

    def contents(self) -> dict[str, Any]:
        """Everything to store in a checkpoint, as plain data and arrays."""
        positions = dict(self._positions)
        return {"places": positions, "known": np.array(self._states[: len(self._states)])}

    def restore(self, contents: Mapping[str, Any]) -> None:
        """Restore the `contents` that were stored in a checkpoint."""
        self._positions = dict(contents["places"])
        self._states = list(contents["known"])

    def _restore_or_record(self, position: str) -> None:
        """Restore the state of an earlier run at this position, or record the current state."""
        if position in self._positions:
            restore_python_and_numpy_state(self._states[self._positions[position]])
            return
        state = python_and_numpy_state()
        if not self._states or not np.array_equal(state, self._states[-1]):
            self._states.append(state)
        self._positions[position] = len(self._states) - 1
