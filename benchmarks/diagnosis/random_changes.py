"""Random search: the same kinds of changes that diagnosis tries, with values drawn at random.

The kinds are those of `lamina.diagnosis.experiments.candidates`, with more values of the rate, the
batch size, the number of epochs, the optimizer, the activations, the width and the dropout. Nothing
of what the checks noticed is used.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.findings import Change
from programs import Program

Draw = Callable[[np.random.Generator], Change]
MOST_SETTINGS = 3
_WEIGHTED = {"Dense": "units", "Conv2D": "filters", "LSTM": "units"}
_LOSSES = (
    "mean_squared_error", "mean_absolute_error", "binary_crossentropy", "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)  # fmt: skip
_OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "adagrad")


def random_change(program: Program, rng: np.random.Generator) -> Change:
    """One to three settings at once, each with a value drawn at random.

    Args:
        program: The program to change.
        rng: Draws.
    """
    space = space_of(program)
    count = int(rng.integers(1, MOST_SETTINGS + 1))
    chosen = rng.choice(len(space), count, replace=False)
    return Change.joined([space[i](rng) for i in chosen])


def space_of(program: Program) -> list[Draw]:
    """The settings that may be changed; each draws its value."""
    return [*_of_data(program), *_of_layers(program), *_of_compile(), *_of_fit(program)]


def _one_of(where: str, name: str, *values: Any) -> Draw:
    return lambda rng: Change(where, name, values[int(rng.integers(len(values)))])


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")


def _of_data(program: Program) -> list[Draw]:
    operations = ["standardize-inputs", "shuffle-before-split"]
    if program.y.dtype.kind == "f":
        operations.append("standardize-targets")
    return [_one_of("data", operation, None) for operation in operations]


def _of_layers(program: Program) -> list[Draw]:
    names = {
        position: f"{kind.lower()}_{position}" for position, (kind, _) in enumerate(program.layers)
    }
    kinds = [kind for kind, _ in program.layers]
    weighted = [position for position in names if kinds[position] in _WEIGHTED]
    hidden, last = weighted[:-1], names[weighted[-1]]
    plain = [position for position in hidden if kinds[position] != "LSTM"]

    def each(positions: list[int], name: str | None, *values: Any) -> list[Draw]:
        def draw(rng: np.random.Generator) -> Change:
            value = values[int(rng.integers(len(values)))]
            return Change.joined(
                [
                    Change("layer", name or _WEIGHTED[kinds[position]], value, names[position])
                    for position in positions
                ]
            )

        return [draw] if positions else []

    return [
        *each(plain, "activation", "relu", "leaky_relu", "tanh", "sigmoid", None),
        *each([weighted[-1]], "activation", None, "sigmoid", "softmax", "relu"),
        *each(hidden, "kernel_initializer", "glorot_uniform", "he_normal"),
        *each(hidden, "kernel_regularizer", None, "l2"),
        *each(plain, None, 8, 16, 32, 64, 128, 256),
        *each([p for p in names if kinds[p] == "Dropout"], "rate", 0.0, 0.1, 0.2, 0.3, 0.5),
        *each([p for p in names if kinds[p] == "BatchNormalization"], "momentum", 0.8, 0.9, 0.99),
        _one_of("layer", "trainable", True),
        lambda rng: Change("model", "insert-hidden-layer", 64, last),
    ]


def _of_compile() -> list[Draw]:
    return [
        _one_of("compile", "optimizer", *_OPTIMIZERS),
        lambda rng: Change("compile", "learning_rate", _log_uniform(rng, 1e-5, 1.0)),
        _one_of("compile", "clipnorm", 1.0),
        _one_of("compile", "loss", *_LOSSES),
    ]


def _of_fit(program: Program) -> list[Draw]:
    epochs = program.fit["epochs"]
    draws: list[Draw] = [
        _one_of("fit", "batch_size", 16, 32, 64, 128, 256),
        lambda rng: Change("fit", "epochs", max(1, round(epochs * _log_uniform(rng, 1, 4)))),
        _one_of("fit", "shuffle", True),
    ]
    if program.classes:
        draws.append(_one_of("fit", "class_weight", "balanced"))
    return draws
