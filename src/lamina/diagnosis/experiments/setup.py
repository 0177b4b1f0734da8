"""TrainingSetup: what a training began with, so that it can be repeated on copies."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.types import PyTree
from lamina.core.variable import seed as seeds

# Of fewer samples none are held out: they may be all there are, as for XOR.
WHOLE_WORLD = 50


@dataclass(frozen=True)
class Samples:
    """Inputs, targets and weights with one row per sample.

    Args:
        x: Arrays `(samples, …)`, in any structure that the model takes.
        y: Targets, in the structure of the outputs.
        sample_weight: Weights, or None.
    """

    x: PyTree
    y: PyTree
    sample_weight: PyTree = None

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(jax.tree.leaves(self.x)[0])

    def take(self, rows: Any) -> "Samples":
        """Some of the rows, given as indices or a slice."""
        return Samples(
            *jax.tree.map(
                lambda array: np.asarray(array)[rows], (self.x, self.y, self.sample_weight)
            )
        )


@dataclass(frozen=True)
class TrainingSetup:
    """What a training began with.

    Args:
        model: The trained model, which is not changed.
        compile_arguments: The arguments of `compile`.
        learning_rate: The learning rate that the training began with; None for a schedule.
        start: The values of all weights before the first step; None if they are not known, and
            then copies begin with new random weights.
        train: Training samples.
        validation: Validation samples.
        epochs: Number of epochs.
        batch_size: Samples in a step.
        shuffle: Whether samples are shuffled.
        class_weight: From class index to weight, or None.
        has_validation: Whether the user gave validation samples; otherwise some were held out.
        seed: Of the order of samples, and of new weights.
        numbers: The numbers of the samples in the user's data, before some were held out; None if
            they are in the same order.
        has_numbers: Whether samples can be named by such numbers.
    """

    model: Any
    compile_arguments: Mapping[str, Any]
    learning_rate: float | None
    start: list[np.ndarray] | None
    train: Samples
    validation: Samples
    epochs: int
    batch_size: int = 32
    shuffle: Any = True
    class_weight: Mapping[int, float] | None = None
    has_validation: bool = True
    seed: int = field(default=0)
    numbers: np.ndarray | None = None
    has_numbers: bool = True

    def limited(self, samples: int) -> "TrainingSetup":
        """The same with fewer training and validation samples, drawn at random."""
        rng = np.random.default_rng(self.seed)

        def some(data: Samples, most: int) -> Samples:
            if data.size <= most:
                return data
            rows = np.sort(rng.choice(data.size, most, replace=False))
            return data.take(rows)

        return replace(
            self,
            train=some(self.train, samples),
            validation=some(self.validation, max(samples // 4, 200)),
            has_numbers=False,
        )


def held_out(samples: Samples, seed: int = 0, fraction: float = 0.2) -> tuple[Samples, Samples]:
    """Divide samples at random into a part to train on and a part to measure on."""
    kept, held = _divided(samples.size, seed, fraction)
    return samples.take(kept), samples.take(held)


def training_rows(setup: TrainingSetup) -> np.ndarray | None:
    """The numbers that the user's data have for the training samples; None if not known."""
    if not setup.has_numbers:
        return None
    if setup.has_validation or setup.train is setup.validation:
        rows = np.arange(setup.train.size)
    else:
        rows = _divided(setup.train.size + setup.validation.size)[0]
    return rows if setup.numbers is None else setup.numbers[rows]


def _divided(size: int, seed: int = 0, fraction: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(size)
    count = max(1, round(size * fraction))
    return np.sort(order[count:]), np.sort(order[:count])


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Context manager in which copies are trained: the user's program does not notice it.

    Global random generators are afterwards as they were before, listeners are not called, and
    nothing is printed or recorded.
    """
    state, listeners = seeds.random_state(), context.listeners
    context.listeners, context.is_training_copies = (), True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        context.listeners, context.is_training_copies = listeners, False
        seeds.restore_random_state(state)
