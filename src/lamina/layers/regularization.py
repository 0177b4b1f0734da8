"""Layers against overfitting, which work in training only: Dropout, ActivityRegularization."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import random, regularizers
from lamina.core.keras_tensor import KerasTensor
from lamina.core.layer import Layer
from lamina.core.seed import SeedGenerator
from lamina.core.variable import Array, Shape
from lamina.layers.settings import same_dtype, settings_of


class Dropout(Layer):
    """Sets a random part of the values to zero in training; hands them on as they are otherwise.

    The values that are kept are divided by `1 - rate`, so that sums stay as large on average.

    Args:
        rate: Fraction from 0 to 1 of the values to drop.
        noise_shape: Shape of the pattern of zeros: `(None, 1, None)` drops whole series of steps
            of `(batch, time, features)`. None stands for the input's size.
        seed: Whole number for patterns that can be reproduced.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", Journal of Machine Learning Research 15.

    Example:
        >>> layer = Dropout(0.5, seed=1)
        >>> layer(np.ones(3)).tolist()
        [1.0, 1.0, 1.0]
        >>> sorted(set(layer(np.ones(100), training=True).tolist()))
        [0.0, 2.0]
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)):
            raise TypeError(f"Dropout: rate must be a number; received {rate!r}.")
        if not 0 <= rate <= 1:
            percent = f"\n  Fix: Dropout({rate / 100})" if 1 < rate <= 100 else ""
            raise ValueError(f"Dropout: rate must be between 0 and 1; received {rate}.{percent}")
        self.rate = rate
        self.noise_shape = None if noise_shape is None else _pattern(noise_shape)
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Array, training: bool = False) -> Array:
        if not training or self.rate == 0:
            return inputs
        if self.noise_shape is not None and len(self.noise_shape) != inputs.ndim:
            raise ValueError(
                f"{self._label}: noise_shape {self.noise_shape} needs as many axes as the input, "
                f"which has shape {inputs.shape}."
            )
        return random.dropout(inputs, self.rate, self.noise_shape, self.seed_generator)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "rate", "seed", "noise_shape")}


class ActivityRegularization(Layer):
    """Hands its input on and adds a penalty on it, per sample, to the loss.

    Args:
        l1: Strength of the penalty on magnitudes, 0 or more.
        l2: Strength of the penalty on squares, 0 or more.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> layer = ActivityRegularization(l2=0.5)
        >>> layer(np.array([[1.0, 2.0]])).tolist(), [float(loss) for loss in layer.losses]
        ([[1.0, 2.0]], [2.5])
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, inputs.shape)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["activity_regularizer"]
        return {**config, **settings_of(self, "l1", "l2")}


def _pattern(noise_shape: Any) -> tuple:
    whole = isinstance(noise_shape, (list, tuple)) and all(
        size is None or (isinstance(size, int) and size > 0) for size in noise_shape
    )
    if not whole:
        raise ValueError(
            "Dropout: noise_shape must be whole numbers of 1 or more and None; "
            f"received {noise_shape!r}."
        )
    return tuple(noise_shape)
