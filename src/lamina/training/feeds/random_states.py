"""States of NumPy's and Python's global random generators, by position in a source of batches.

Many scripts augment images with `np.random` in `__getitem__` or in a function for `Dataset.map`, or
shuffle with it in `on_epoch_end`. A thread does that ahead of training. The states are recorded, so
that a run resumed in another process gets the same batches.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.core.variable.seed import restore_shared_state, shared_state


class RandomStates:
    """The states before the first batch, before and after every epoch, and after each batch.

    When a source reaches a position at which an earlier run recorded a state, that state is
    restored, so that the source yields the same batches as in the earlier run.
    """

    def __init__(self) -> None:
        self.keeping = False  # whether a callback keeps checkpoints
        self._known: list[np.ndarray] = []
        self._positions: dict[str, int] = {}
        self._after_batch: dict[int, np.ndarray] = {}

    def first_batch(self) -> None:
        """The first batch is about to be taken, for the checks before the run."""
        self._reach("example")

    def on_epoch_begin(self, epoch: int) -> None:
        """An epoch, counted from 0 in this run, is about to begin in the source."""
        if self.keeping:
            self._after_batch.clear()
            self._reach(f"begin {epoch}")

    def on_epoch_continue(self, epoch: int) -> None:
        """An epoch begins within a pass, while a thread is working ahead.

        The state at this moment is unknown. A resumed run repeats the pass from its beginning.
        """
        if self.keeping:
            self._after_batch.clear()
            before = f"begin {epoch - 1}" if epoch else "example"
            self._positions.setdefault(f"begin {epoch}", self._positions[before])

    def on_epoch_end(self, epoch: int) -> None:
        """An epoch is about to end in the source."""
        if self.keeping:
            self._reach(f"end {epoch}")

    def batch_drawn(self, count: int) -> None:
        """The source has yielded this number of batches of the epoch."""
        if self.keeping:
            self._after_batch[count] = shared_state()

    def after_batch(self, count: int) -> np.ndarray | None:
        """The state after a number of batches of the epoch; earlier states are dropped."""
        state = self._after_batch.get(count)
        for earlier in [number for number in list(self._after_batch) if number < count]:
            del self._after_batch[earlier]
        return state

    def state_at_epoch_begin(self, epoch: int) -> np.ndarray | None:
        """The state at the beginning of an epoch."""
        position = self._positions.get(f"begin {epoch}")
        return None if position is None else self._known[position]

    def contents(self) -> dict[str, Any]:
        """Everything to store in a checkpoint, as plain data and arrays."""
        positions = dict(self._positions)
        return {"places": positions, "known": np.array(self._known[: len(self._known)])}

    def restore(self, contents: Mapping[str, Any]) -> None:
        """Take over the `contents` of another process."""
        self._positions = dict(contents["places"])
        self._known = list(contents["known"])

    def _reach(self, position: str) -> None:
        if position in self._positions:
            restore_shared_state(self._known[self._positions[position]])
            return
        state = shared_state()
        if not self._known or not np.array_equal(state, self._known[-1]):
            self._known.append(state)
        self._positions[position] = len(self._known) - 1
