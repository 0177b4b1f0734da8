"""Chooses the feed for the data, from two lists: for sources of batches, and for arrays.

The first entry whose condition is true is used; the last entry of a list has no condition.
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
    """A feed, and the condition for its use.

    Args:
        feed: The class; its arguments are the data and the options.
        suits: Whether the feed is used for given data and options; None if it is for all.
    """

    feed: Callable[[Any, FeedOptions], Feed]
    suits: Callable[[Any, FeedOptions], bool] | None = None


def choose(choices: Sequence[Choice], data: Any, options: FeedOptions) -> Feed:
    """The feed of the first entry that suits the data.

    Args:
        choices: `SOURCE_FEEDS` or `ARRAY_FEEDS`.
        data: A source, or `(x, y, sample_weight)` without the parts that are None.
        options: How to iterate over the data.
    """
    for choice in choices:
        if choice.suits is None or choice.suits(data, options):
            return choice.feed(data, options)
    raise AssertionError("the last entry suits all data")


def converts_batch_by_batch(x: Any, samples: int, prepare: Callable[[Any], Any]) -> bool:
    """Whether inputs are converted batch by batch: sparse rows, and text that becomes large."""
    if has_sparse_rows(x):
        return True
    if not has_text(x):
        return False
    first_rows = jax.tree.map(lambda a: a[:32], x)
    estimate = size_in_bytes(prepare(first_rows)) * samples / min(32, samples)
    return estimate > config.resident_budget()


def _need_batchwise_conversion(arrays: Any, options: FeedOptions) -> bool:
    x, y, sample_weight = unpack_x_y_sample_weight(arrays)
    return converts_batch_by_batch(x, number_of_samples(x, y, sample_weight), options.prepare)


def _exceed_budget(arrays: Any, options: FeedOptions) -> bool:
    return size_in_bytes(arrays) > config.resident_budget()


def _is_map_style_dataset(source: Any, options: FeedOptions) -> bool:
    return is_map_style_dataset(source)


SOURCE_FEEDS = (
    Choice(SamplesFeed, _is_map_style_dataset),
    Choice(StreamFeed),
)
ARRAY_FEEDS = (
    Choice(BatchwiseFeed, _need_batchwise_conversion),
    Choice(HostFeed, _exceed_budget),
    Choice(SmallRowsFeed, SmallRowsFeed.suits),
    Choice(ResidentFeed),
)
