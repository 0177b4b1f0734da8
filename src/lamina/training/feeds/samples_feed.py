"""SamplesFeed: for data sets that return one sample by its index, such as PyTorch's.

Samples are read again in every epoch, because reading may include random augmentation.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lamina.core.types import PyTree
from lamina.core.user_data.columnar import as_array
from lamina.training.feeds.chunks import Chunk, stack_batches
from lamina.training.feeds.epoch_order import permutation
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.py_dataset import PyDataset, number_of_batches
from lamina.training.feeds.stream_feed import StreamFeed


def is_map_style_dataset(value: Any) -> bool:
    """Whether a value returns samples by their index, and is neither an array nor iterable."""
    kind = type(value)
    if not (hasattr(kind, "__getitem__") and hasattr(kind, "__len__")):
        return False
    if isinstance(value, (Iterable, PyDataset)):
        return False
    return not any(hasattr(value, name) for name in ("shape", "__array__", "to_numpy", "tocsr"))


def tensor_dataset_arrays(value: Any) -> tuple[np.ndarray, ...] | None:
    """The arrays of PyTorch's `TensorDataset`, or of a `Subset` of one; None for anything else."""
    kind = type(value)
    if not kind.__module__.startswith("torch.utils.data"):
        return None
    if kind.__name__ == "TensorDataset":
        return tuple(map(as_array, value.tensors))
    if kind.__name__ == "Subset":
        all_arrays = tensor_dataset_arrays(value.dataset)
        rows = np.asarray(value.indices)
        return None if all_arrays is None else tuple(array[rows] for array in all_arrays)
    return None


class SampleSubset:
    """A subset of the samples of a data set.

    Args:
        samples: The data set, which returns the sample at an index.
        rows: The indices of the samples in the subset.
    """

    def __init__(self, samples: Any, rows: Sequence[int] | np.ndarray):
        self.samples = samples
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.samples[int(self.rows[index])]


class SampleBatches(PyDataset):
    """Batches of the samples of a data set.

    Args:
        samples: The data set, which returns the sample at an index.
        batch_size: Samples in a batch; the last one may have fewer.
    """

    def __init__(self, samples: Any, batch_size: int):
        super().__init__()
        self.samples = samples
        self.batch_size = batch_size
        self.order: Sequence[int] | np.ndarray = range(len(samples))
        # Positions of the samples of a batch that are read; None for all. The last, smaller batch
        # is read whole.
        self.own_rows: np.ndarray | None = None

    def __len__(self) -> int:
        return number_of_batches(len(self.samples), self.batch_size)

    def __getitem__(self, index: int) -> PyTree:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        if self.own_rows is not None and len(rows) == self.batch_size:
            rows = [rows[i] for i in self.own_rows]
        return collate([self.samples[int(row)] for row in rows])


class SamplesFeed(StreamFeed):
    """Batches of samples that are read by index, in a new order for every epoch.

    Args:
        samples: The data set, which returns the sample at an index.
        options: How to iterate over the data set.
    """

    def __init__(self, samples: Any, options: FeedOptions):
        by_batch = options.shuffle == "batch"
        self._shuffles_samples = bool(options.shuffle) and not by_batch
        self._batches_of_samples = SampleBatches(samples, int(options.batch_size))
        super().__init__(self._batches_of_samples, replace(options, shuffle=by_batch))
        self.name = type(samples).__name__
        self._own_rows = self.options.own_rows(len(samples))

    def _new_iterator(self) -> Iterator[Any]:
        if self._shuffles_samples:
            batches = self._batches_of_samples
            epoch = self.first_epoch + self._pass_number
            batches.order = permutation(len(batches.samples), self.seed, epoch)
        return super()._new_iterator()

    def _stack_batches(self, batches: Iterator[Any]) -> Iterator[Chunk]:
        batch_size = self._batches_of_samples.batch_size
        return stack_batches(batches, self._finish_chunk, batch_size, self._own_rows)

    def _next_batch(self) -> PyTree:
        batch = super()._next_batch()
        # The first batch is the example, which all processes compare, and is read whole.
        self._batches_of_samples.own_rows = self._own_rows
        return batch


def collate(samples: Sequence[Any]) -> PyTree:
    """Combine samples to a batch; a sample is an array, number or text, or a tuple, list or dict.

    Raises:
        ValueError: If the samples differ in shape.
    """
    first = samples[0]
    if isinstance(first, (tuple, list)):
        return tuple(collate(part) for part in zip(*samples, strict=True))
    if isinstance(first, dict):
        return {name: collate([sample[name] for sample in samples]) for name in first}
    if isinstance(first, (str, bytes)):
        return np.array(samples, dtype=object)
    arrays = [as_array(sample) for sample in samples]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(
            f"Samples have different shapes, such as {shapes[0]} and {shapes[1]}, so they do not "
            "form a batch.\n  Fix: return one shape from __getitem__, or pass a PyTorch data set "
            "to torch.utils.data.DataLoader(dataset, collate_fn=…)."
        )
    return np.stack(arrays)
