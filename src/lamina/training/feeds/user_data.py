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
from lamina.training.feeds.choice import ARRAY_FEEDS, SOURCE_FEEDS, choose, converts_batch_by_batch
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
from lamina.training.feeds.samples_feed import (
    SampleSubset,
    is_map_style_dataset,
    tensor_dataset_arrays,
)
from lamina.training.feeds.sparse import keep_large_sparse, take_rows
from lamina.training.feeds.table_columns import refuse_reordered_columns
from lamina.training.feeds.tables import refuse_missing_values
from lamina.training.feeds.tail_check import unrepresentative_tail_warning
from lamina.training.feeds.unsupported_data import is_path, refuse_unsupported_data
from lamina.training.feeds.validation_split import Rows, RowSplit, row_split
from lamina.training.trainable import Signature, Trainable

INFINITE = -1  # TensorFlow's value for an infinite number of batches


class _SingleBatch(int):
    """A batch size that cannot be confused with a user's."""


SINGLE_BATCH = _SingleBatch(-1)  # all samples in one batch


@dataclass(frozen=True)
class UserData:
    """Arrays with one row per sample, or a source of batches.

    Args:
        x: Inputs, or a source of batches, which contain targets and weights as well.
        y: Targets, if there are any.
        sample_weight: Weights of the samples, if there are any.
        samples: Number of samples; None for a source.
        batch_size: Rows in a batch, if the data have a batch size.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    samples: int | None = None
    batch_size: int | None = None

    @classmethod
    def from_arguments(
        cls, learner: Trainable, x: Data, y: Targets = None, sample_weight: Targets = None
    ) -> "UserData":
        """The data in the arguments of `fit` or `evaluate`, converted and checked.

        Raises:
            TypeError, ValueError: If an argument is not data, or does not match the model.
        """
        x, y = as_tables(x, "x"), as_tables(y, "y")
        sample_weight = as_tables(sample_weight, "sample_weight")
        for part, what in ((y, "y"), (sample_weight, "sample_weight")):
            refuse_unsupported_data(part, what)
        if is_path(x):
            refuse_unsupported_data(x, "x")
        if y is None and sample_weight is None:
            _refuse_targets_inside(learner, x)
            x, y, sample_weight = unpack_x_y_sample_weight(
                tensor_dataset_arrays(x) or (x, None, None)
            )
        table = "x" if is_table(x) else None
        signature = learner.signature
        x, y = table_as_inputs(signature, x), table_as_targets(signature, y)
        refuse_reordered_columns(learner, x, y)
        if is_source(x) or (y is None and is_map_style_dataset(x)):
            _refuse_targets_with_source(x, y, sample_weight)
            resident = getattr(x, "resident", None)
            if resident is None:
                return cls(x)
            # The data set is made of arrays, which can stay on the device.
            data = cls.from_arguments(learner, *resident)
            return replace(data, batch_size=x.batch_size)
        x = unwrap_single(x)
        if y is None:
            _refuse_pairs(x)
        if not signature.handles_missing_values:
            refuse_missing_values(x, "x", table)
        for name, part in (("y", y), ("sample_weight", sample_weight)):
            refuse_missing_values(part, name)
        x = x if _is_large_file(x) else convert(keep_large_sparse(x), "x", True, table)
        y = y if _is_large_file(y) else convert(y, "y")
        sample_weight = convert(sample_weight, "sample_weight")
        if hasattr(x, "shape"):
            checks.refuse_sample_count_in_input(learner, x, y)
        add_batch_axis(learner, x, refuse=True)
        return cls(x, y, sample_weight, number_of_samples(x, y, sample_weight))

    def with_balanced_weights(self, sample_weight: Any) -> "UserData":
        """These data with sample weights that give every class the same total weight."""
        if sample_weight is not None:
            raise ValueError(
                "fit takes either class_weight or sample_weight, and received both.\n"
                "  Fix: leave class_weight='balanced' out."
            )
        if self.samples is None or self.y is None:
            raise ValueError(
                "class_weight='balanced' counts the classes of all labels, and x is a "
                f"{type(self.x).__name__} that yields them batch by batch.\n"
                "  Fix: class_weight={0: 1.0, 1: 2.0}, with your own weights."
            )
        return replace(self, sample_weight=balanced_sample_weights(self.y))

    def split(
        self, fraction: float, split: Any = None
    ) -> tuple["UserData", "UserData", RowSplit, str | None]:
        """Split the data into two parts, for training and validation.

        Args:
            fraction: The argument `validation_split` of `fit`.
            split: The argument `split` of `fit`.

        Returns:
            The parts for training and validation, their rows, and a warning about them or None.
        """
        if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
            raise ValueError(
                f"validation_split is a fraction between 0 and 1; received {fraction!r}.\n"
                "  Fix: validation_split=0.2 uses the last fifth of the samples for validation."
            )
        if self.samples is None and not is_map_style_dataset(self.x):
            raise ValueError(
                f"validation_split needs arrays, and x is a {type(self.x).__name__}.\n"
                "  Fix: pass validation_data=…"
            )
        count = len(self.x) if self.samples is None else self.samples
        rows = row_split(count, fraction, split, self.y)
        # No warning if the user has asked for the last samples explicitly.
        train_count = len(rows.train)
        warning = (
            unrepresentative_tail_warning(self.y, train_count, fraction)
            if split is None and self.y is not None
            else None
        )
        return self._select_rows(rows.train), self._select_rows(rows.validation), rows, warning

    def _select_rows(self, rows: Rows) -> "UserData":
        if self.samples is None:
            return UserData(SampleSubset(self.x, rows))
        arrays = (self.x, self.y, self.sample_weight)
        if isinstance(rows, np.ndarray) and any(map(_is_large_file, jax.tree.leaves(arrays))):
            raise ValueError(
                "x is a memory-mapped file that is larger than the budget for resident data, and "
                "rows at random positions cannot be selected without reading it into memory.\n"
                "  Fix: split='tail'."
            )
        selection = rows if isinstance(rows, np.ndarray) else slice(rows[0], rows[-1] + 1)
        x, y, sample_weight = jax.tree.map(lambda a: take_rows(a, selection), arrays)
        return UserData(x, y, sample_weight, len(rows))

    def feed(self, options: FeedOptions) -> Feed:
        """A feed for these data."""
        limit = config.max_steps_per_epoch()
        if self.samples is None:
            if options.steps is None and never_ends(self.x):
                fix = "leave out .repeat()"
                if hasattr(self.x, "_sampler"):
                    fix = "num_epochs=1 in its sampler"
                raise ValueError(
                    f"x is a {type(self.x).__name__} that never ends, so an epoch would not "
                    "end.\n"
                    f"  Fix: set the length of an epoch with steps_per_epoch=…, or {fix}."
                )
            feed = choose(SOURCE_FEEDS, self.x, options)
        else:
            feed = self._array_feed(options)
        if limit is not None:
            # A property in the protocol, because some feeds always know the steps and others do
            # not.
            feed.steps = apply_limit(feed.steps, limit, "steps an epoch")  # type: ignore[misc]
        return feed

    def _array_feed(self, options: FeedOptions) -> Feed:
        assert self.samples is not None
        x = self.x
        if not converts_batch_by_batch(x, self.samples, options.prepare):
            x = options.prepare(x)
        arrays = options.reweight(pack_x_y_sample_weight(x, self.y, self.sample_weight))
        batch_size = self.samples if options.batch_size == SINGLE_BATCH else options.batch_size
        options = replace(options, batch_size=min(int(batch_size), self.samples))
        return choose(ARRAY_FEEDS, arrays, options)


def class_weight_function(class_weight: Mapping[int, float] | None) -> Callable[[Any], Any]:
    """A function that adds the sample weights for given class weights to a batch."""

    def reweight(batch: PyTree) -> PyTree:
        if class_weight is None:
            return batch
        x, y, _ = unpack_x_y_sample_weight(batch)
        return (x, y, class_weights_as_sample_weights(class_weight, y))

    return reweight


def _refuse_targets_inside(learner: Trainable, x: Data) -> None:
    """Refuse a data set of Hugging Face that contains the targets as a column, if y is None."""
    names = {"label", "labels", "target", "targets", "y"}
    target = next((name for name in getattr(x, "columns", ()) if name in names), None)
    if isinstance(x, ColumnTable) and target and learner.compares_targets(training=True):
        input_names = [name for name in x.columns if name != target]
        raise ValueError(
            f"x is a table with the columns {', '.join(map(repr, x.columns))}, and y is None.\n"
            f"  Likely cause: {target!r} contains the targets.\n"
            f"  Fix: model.fit(x.{x.select_method}({input_names!r}), x[{target!r}])."
        )


def _refuse_targets_with_source(x: Data, y: Targets, sample_weight: Targets) -> None:
    """Refuse y or sample_weight together with a source, whose batches contain them."""
    if y is None and sample_weight is None:
        return
    what = "y" if y is not None else "sample_weight"
    if isinstance(x, (set, frozenset)):
        refuse_unsupported_data(x, "x")
    hint = ""
    if not isinstance(x, PyDataset) and not hasattr(x, "batch"):
        hint = "\n  If it yields single samples instead: x = numpy.array(list(x))."
    raise ValueError(
        f"x is a {type(x).__name__}, which yields batches of (x, y); {what} must be left "
        f"out.\n  Fix: model.fit(x), with batches that contain all of them.{hint}"
    )


def _refuse_pairs(x: Data) -> None:
    """Refuse a list of pairs (sample, label), which some other libraries accept."""
    if not isinstance(x, list) or not x or not all(type(part) is tuple for part in x):
        return
    if all(len(part) == 2 and np.ndim(part[0]) > 0 and np.ndim(part[1]) == 0 for part in x):
        raise ValueError(
            f"x is a list of {len(x)} pairs, but a model needs an array of all samples and an "
            "array of all labels.\n  Fix: x, y = map(numpy.stack, zip(*x))."
        )


def default_batch_size(learner: Trainable) -> int:
    """32, or the fixed batch size of a model with stateful layers."""
    size = learner.signature.batch_size
    stateful = size and any(getattr(layer, "stateful", 0) for layer in learner.layers())
    return size if stateful and size else 32


def apply_limit(requested: int | None, limit: int | None, what: str) -> int:
    """Limit a number of epochs or steps to the limit set in `lamina.config`, with a warning."""
    if limit is None or (requested is not None and requested <= limit):
        return requested  # type: ignore[return-value]
    unit = what if limit != 1 else what.replace("steps", "step").replace("epochs", "epoch")
    checks.warn(f"Limited to {limit} {unit}, as set in lamina.config.")
    return limit


def _is_large_file(array: Any) -> bool:
    """Whether an array is a memory-mapped file of numbers, too large to convert at once."""
    is_numeric_file = isinstance(array, np.memmap) and array.dtype.kind in "biuf"
    return is_numeric_file and array.nbytes > config.resident_budget()


def table_as_inputs(signature: Signature, x: Data) -> PyTree:
    """Convert a table to a dict of its columns, for a model with several inputs."""
    if not is_table(x) or len(signature.inputs) < 2 or signature.input_tree is None:
        return x
    inputs = signature.input_tree
    keys = list(inputs.children) if inputs.is_keyed else []
    names = keys if keys and all(key in x.columns for key in keys) else signature.input_names
    return {name: x[name] for name in names if name in x.columns}


def table_as_targets(signature: Signature, y: Targets) -> PyTree:
    """Convert a table to a dict of columns, if the model has several outputs of these names."""
    names = signature.output_names
    if not is_table(y) or len(names) < 2 or not all(name in y.columns for name in names):
        return y
    return {name: y[name] for name in names}


def dividing_batch_size(samples: int) -> int:
    """The largest divisor of `samples` between 64 and 1024, or 256 if there is none."""
    sizes = (size for size in range(min(1024, samples), 63, -1) if samples % size == 0)
    return next(sizes, min(256, samples))


def add_batch_axis(learner: Trainable, x: Data, refuse: bool = False) -> PyTree:
    """Add the batch axis to a single sample, if the model's input shapes show that it is one.

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
        expected = tensor.shape[1:]
        if len(leaf.shape) != len(expected) or not expected:
            return x
        if any(w is not None and w != s for s, w in zip(leaf.shape, expected, strict=True)):
            return x
        if expected[-1] == 1 and len(expected) == 1:
            return x  # (n,) is n samples for a model with one feature
    shape = tuple(leaves[0].shape)
    if refuse:
        raise ValueError(
            f"model {learner.model.name!r} takes a batch of samples of shape {shape}; received "
            "one sample, without its batch axis.\n  Fix: x = x[None] makes it a batch of one."
        )
    checks.warn_once(
        "one-sample",
        f"predict() received one sample of shape {shape} and treats it as a batch of one: the "
        "result has a first axis of size 1.\n  To avoid this warning: predict(x[None]).",
        learner,
    )
    return jax.tree.map(lambda a: a[None], x)


def unwrap_single(x: Data) -> PyTree:
    """The array in a list of one array, as in `predict([x_test])`."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and hasattr(x[0], "shape") and x[0].shape:
        return x[0]
    return x


def never_ends(source: Any) -> bool:
    """Whether a source of batches is known to be endless."""
    if getattr(source, "endless", False) is True:
        return True
    with contextlib.suppress(Exception):  # methods of unknown objects may raise anything
        if callable(getattr(source, "cardinality", None)):  # of TensorFlow
            return int(source.cardinality()) == INFINITE
        if isinstance(source, Sized) and len(source) == sys.maxsize:  # of grain
            return True
        sampler = getattr(
            source, "_sampler", None
        )  # of grain's DataLoader, which is endless by default
        return sampler is not None and getattr(sampler, "_num_epochs", 1) is None
    return False


def is_source(x: Data) -> bool:
    """Whether x is an iterable of batches rather than the data itself."""
    if isinstance(x, PyDataset):
        return True
    if isinstance(x, (np.ndarray, jax.Array, list, tuple, dict, str, range)) or x is None:
        return False
    if hasattr(x, "__array__") or hasattr(x, "to_numpy") or is_sparse(x):
        return False
    return isinstance(x, Iterable)
