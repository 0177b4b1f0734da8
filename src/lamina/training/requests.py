"""Requests: the arguments of one call of fit, evaluate or predict, checked and converted.

The methods of a model accept many arguments in many forms. This module converts them to one frozen
dataclass, and the data to a feed. The engine only needs this request.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jax
import numpy as np

from lamina.contract import Contract
from lamina.core.configuration import config
from lamina.core.messages.errors import prefix_errors
from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.arguments import check_integer
from lamina.core.user_data.columnar import as_tables
from lamina.core.user_data.text import has_text
from lamina.core.variable import seed as seeds
from lamina.training import checks
from lamina.training.feeds.choice import SOURCE_FEEDS, choose
from lamina.training.feeds.conversion import (
    convert,
    number_of_samples,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.epochs import is_validated
from lamina.training.feeds.feed import Feed, FeedOptions
from lamina.training.feeds.py_dataset import PyDataset
from lamina.training.feeds.replayed import Replayed
from lamina.training.feeds.samples_feed import is_map_style_dataset, tensor_dataset_arrays
from lamina.training.feeds.sparse import keep_large_sparse
from lamina.training.feeds.table_columns import (
    column_names_of,
    refuse_one_row,
    refuse_reordered_columns,
)
from lamina.training.feeds.unsupported_data import is_path, refuse_unsupported_data
from lamina.training.feeds.user_data import (
    SINGLE_BATCH,
    UserData,
    add_batch_axis,
    apply_limit,
    class_weight_function,
    default_batch_size,
    is_source,
    never_ends,
    table_as_inputs,
    unwrap_single,
)
from lamina.training.feeds.validation_split import RowSplit
from lamina.training.input_contract import (
    record_contract,
    record_contract_of_stream,
    warn_of_different_inputs,
    warn_of_other_classes,
)
from lamina.training.placement import OneDevice
from lamina.training.trainable import Trainable


class CallWarnings:
    """Issues each warning at most once in a call."""

    def __init__(self) -> None:
        self._issued_keys: set[str] = set()

    def warn(self, key: str, message: str) -> None:
        """Warn, unless there was a warning with this key before."""
        if key not in self._issued_keys:
            self._issued_keys.add(key)
            checks.warn(message)


@dataclass(frozen=True)
class FitRequest:
    """The checked and converted arguments of a call of `fit`.

    Args:
        feed: The data to train on.
        validation: The data to validate on, if there are any.
        larger_validation_batches: Whether validation may use larger batches than training.
        validation_freq: Number of epochs between validations, or a list of epochs (from 1).
        epochs: Number of the last epoch.
        initial_epoch: Number of the first epoch, from 0.
        class_weight: Dict from class index to weight.
        columns: Column names of tables, which the model remembers.
        contract: Description of the training data, which the model remembers; None if unknown.
        callbacks: The user's callbacks.
        verbose: The argument `verbose`.
        call_warnings: Issues each warning once.
        split: The rows for training and validation, if `validation_split` was passed.
        split_warning: A warning about these rows, or None.
        batch_size: Samples in a step, for data that are not divided into batches yet.
        shuffle: Whether samples are shuffled.
        is_weighted: Whether classes or samples have weights.
    """

    feed: Feed
    validation: Feed | None
    larger_validation_batches: bool
    validation_freq: Any
    epochs: int
    initial_epoch: int
    class_weight: Mapping[int, float] | None
    columns: dict[str, tuple[Any, ...]]
    contract: Contract | None
    callbacks: Any
    verbose: Any
    call_warnings: CallWarnings
    split: RowSplit | None = None
    split_warning: str | None = None
    batch_size: int | None = None
    shuffle: bool | str = True
    is_weighted: bool = False

    def has_validation_after(self, epoch: int) -> bool:
        """Whether validation follows an epoch, counted from 0."""
        return is_validated(epoch, self.validation_freq)


@dataclass(frozen=True)
class EvaluateRequest:
    """The checked and converted arguments of a call of `evaluate`; see `FitRequest`."""

    feed: Feed
    larger_batches: bool
    callbacks: Any
    verbose: Any
    call_warnings: CallWarnings


@dataclass(frozen=True)
class PredictRequest:
    """The checked and converted arguments of a call of `predict`: arrays, or a feed of batches.

    Args:
        arrays: Inputs with one row per sample.
        rows: Number of input rows.
        batch_size: Rows in a batch.
        feed: Batches, instead of arrays.
        steps: Maximum number of batches, or None.
        callbacks: The user's callbacks.
        verbose: The argument `verbose`, which has no effect.
    """

    arrays: Any
    rows: int
    batch_size: int
    feed: Feed | None
    steps: int | None
    callbacks: Any
    verbose: Any


def fit_request(
    learner: Trainable,
    x: Data,
    y: Targets,
    *,
    batch_size: int | None,
    epochs: int,
    verbose: str | int | bool,
    callbacks: Sequence[Any] | Any,
    validation_split: float,
    validation_data: Data,
    shuffle: bool | str,
    class_weight: Mapping[int, float] | str | None,
    sample_weight: Targets,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: int | Collection[int],
    split: Any = None,
) -> FitRequest:
    """Make a request from the arguments of `fit`."""
    check_integer("epochs", epochs, 0)
    check_integer("initial_epoch", initial_epoch, 0)
    _check_positive(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
    checks.check_validation_freq(validation_freq)
    call_warnings = CallWarnings()
    x, y = as_tables(x, "x"), as_tables(y, "y")
    data = UserData.from_arguments(learner, x, y, sample_weight)
    is_weighted = class_weight is not None or sample_weight is not None
    batch_size = data.batch_size if batch_size is None else batch_size
    held_out, rows, split_warning = None, None, None
    if validation_split and validation_data is None:
        data, held_out, rows, split_warning = data.split(validation_split, split)
    elif split is not None:
        raise ValueError(
            f"split={split if isinstance(split, str) else 'group'!r} selects the samples for "
            "validation_split, but there is no validation_split, or there is also validation_data"
            ".\n  Fix: validation_split=0.2, and no validation_data."
        )
    if isinstance(class_weight, str) and class_weight == "balanced":
        data, class_weight = data.with_balanced_weights(sample_weight), None
    weights = cast("Mapping[int, float] | None", class_weight)  # checked by the engine
    epochs = apply_limit(epochs, config.max_epochs(), "epochs")
    feed = data.feed(
        _make_feed_options(learner, batch_size, shuffle, steps_per_epoch, weights, sample_weight)
    )
    feed.first_epoch = initial_epoch
    validation = None
    if getattr(validation_data, "resident", None) is not None and not validation_data.size:
        validation_data = None  # loaded data whose validation part is empty
    if validation_data is not None:
        with prefix_errors("validation_data: "):
            held_out = convert_validation_data(
                learner, validation_data, validation_steps, call_warnings
            )
    if held_out is not None:
        size = batch_size if validation_batch_size is None else validation_batch_size
        with prefix_errors("validation_data: "):
            validation = held_out.feed(
                _make_feed_options(learner, size, False, validation_steps, seed=0)
            )
    sizes = (validation_batch_size, batch_size, validation_steps)
    if data.samples is None:
        contract = record_contract_of_stream(x)
    else:
        contract = record_contract(learner, x, data.x, data.y, y)
    warn_of_other_classes(contract, validation_data, "validation_data")
    if contract is not None and rows is not None:
        contract = dataclasses.replace(contract, split=rows.method)
    return FitRequest(
        feed=feed,
        validation=validation,
        larger_validation_batches=sizes == (None,) * 3,
        validation_freq=validation_freq,
        epochs=epochs,
        initial_epoch=initial_epoch,
        class_weight=weights,
        columns=column_names_of(x, y),
        contract=contract,
        callbacks=callbacks,
        verbose=verbose,
        call_warnings=call_warnings,
        split=rows,
        split_warning=split_warning,
        batch_size=batch_size,
        shuffle=shuffle,
        is_weighted=is_weighted,
    )


def evaluate_request(
    learner: Trainable,
    x: Data,
    y: Targets,
    *,
    batch_size: int | None,
    verbose: str | int | bool,
    sample_weight: Targets,
    steps: int | None,
    callbacks: Sequence[Any] | Any,
) -> EvaluateRequest:
    """Make a request from the arguments of `evaluate`."""
    _check_positive(steps=steps)
    warn_of_other_classes(learner.contract, x, "x")
    feed = UserData.from_arguments(learner, x, y, sample_weight).feed(
        _make_feed_options(learner, batch_size, False, steps, seed=0)
    )
    larger_batches = batch_size is None and steps is None
    return EvaluateRequest(feed, larger_batches, callbacks, verbose, CallWarnings())


def predict_request(
    learner: Trainable,
    x: Data,
    batch_size: int | None = None,
    verbose: str | int | bool = 0,
    steps: int | None = None,
    callbacks: Sequence[Any] | Any = None,
) -> PredictRequest:
    """Make a request from the arguments of `predict`."""
    if config.max_steps_per_epoch() is not None:
        steps = apply_limit(steps, config.max_steps_per_epoch(), "steps")
    _check_positive(steps=steps, batch_size=batch_size)
    if type(x) is not np.ndarray:
        tensors = tensor_dataset_arrays(x)
        x = as_tables(x, "x") if tensors is None else tensors[0]
        x = table_as_inputs(learner.signature, x)
        refuse_reordered_columns(learner, x)
        if is_source(x) or is_map_style_dataset(x):
            feed = _batches_to_predict(learner, x, batch_size, steps)
            return PredictRequest(None, 0, 0, feed, steps, callbacks, verbose)
    arrays = prediction_inputs(learner, x)
    warn_of_different_inputs(learner, arrays)
    # A single array needs no further checks.
    has_rows = type(arrays) is np.ndarray and arrays.ndim and len(arrays)
    rows = len(arrays) if has_rows else number_of_samples(arrays)
    if batch_size is None:
        batch_size = default_batch_size(learner)
    if steps is not None and steps * batch_size < rows:
        rows = steps * batch_size
        arrays = jax.tree.map(lambda a: a[:rows], arrays)
    return PredictRequest(arrays, rows, batch_size, None, steps, callbacks, verbose)


def _batches_to_predict(
    learner: Trainable, x: Data, batch_size: int | None, steps: int | None
) -> Feed:
    if steps is None and never_ends(x):
        raise ValueError(
            f"x is a {type(x).__name__} that never ends, so there would be no last prediction.\n"
            "  Fix: set the number of batches with steps=…, or leave out .repeat()."
        )
    size = default_batch_size(learner) if batch_size is None else batch_size
    # The rows are copied back to the host and joined into batches of few different sizes.
    options = FeedOptions(
        batch_size=size, steps=steps, prepare=learner.on_host, placement=OneDevice()
    )
    return choose(SOURCE_FEEDS, x, options)


def prediction_inputs(learner: Trainable, x: Data) -> PyTree:
    """Convert inputs of `predict` to arrays that the model accepts.

    An array whose dtype and shape have passed the checks before is not checked again.
    """
    spec = (x.dtype, x.shape[1:]) if type(x) is np.ndarray and x.ndim else None
    if spec is not None and learner.inputs_were_checked(spec):
        return x
    if is_path(x):
        refuse_unsupported_data(x, "x")
    refuse_one_row(learner.signature, x)
    arrays = convert(keep_large_sparse(unwrap_single(x)), "x", text=True)
    inputs = learner.signature.inputs
    if inputs and has_text(arrays) and not any(t.dtype == "string" for t in inputs):
        convert(arrays, "x")  # raises an error that explains what to do with text
    arrays = add_batch_axis(learner, arrays)
    checks.check_inputs(learner, arrays)
    if arrays is x and spec is not None and learner.model.built:
        learner.remember_checked_inputs(spec)
    return arrays


def batch_feed(
    learner: Trainable,
    x: Data,
    y: Targets,
    sample_weight: Targets,
    class_weight: Mapping[int, float] | None = None,
) -> Feed:
    """A feed with one batch, for `train_on_batch` and `test_on_batch`."""
    options = _make_feed_options(
        learner, SINGLE_BATCH, False, None, class_weight, sample_weight, seed=0
    )
    return UserData.from_arguments(learner, x, y, sample_weight).feed(options)


def trial_feed(
    learner: Trainable,
    x: Data,
    y: Targets,
    sample_weight: Targets,
    batch_size: int | None,
    steps: int,
    seed: int,
) -> Feed:
    """A feed for a trial of a few steps; at most `steps` batches are read from a source.

    Samples of arrays are shuffled with `seed`, so that the trial draws no seed from the process.
    """
    x, y = as_tables(x, "x"), as_tables(y, "y")
    data = UserData.from_arguments(learner, x, y, sample_weight)
    batch_size = data.batch_size if batch_size is None else batch_size
    limit = steps if data.samples is None else None
    return data.feed(
        _make_feed_options(learner, batch_size, True, limit, None, sample_weight, seed=seed)
    )


def convert_validation_data(
    learner: Trainable, data: PyTree, steps: int | None, call_warnings: CallWarnings
) -> UserData:
    """Convert `validation_data`, which are used again after every epoch."""
    if isinstance(data, Iterator) and not isinstance(data, PyDataset):
        data = Replayed(
            data, steps, lambda message: call_warnings.warn("validation ended", message)
        )
    x, y, sample_weight = data, None, None
    if not is_source(data):
        x, y, sample_weight = unpack_x_y_sample_weight(data)
    return UserData.from_arguments(learner, x, y, sample_weight)


def _make_feed_options(
    learner: Trainable,
    batch_size: int | None,
    shuffle: bool | str,
    steps: int | None,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Targets = None,
    seed: int | None = None,
) -> FeedOptions:
    if class_weight is not None and sample_weight is not None:
        raise ValueError(
            "fit takes either class_weight or sample_weight, and received both.\n"
            "  Fix: multiply them: sample_weight * [class_weight[label] for label in y]."
        )
    if not isinstance(shuffle, (bool, np.bool_)) and shuffle not in ("batch", 0, 1, None):
        raise ValueError(f"shuffle must be True, False or 'batch'; received {shuffle!r}.")
    _check_positive(batch_size=batch_size)
    return FeedOptions(
        batch_size=default_batch_size(learner) if batch_size is None else batch_size,
        shuffle=shuffle,
        seed=seeds.make_default_seed() if seed is None else seed,
        steps=steps,
        reweight=class_weight_function(class_weight),
        prepare=learner.on_host,
    )


def _check_positive(**numbers: Any) -> None:
    """Refuse arguments that are neither None, SINGLE_BATCH nor integers above 0."""
    for name, value in numbers.items():
        if value is not None and value is not SINGLE_BATCH:
            check_integer(name, value)
