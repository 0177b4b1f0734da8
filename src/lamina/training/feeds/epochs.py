"""Which batches belong to an epoch, given `steps_per_epoch`, and which epochs are validated.

A *pass* is one iteration over the whole data. An epoch has at most `steps_per_epoch` steps, and
ends at the latest where a pass ends. If a pass is longer than an epoch, the next epoch continues
it.
"""

from typing import Any, NamedTuple


def is_validated(epoch: int, frequency: Any) -> bool:
    """Whether an epoch, counted from 0, is validated; `frequency` is `validation_freq` of `fit`.

    Example:
        >>> [is_validated(epoch, 2) for epoch in range(4)], is_validated(0, [1, 5])
        ([False, True, False, True], True)
    """
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


class BatchRange(NamedTuple):
    """Batches `first` (inclusive) to `last` (exclusive) of one pass over the data."""

    pass_number: int
    first: int
    last: int


def batches_of_epoch(epoch: int, first_epoch: int, steps: int, steps_in_pass: int) -> BatchRange:
    """The batches of an epoch.

    Args:
        epoch: Index of the epoch.
        first_epoch: Index of the first epoch of the run, which begins a pass.
        steps: Maximum number of steps in an epoch.
        steps_in_pass: Number of batches in the data.

    Example:
        >>> [batches_of_epoch(epoch, 0, steps=4, steps_in_pass=5)[1:] for epoch in range(4)]
        [(0, 4), (4, 5), (0, 4), (4, 5)]
        >>> batches_of_epoch(epoch=1, first_epoch=0, steps=7, steps_in_pass=5)
        BatchRange(pass_number=1, first=0, last=5)
    """
    epochs_in_pass = -(-steps_in_pass // steps)
    pass_number, epoch_in_pass = divmod(epoch - first_epoch, epochs_in_pass)
    first = epoch_in_pass * steps
    return BatchRange(first_epoch + pass_number, first, min(steps_in_pass, first + steps))
