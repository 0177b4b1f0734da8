"""Records in `fit` what a model was trained on, and warns of different inputs in `predict`.

A model that was trained on pixels from 0 to 1 gives nonsense for pixels from 0 to 255, with
confidence and without an error.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from lamina.contract import Contract, InputRange, novelty
from lamina.contract.compare import difference
from lamina.contract.measure import measured, measured_target
from lamina.core.user_data.classes import classes_of
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import Preprocessed
from lamina.training import checks
from lamina.training.feeds.feed import Feed
from lamina.training.trainable import Trainable

# Number of calls of `predict` that are checked after training or loading. Later calls cost nothing.
CALLS_CHECKED = 16
# Targets that are looked at.
_ROWS = 2048
# What `predict_labels` returns for inputs that are far from all inputs of training.
UNKNOWN = "none of these?"


def record_contract(
    learner: Trainable, user_x: Any, x: Any, y: Any, user_y: Any = None
) -> Contract:
    """The contract of a model that is trained on these arrays.

    Args:
        learner: The model; it may know more from an earlier call.
        user_x: The user's x; it may have a contract of its own.
        x: Inputs as arrays.
        y: Targets as arrays, or None.
        user_y: The user's y; it may have names of classes.
    """
    ranges = tuple(
        input_range
        for name, array in _named_arrays(x)
        if not is_text(array) and (input_range := measured(name, array)) is not None
    )
    contract = Contract()
    data_contract, previous = getattr(user_x, "contract", None), learner.contract
    if isinstance(data_contract, Contract):
        contract = data_contract
    elif previous is not None and _shapes(previous.inputs) == _shapes(ranges):
        contract = previous  # trained further, on arrays that have no names
    contract = _with_class_names(contract, user_x, user_y)
    if contract.class_names is None and contract.target_range is None and _is_number(y):
        contract = dataclasses.replace(contract, target_range=measured_target(y))
    learned_novelty = None
    if contract.class_names is not None or _is_class(y):
        if previous is not None and previous.inputs == ranges:
            learned_novelty = previous.novelty  # the same data, as where fit is called in a loop
        if learned_novelty is None:
            learned_novelty = novelty.learned(dict(_named_arrays(x)))
    return dataclasses.replace(contract, inputs=ranges, novelty=learned_novelty)


def record_contract_of_stream(source: Any) -> Contract | None:
    """The contract of a model that is trained on batches: what the source says of itself.

    Args:
        source: A source of batches. Data sets of Lamina have a contract or names of classes, those
            of PyTorch may have names of classes.
    """
    known = getattr(source, "contract", None)
    contract = known if isinstance(known, Contract) else Contract()
    contract = _with_class_names(contract, source, getattr(source, "dataset", None))
    return None if contract == Contract() else contract


def with_pictures(contract: Contract, feed: Feed) -> Contract:
    """A contract with the range of pictures that come in batches, by the first batch of them.

    One batch tells the scale of the pixels; how light pictures are on the whole it does not.
    """
    if contract.kind != "images" or contract.inputs:
        return contract
    ranges = [measured(name, array) for name, array in _named_arrays(feed.example()[0])]
    inputs = [dataclasses.replace(r, sample_spread=0.0) for r in ranges if r is not None]
    return dataclasses.replace(contract, inputs=tuple(inputs))


def _with_class_names(contract: Contract, *parts: Any) -> Contract:
    """A contract with the names of the classes that one of these has, if it has none."""
    for part in parts:
        names = _class_names(part)
        if contract.class_names is None and names is not None:
            return dataclasses.replace(contract, class_names=names)
    return contract


def _class_names(data: Any) -> tuple[str, ...] | None:
    """The names of classes that data have of themselves."""
    for place in ("class_names", "classes"):  # the second is that of PyTorch
        names: Any = getattr(data, place, None)
        if isinstance(names, (list, tuple)) and names and all(type(n) is str for n in names):
            return tuple(names)
    return None


def warn_of_other_classes(contract: Contract | None, data: Any, what: str) -> None:
    """Warn if data name other classes than those of training: labels are compared by number.

    Args:
        contract: What the model was trained on.
        data: The user's data; those of folders and of `lamina.data.load` have names of classes.
        what: What the data are called, e.g. `"validation_data"`.
    """
    names = _class_names(data)
    known = None if contract is None else contract.class_names
    if names is None or known is None or names == known:
        return
    place = next(
        (i for i, pair in enumerate(zip(names, known, strict=False)) if len(set(pair)) > 1), None
    )
    if place is None:
        if len(names) <= len(known):
            return  # the last classes have no sample in these data
        place = len(known)
    here, there = (repr(n[place]) if place < len(n) else "no class" for n in (names, known))
    checks.warn(
        f"Label {place} means {here} in {what} and {there} in training, so what is measured means "
        "nothing.\n"
        "  Likely cause: other folders or classes than in training.\n"
        f"  Fix: the same classes in both; in training they were {', '.join(known[:10])}."
    )


def warn_of_different_inputs(learner: Trainable, x: Any) -> None:
    """Warn if inputs are probably on another scale than in training, or inverted.

    Args:
        learner: The model.
        x: Inputs as arrays, as given to `predict`.
    """
    contract = learner.contract
    if contract is None or not contract.inputs or learner.calls_checked >= CALLS_CHECKED:
        return
    learner.calls_checked += 1
    ranges = {input_range.name: input_range for input_range in contract.inputs}
    for name, array in _named_arrays(x):
        in_training: InputRange | None = ranges.get(name)
        if in_training is None or tuple(array.shape[1:]) != in_training.shape:
            continue
        observed = difference(in_training, array)
        if observed is not None:
            checks.warn(
                f"The input {name} of model {learner.model.name!r} is unlike what it was trained "
                f"on: {observed.evidence}.\n"
                f"  Fix: {observed.fix} in place of {name}, if that is not meant."
            )
            return


def labels_of(
    contract: Contract | None, x: Any, outputs: Any, model: str, unknown: str | None = UNKNOWN
) -> np.ndarray:
    """The names of the likeliest classes, `(samples,)`.

    Args:
        contract: What the model was trained on.
        x: The inputs, as given to `predict`.
        outputs: `(samples, classes)`, or `(samples, 1)` for one of two classes.
        model: The model's name, for messages.
        unknown: The name for samples that are far from all samples of training; None for the
            likeliest class of these, too.
    """
    if contract is None or contract.class_names is None:
        raise ValueError(
            f"The names of the classes of model {model!r} are not known: the data that it was "
            "trained on had none.\n"
            "  Fix: model.predict(x).argmax(axis=-1) gives their numbers."
        )
    names: np.ndarray[Any, Any] = np.array(contract.class_names, dtype=object)
    outputs = np.asarray(outputs)
    if outputs.ndim == 2 and outputs.shape[1] == 1 and len(names) == 2:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    if outputs.ndim != 2 or outputs.shape[1] != len(names):
        raise ValueError(
            f"Model {model!r} gives outputs of shape {outputs.shape}, and there are {len(names)} "
            f"names of classes: {', '.join(map(str, names[:10]))}."
        )
    likeliest: np.ndarray[Any, Any] = names[outputs.argmax(axis=1)]
    far = None if unknown is None else far_from_training(contract, x)
    if far is not None and len(far) == len(likeliest):
        likeliest[far] = unknown
    return likeliest


def far_from_training(contract: Contract, x: Any) -> np.ndarray | None:
    """Whether each sample is far from all samples of training, `(samples,)`.

    Args:
        contract: What the model was trained on.
        x: Inputs, as given to `predict`.

    Returns:
        None if it cannot be told: for text, streams and models without classes.
    """
    known = contract.novelty
    return None if known is None else novelty.is_far(known, dict(_named_arrays(x)))


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
    """Whether targets are classes, by some of them."""
    if not isinstance(y, np.ndarray) or not y.ndim:
        return False
    return classes_of(y[:: -(-len(y) // _ROWS) or 1]) is not None


def _is_number(y: Any) -> bool:
    """Whether targets are amounts: floats, one for each sample."""
    if not isinstance(y, np.ndarray) or y.dtype.kind != "f" or not y.size:
        return False
    return bool(np.isfinite(y).all()) and (y.ndim == 1 or y.shape[1:] == (1,))
