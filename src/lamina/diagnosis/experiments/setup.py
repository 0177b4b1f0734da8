"""TrainingSetup: the model, data and settings of a training, to repeat it with copies."""

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

# Smaller data sets are not split: they may hold all possible samples, as for XOR.
MIN_TO_HOLD_OUT = 50


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
    """The model, data and settings of a training.

    Args:
        model: The trained model, which is not changed.
        compile_arguments: The arguments of `compile`.
        learning_rate: The initial learning rate; None for a schedule.
        initial_weights: The values of all weights before the first step; if None, copies begin
            with new random weights.
        train: Training samples.
        validation: Validation samples.
        epochs: Number of epochs.
        batch_size: Samples in a step.
        shuffle: Whether samples are shuffled.
        class_weight: From class index to weight, or None.
        has_validation: Whether the user passed validation samples; otherwise some training samples
            were held out.
        seed: Seed of the order of samples, and of new weights.
        original_indices: The indices of the samples in the user's data, before some were held out;
            None if they are in the same order.
        has_original_indices: Whether the indices of samples in the user's data are known.
    """

    model: Any
    compile_arguments: Mapping[str, Any]
    learning_rate: float | None
    initial_weights: list[np.ndarray] | None
    train: Samples
    validation: Samples
    epochs: int
    batch_size: int = 32
    shuffle: Any = True
    class_weight: Mapping[int, float] | None = None
    has_validation: bool = True
    seed: int = field(default=0)
    original_indices: np.ndarray | None = None
    has_original_indices: bool = True

    def subsample(self, samples: int) -> "TrainingSetup":
        """The setup with at most `samples` training samples, and fewer validation samples."""
        rng = np.random.default_rng(self.seed)

        def draw(data: Samples, limit: int) -> Samples:
            if data.size <= limit:
                return data
            rows = np.sort(rng.choice(data.size, limit, replace=False))
            return data.take(rows)

        return replace(
            self,
            train=draw(self.train, samples),
            validation=draw(self.validation, max(samples // 4, 200)),
            has_original_indices=False,
        )


def hold_out(samples: Samples, seed: int = 0, fraction: float = 0.2) -> tuple[Samples, Samples]:
    """Split samples at random into training and validation samples."""
    train, validation = _split_indices(samples.size, seed, fraction)
    return samples.take(train), samples.take(validation)


def training_rows(setup: TrainingSetup) -> np.ndarray | None:
    """The indices of the training samples in the user's data, `(samples,)`; None if not known."""
    if not setup.has_original_indices:
        return None
    if setup.has_validation or setup.train is setup.validation:
        rows = np.arange(setup.train.size)
    else:
        rows = _split_indices(setup.train.size + setup.validation.size)[0]
    return rows if setup.original_indices is None else setup.original_indices[rows]


def _split_indices(
    size: int, seed: int = 0, fraction: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(size)
    count = max(1, round(size * fraction))
    return np.sort(order[count:]), np.sort(order[:count])


@contextlib.contextmanager
def without_side_effects() -> Iterator[None]:
    """A context in which copies are trained without effects on the user's program.

    The states of global random generators are restored, listeners are not called, and no warnings
    are shown.
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
