"""Of several processes, each reads the rows of a batch that its devices need, and no others."""

import dataclasses

import numpy as np
import pytest

from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.host_feed import BatchwiseFeed, HostFeed, SmallRowsFeed
from lamina.training.feeds.samples_feed import SamplesFeed
from lamina.training.placement import OneDevice

SAMPLES, BATCH = 23, 6
X = np.arange(2.0 * SAMPLES, dtype="float32").reshape(SAMPLES, 2)
Y = np.arange(SAMPLES)


@dataclasses.dataclass(frozen=True)
class Process(OneDevice):
    """One of two processes, each of which has half of the devices; it keeps chunks on the host."""

    number: int = 0

    def own_rows(self, batch_size):
        half = batch_size // 2
        return np.arange(self.number * half, (self.number + 1) * half)

    def put_chunk(self, chunk):
        return [np.array(a) for a in chunk.data]


class Samples:
    """A data set that gives one sample by its index, and counts."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        self.read.append(index)
        return X[index], Y[index]


def mapped(array, folder):
    np.save(folder / "array.npy", array)
    return np.load(folder / "array.npy", mmap_mode="r")


FEEDS = {
    "arrays": lambda options, folder: HostFeed((X, Y), options),
    "float64 that becomes float32": lambda options, folder: HostFeed((X.astype(float), Y), options),
    "a memory-mapped file": lambda options, folder: HostFeed((mapped(X, folder), Y), options),
    "small rows": lambda options, folder: SmallRowsFeed((X, Y), options),
    "rows converted batch by batch": lambda options, folder: BatchwiseFeed((X, Y), options),
    "samples by index": lambda options, folder: SamplesFeed(Samples(), options),
}


def batches(feed):
    """The labels of each batch of an epoch, and x."""
    found = []
    for chunk in feed.chunks(0):
        assert isinstance(chunk, Chunk)
        x, y = chunk.data
        rows = chunk.batch_size if chunk.own_rows is None else len(chunk.own_rows)
        order = np.arange(len(y)) if chunk.order is None else np.asarray(chunk.order)
        for start in range(0, (chunk.stop - chunk.start) * rows, rows):
            taken = order[start : start + rows]
            np.testing.assert_array_equal(x[taken], X[y[taken]])
            found.append(list(y[taken]))
    return found


@pytest.mark.parametrize("shuffle", [False, True, "batch"])
@pytest.mark.parametrize("kind", FEEDS)
def test_two_processes_read_each_row_of_the_same_order_once(kind, shuffle, tmp_path):
    options = FeedOptions(batch_size=BATCH, shuffle=shuffle, seed=3)
    alone = batches(FEEDS[kind](options, tmp_path))
    assert sorted(sum(alone, [])) == list(range(SAMPLES))
    feeds = [
        FEEDS[kind](dataclasses.replace(options, placement=Process(number=n)), tmp_path)
        for n in range(2)
    ]
    halves = [batches(feed) for feed in feeds]
    # The first batch of samples is the example of all processes, and the last one is smaller.
    for whole, first, second in zip(alone, *halves, strict=True):
        assert whole == (first if first == second else first + second)
    shared = sum(first == second for first, second in zip(*halves, strict=True))
    assert shared == (2 if kind == "samples by index" else 1)


def test_samples_of_other_processes_are_not_read():
    options = FeedOptions(batch_size=BATCH, shuffle=True, placement=Process(number=1))
    samples = Samples()
    batches(SamplesFeed(samples, options))
    assert len(samples.read) == len(set(samples.read)) == BATCH + 2 * BATCH // 2 + 5


def test_a_last_batch_that_looks_like_own_rows_has_all_rows_read():
    options = FeedOptions(batch_size=BATCH, placement=Process())
    assert options.own_rows(SAMPLES) is not None
    assert options.own_rows(2 * BATCH + BATCH // 2) is None
