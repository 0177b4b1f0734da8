"""`timeseries_dataset_from_array`: sliding windows over a time series."""

from collections.abc import Iterator

import numpy as np

from lamina.contract import Contract
from lamina.contract.measure import measure_target
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike
from lamina.core.variable.seed import make_default_seed
from lamina.data.dataset import Dataset
from lamina.data.labelled_folder import check_format


@filter_traceback
def timeseries_dataset_from_array(
    data: ArrayLike,
    targets: ArrayLike,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Sliding windows over a time series, with their targets.

    Args:
        data: The series, `(steps, ...)`.
        targets: `targets[i]` is the target of the window that starts at step `i`. To predict the
            step after a window of 10, give `data[:-10]` and `data[10:]`. None for no targets.
        sequence_length: Steps in a window.
        sequence_stride: Steps from the start of one window to that of the next.
        sampling_rate: Steps from one entry of a window to the next.
        batch_size: Windows in a batch; None for single windows.
        shuffle: Whether to shuffle the windows, anew in every epoch.
        seed: Seed of the shuffling.
        start_index: First step to use.
        end_index: Step before which to stop.
        format: `"tf"` or `"grain"`; either gives a `Dataset`.

    Returns:
        A `Dataset` of `(windows, targets)`, or of windows alone, which are
        `(batch, sequence_length, ...)`.

    Raises:
        ValueError: If no window fits, or an argument is out of range.

    Example:
        >>> series = np.arange(8)
        >>> windows = timeseries_dataset_from_array(series[:-3], series[3:], sequence_length=3)
        >>> for x, y in windows:
        ...     print(x.tolist(), y.tolist())
        [[0, 1, 2], [1, 2, 3], [2, 3, 4]] [3, 4, 5]
    """
    check_format(format)
    data = np.asarray(data)
    targets = None if targets is None else np.asarray(targets)
    steps = len(data)
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < steps:
            raise ValueError(f"{name} must lie between 1 and {steps - 1}; received {value!r}.")
    if sequence_length < 1:
        raise ValueError(f"sequence_length must be at least 1; received {sequence_length!r}.")
    start, stop = _bounds(start_index, end_index, steps)
    data = data[start:stop]
    count = len(data) - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = targets[start:]
        count = min(count, len(targets))
    if count < 1:
        raise ValueError(
            f"No window of {sequence_length} steps, {sampling_rate} apart, fits into "
            f"{len(data)} steps" + ("." if targets is None else f" with {len(targets)} targets.")
        )
    starts = np.arange(0, count, sequence_stride)
    offsets = np.arange(sequence_length) * sampling_rate
    size = 1 if batch_size is None else batch_size
    seed = make_default_seed() if seed is None else seed
    epoch_numbers = iter(range(2**62))

    def batches() -> Iterator:
        order = starts
        if shuffle:
            order = np.random.default_rng([seed, next(epoch_numbers)]).permutation(starts)
        for first in range(0, len(order), size):
            starts_of_batch = order[first : first + size]
            windows = data[starts_of_batch[:, None] + offsets]
            yield windows if targets is None else (windows, targets[starts_of_batch])

    contract = None
    if targets is not None and targets.ndim == 1 and targets.dtype.kind == "f":
        used = targets[starts]
        if np.isfinite(used).all():
            contract = Contract(target_range=measure_target(used))
    dataset = Dataset(batches, -(-len(starts) // size), contract=contract)
    if batch_size is None:
        dataset = Dataset(dataset.unbatch()._start, len(starts), contract=contract)
    return dataset


def _bounds(start: int | None, stop: int | None, steps: int) -> tuple[int, int]:
    """First step and end of the part to use; unlike in Keras, `end_index=len(data)` is allowed."""
    if start is not None and not 0 <= start < steps:
        raise ValueError(f"start_index must lie between 0 and {steps - 1}; received {start!r}.")
    first = start or 0
    if stop is not None and not first < stop <= steps:
        raise ValueError(
            f"end_index must lie between {first + 1} and {steps} (start_index={start}); received "
            f"{stop!r}."
        )
    return first, steps if stop is None else stop
