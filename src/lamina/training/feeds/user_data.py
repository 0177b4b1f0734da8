"""UserData: the arguments x, y and sample_weight of a call, converted and checked once."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from lamina.core.configuration import config
from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.columnar import ColumnTable, as_tables
from lamina.core.user_data.data_kinds import is_sparse, is_table
from lamina.core.user_data.text import Preprocessed
from lamina.training import checks
from lamina.training.feeds.choice import OF_ARRAYS, OF_SOURCES, choose, converts_batch_by_batch
from lamina.training.feeds.class_weights import (
    balanced_sample_weights,
    class_weights_as_sample_weights,
)
from lamina.training.feeds.conversion import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.feed import Feed, FeedOptions
from lamina.training.feeds.py_dataset import PyDataset
from lamina.training.feeds.samples_feed import PartOfSamples, is_map_style_dataset, tensors_of
from lamina.training.feeds.sparse import keep_large_sparse, take_rows
from lamina.training.feeds.table_columns import refuse_other_order
from lamina.training.feeds.tables import refuse_gaps
from lamina.training.feeds.tail_doubt import explain_unlike_tail
from lamina.training.feeds.unsupported_data import is_path, refuse_unsupported_data
from lamina.training.feeds.validation_split import Rows, RowSplit, row_split
from lamina.training.trainable import Signature, Trainable

INFINITE = -1  # what TensorFlow says of the number of batches


class _SingleBatch(int):
    """A batch size that cannot be confused with a user's."""


SINGLE_BATCH = _SingleBatch(-1)  # everything in one batch


@dataclass(frozen=True)
class UserData:
    """Arrays with one row a sample, or a source of batches.

    Args:
        x: Inputs; or a source, which yields targets and weights as well.
        y: Targets, if there are any.
        sample_weight: Weights of the samples, if there are any.
        samples: Number of samples; None for a source.
        batch_size: Rows in a batch, if the data themselves say it.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    samples: int | None = None
    batch_size: int | None = None

    @classmethod
    def of_arguments(
        cls, learner: Trainable, x: Data, y: Targets = None, sample_weight: Targets = None
    ) -> "UserData":
        """The data in the arguments of `fit` or `evaluate`, converted and checked.

        Raises:
            TypeError, ValueError: If it is not data, or does not fit the model.
        """
        x, y = as_tables(x, "x"), as_tables(y, "y")
        sample_weight = as_tables(sample_weight, "sample_weight")
        for part, what in ((y, "y"), (sample_weight, "sample_weight")):
            refuse_unsupported_data(part, what)
        if is_path(x):
            refuse_unsupported_data(x, "x")
        if y is None and sample_weight is None:
            _refuse_targets_inside(learner, x)
            x, y, sample_weight = unpack_x_y_sample_weight(tensors_of(x) or (x, None, None))
        table = "x" if is_table(x) else None
        signature = learner.signature
        x, y = named_columns(signature, x), named_targets(signature, y)
        refuse_other_order(learner, x, y)
        if is_source(x) or (y is None and is_map_style_dataset(x)):
            _refuse_beside_source(x, y, sample_weight)
            resident = getattr(x, "resident", None)
            if resident is None:
                return cls(x)
            # Arrays can stay on the device, which batches of them cannot.
            data = cls.of_arguments(learner, *resident)
            return replace(data, batch_size=x.batch_size)
        x = unwrap_single(x)
        if y is None:
            _refuse_pairs(x)
        if not signature.handles_missing_values:
            refuse_gaps(x, "x", table)
        for name, part in (("y", y), ("sample_weight", sample_weight)):
            refuse_gaps(part, name)
        x = x if _is_large_file(x) else convert(keep_large_sparse(x), "x", True, table)
        y = y if _is_large_file(y) else convert(y, "y")
        sample_weight = convert(sample_weight, "sample_weight")
        if hasattr(x, "shape"):
            checks.warn_of_samples_in_input(learner, x, y)
        add_batch_axis(learner, x, refuse=True)
        return cls(x, y, sample_weight, number_of_samples(x, y, sample_weight))

    def with_balanced_weights(self, sample_weight: Any) -> "UserData":
        """These data with sample weights that make every class count alike."""
        if sample_weight is not None:
            raise ValueError(
                "fit takes either class_weight or sample_weight, and received both.\n"
                "  Fix: leave class_weight='balanced' out."
            )
        if self.samples is None or self.y is None:
            raise ValueError(
                "class_weight='balanced' counts the classes of all labels, and x is a "
                f"{type(self.x).__name__} that gives them batch by batch.\n"
                "  Fix: class_weight={0: 1.0, 1: 2.0}, with weights of your own."
            )
        return replace(self, sample_weight=balanced_sample_weights(self.y))

    def split(
        self, fraction: float, split: Any = None
    ) -> tuple["UserData", "UserData", RowSplit, str | None]:
        """Two parts, for training and validation.

        Args:
            fraction: The argument `validation_split` of `fit`.
            split: Its argument `split`.

        Returns:
            Both parts, which rows they have, and a warning about them or None.
        """
        if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
            raise ValueError(
                f"validation_split is a fraction between 0 and 1; received {fraction!r}.\n"
                "  Fix: validation_split=0.2 keeps the last fifth of the samples for validation."
            )
        if self.samples is None and not is_map_style_dataset(self.x):
            raise ValueError(
                f"validation_split needs arrays, and x is a {type(self.x).__name__}.\n"
                "  Fix: give validation_data=…"
            )
        count = len(self.x) if self.samples is None else self.samples
        rows = row_split(count, fraction, split, self.y)
        # Whoever names the last samples means them.
        kept = len(rows.train)
        found = (
            explain_unlike_tail(self.y, kept, fraction)
            if split is None and self.y is not None
            else None
        )
        return self._rows(rows.train), self._rows(rows.validation), rows, found

    def _rows(self, rows: Rows) -> "UserData":
        if self.samples is None:
            return UserData(PartOfSamples(self.x, rows))
        arrays = (self.x, self.y, self.sample_weight)
        if isinstance(rows, np.ndarray) and any(map(_is_large_file, jax.tree.leaves(arrays))):
            raise ValueError(
                "x is a memory-mapped file that is larger than the budget for resident data, and "
                "rows from all over it cannot be set apart without reading it into memory.\n"
                "  Fix: split='tail'."
            )
        picked = rows if isinstance(rows, np.ndarray) else slice(rows[0], rows[-1] + 1)
        x, y, sample_weight = jax.tree.map(lambda a: take_rows(a, picked), arrays)
        return UserData(x, y, sample_weight, len(rows))

    def feed(self, options: FeedOptions) -> Feed:
        """A feed of this data."""
        limit = config.max_steps_per_epoch()
        if self.samples is None:
            if options.steps is None and never_ends(self.x):
                less = "leave out .repeat()"
                if hasattr(self.x, "_sampler"):
                    less = "num_epochs=1 in its sampler"
                raise ValueError(
                    f"x is a {type(self.x).__name__} that never ends, so an epoch of it would not "
                    "end.\n"
                    f"  Fix: say how long an epoch is, with steps_per_epoch=…, or {less}."
                )
            feed = choose(OF_SOURCES, self.x, options)
        else:
            feed = self._feed_of_arrays(options)
        if limit is not None:
            # A property in the protocol, since some feeds always know it and others do not.
            feed.steps = apply_limit(feed.steps, limit, "steps an epoch")  # type: ignore[misc]
        return feed

    def _feed_of_arrays(self, options: FeedOptions) -> Feed:
        assert self.samples is not None
        x = self.x
        if not converts_batch_by_batch(x, self.samples, options.prepare):
            x = options.prepare(x)
        arrays = options.reweight(pack_x_y_sample_weight(x, self.y, self.sample_weight))
        batch_size = self.samples if options.batch_size == SINGLE_BATCH else options.batch_size
        options = replace(options, batch_size=min(int(batch_size), self.samples))
        return choose(OF_ARRAYS, arrays, options)


def reweighting(class_weight: Mapping[int, float] | None) -> Callable[[Any], Any]:
    """A function that adds sample weights to a batch, computed from the class weights."""

    def reweight(batch: PyTree) -> PyTree:
        if class_weight is None:
            return batch
        x, y, _ = unpack_x_y_sample_weight(batch)
        return (x, y, class_weights_as_sample_weights(class_weight, y))

    return reweight


def _refuse_targets_inside(learner: Trainable, x: Data) -> None:
    """Refuse a data set of Hugging Face that has the targets among its columns."""
    names = {"label", "labels", "target", "targets", "y"}
    target = next((name for name in getattr(x, "columns", ()) if name in names), None)
    if isinstance(x, ColumnTable) and target and learner.compares_targets(True):
        rest = [name for name in x.columns if name != target]
        raise ValueError(
            f"x is a table with the columns {', '.join(map(repr, x.columns))}, and y is None.\n"
            f"  Likely cause: {target!r} holds the targets.\n"
            f"  Fix: model.fit(x.{x.choose}({rest!r}), x[{target!r}])."
        )


def _refuse_beside_source(x: Data, y: Targets, sample_weight: Targets) -> None:
    """Refuse targets or weights given together with a source, which yields its own."""
    if y is None and sample_weight is None:
        return
    what = "y" if y is not None else "sample_weight"
    if isinstance(x, (set, frozenset)):
        refuse_unsupported_data(x, "x")
    alone = ""
    if not isinstance(x, PyDataset) and not hasattr(x, "batch"):
        alone = "\n  If it gives single samples instead: x = numpy.array(list(x))."
    raise ValueError(
        f"x is a {type(x).__name__}, which gives batches of (x, y); {what} must be left "
        f"out.\n  Fix: model.fit(x), with batches that hold all of them.{alone}"
    )


def _refuse_pairs(x: Data) -> None:
    """Refuse a list of pairs (sample, label), which other libraries accept."""
    if not isinstance(x, list) or not x or not all(type(part) is tuple for part in x):
        return
    if all(len(part) == 2 and np.ndim(part[0]) > 0 and np.ndim(part[1]) == 0 for part in x):
        raise ValueError(
            f"x is a list of {len(x)} pairs, and a model takes all samples together and all "
            "labels together.\n  Fix: x, y = map(numpy.stack, zip(*x))."
        )


def default_batch_size(learner: Trainable) -> int:
    """32, or the fixed batch size of a model with stateful layers."""
    size = learner.signature.batch_size
    stateful = size and any(getattr(layer, "stateful", 0) for layer in learner.layers())
    return size if stateful and size else 32


def apply_limit(requested: int | None, limit: int | None, what: str) -> int:
    """Limit a number of epochs or steps to what `lamina.config` allows, with a warning."""
    if limit is None or (requested is not None and requested <= limit):
        return requested  # type: ignore[return-value]
    counted = what if limit != 1 else what.replace("steps", "step").replace("epochs", "epoch")
    checks.warn(f"Limited to {limit} {counted}, as set in lamina.config.")
    return limit


def _is_large_file(array: Any) -> bool:
    """Whether an array is a memory-mapped file of numbers, too large to convert at once."""
    numbers = isinstance(array, np.memmap) and array.dtype.kind in "biuf"
    return numbers and array.nbytes > config.resident_budget()


def named_columns(signature: Signature, x: Data) -> PyTree:
    """A table as a dict of its columns, for a model with several inputs."""
    if not is_table(x) or len(signature.inputs) < 2 or signature.input_tree is None:
        return x
    inputs = signature.input_tree
    keys = list(inputs.children) if inputs.keyed else []
    names = keys if keys and all(key in x.columns for key in keys) else signature.input_names
    return {name: x[name] for name in names if name in x.columns}


def named_targets(signature: Signature, y: Targets) -> PyTree:
    """A table as a dict of its columns, if the model has several outputs with those names."""
    names = signature.output_names
    if not is_table(y) or len(names) < 2 or not all(name in y.columns for name in names):
        return y
    return {name: y[name] for name in names}


def dividing_batch_size(samples: int) -> int:
    """The largest divisor of a number of samples from 64 to 1024, or 256 if there is none."""
    sizes = (size for size in range(min(1024, samples), 63, -1) if samples % size == 0)
    return next(sizes, min(256, samples))


def add_batch_axis(learner: Trainable, x: Data, refuse: bool = False) -> PyTree:
    """A single sample as a batch of one, if the model's input shape shows that it is one.

    Args:
        refuse: Raise an error instead, as for training.
    """
    signature = learner.signature
    inputs = signature.inputs
    leaves = jax.tree.leaves(x)
    if not inputs or len(inputs) != len(leaves) or isinstance(x, Preprocessed):
        return x
    if len(inputs) > 1:
        leaves = signature.arrange(x)
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
            f"model {learner.model.name!r} takes a batch of samples of shape {shape} and received "
            "one sample, without its batch axis.\n  Fix: x = x[None] makes it a batch of one."
        )
    checks.warn_once(
        "one-sample",
        f"predict() received one sample of shape {shape} and took it as a batch of one: the "
        "result has a first axis of size 1.\n  To say so yourself: predict(x[None]).",
        learner,
    )
    return jax.tree.map(lambda a: a[None], x)


def unwrap_single(x: Data) -> PyTree:
    """The array in a list of one array, as in `predict([x_test])`."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and hasattr(x[0], "shape") and x[0].shape:
        return x[0]
    return x


def never_ends(source: Any) -> bool:
    """Whether a source of batches says that it has no end."""
    if getattr(source, "endless", False) is True:
        return True
    with contextlib.suppress(Exception):  # whatever a strange object's methods raise
        if callable(getattr(source, "cardinality", None)):  # of TensorFlow
            return int(source.cardinality()) == INFINITE
        if isinstance(source, Sized) and len(source) == sys.maxsize:  # of grain
            return True
        sampler = getattr(source, "_sampler", None)  # of grain's DataLoader, whose default it is
        return sampler is not None and getattr(sampler, "_num_epochs", 1) is None
    return False


def is_source(x: Data) -> bool:
    """Whether x yields batches, rather than being the data itself."""
    if isinstance(x, PyDataset):
        return True
    if isinstance(x, (np.ndarray, jax.Array, list, tuple, dict, str, range)) or x is None:
        return False
    if hasattr(x, "__array__") or hasattr(x, "to_numpy") or is_sparse(x):
        return False
    return isinstance(x, Iterable)
