"""Feed: the protocol of all sources of batches.

A feed brings data to the device in *chunks*: several batches of one size in one array, and the
order in which to take its rows. The protocol is complete, so no caller checks the type of a feed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lamina.core.types import PyTree
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.random_states import RandomStates
from lamina.training.placement import Placement, current


def as_given(batch: PyTree) -> PyTree:
    """The identity: batches that need no change."""
    return batch


@dataclass(frozen=True)
class FeedOptions:
    """Settings of an iteration over data, for every kind of feed.

    Args:
        batch_size: Samples per step, for data that are not yet in batches.
        shuffle: True, False, or `"batch"` to shuffle whole batches.
        seed: The order of an epoch is a function of the seed and the epoch's number.
        steps: Steps in an epoch, if it is not one pass over the data; see `epochs.py`.
        reweight: Applied to batches, to turn class weights into sample weights.
        prepare: The part of the model that runs on the host, `Trainable.on_host`.
        placement: Where to put the batches; the current placement by default.
    """

    batch_size: int = 32
    shuffle: Any = False
    seed: int = 0
    steps: int | None = None
    reweight: Callable[[Any], Any] = as_given
    prepare: Callable[[Any], Any] = as_given
    # Found when the options are made: a thread of the feed has a context of its own.
    placement: Placement = field(default_factory=current)


class Feed(Protocol):
    """A source of batches for the engine."""

    @property
    def steps(self) -> int | None:
        """Number of steps in an epoch, if it is known; a class must let it be set."""
        ...

    @property
    def samples(self) -> int | None:
        """Number of samples, if all of them are known from the start."""
        ...

    seed: int  # the order of every epoch is a function of it
    first_epoch: int  # number of the first epoch of the run
    exhausted: bool  # whether a source that can be iterated once has ended
    random_states: RandomStates  # of the global generators, which the source may use
    interrupted: Callable[[], bool]  # whether to stop waiting for batches
    check: Callable[[Any, Any, Any], None]  # checks x, y and sample_weight before they are used

    def steps_in(self, epoch: int) -> int | None:
        """Number of steps that this epoch will have, if it is known."""
        ...

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        """The chunks of one epoch of training; called for one epoch after another."""
        ...

    def evaluation_chunks(self) -> Iterator[Chunk]:
        """The chunks of one evaluation, which begins with the first batch."""
        ...

    def example(self) -> tuple[Any, Any, Any]:
        """x, y and sample_weight of one batch, on the host, for shapes and checks."""
        ...

    def draw(self, most: int) -> tuple[Any, Any, Any] | None:
        """x, y and sample_weight of at most so many samples, on the host, outside of a run.

        None if the source can be read only once.
        """
        ...

    def drawn_rows(self, most: int) -> np.ndarray | None:
        """The indices of the samples that `draw` gives; None if the source has none."""
        ...

    def first_chunk(self) -> Chunk:
        """A chunk of the first steps, which training will get again."""
        ...

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        """Use batches of another size, if the feed can change it at no cost.

        Args:
            batch_size: The size for a number of samples.
        """
        ...

    def skip(self, epochs: int, steps: int) -> None:
        """Resume an interrupted run after this number of epochs, and of steps of the next."""
        ...

    def skip_evaluations(self, count: int) -> None:
        """Resume a source of validation data after this number of evaluations."""
        ...

    @property
    def is_drawing(self) -> bool:
        """Whether a thread may be using the global random generators right now."""
        ...

    def random_state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        """State of the global generators for a run that is resumed after these steps.

        None if the source does not use them ahead of the run.
        """
        ...
