"""Injectors: each puts one fault into a healthy program.

The operators follow the taxonomy of DeepCrime (Humbatova, Jahangirova and Tonella, 2021), with more
for faults of data. Each names the causes that are right answers for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from programs import Layer, Program

_WEIGHTED = {"Dense", "Conv2D", "LSTM"}


@dataclass(frozen=True)
class Injector:
    """A fault.

    Args:
        name: Its name.
        inject: Makes the faulty program; returns None where the fault has no meaning.
        right: Codes that are right answers, the exact one first.
    """

    name: str
    inject: Callable[[Program, np.random.Generator], Program | None]
    right: tuple[str, ...]


def _hidden(program: Program) -> list[int]:
    """Positions of hidden layers with weights."""
    weighted = [i for i, (kind, _) in enumerate(program.layers) if kind in _WEIGHTED]
    return weighted[:-1]


def _last(program: Program) -> int:
    return len(program.layers) - 1


def _with_layer(program: Program, position: int, **arguments: Any) -> Program:
    changed = list(program.layers)
    kind, old = changed[position]
    changed[position] = (kind, {**old, **arguments})
    return replace(program, layers=tuple(changed))


def _hidden_with(program: Program, *kinds: str, **arguments: Any) -> Program | None:
    positions = [i for i in _hidden(program) if program.layers[i][0] in (kinds or _WEIGHTED)]
    if not positions:
        return None
    for position in positions:
        program = _with_layer(program, position, **arguments)
    return program


def _inserted(program: Program, layer: Layer, copies: int = 1) -> Program | None:
    """With a layer before each of the last dense layers."""
    positions = [i for i, (kind, _) in enumerate(program.layers) if kind == "Dense"][-copies:]
    changed = list(program.layers)
    for position in reversed(positions):
        if position:
            changed.insert(position, layer)
    return replace(program, layers=tuple(changed))


def _raw(program: Program) -> Any:
    if program.scale is None:
        return None
    if isinstance(program.scale, tuple):
        mean, spread = program.scale
        return lambda x: x * spread + mean
    return lambda x: x * program.scale


def raw_inputs(program: Program, rng: np.random.Generator) -> Program | None:
    raw = _raw(program)
    if raw is None or program.y is program.x:
        return None
    return replace(program, x=raw(program.x), x_val=raw(program.x_val))


def large_inputs(program: Program, rng: np.random.Generator) -> Program | None:
    if program.scale is None or program.y is program.x:
        return None
    return replace(program, x=program.x * 1000, x_val=program.x_val * 1000)


def tiny_inputs(program: Program, rng: np.random.Generator) -> Program | None:
    if program.scale is None or program.y is program.x:
        return None
    return replace(program, x=program.x / 1000, x_val=program.x_val / 1000)


def shuffled_labels(program: Program, rng: np.random.Generator) -> Program | None:
    return replace(program, y=program.y[rng.permutation(len(program.y))])


def few_samples(program: Program, rng: np.random.Generator) -> Program | None:
    count = 25
    return replace(program, x=program.x[:count], y=program.y[:count])


def imbalance(program: Program, rng: np.random.Generator) -> Program | None:
    if not program.classes or program.loss == "binary_crossentropy" and program.y.ndim > 1:
        return None
    labels = program.y.argmax(-1) if program.y.ndim > 1 else program.y
    rare = labels % 2 == 1 if labels.max() > 1 else labels == 1
    keep = ~rare | (rng.random(len(labels)) < 0.02)
    return replace(program, x=program.x[keep], y=program.y[keep])


def sorted_tail(program: Program, rng: np.random.Generator) -> Program | None:
    """Sorted samples, of which the last are for validation."""
    if "sparse" not in str(program.loss):
        return None
    x = np.concatenate([program.x, program.x_val])
    y = np.concatenate([program.y, program.y_val])
    order, count = np.argsort(y, kind="stable"), len(program.y_val)
    x, y = x[order], y[order]
    return replace(program, x=x[:-count], y=y[:-count], x_val=x[-count:], y_val=y[-count:])


def not_shuffled(program: Program, rng: np.random.Generator) -> Program | None:
    if "sparse" not in str(program.loss):
        return None
    order = np.argsort(program.y, kind="stable")
    fit = {**program.fit, "shuffle": False}
    return replace(program, x=program.x[order], y=program.y[order], fit=fit)


def large_targets(program: Program, rng: np.random.Generator) -> Program | None:
    if program.loss != "mean_squared_error" or program.y is program.x:
        return None
    return replace(program, y=program.y * 3000 + 9000, y_val=program.y_val * 3000 + 9000)


def no_hidden_activation(program: Program, rng: np.random.Generator) -> Program | None:
    return _hidden_with(program, "Dense", "Conv2D", activation=None)


def hidden_sigmoid_deep(program: Program, rng: np.random.Generator) -> Program | None:
    program_or_none = _hidden_with(program, "Dense", "Conv2D", activation="sigmoid")
    if program_or_none is None:
        return None
    layer = ("Dense", {"units": 32, "activation": "sigmoid"})
    changed = list(program_or_none.layers)
    changed[-1:-1] = [layer] * 4
    return replace(program_or_none, layers=tuple(changed))


def hidden_softmax(program: Program, rng: np.random.Generator) -> Program | None:
    return _hidden_with(program, "Dense", activation="softmax")


def one_unit_softmax(program: Program, rng: np.random.Generator) -> Program | None:
    if program.layers[-1][1].get("units") != 1 or not program.classes:
        return None
    return _with_layer(program, _last(program), activation="softmax")


def relu_output(program: Program, rng: np.random.Generator) -> Program | None:
    if program.y is program.x:
        return None
    return _with_layer(program, _last(program), activation="relu")


def sigmoid_output(program: Program, rng: np.random.Generator) -> Program | None:
    if program.layers[-1][1].get("activation") == "sigmoid":
        return None
    return _with_layer(program, _last(program), activation="sigmoid")


def linear_output(program: Program, rng: np.random.Generator) -> Program | None:
    if not program.classes:
        return None
    return _with_layer(program, _last(program), activation=None)


def softmax_of_labels(program: Program, rng: np.random.Generator) -> Program | None:
    if program.name != "several labels":
        return None
    return _with_layer(program, _last(program), activation="softmax")


def mse_of_classes(program: Program, rng: np.random.Generator) -> Program | None:
    if "sparse" not in str(program.loss):
        return None
    changed = _with_layer(program, _last(program), units=1, activation=None)
    return replace(changed, loss="mean_squared_error")


def binary_of_classes(program: Program, rng: np.random.Generator) -> Program | None:
    if program.loss != "categorical_crossentropy":
        return None
    return replace(program, loss="mean_absolute_error")


def absolute_loss_of_classes(program: Program, rng: np.random.Generator) -> Program | None:
    if program.loss != "binary_crossentropy" or program.y.ndim > 1:
        return None
    return replace(program, loss="mean_absolute_error")


def zeros(program: Program, rng: np.random.Generator) -> Program | None:
    return _hidden_with(program, kernel_initializer="zeros")


def wide_weights(program: Program, rng: np.random.Generator) -> Program | None:
    from lamina.initializers import RandomNormal

    return _hidden_with(program, "Dense", "Conv2D", kernel_initializer=RandomNormal(stddev=5.0))


def heavy_dropout(program: Program, rng: np.random.Generator) -> Program | None:
    return _inserted(program, ("Dropout", {"rate": 0.9}), 2)


def strong_penalty(program: Program, rng: np.random.Generator) -> Program | None:
    from lamina.regularizers import L2

    return _hidden_with(program, "Dense", "Conv2D", kernel_regularizer=L2(1.0))


def one_unit_wide(program: Program, rng: np.random.Generator) -> Program | None:
    dense_ones = [i for i in _hidden(program) if program.layers[i][0] == "Dense"]
    if not dense_ones or program.name in ("autoencoder", "digits transformer"):
        return None
    return _with_layer(program, dense_ones[-1], units=2)


def frozen(program: Program, rng: np.random.Generator) -> Program | None:
    for position in _hidden(program):
        program = _with_layer(program, position, trainable=False)
    return replace(_with_layer(program, _last(program), trainable=False))


def rate_times(factor: float) -> Callable[[Program, np.random.Generator], Program]:
    return lambda program, rng: replace(program, rate=program.rate * factor)


def one_epoch(program: Program, rng: np.random.Generator) -> Program | None:
    return replace(program, fit={**program.fit, "epochs": 1})


def whole_batch(program: Program, rng: np.random.Generator) -> Program | None:
    return replace(program, fit={**program.fit, "batch_size": len(program.x)})


def plain_sgd(program: Program, rng: np.random.Generator) -> Program | None:
    if program.optimizer == "SGD":
        return None
    return replace(program, optimizer="SGD", rate=0.001)


def slow_optimizer(program: Program, rng: np.random.Generator) -> Program | None:
    return replace(program, optimizer="Adadelta", rate=0.001, settings={})


def slow_statistics(program: Program, rng: np.random.Generator) -> Program | None:
    positions = [i for i, (kind, _) in enumerate(program.layers) if kind == "BatchNormalization"]
    if not positions:
        return None
    return _with_layer(program, positions[0], momentum=0.9999)


def many_layers_relu_small(program: Program, rng: np.random.Generator) -> Program | None:
    """Negative biases, with which most units give 0 for every sample."""
    from lamina.initializers import Constant

    return _hidden_with(program, "Dense", "Conv2D", bias_initializer=Constant(-10.0))


def missing_values(program: Program, rng: np.random.Generator) -> Program | None:
    if program.scale is None or program.y is program.x:
        return None
    x = np.array(program.x, "float32")
    x[rng.random(x.shape) < 0.001] = np.nan
    return replace(program, x=x)


RATE = ("learning-rate-too-high",)
# One line for each fault.
INJECTORS = (
    Injector("raw inputs", raw_inputs, ("inputs-not-scaled",)),
    Injector("inputs × 1000", large_inputs, ("inputs-not-scaled",)),
    Injector("inputs / 1000", tiny_inputs, ("inputs-not-scaled",)),
    Injector("shuffled labels", shuffled_labels, ("labels-unrelated", "label-noise")),
    Injector("25 samples", few_samples, ("too-few-samples", "overfitting")),
    Injector(
        "imbalance", imbalance,
        ("class-imbalance", "validation-unlike-training", "too-few-samples"),
    ),
    Injector("sorted tail", sorted_tail, ("data-not-shuffled", "validation-unlike-training")),
    Injector("not shuffled", not_shuffled, ("data-not-shuffled",)),
    Injector("large targets", large_targets, ("targets-not-scaled",)),
    Injector("no hidden activation", no_hidden_activation, ("hidden-activation-missing",)),
    Injector("deep sigmoid", hidden_sigmoid_deep, ("vanishing-gradients", "saturated-activations")),
    Injector(
        "hidden softmax", hidden_softmax,
        ("saturated-activations", "hidden-activation-missing", "vanishing-gradients"),
    ),
    Injector("softmax on one unit", one_unit_softmax, ("output-activation",)),
    Injector("relu output", relu_output, ("output-activation", "logits-mismatch")),
    Injector("sigmoid output", sigmoid_output, ("output-activation",)),
    Injector("linear output", linear_output, ("logits-mismatch", "output-activation")),
    Injector("softmax for labels", softmax_of_labels, ("output-activation", "loss-mismatch")),
    Injector(
        "classes as numbers", mse_of_classes,
        ("loss-mismatch", "output-activation", "output-units", "wrong-target-encoding"),
    ),
    Injector("mae of one-hot", binary_of_classes, ("loss-mismatch",)),
    Injector("mae of zeros and ones", absolute_loss_of_classes, ("loss-mismatch",)),
    Injector("zeros", zeros, ("bad-initialization",)),
    Injector("wide weights", wide_weights, ("bad-initialization",)),
    Injector("dropout 0.9", heavy_dropout, ("dropout-too-high",)),
    Injector("L2 of 1", strong_penalty, ("regularization-too-strong",)),
    Injector("2 units", one_unit_wide, ("network-too-small",)),
    Injector("frozen", frozen, ("frozen-weights",)),
    Injector("rate × 100", rate_times(100), (*RATE, "dead-relu", "exploding-gradients")),
    Injector(
        "rate × 1000", rate_times(1000),
        (*RATE, "dead-relu", "exploding-gradients", "non-finite"),
    ),
    Injector("rate / 100", rate_times(0.01), ("learning-rate-too-low", "too-few-epochs")),
    Injector("rate / 1000", rate_times(0.001), ("learning-rate-too-low",)),
    Injector("one epoch", one_epoch, ("too-few-epochs", "learning-rate-too-low")),
    Injector(
        "whole batch", whole_batch,
        ("batch-size-too-large", "too-few-epochs", "learning-rate-too-low"),
    ),
    Injector(
        "plain SGD", plain_sgd,
        ("optimizer-choice", "learning-rate-too-low", "too-few-epochs"),
    ),
    Injector(
        "Adadelta", slow_optimizer,
        ("optimizer-choice", "learning-rate-too-low", "too-few-epochs"),
    ),
    Injector("slow statistics", slow_statistics, ("batch-norm-unsettled",)),
    Injector("dead units", many_layers_relu_small, ("dead-relu", "bad-initialization")),
    Injector("missing values", missing_values, ("missing-values", "non-finite")),
)  # fmt: skip
