"""PyDataset: a source of batches by number, written by the user."""

import math

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import PyTree


@filter_tracebacks_of_methods
class PyDataset:
    """A source that gives any batch by its index, so it can be shuffled and prepared in parallel.

    Args:
        workers: Number of threads or processes that prepare batches.
        use_multiprocessing: Use processes instead of threads. The object is sent to them in every
            epoch, and changes that `__getitem__` makes to it stay there. Threads start faster, and
            are as good if most time is spent in NumPy, Pillow or files.
        max_queue_size: Number of batches prepared ahead.

    Example:
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         return [[index], [index + 1]], [[index**2], [(index + 1) ** 2]]
        >>> Squares().num_batches
        3
    """

    # For a subclass that does not call super().__init__().
    workers, use_multiprocessing, max_queue_size = 1, False, 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ):
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> PyTree:
        """Batch number `index`: `x`, `(x, y)` or `(x, y, sample_weight)`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index).")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self).")

    @property
    def num_batches(self) -> int | None:
        """Number of batches in an epoch; None if it has no end."""
        try:
            return len(self)
        except (NotImplementedError, OverflowError):
            return None
        except (TypeError, ValueError):
            count = self.__len__()
            if isinstance(count, int) and count >= 0:
                raise
        owner = type(self).__name__
        raise TypeError(
            f"{owner}.__len__() is the number of batches, an integer of at least 0; it "
            f"returned {count!r}.\n  Likely cause: a division.\n"
            f"  Fix: return math.ceil(samples / batch_size) in {owner}.__len__()."
        )

    def on_epoch_begin(self) -> None:
        """Called before every epoch."""

    def on_epoch_end(self) -> None:
        """Called after every epoch."""

    def __iter__(self) -> PyTree:
        count = self.num_batches
        index = 0
        while count is None or index < count:
            yield self[index]
            index += 1


def steps_in(samples: int, batch_size: int) -> int:
    """Number of batches that `samples` rows make, the last one perhaps short."""
    return math.ceil(samples / batch_size)
