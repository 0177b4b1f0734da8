"""What looks wrong in a model and its data, and may be meant: said once, before the first step.

Each check asks for evidence that a sound training does not give; where it cannot know, it is
silent. What is certainly wrong is refused in `checks.py`.
"""

from typing import Any

import jax
import numpy as np

from lamina.training import checks
from lamina.training.feeds.resident import ResidentFeed

# Networks learn poorly from inputs much beyond ±20; hours of the day are still good.
_LARGE = 25
_ROWS = 1000  # looked at of the inputs

_PROBABILITY_LOSSES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
_REGRESSION_LOSSES = (
    *("mean_squared_error", "mean_absolute_error", "huber", "log_cosh"),
    *("mean_absolute_percentage_error", "mean_squared_logarithmic_error"),
)
_RANGES = {
    **{"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1)},
    **{"softsign": (-1, 1), "relu": (0, np.inf), "relu6": (0, 6), "softplus": (0, np.inf)},
}
# Layers that hand numbers on as large as they come, and layers that then multiply them.
_PASSING = (
    "Flatten Reshape Permute Dropout GaussianNoise Masking ZeroPadding1D ZeroPadding2D".split()
)
_MULTIPLYING = (
    "Dense EinsumDense Conv1D Conv2D Conv3D DepthwiseConv2D SeparableConv1D SeparableConv2D "
    "LSTM GRU SimpleRNN ConvLSTM2D"
).split()


def look_for(model: Any, feed: Any, validation: Any) -> None:
    """Warn of what a person would ask about before a training.

    Args:
        model: A compiled model, prepared for the data.
        feed: What it is to be trained on.
        validation: What it is to be measured on after each epoch, or None.
    """
    _negative_learning_rate(model)
    x, y, _ = feed.example()
    _large_inputs(model, x)
    if y is None or not model.compares_targets(True) or not model._objectives.built:
        return
    found = model._objectives
    try:
        given = found.targets(y)
    except ValueError:
        return
    known = checks._final_activations(model)
    final = known if len(known) == len(found.outputs) else [None] * len(found.outputs)
    for index, loss in found.losses:
        name, target = checks._loss_name(loss), given[index]
        if target is None:
            continue
        if name in _REGRESSION_LOSSES and target.size and target.dtype.kind in "fiub":
            _out_of_range(model, np.asarray(target), final[index])
            _rounded(model, index, np.asarray(target), found.outputs[index])
        whole = isinstance(feed, ResidentFeed) and len(target) == feed.samples
        if name in _PROBABILITY_LOSSES and whole and not _is_dummy(x):
            _missing_classes(model, loss, str(name), target, _targets_of(model, validation, index))


def _is_dummy(x: Any) -> bool:
    """Whether all samples are the same, as in data that only try out whether a script runs."""
    rows = [leaf[:100] for leaf in jax.tree.leaves(x) if isinstance(leaf, np.ndarray)]
    return bool(rows) and all(bool(np.all(leaf == leaf[:1])) for leaf in rows)


def _negative_learning_rate(model: Any) -> None:
    try:
        rate = float(model.optimizer.learning_rate)
    except (AttributeError, TypeError, ValueError):
        return
    if rate < 0:
        name = type(model.optimizer).__name__
        checks.warn_once(
            "negative-rate",
            f"The learning rate is {rate:g}: every step goes up the loss, not down.\n"
            f"  Fix: optimizer=lamina.optimizers.{name}({-rate:g}).",
            model,
        )


def _large_inputs(model: Any, x: Any) -> None:
    leaves = jax.tree.leaves(x)
    if len(leaves) != 1 or not _multiplies_inputs(model):
        return
    values = leaves[0]
    if isinstance(values, jax.Array) and jax.default_backend() != "cpu":
        return  # it would be copied for this alone
    if values.dtype.kind not in "fiu" or not values.size:
        return
    values = np.asarray(values)
    values = values[:: -(-len(values) // _ROWS)]
    high = float(np.max(values))
    if np.mean(np.abs(values.astype("float32")) > _LARGE) < 0.02:
        return
    pixels = high <= 255 and float(np.min(values)) >= 0 and values.ndim > 2
    fix = "x = x / 255, or lamina.layers.Rescaling(1 / 255) as the first layer"
    if not pixels:
        fix = (
            "normalization = lamina.layers.Normalization(); normalization.adapt(x), and "
            "normalization as the first layer"
        )
    largest = max(high, -float(np.min(values)), key=abs)
    checks.warn_once(
        "large-inputs",
        f"x holds numbers as large as {largest:,.4g}, and no layer of {model.name!r} scales them: "
        "networks learn slowly or not at all from inputs far beyond ±20.\n"
        f"  Fix: {fix}.",
        model,
    )


def _multiplies_inputs(model: Any) -> bool:
    """Whether the inputs surely reach a layer's weights as they come, in a model not linear."""
    layers = model._flatten_layers(include_self=False)
    kinds = [type(layer).__name__ for layer in layers]
    if any(kind.endswith("Normalization") or kind == "Rescaling" for kind in kinds):
        return False
    graph = getattr(model, "_graph", None)
    if graph is None or len(graph.input_list) != 1:
        return False
    bends = any(
        getattr(getattr(layer, "activation", None), "__name__", "linear") != "linear"
        or type(layer).__name__ not in ("Dense", "InputLayer", *_PASSING)
        for layer in layers
    )
    waiting, reached = [graph.input_list[0]], False
    while waiting:
        tensor = waiting.pop()
        for node in graph.nodes:
            if not any(tensor is t for t in node.input_tensors):
                continue
            kind, module = type(node.operation).__name__, type(node.operation).__module__
            if module.startswith("lamina.") and kind in _PASSING:
                waiting += node.output_tensors
            elif module.startswith("lamina.") and kind in _MULTIPLYING:
                reached = True
            else:
                return False
    return reached and bends


def _out_of_range(model: Any, y: np.ndarray, activation: str | None) -> None:
    low, high = _RANGES.get(str(activation), (-np.inf, np.inf))
    if low == -np.inf:
        return
    smallest, largest = float(y.min()), float(y.max())
    # Noise about the border is no mistake.
    margin = 0.01 * (high - low if high < np.inf else max(largest - smallest, 1e-6))
    outside = np.mean((y < low - margin) | (y > high + margin))
    if outside > 0.02:
        reach = f"between {low} and {high}" if high < np.inf else f"{low} or more"
        checks.warn_once(
            "out-of-range",
            f"The targets run from {smallest:.4g} to {largest:.4g}, but the last layer of "
            f"{model.name!r} applies {activation}, whose outputs are {reach}.\n"
            "  Fix: activation=None on the last layer.",
            model,
        )


def _rounded(model: Any, index: int, y: np.ndarray, output: Any) -> None:
    """Accuracy of numbers that are no classes."""
    if len(output.shape) > 1 and output.shape[-1] != 1:
        return  # which output is the largest may well matter
    for place, metric, _ in model._objectives._measured:
        kind = getattr(metric, "resolved_name", None) or metric.name
        if place == index and kind in ("binary_accuracy", "accuracy"):
            other = (y != 0) & (y != 1)
            if np.mean(other) > 0.1:
                checks.warn_once(
                    "accuracy",
                    f"The metric {metric.name!r} counts how often the output, rounded to 0 or 1, "
                    f"is the target, and y holds other numbers, such as {y[other].flat[0]:.4g}.\n"
                    "  Fix: metrics=['mae'].",
                    model,
                )


def _targets_of(model: Any, validation: Any, index: int) -> Any:
    if not isinstance(validation, ResidentFeed):
        return None
    return model._objectives.targets(validation.example()[1])[index]


def _missing_classes(model: Any, loss: Any, name: str, y: Any, y_val: Any) -> None:
    """One class only, or classes that the validation has and the training has not."""
    if getattr(loss, "ignore_class", None) is not None:
        return
    known = _classes(name, np.asarray(y))
    if known is None:
        return
    seen = np.unique(known)
    if len(seen) == 1 and len(known) >= 10:
        checks.warn_once(
            "one-class",
            f"All {len(known):,} labels are {int(seen[0])}: from one class alone nothing can be "
            "learned.\n"
            "  Likely cause: a filter or a slice of sorted data that kept one class.\n"
            "  Fix: shuffle before the data are cut, so that every class is in y.",
            model,
        )
    new = None if y_val is None else _classes(name, np.asarray(y_val))
    if new is None or not len(new):
        return
    strange = ~np.isin(new, seen)
    # A rare class may be in one part alone; of many classes, as of words, some always are.
    if np.mean(strange) > 0.05:
        missing = ", ".join(str(int(c)) for c in np.unique(new[strange])[:5])
        checks.warn_once(
            "new-classes",
            f"{np.mean(strange):.0%} of the validation labels are of classes that the training "
            f"data do not have: {missing}.\n"
            "  Likely cause: sorted data; validation_split takes the last part as it is.\n"
            "  Fix: order = numpy.random.permutation(len(x)); x, y = x[order], y[order].",
            model,
        )


def _classes(name: str, y: np.ndarray) -> np.ndarray | None:
    """The class of each sample or step; None where labels are not of one class each."""
    if name == "sparse_categorical_crossentropy":
        return y.reshape(-1).astype(int)
    if name == "categorical_crossentropy":
        whole = y.ndim == 2 and bool(np.all((y == 0) | (y == 1)))
        return y.argmax(-1) if whole else None
    single = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    return y.reshape(-1).astype(int) if single and np.all((y == 0) | (y == 1)) else None
