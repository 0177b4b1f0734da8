"""Feed: where batches come from, and how they are asked for.

A feed brings data to the device in *chunks*: stacks of batches of one size, and the order in which
to take their rows. What is asked of a feed is all here, so nobody need know which kind it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.random_states import RandomStates
from lamina.training.placement import Placement, current


def as_given(batch: Any) -> Any:
    """What is done to batches where nothing is to be done."""
    return batch


@dataclass(frozen=True)
class FeedOptions:
    """How to go through data, whatever holds them.

    Args:
        batch_size: Samples per step, for data that do not come in batches.
        shuffle: True, False, or `"batch"` to shuffle whole batches.
        seed: The order of an epoch is a function of the seed and the epoch's number.
        steps: Steps in an epoch, if not once through the data; see `epochs.py`.
        reweight: Applied to batches, to turn class weights into sample weights.
        prepare: What the model does with its inputs on the host, `Trainable.on_host`.
        placement: Where the batches are to be; the one that holds if none is given.
    """

    batch_size: int = 32
    shuffle: Any = False
    seed: int = 0
    steps: int | None = None
    reweight: Callable[[Any], Any] = as_given
    prepare: Callable[[Any], Any] = as_given
    # Found when they are made: a thread of the feed's has a context of its own.
    placement: Placement = field(default_factory=current)


class Feed(Protocol):
    """Where the engine gets its batches from."""

    @property
    def steps(self) -> int | None:
        """Number of steps in an epoch, if it is known."""
        ...

    @property
    def samples(self) -> int | None:
        """Number of samples, if all of them are known from the start."""
        ...

    seed: int  # what the order of every epoch is made from
    first_epoch: int  # number of the epoch with which the run begins
    exhausted: bool  # whether the source gave all that it can ever give
    random_states: RandomStates  # of the generators that the source may draw from
    interrupted: Callable[[], bool]  # whether to give up waiting for batches
    check: Callable[[Any, Any, Any], None]  # looks at x, y and sample_weight before they are used

    def steps_in(self, epoch: int) -> int | None:
        """Number of steps that this epoch will have, if it is known."""
        ...

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        """The chunks of one epoch of training; epochs come one after another."""
        ...

    def evaluation_chunks(self) -> Iterator[Chunk]:
        """The chunks of one measurement, which begins with the first batch."""
        ...

    def example(self) -> tuple[Any, Any, Any]:
        """x, y and sample_weight of one batch, on the host, for shapes and checks."""
        ...

    def first_chunk(self) -> Chunk:
        """Some of the first steps, of which nothing is used up by that."""
        ...

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        """Go through the data in batches of another size, where that costs nothing.

        Args:
            batch_size: The size for a number of samples.
        """
        ...

    def skip(self, epochs: int, steps: int) -> None:
        """Go on where an interrupted run stood: after so many epochs, and steps of the next."""
        ...

    def skip_evaluations(self, count: int) -> None:
        """Go on, for a source to measure on, after so many measurements."""
        ...

    @property
    def is_drawing(self) -> bool:
        """Whether a thread may be drawing from the global generators right now."""
        ...

    def random_state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        """Where the global generators stand for a run that goes on after so many steps.

        None where the source does not draw from them ahead of the run.
        """
        ...
