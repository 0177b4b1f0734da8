"""Warnings about likely mistakes in a model and its data, issued once, before the first step.

Each check looks for signs that a correct setup does not have. If a check cannot decide, there is no
warning. Definite mistakes are errors, in `checks.py`.
"""

from typing import Any

import jax
import numpy as np

from lamina.core.types import Data, Outputs, Targets
from lamina.findings.properties import (
    LARGE_INPUT,
    LARGE_INPUT_SHARE,
    PROBABILITY_LOSSES,
    RANGES_OF_ACTIVATIONS,
    REGRESSION_LOSSES,
    WEIGHTED_KINDS,
)
from lamina.training import checks
from lamina.training.events import Listener
from lamina.training.feeds.feed import Feed
from lamina.training.requests import FitRequest
from lamina.training.trainable import Trainable

_MAX_ROWS_CHECKED = 1000

# Layers that do not change the magnitude of numbers.
_NEUTRAL_LAYERS = (
    "Flatten Reshape Permute Dropout GaussianNoise Masking ZeroPadding1D ZeroPadding2D".split()
)


class LikelyMistakes(Listener):
    """Warns of likely mistakes when a run of `fit` begins."""

    def on_run_begin(self, request: FitRequest, learner: Trainable) -> None:
        if request.split_warning is not None:
            checks.warn_once("split", request.split_warning, learner)
        # That warning includes classes that only the last samples have.
        validation = None if request.split_warning is not None else request.validation
        warn_of_likely_mistakes(learner, request.feed, validation)


def warn_of_likely_mistakes(learner: Trainable, feed: Feed, validation: Feed | None) -> None:
    """Warn of likely mistakes in a model and its data.

    Args:
        learner: A compiled learner, prepared for the data.
        feed: The training data.
        validation: The validation data, or None.
    """
    _warn_of_negative_learning_rate(learner)
    x, y, _ = feed.example()
    _warn_of_large_inputs(learner, x)
    if y is None or not learner.compares_targets(training=True) or not learner.objectives.built:
        return
    objectives = learner.objectives
    try:
        targets = objectives.targets(y)
    except ValueError:
        return
    activations = checks.final_activations(learner)
    if len(activations) != len(objectives.outputs):
        activations = [None] * len(objectives.outputs)
    for index, loss in objectives.losses:
        name, target = checks.loss_name(loss), targets[index]
        if target is None:
            continue
        if name in REGRESSION_LOSSES and target.size and target.dtype.kind in "fiub":
            _warn_of_targets_out_of_range(learner, np.asarray(target), activations[index])
            _warn_of_accuracy_for_regression(
                learner, index, np.asarray(target), objectives.outputs[index]
            )
        has_all_samples = len(target) == feed.samples
        if name in PROBABILITY_LOSSES and has_all_samples and not _is_dummy(x):
            _warn_of_missing_classes(
                learner, loss, str(name), target, _targets_of(learner, validation, index)
            )


def _is_dummy(x: Data) -> bool:
    """Whether all samples are equal, as in dummy data to try a script."""
    rows = [leaf[:100] for leaf in jax.tree.leaves(x) if isinstance(leaf, np.ndarray)]
    return bool(rows) and all(bool(np.all(leaf == leaf[:1])) for leaf in rows)


def _warn_of_negative_learning_rate(learner: Trainable) -> None:
    try:
        rate = float(learner.model.optimizer.learning_rate)
    except (AttributeError, TypeError, ValueError):
        return
    if rate < 0:
        name = type(learner.model.optimizer).__name__
        checks.warn_once(
            "negative-rate",
            f"The learning rate is {rate:g}: every step increases the loss.\n"
            f"  Fix: optimizer=lamina.optimizers.{name}({-rate:g}).",
            learner,
        )


def _warn_of_large_inputs(learner: Trainable, x: Data) -> None:
    leaves = jax.tree.leaves(x)
    if len(leaves) != 1 or not _multiplies_inputs(learner):
        return
    values = leaves[0]
    if isinstance(values, jax.Array) and any(d.platform != "cpu" for d in values.devices()):
        return  # a copy from the device would be too expensive
    if values.dtype.kind not in "fiu" or not values.size:
        return
    values = np.asarray(values)
    values = values[:: -(-len(values) // _MAX_ROWS_CHECKED)]
    high = float(np.max(values))
    if np.mean(np.abs(values.astype("float32")) > LARGE_INPUT) < LARGE_INPUT_SHARE:
        return
    are_pixels = high <= 255 and float(np.min(values)) >= 0 and values.ndim > 2
    fix = "x = x / 255, or lamina.layers.Rescaling(1 / 255) as the first layer"
    if not are_pixels:
        fix = (
            "normalization = lamina.layers.Normalization(); normalization.adapt(x), and "
            "normalization as the first layer"
        )
    largest = max(high, -float(np.min(values)), key=abs)
    checks.warn_once(
        "large-inputs",
        f"x holds numbers as large as {largest:,.4g}, and no layer of {learner.model.name!r} "
        "scales them: networks learn slowly or not at all from inputs far beyond ±20.\n"
        f"  Fix: {fix}.",
        learner,
    )


def _multiplies_inputs(learner: Trainable) -> bool:
    """Whether unscaled inputs are multiplied by weights, in a model that is not linear.

    False if it cannot be decided.
    """
    layers = [layer for layer in learner.layers() if layer is not learner.model]
    class_names = [type(layer).__name__ for layer in layers]
    if any(name.endswith("Normalization") or name == "Rescaling" for name in class_names):
        return False
    signature = learner.signature
    if len(signature.inputs) != 1:
        return False
    is_nonlinear = any(
        getattr(getattr(layer, "activation", None), "__name__", "linear") != "linear"
        or type(layer).__name__ not in ("Dense", "InputLayer", *_NEUTRAL_LAYERS)
        for layer in layers
    )
    stack, reaches_weights = [signature.inputs[0]], False
    while stack:
        tensor = stack.pop()
        for node in signature.nodes:
            if not any(tensor is t for t in node.input_tensors):
                continue
            name, module = type(node.operation).__name__, type(node.operation).__module__
            if module.startswith("lamina.") and name in _NEUTRAL_LAYERS:
                stack += node.output_tensors
            elif module.startswith("lamina.") and name in WEIGHTED_KINDS:
                reaches_weights = True
            else:
                return False
    return reaches_weights and is_nonlinear


def _warn_of_targets_out_of_range(
    learner: Trainable, y: np.ndarray, activation: str | None
) -> None:
    low, high = RANGES_OF_ACTIVATIONS.get(str(activation), (-np.inf, np.inf))
    if low == -np.inf:
        return
    smallest, largest = float(y.min()), float(y.max())
    # Noise around the limits is not a mistake.
    margin = 0.01 * (high - low if high < np.inf else max(largest - smallest, 1e-6))
    outside = np.mean((y < low - margin) | (y > high + margin))
    if outside > 0.02:
        output_range = f"between {low} and {high}" if high < np.inf else f"{low} or more"
        checks.warn_once(
            "out-of-range",
            f"The targets run from {smallest:.4g} to {largest:.4g}, but the last layer of "
            f"{learner.model.name!r} applies {activation}, whose outputs are {output_range}.\n"
            "  Fix: activation=None on the last layer.",
            learner,
        )


def _warn_of_accuracy_for_regression(
    learner: Trainable, index: int, y: np.ndarray, output: Outputs
) -> None:
    """Warn if the metric accuracy is used for targets that are not classes."""
    if len(output.shape) > 1 and output.shape[-1] != 1:
        return  # for several outputs, accuracy may refer to the largest one
    for output_index, metric, _ in learner.objectives.output_metrics:
        name = getattr(metric, "resolved_name", None) or metric.name
        if output_index == index and name in ("binary_accuracy", "accuracy"):
            not_binary = (y != 0) & (y != 1)
            if np.mean(not_binary) > 0.1:
                checks.warn_once(
                    "accuracy",
                    f"The metric {metric.name!r} counts how often the output, rounded to 0 or 1, "
                    f"is the target, and y holds other numbers, such as "
                    f"{y[not_binary].flat[0]:.4g}.\n"
                    "  Fix: metrics=['mae'].",
                    learner,
                )


def _targets_of(learner: Trainable, validation: Feed | None, index: int) -> Any:
    if validation is None or validation.samples is None:
        return None
    return learner.objectives.targets(validation.example()[1])[index]


def _warn_of_missing_classes(
    learner: Trainable, loss: Any, name: str, y: Targets, y_val: Any
) -> None:
    """Warn of a single class, or of validation classes that are not in the training data."""
    if getattr(loss, "ignore_class", None) is not None:
        return
    labels = _classes(name, np.asarray(y))
    if labels is None:
        return
    used_labels = np.unique(labels)
    if len(used_labels) == 1 and len(labels) >= 10:
        checks.warn_once(
            "one-class",
            f"All {len(labels):,} labels are {int(used_labels[0])}: nothing can be learned "
            "from a single class.\n"
            "  Likely cause: a filter or a slice of sorted data that kept one class.\n"
            "  Fix: shuffle before the data are sliced, so that every class is in y.",
            learner,
        )
    val_labels = None if y_val is None else _classes(name, np.asarray(y_val))
    if val_labels is None or not len(val_labels):
        return
    is_unknown = ~np.isin(val_labels, used_labels)
    # Rare classes may be in one of the two only, which is normal with many classes, such as words.
    if np.mean(is_unknown) > 0.05:
        missing = ", ".join(str(int(c)) for c in np.unique(val_labels[is_unknown])[:5])
        checks.warn_once(
            "new-classes",
            f"{np.mean(is_unknown):.0%} of the validation labels are of classes that the training "
            f"data do not have: {missing}.\n"
            "  Likely cause: sorted data; validation_split takes the last part without shuffling.\n"
            "  Fix: order = numpy.random.permutation(len(x)); x, y = x[order], y[order].",
            learner,
        )


def _classes(name: str, y: np.ndarray) -> np.ndarray | None:
    """The class of each sample or step; None if labels are not single classes."""
    if name == "sparse_categorical_crossentropy":
        return y.reshape(-1).astype(int)
    if name == "categorical_crossentropy":
        is_one_hot = y.ndim == 2 and bool(np.all((y == 0) | (y == 1)))
        return y.argmax(-1) if is_one_hot else None
    is_one_per_sample = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    return y.reshape(-1).astype(int) if is_one_per_sample and np.all((y == 0) | (y == 1)) else None
