"""From the x and y that a user gives to a feed of batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from lamina.core import config
from lamina.core.text import Preprocessed, has_text
from lamina.training import checks
from lamina.training.feeds import columns
from lamina.training.feeds.class_weights import class_weights_as_sample_weights
from lamina.training.feeds.conversion import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.host import BatchwiseFeed, HostFeed, SmallRowsFeed
from lamina.training.feeds.no_data import refuse_no_data
from lamina.training.feeds.py_dataset import PyDataset
from lamina.training.feeds.replayed import Replayed
from lamina.training.feeds.resident import Feed, ResidentFeed, fits_on_device, size_in_bytes
from lamina.training.feeds.sparse import has_sparse_rows, is_sparse, keep_large_sparse, part_of
from lamina.training.feeds.stream import StreamFeed
from lamina.training.feeds.tables import is_table, refuse_gaps

WHOLE = -1  # a batch size: everything in one batch


def make_feed(
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    shuffle: Any,
    seed: int,
    steps: int | None,
    class_weight: dict | None = None,
    prepare: Callable[[Any], Any] = lambda x: x,
) -> Feed:
    """The feed for whatever a user gave as x and y.

    Args:
        prepare: What the model does with its inputs on the host, `Model.on_host`: text becomes
            numbers, everything else stays as it is.
    """
    if class_weight is not None and sample_weight is not None:
        raise ValueError(
            "fit takes either class_weight or sample_weight, and received both.\n"
            "  Fix: multiply them: sample_weight * [class_weight[label] for label in y]."
        )
    if not isinstance(shuffle, (bool, np.bool_)) and shuffle not in ("batch", 0, 1, None):
        raise ValueError(f"shuffle must be True, False or 'batch'; received {shuffle!r}.")
    if steps is not None:
        whole_number("steps_per_epoch", steps, least=1)

    def reweight(batch: Any) -> Any:
        if class_weight is None:
            return batch
        x, y, _ = unpack_x_y_sample_weight(batch)
        return (x, y, class_weights_as_sample_weights(class_weight, y))

    steps_limit = config.max_steps_per_epoch()
    if is_source(x):
        if y is not None or sample_weight is not None:
            what = "y" if y is not None else "sample_weight"
            if isinstance(x, (set, frozenset)):
                refuse_no_data(x, "x")
            alone = ""
            if not isinstance(x, PyDataset) and not hasattr(x, "batch"):
                alone = "\n  If it gives single samples instead: x = numpy.array(list(x))."
            raise ValueError(
                f"x is a {type(x).__name__}, which gives batches of (x, y); {what} must be left "
                f"out.\n  Fix: model.fit(x), with batches that hold all of them.{alone}"
            )
        if steps is None and getattr(x, "endless", False):
            raise ValueError(
                f"x is a {type(x).__name__} that never ends, so an epoch of it would not end.\n"
                "  Fix: say how long an epoch is, with steps_per_epoch=…, or leave out .repeat()."
            )
        stream = StreamFeed(x, steps, shuffle, seed, reweight, prepare)
        if steps_limit is not None:
            stream.steps = limited(stream.steps, steps_limit, "steps an epoch")
        return stream
    x = first_of_one(x)
    if y is None:
        _refuse_pairs(x)
    for name, given in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        refuse_gaps(given, name)
    x = x if _is_large_file(x) else convert(keep_large_sparse(x), "x", text=True)
    y = y if _is_large_file(y) else convert(y, "y")
    sample_weight = convert(sample_weight, "sample_weight")
    samples = number_of_samples(x, y, sample_weight)
    in_batches = has_sparse_rows(x) or (has_text(x) and not _stays_small(x, samples, prepare))
    if not in_batches:
        x = prepare(x)
    arrays = reweight(pack_x_y_sample_weight(x, y, sample_weight))
    if batch_size is None:
        batch_size = 32
    if batch_size == WHOLE:
        batch_size = samples
    whole_number("batch_size", batch_size, least=1)
    batch_size = min(int(batch_size), samples)
    kind: type[ResidentFeed] = HostFeed
    if in_batches:
        kind = BatchwiseFeed
    elif fits_on_device(arrays):
        small_rows = SmallRowsFeed.suits(arrays, batch_size, shuffle)
        kind = SmallRowsFeed if small_rows else ResidentFeed
    feed = kind(arrays, batch_size, shuffle, seed, steps, prepare)
    if steps_limit is not None:
        feed.steps = limited(feed.steps, steps_limit, "steps an epoch")
    return feed


def _refuse_pairs(x: Any) -> None:
    """Refuse a list of (sample, label), which other libraries take."""
    if not isinstance(x, list) or not x or not all(type(part) is tuple for part in x):
        return
    if all(len(part) == 2 and np.ndim(part[0]) > 0 and np.ndim(part[1]) == 0 for part in x):
        raise ValueError(
            f"x is a list of {len(x)} pairs, and a model takes all samples together and all "
            "labels together.\n  Fix: x, y = map(numpy.stack, zip(*x))."
        )


def default_batch_size(model: Any) -> int:
    """32, or what a model with stateful layers was made for, which takes no other size."""
    sizes = {tensor.shape[0] for tensor in getattr(model, "inputs", ())} - {None}
    stateful = sizes and any(getattr(layer, "stateful", 0) for layer in model._flatten_layers())
    return min(sizes) if stateful else 32


def limited(asked: int | None, limit: int | None, what: str) -> int:
    """A number of epochs or steps within what `lamina.config` allows, which is said."""
    if limit is None or (asked is not None and asked <= limit):
        return asked  # type: ignore[return-value]
    counted = what if limit != 1 else what.replace("steps", "step").replace("epochs", "epoch")
    checks.warn(f"Limited to {limit} {counted}, as lamina.config asks.")
    return limit


def _is_large_file(array: Any) -> bool:
    """Whether an array is a mapped file of numbers too large to be converted as a whole."""
    numbers = isinstance(array, np.memmap) and array.dtype.kind in "biuf"
    return numbers and array.nbytes > config.resident_budget()


def _stays_small(x: Any, samples: int, prepare: Callable[[Any], Any]) -> bool:
    """Whether all of the text, as the numbers that the model makes of it, fits on the device."""
    some = jax.tree.map(lambda a: a[:32], x)
    return size_in_bytes(prepare(some)) * samples / min(32, samples) <= config.resident_budget()


def named_columns(model: Any, x: Any) -> Any:
    """A table as a dict of its columns, for a model with several inputs."""
    if not is_table(x) or len(getattr(model, "inputs", ())) < 2:
        return x
    places = model._graph.places
    keys = list(places.children) if places.keyed else []
    names = keys if keys and all(key in x.columns for key in keys) else model.input_names
    return {name: x[name] for name in names if name in x.columns}


def named_targets(model: Any, y: Any) -> Any:
    """A table as a dict of its columns, where they are named as the model's several outputs are."""
    names = getattr(model, "output_names", [])
    if not is_table(y) or len(names) < 2 or not all(name in y.columns for name in names):
        return y
    return {name: y[name] for name in names}


def validation_feed(
    model: Any, data: Any, batch_size: int | None, steps: int | None, say: Callable[[str], None]
) -> Feed:
    """The feed of validation data for several epochs.

    Args:
        say: Called with a sentence when the data end before their time.
    """
    if isinstance(data, Iterator) and not isinstance(data, PyDataset):
        data = Replayed(data, steps, say)
    x, y, sample_weight = data, None, None
    if not is_source(data):
        x, y, sample_weight = unpack_x_y_sample_weight(data)
    x, y = named_columns(model, x), named_targets(model, y)
    columns.refuse_other_order(model, x, y)
    return make_feed(x, y, sample_weight, batch_size, False, 0, steps, prepare=model.on_host)


def dividing_batch_size(samples: int) -> int:
    """The largest divisor from 64 to 1024, or 256 if there is none."""
    sizes = (size for size in range(min(1024, samples), 63, -1) if samples % size == 0)
    return next(sizes, min(256, samples))


def split_off_tail(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple:
    """The last part of the data, as Keras takes it, for validation."""
    if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
        raise ValueError(
            f"validation_split is a fraction between 0 and 1; received {fraction!r}.\n"
            "  Fix: validation_split=0.2 keeps the last fifth of the samples for validation."
        )
    if is_source(x):
        raise ValueError(
            f"validation_split needs arrays, and x is a {type(x).__name__}.\n"
            "  Fix: give validation_data=…"
        )
    arrays = (
        convert(keep_large_sparse(first_of_one(x)), "x", text=True),
        convert(y, "y"),
        convert(sample_weight, "sample_weight"),
    )
    samples = number_of_samples(*arrays)
    kept = int(samples * (1 - fraction))
    if kept == 0 or kept == samples:
        raise ValueError(
            f"validation_split={fraction} of {samples} samples leaves "
            f"{kept} to train on and {samples - kept} to validate on.\n"
            "  Fix: another fraction, or more data."
        )
    head = jax.tree.map(lambda a: part_of(a, slice(kept)), arrays)
    tail = jax.tree.map(lambda a: part_of(a, slice(kept, None)), arrays)
    return (*head, pack_x_y_sample_weight(*tail))


def with_batch_axis(model: Any, x: Any, refuse: bool = False) -> Any:
    """A single sample as a batch of one, where the model's input shape leaves no doubt.

    Args:
        refuse: Raise instead: one sample is no training set.
    """
    inputs = getattr(model, "inputs", None)
    leaves = jax.tree.leaves(x)
    if not inputs or len(inputs) != len(leaves) or isinstance(x, Preprocessed):
        return x
    if len(inputs) > 1:
        leaves = model._graph.arrange(x)
    for leaf, tensor in zip(leaves, inputs, strict=True):
        wanted = tensor.shape[1:]
        if len(leaf.shape) != len(wanted) or not wanted:
            return x
        if any(w is not None and w != s for s, w in zip(leaf.shape, wanted, strict=True)):
            return x
        if wanted[-1] == 1 and len(wanted) == 1:
            return x  # (n,) for a model of one feature is n samples
    shape = tuple(leaves[0].shape)
    if refuse:
        raise ValueError(
            f"model {model.name!r} takes a batch of samples of shape {shape} and received one "
            "sample, without its batch axis.\n  Fix: x = x[None] makes it a batch of one."
        )
    checks.warn_once(
        "one-sample",
        f"predict() received one sample of shape {shape} and took it as a batch of one: the "
        "result has a first axis of size 1.\n  To say so yourself: predict(x[None]).",
        model,
    )
    return jax.tree.map(lambda a: a[None], x)


def first_of_one(x: Any) -> Any:
    """`predict([x_test])`: a list of one array is that array."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and hasattr(x[0], "shape") and x[0].shape:
        return x[0]
    return x


def is_source(x: Any) -> bool:
    """Whether x gives batches, rather than being the data itself."""
    if isinstance(x, PyDataset):
        return True
    if isinstance(x, (np.ndarray, jax.Array, list, tuple, dict, str, range)) or x is None:
        return False
    if hasattr(x, "__array__") or hasattr(x, "to_numpy") or is_sparse(x):
        return False
    return isinstance(x, Iterable)


def whole_number(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; received {value!r}.")
