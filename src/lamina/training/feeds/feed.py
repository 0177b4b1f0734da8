"""Feed: the protocol of all classes that bring batches to the device.

A feed brings data to the device in *chunks*: several batches of one size in one array, and the
order in which to use its rows. The protocol is complete, so no caller checks the type of a feed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lamina.core.types import PyTree
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.random_states import RandomStates
from lamina.training.placement import Placement, current


def identity(batch: PyTree) -> PyTree:
    """Return a batch unchanged."""
    return batch


@dataclass(frozen=True)
class FeedOptions:
    """Settings for iterating over data, for every kind of feed.

    Args:
        batch_size: Samples per step, for data that are not divided into batches yet.
        shuffle: True, False, or `"batch"` to shuffle whole batches.
        seed: The order of an epoch depends on the seed and the number of the epoch.
        steps: Steps in an epoch; None for one pass over the data. See `epochs.py`.
        reweight: Function of a batch that converts class weights to sample weights.
        prepare: Function of the inputs: the part of the model that runs on the host.
        placement: Where to put the batches; the current placement by default.
    """

    batch_size: int = 32
    shuffle: Any = False
    seed: int = 0
    steps: int | None = None
    reweight: Callable[[Any], Any] = identity
    prepare: Callable[[Any], Any] = identity
    # Looked up when the options are created, because a thread of the feed has its own context.
    placement: Placement = field(default_factory=current)

    def own_rows(self, samples: int) -> np.ndarray | None:
        """Positions in a batch of the rows that this process has to read; None for all.

        A feed tells a batch of these rows from a whole one by the number of rows. So all are read
        if the last, smaller batch has as many.

        Args:
            samples: Number of samples in the data.
        """
        rows = self.placement.own_rows(self.batch_size)
        return None if rows is None or samples % self.batch_size == len(rows) else rows


class Feed(Protocol):
    """A source of batches for the engine."""

    @property
    def steps(self) -> int | None:
        """Number of steps in an epoch, if known; must be settable."""
        ...

    @property
    def samples(self) -> int | None:
        """Number of samples, if known from the start."""
        ...

    seed: int  # determines the order of every epoch
    first_epoch: int  # index of the first epoch of the run
    exhausted: bool  # whether a source that can be iterated only once has ended
    random_states: RandomStates  # states of the global generators, which the source may use
    interrupted: Callable[[], bool]  # whether to stop waiting for batches
    check: Callable[[Any, Any, Any], None]  # checks x, y and sample_weight before they are used

    def steps_in_epoch(self, epoch: int) -> int | None:
        """Number of steps of an epoch, if known."""
        ...

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        """The chunks of one epoch of training; called for consecutive epochs."""
        ...

    def evaluation_chunks(self) -> Iterator[Chunk]:
        """The chunks of one evaluation, which begins with the first batch."""
        ...

    def example(self) -> tuple[Any, Any, Any]:
        """x, y and sample_weight of one batch, on the host, for shapes and checks."""
        ...

    def take_samples(self, max_samples: int) -> tuple[Any, Any, Any] | None:
        """x, y and sample_weight of at most `max_samples` samples, on the host, after a run.

        None if the source can be read only once.
        """
        ...

    def sampled_rows(self, max_samples: int) -> np.ndarray | None:
        """The indices of the samples that `take_samples` returns; None if the source has none."""
        ...

    def first_chunk(self) -> Chunk:
        """A chunk of the first steps, to try programs; training gets these steps again."""
        ...

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        """Change the batch size, if the feed can do that at no cost.

        Args:
            batch_size: Function that returns the batch size for a number of samples.
        """
        ...

    def skip(self, epochs: int, steps: int) -> None:
        """Resume an interrupted run after `epochs` epochs and `steps` steps of the next epoch."""
        ...

    def skip_evaluations(self, count: int) -> None:
        """Resume a source of validation data after `count` evaluations."""
        ...

    @property
    def is_drawing_random_numbers(self) -> bool:
        """Whether a thread may currently be using the global random generators."""
        ...

    def random_state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        """State of the global random generators, to resume a run after these steps.

        None if no thread uses them ahead of the run.
        """
        ...
