"""PyDataset: base class for users' sources of batches that are accessed by index."""

import math

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import PyTree


@filter_tracebacks_of_methods
class PyDataset:
    """A source of batches with access by index, so they can be shuffled and loaded in parallel.

    Args:
        workers: Number of threads or processes that prepare batches.
        use_multiprocessing: Use processes instead of threads. The data set is copied to them in
            every epoch, so changes that `__getitem__` makes to it are lost. Threads start faster,
            and are as fast if most time is spent in NumPy, Pillow or reading files.
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
        """Number of batches in an epoch; None for an endless source."""
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


def number_of_batches(samples: int, batch_size: int) -> int:
    """Number of batches for `samples` samples; the last batch may be smaller."""
    return math.ceil(samples / batch_size)
