"""Records a description of the training data in `fit`, and warns of different inputs in `predict`.

A model that was trained on pixels from 0 to 1 gives wrong outputs for pixels from 0 to 255, with
high confidence and without an error.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from lamina.contract import Contract, InputRange, novelty
from lamina.contract.compare import difference
from lamina.contract.measure import measure_range, measure_target
from lamina.core.user_data.classes import class_indices_of
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import Preprocessed
from lamina.training import checks
from lamina.training.feeds.feed import Feed
from lamina.training.trainable import Trainable

# Number of calls of `predict` that are checked after training or loading; later calls are not
# checked.
CALLS_CHECKED = 16
# Maximum number of targets that are examined.
_MAX_ROWS = 2048
# The label that `predict_labels` returns for inputs that are far from all training inputs.
UNKNOWN = "none of these?"


def record_contract(
    learner: Trainable, user_x: Any, x: Any, y: Any, user_y: Any = None
) -> Contract:
    """The contract of a model for arrays that it is trained on.

    Args:
        learner: The model, which may have a contract from an earlier call.
        user_x: The user's x; data sets of Lamina have a contract.
        x: Inputs as arrays.
        y: Targets as arrays, or None.
        user_y: The user's y, which may have class names.
    """
    ranges = tuple(
        input_range
        for name, array in _named_arrays(x)
        if not is_text(array) and (input_range := measure_range(name, array)) is not None
    )
    contract = Contract()
    data_contract, previous = getattr(user_x, "contract", None), learner.contract
    if isinstance(data_contract, Contract):
        contract = data_contract
    elif previous is not None and _shapes(previous.inputs) == _shapes(ranges):
        contract = previous  # further training, on arrays without class names
    contract = _with_class_names(contract, user_x, user_y)
    if contract.class_names is None and contract.target_range is None and _is_quantity(y):
        contract = dataclasses.replace(contract, target_range=measure_target(y))
    statistics = None
    if contract.class_names is not None or _is_class(y):
        if previous is not None and previous.inputs == ranges:
            statistics = previous.novelty  # the same data, e.g. if fit is called in a loop
        if statistics is None:
            statistics = novelty.compute_statistics(dict(_named_arrays(x)))
    return dataclasses.replace(contract, inputs=ranges, novelty=statistics)


def record_contract_of_stream(source: Any) -> Contract | None:
    """The contract of a model that is trained on batches, from the attributes of their source.

    Args:
        source: A source of batches. Data sets of Lamina have a contract or class names, those
            of PyTorch may have class names.
    """
    source_contract = getattr(source, "contract", None)
    contract = source_contract if isinstance(source_contract, Contract) else Contract()
    contract = _with_class_names(contract, source, getattr(source, "dataset", None))
    return None if contract == Contract() else contract


def add_image_range(contract: Contract, feed: Feed) -> Contract:
    """Add the range of the pixels, from the first batch, to the contract of a stream of images.

    One batch is enough for the range of the pixels, but not for the distribution of brightness.
    """
    if contract.kind != "images" or contract.inputs:
        return contract
    ranges = [measure_range(name, array) for name, array in _named_arrays(feed.example()[0])]
    inputs = [dataclasses.replace(r, sample_spread=0.0) for r in ranges if r is not None]
    return dataclasses.replace(contract, inputs=tuple(inputs))


def _with_class_names(contract: Contract, *parts: Any) -> Contract:
    """Add class names to a contract without them, if one of `parts` has class names."""
    for part in parts:
        names = _class_names(part)
        if contract.class_names is None and names is not None:
            return dataclasses.replace(contract, class_names=names)
    return contract


def _class_names(data: Any) -> tuple[str, ...] | None:
    """The class names that a data set has as an attribute."""
    for attribute in ("class_names", "classes"):  # the second is PyTorch's
        names: Any = getattr(data, attribute, None)
        if isinstance(names, (list, tuple)) and names and all(type(n) is str for n in names):
            return tuple(names)
    return None


def warn_of_other_classes(contract: Contract | None, data: Any, what: str) -> None:
    """Warn if data have other class names than the training data; only class indices are compared.

    Args:
        contract: The contract of the model.
        data: The user's data; data sets of Lamina have class names.
        what: Name of the data for messages, e.g. `"validation_data"`.
    """
    names = _class_names(data)
    training_names = None if contract is None else contract.class_names
    if names is None or training_names is None or names == training_names:
        return
    label = next(
        (
            i
            for i, pair in enumerate(zip(names, training_names, strict=False))
            if len(set(pair)) > 1
        ),
        None,
    )
    if label is None:
        if len(names) <= len(training_names):
            return  # the last classes have no sample in these data
        label = len(training_names)
    here, in_training = (
        repr(n[label]) if label < len(n) else "no class" for n in (names, training_names)
    )
    checks.warn(
        f"Label {label} means {here} in {what} and {in_training} in training, so the metrics are "
        "wrong.\n"
        "  Likely cause: other folders or classes than in training.\n"
        "  Fix: use the same classes in both; in training they were "
        f"{', '.join(training_names[:10])}."
    )


def warn_of_different_inputs(learner: Trainable, x: Any) -> None:
    """Warn if inputs probably have another scale than the training data, or are inverted.

    Args:
        learner: The model.
        x: Inputs as arrays, as passed to `predict`.
    """
    contract = learner.contract
    if contract is None or not contract.inputs or learner.calls_checked >= CALLS_CHECKED:
        return
    learner.calls_checked += 1
    ranges = {input_range.name: input_range for input_range in contract.inputs}
    for name, array in _named_arrays(x):
        training_range: InputRange | None = ranges.get(name)
        if training_range is None or tuple(array.shape[1:]) != training_range.shape:
            continue
        observed = difference(training_range, array)
        if observed is not None:
            checks.warn(
                f"The input {name} of model {learner.model.name!r} is unlike the training "
                f"data: {observed.evidence}.\n"
                f"  Fix: {observed.fix} in place of {name}, unless this is intended."
            )
            return


def likeliest_class_names(
    contract: Contract | None, x: Any, outputs: Any, model: str, unknown: str | None = UNKNOWN
) -> np.ndarray:
    """The name of the likeliest class of each sample, `(samples,)`.

    Args:
        contract: The contract of the model.
        x: The inputs, as passed to `predict`.
        outputs: `(samples, classes)`, or `(samples, 1)` for one of two classes.
        model: The model's name, for messages.
        unknown: The name for samples that are far from all training samples; None for the
            likeliest class of these samples, too.
    """
    if contract is None or contract.class_names is None:
        raise ValueError(
            f"The class names of model {model!r} are not known, because its training "
            "data had none.\n"
            "  Fix: model.predict(x).argmax(axis=-1) returns class indices."
        )
    names: np.ndarray[Any, Any] = np.array(contract.class_names, dtype=object)
    outputs = np.asarray(outputs)
    if outputs.ndim == 2 and outputs.shape[1] == 1 and len(names) == 2:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    if outputs.ndim != 2 or outputs.shape[1] != len(names):
        raise ValueError(
            f"Model {model!r} returns outputs of shape {outputs.shape}, but there are {len(names)} "
            f"class names: {', '.join(map(str, names[:10]))}."
        )
    likeliest: np.ndarray[Any, Any] = names[outputs.argmax(axis=1)]
    far = None if unknown is None else far_from_training(contract, x)
    if far is not None and len(far) == len(likeliest):
        likeliest[far] = unknown
    return likeliest


def far_from_training(contract: Contract, x: Any) -> np.ndarray | None:
    """Whether each sample is far from all training samples, `(samples,)`.

    Args:
        contract: The contract of the model.
        x: Inputs, as passed to `predict`.

    Returns:
        None if it is unknown: for text, streams and models without classes.
    """
    training_novelty = contract.novelty
    if training_novelty is None:
        return None
    return novelty.is_far(training_novelty, dict(_named_arrays(x)))


def _named_arrays(x: Any) -> list[tuple[str, Any]]:
    """Arrays with their names: `x` alone, `x[0]` in a list, the key in a dict."""
    if isinstance(x, Preprocessed):
        return []
    if isinstance(x, dict):
        return [(str(name), array) for name, array in x.items() if hasattr(array, "shape")]
    if isinstance(x, (list, tuple)):
        return [(f"x[{i}]", array) for i, array in enumerate(x) if hasattr(array, "shape")]
    return [("x", x)] if isinstance(x, (np.ndarray, jax.Array)) else []


def _shapes(ranges: tuple[InputRange, ...]) -> list[tuple[str, tuple[int, ...]]]:
    return [(input_range.name, input_range.shape) for input_range in ranges]


def _is_class(y: Any) -> bool:
    """Whether targets are classes, judged by a subset of them."""
    if not isinstance(y, np.ndarray) or not y.ndim:
        return False
    return class_indices_of(y[:: -(-len(y) // _MAX_ROWS) or 1]) is not None


def _is_quantity(y: Any) -> bool:
    """Whether targets are quantities (regression): one float per sample."""
    if not isinstance(y, np.ndarray) or y.dtype.kind != "f" or not y.size:
        return False
    return bool(np.isfinite(y).all()) and (y.ndim == 1 or y.shape[1:] == (1,))
