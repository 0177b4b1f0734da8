"""Epochs: which part of the data an epoch is, given `steps_per_epoch`, and which are validated.

An epoch never has more steps than `steps_per_epoch`, and never goes on beyond the end of the data.
A passage that is cut goes on in the next epoch; where it ends, the epoch ends as well.
"""

from typing import Any, NamedTuple


def is_validated(epoch: int, frequency: Any) -> bool:
    """Whether an epoch, counted from 0, is validated after; `frequency` as `fit` takes it.

    Example:
        >>> [is_validated(epoch, 2) for epoch in range(4)], is_validated(0, [1, 5])
        ([False, True, False, True], True)
    """
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


class Part(NamedTuple):
    """Batches `first` to `last`, which is not among them, of one passage through the data."""

    passage: int
    first: int
    last: int


def part_of_epoch(epoch: int, first_epoch: int, steps: int, through: int) -> Part:
    """The batches of an epoch.

    Args:
        epoch: Its number.
        first_epoch: That of the first epoch of the run, which begins a passage.
        steps: Steps in an epoch, at most.
        through: Batches in the data.

    Example:
        >>> [part_of_epoch(epoch, 0, steps=4, through=5)[1:] for epoch in range(4)]
        [(0, 4), (4, 5), (0, 4), (4, 5)]
        >>> part_of_epoch(epoch=1, first_epoch=0, steps=7, through=5)
        Part(passage=1, first=0, last=5)
    """
    epochs_in_passage = -(-through // steps)
    passage, part = divmod(epoch - first_epoch, epochs_in_passage)
    first = part * steps
    return Part(first_epoch + passage, first, min(through, first + steps))
