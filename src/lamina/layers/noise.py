"""Layers that add noise in training and return their input otherwise."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina import random
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.types import Array, Shape
from lamina.core.variable.seed import SeedGenerator
from lamina.layers.regularization import check_noise_axes, check_noise_shape
from lamina.layers.settings import check_fraction, random_generator_of, settings_of

# The limit of a SELU for negative inputs: -scale * alpha.
_SELU_FLOOR = -1.7580993408473766


class GaussianNoise(Layer):
    """Adds normally distributed noise in training.

    Args:
        stddev: Standard deviation of the noise, in the units of the input; 0 or more.
        seed: An integer for reproducible noise.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> layer = GaussianNoise(0.5, seed=1)
        >>> layer(jnp.ones(2)).tolist()
        [1.0, 1.0]
        >>> bool(0.4 < layer(jnp.ones(1000), training=True).std() < 0.6)
        True
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if isinstance(stddev, bool) or not isinstance(stddev, (int, float, np.number)):
            raise ArgumentError(f"GaussianNoise: stddev must be a number; received {stddev!r}.")
        if not 0 <= stddev < math.inf:
            raise ValueError(f"GaussianNoise: stddev must be 0 or more; received {stddev}.")
        self.stddev = stddev
        self.seed = seed
        if stddev > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Array, training: bool = False) -> Array:
        """Add noise in training.

        Args:
            inputs: Array of any shape.
            training: Whether there is noise; otherwise the inputs are returned unchanged.

        Returns:
            Array of the same shape.
        """
        if not training or self.stddev == 0:
            return inputs
        noise = random.normal(
            inputs.shape, 0, self.stddev, self.compute_dtype, random_generator_of(self)
        )
        return inputs + noise

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "stddev", "seed")}


class GaussianDropout(Layer):
    """Multiplies by normally distributed noise with mean 1 in training.

    The noise has standard deviation `sqrt(rate / (1 - rate))`, the same as dropout of that rate.

    Args:
        rate: Fraction from 0 to 1, which is not included.
        seed: An integer for reproducible noise.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", Journal of Machine Learning Research 15.

    Example:
        >>> y = GaussianDropout(0.2, seed=1)(jnp.ones(1000), training=True)
        >>> bool(0.4 < y.std() < 0.6)
        True
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = _below_one("GaussianDropout", rate)
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Array, training: bool = False) -> Array:
        """Add noise in training.

        Args:
            inputs: Array of any shape.
            training: Whether there is noise; otherwise the inputs are returned unchanged.

        Returns:
            Array of the same shape.
        """
        if not training or self.rate == 0:
            return inputs
        stddev = math.sqrt(self.rate / (1 - self.rate))
        dtype = self.compute_dtype
        return inputs * random.normal(inputs.shape, 1, stddev, dtype, random_generator_of(self))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "rate", "seed")}


class AlphaDropout(Layer):
    """Dropout for networks with SELU, which keeps mean 0 and variance 1.

    Dropped values become the negative limit of a SELU, and the result is scaled and shifted such
    that mean and variance do not change.

    Args:
        rate: Fraction from 0 to 1, which is not included, of the values to drop.
        noise_shape: Shape of the dropout pattern, which is broadcast; None stands for the input's
            size on one axis, or for the whole shape of the input.
        seed: An integer for reproducible patterns.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Klambauer et al., 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.

    Example:
        >>> y = AlphaDropout(0.5, seed=1)(jnp.zeros(1000), training=True)
        >>> [round(float(value), 2) for value in sorted(set(y.tolist()))]
        [-0.78, 0.78]
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.rate = _below_one("AlphaDropout", rate)
        self.noise_shape = check_noise_shape("AlphaDropout", noise_shape)
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Array, training: bool = False) -> Array:
        """In training, replace some values by the limit of SELU, and keep mean and variance.

        Args:
            inputs: Array of any shape.
            training: Whether values are dropped; otherwise the inputs are returned unchanged.

        Returns:
            Array of the same shape.
        """
        if not training or self.rate == 0:
            return inputs
        check_noise_axes(self, inputs.shape)
        pattern = jnp.ones(inputs.shape)
        is_kept = (
            random.dropout(pattern, self.rate, self.noise_shape, random_generator_of(self)) > 0
        )
        scale = ((1 - self.rate) * (1 + self.rate * _SELU_FLOOR**2)) ** -0.5
        shift = -scale * _SELU_FLOOR * self.rate
        return scale * jnp.where(is_kept, inputs, _SELU_FLOOR) + shift

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "rate", "seed", "noise_shape")}


def _below_one(layer: str, rate: Any) -> Any:
    if check_fraction(layer, "rate", rate) == 1:
        raise ValueError(
            f"{layer}: rate must be less than 1, since 1 drops everything; received 1."
        )
    return rate
