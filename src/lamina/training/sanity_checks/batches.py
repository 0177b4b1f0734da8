"""Takes the first batches of the user's data, on the device, for trials of a few steps."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.types import Data, PyTree, Targets
from lamina.training import checks, placement
from lamina.training.engine import Engine
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.feed import Feed
from lamina.training.feeds.zero_copy import rows_of
from lamina.training.learner import Learner
from lamina.training.requests import trial_feed

# The data are shuffled, because batches of data sorted by class would contain one class.
_SEED = 0


class Batches(NamedTuple):
    """Batches of one size, concatenated in one structure of arrays."""

    data: PyTree  # x, (x, y) or (x, y, sample_weight)
    batch_size: int
    batch_count: int


def first_batches(
    learner: Learner,
    x: Data,
    y: Targets,
    sample_weight: Targets,
    batch_size: int | None,
    count: int,
    caller: str,
) -> Batches:
    """Take batches from data like `fit`, after the same checks.

    Samples of arrays are shuffled with a fixed seed. A model that has no weights yet is built, as
    in the first step of `fit`.

    Args:
        learner: A compiled model.
        x, y, sample_weight: As for `fit`.
        batch_size: Samples in a batch; the default of `fit` for None.
        count: Requested number of batches. There are fewer if the data are a generator that ends,
            or if the batches would exceed the budget for resident data.
        caller: The method that the user has called, for messages.
    """
    checks.check_compiled(learner, caller)
    model = learner.model
    if model.run_eagerly:
        raise ValueError(
            f"{caller}() compiles its steps, and model {model.name!r} was compiled with "
            "run_eagerly=True.\n  Fix: model.compile(…, run_eagerly=False), for this call at least."
        )
    feed = trial_feed(learner, x, y, sample_weight, batch_size, count, _SEED)
    Engine(learner)._check(feed, training=True)
    return _concatenate_batches(feed, count)


def _concatenate_batches(feed: Feed, count: int) -> Batches:
    """Up to `count` batches of a feed that have the size of its first batch."""
    parts: list[PyTree] = []
    batch_count, size, epoch, spec = 0, 0, feed.first_epoch, None
    bytes_left = max(config.resident_budget(), 1)
    while batch_count < count and bytes_left > 0:
        count_before = batch_count
        for chunk in feed.chunks(epoch):
            if spec is None:
                size, spec = chunk.batch_size, _shapes(chunk.data)
            if chunk.batch_size == size and _shapes(chunk.data) == spec:
                number = min(chunk.stop - chunk.start, count - batch_count)
                parts.append(_copy_first_rows(chunk, number))
                batch_count += number
                bytes_left -= sum(leaf.nbytes for leaf in jax.tree.leaves(parts[-1]))
            if batch_count == count or bytes_left <= 0:
                break
        if feed.exhausted or batch_count == count_before:
            break
        epoch += 1
    data = parts[0] if len(parts) == 1 else jax.tree.map(lambda *a: jnp.concatenate(a), *parts)
    return Batches(data, size, batch_count)


def _copy_first_rows(chunk: Chunk, number: int) -> PyTree:
    """A copy of the first rows of a chunk, because the feed reuses the chunk's memory."""
    rows = rows_of(
        chunk.data, chunk.order, chunk.start * chunk.batch_size, number * chunk.batch_size
    )
    return placement.current().copy(rows)


def _shapes(data: PyTree) -> Any:
    leaves, structure = jax.tree.flatten(data)
    return structure, [(tuple(a.shape[1:]), str(a.dtype)) for a in leaves]
