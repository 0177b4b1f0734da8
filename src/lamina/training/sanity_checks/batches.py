"""The first batches of the user's data, on the device, for trials of some steps."""

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

# Shuffled, because data that are sorted by class would give batches of one class.
_SEED = 0


class Batches(NamedTuple):
    """Batches of one size, one after the other in one structure of arrays."""

    data: PyTree  # x, (x, y) or (x, y, sample_weight)
    batch_size: int
    number: int


def first_batches(
    learner: Learner,
    x: Data,
    y: Targets,
    sample_weight: Targets,
    batch_size: int | None,
    count: int,
    caller: str,
) -> Batches:
    """Take batches from data as `fit` takes them, after the same checks.

    Samples of arrays are shuffled, always in the same way. A model that has no weights yet gets
    them, as in the first step of `fit`.

    Args:
        learner: A compiled model.
        x, y, sample_weight: As for `fit`.
        batch_size: Samples in a batch; that of `fit` for None.
        count: Number of batches wanted. There are fewer if the data are a generator that ends, or
            if so many need more memory than there may be of resident data.
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
    return _concatenated(feed, count)


def _concatenated(feed: Feed, count: int) -> Batches:
    """So many batches of the feed, all of the size of its first."""
    parts: list[PyTree] = []
    taken, size, epoch, spec = 0, 0, feed.first_epoch, None
    bytes_left = max(config.resident_budget(), 1)
    while taken < count and bytes_left > 0:
        taken_before = taken
        for chunk in feed.chunks(epoch):
            if spec is None:
                size, spec = chunk.batch_size, _shapes(chunk.data)
            if chunk.batch_size == size and _shapes(chunk.data) == spec:
                number = min(chunk.stop - chunk.start, count - taken)
                parts.append(_rows(chunk, number))
                taken += number
                bytes_left -= sum(leaf.nbytes for leaf in jax.tree.leaves(parts[-1]))
            if taken == count or bytes_left <= 0:
                break
        if feed.exhausted or taken == taken_before:
            break
        epoch += 1
    data = parts[0] if len(parts) == 1 else jax.tree.map(lambda *a: jnp.concatenate(a), *parts)
    return Batches(data, size, taken)


def _rows(chunk: Chunk, number: int) -> PyTree:
    """The rows of some batches, copied: a feed uses the memory of its chunks again."""
    rows = rows_of(
        chunk.data, chunk.order, chunk.start * chunk.batch_size, number * chunk.batch_size
    )
    return placement.current().copy(rows)


def _shapes(data: PyTree) -> Any:
    leaves, structure = jax.tree.flatten(data)
    return structure, [(tuple(a.shape[1:]), str(a.dtype)) for a in leaves]
