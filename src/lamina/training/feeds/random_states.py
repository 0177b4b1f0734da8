"""Where NumPy's and Python's global generators stood while a source of batches was asked.

Tutorials augment pictures with `np.random` in `__getitem__` or in a function for `Dataset.map`, and
shuffle with it in `on_epoch_end`. A thread does that ahead of training. So that a run that goes on
in another process sees the same batches, the states are kept that belong to the places in the data.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.core.variable.seed import restore_shared_state, shared_state


class RandomStates:
    """The states before the first batch, before and after every epoch, and after its batches.

    What was kept by an earlier run is restored at the same place when it is passed again: going
    through a source once more is then the same as it was.
    """

    def __init__(self) -> None:
        self.keeping = False  # whether somebody keeps checkpoints
        self._known: list[np.ndarray] = []
        self._places: dict[str, int] = {}
        self._after_batch: dict[int, np.ndarray] = {}

    def first_batch(self) -> None:
        """The first batch is about to be drawn, to look at it before the run begins."""
        self._pass("example")

    def epoch_begins(self, epoch: int) -> None:
        """An epoch, counted from 0 in this run, is about to begin in the source."""
        if self.keeping:
            self._after_batch.clear()
            self._pass(f"begin {epoch}")

    def epoch_goes_on(self, epoch: int) -> None:
        """An epoch begins in a pass that a thread is drawing for: nobody knows how far it is.

        A later run has to go through that pass from its beginning.
        """
        if self.keeping:
            self._after_batch.clear()
            before = f"begin {epoch - 1}" if epoch else "example"
            self._places.setdefault(f"begin {epoch}", self._places[before])

    def epoch_ends(self, epoch: int) -> None:
        """An epoch is about to end in the source."""
        if self.keeping:
            self._pass(f"end {epoch}")

    def batch_drawn(self, count: int) -> None:
        """So many batches of the epoch have been drawn."""
        if self.keeping:
            self._after_batch[count] = shared_state()

    def after_batch(self, count: int) -> np.ndarray | None:
        """The state after so many batches of the epoch; those of fewer are let go."""
        found = self._after_batch.get(count)
        for earlier in [number for number in list(self._after_batch) if number < count]:
            del self._after_batch[earlier]
        return found

    def at_beginning(self, epoch: int) -> np.ndarray | None:
        """The state that an epoch began with."""
        place = self._places.get(f"begin {epoch}")
        return None if place is None else self._known[place]

    def contents(self) -> dict[str, Any]:
        """All that must be stored, as plain data and arrays."""
        places = dict(self._places)
        return {"places": places, "known": np.array(self._known[: len(self._known)])}

    def restore(self, contents: Mapping[str, Any]) -> None:
        """Take over what `contents` gave in another process."""
        self._places = dict(contents["places"])
        self._known = list(contents["known"])

    def _pass(self, place: str) -> None:
        if place in self._places:
            restore_shared_state(self._known[self._places[place]])
            return
        state = shared_state()
        if not self._known or not np.array_equal(state, self._known[-1]):
            self._known.append(state)
        self._places[place] = len(self._known) - 1
