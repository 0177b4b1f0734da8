"""Which feed brings which data: two lists, one for sources of batches and one for arrays.

The first feed of a list whose condition holds is used; the last one has no condition.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from lamina.core.configuration import config
from lamina.core.user_data.text import has_text
from lamina.training.feeds.conversion import (
    number_of_samples,
    size_in_bytes,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.feed import Feed, FeedOptions
from lamina.training.feeds.host_feed import BatchwiseFeed, HostFeed, SmallRowsFeed
from lamina.training.feeds.resident_feed import ResidentFeed
from lamina.training.feeds.samples_feed import SamplesFeed, is_map_style_dataset
from lamina.training.feeds.sparse import has_sparse_rows
from lamina.training.feeds.stream_feed import StreamFeed


class Choice(NamedTuple):
    """One entry of a list.

    Args:
        feed: A class, made of the data and the options.
        suits: Whether it is used for this data with these options; None for all.
    """

    feed: Callable[[Any, FeedOptions], Feed]
    suits: Callable[[Any, FeedOptions], bool] | None = None


def choose(choices: Sequence[Choice], data: Any, options: FeedOptions) -> Feed:
    """The feed of the first entry that suits the data.

    Args:
        choices: `OF_SOURCES` or `OF_ARRAYS`.
        data: A source; or `(x, y, sample_weight)` without those that were not given.
        options: How to iterate over it.
    """
    for choice in choices:
        if choice.suits is None or choice.suits(data, options):
            return choice.feed(data, options)
    raise AssertionError("the last entry suits all data")


def converts_batch_by_batch(x: Any, samples: int, prepare: Callable[[Any], Any]) -> bool:
    """Whether the inputs become numbers batch by batch: sparse rows, and text that would grow."""
    if has_sparse_rows(x):
        return True
    if not has_text(x):
        return False
    some = jax.tree.map(lambda a: a[:32], x)
    estimate = size_in_bytes(prepare(some)) * samples / min(32, samples)
    return estimate > config.resident_budget()


def _become_numbers_batchwise(arrays: Any, options: FeedOptions) -> bool:
    x, y, sample_weight = unpack_x_y_sample_weight(arrays)
    return converts_batch_by_batch(x, number_of_samples(x, y, sample_weight), options.prepare)


def _exceed_the_budget(arrays: Any, options: FeedOptions) -> bool:
    return size_in_bytes(arrays) > config.resident_budget()


def _give_samples(source: Any, options: FeedOptions) -> bool:
    return is_map_style_dataset(source)


OF_SOURCES = (
    Choice(SamplesFeed, _give_samples),
    Choice(StreamFeed),
)
OF_ARRAYS = (
    Choice(BatchwiseFeed, _become_numbers_batchwise),
    Choice(HostFeed, _exceed_the_budget),
    Choice(SmallRowsFeed, SmallRowsFeed.suits),
    Choice(ResidentFeed),
)
