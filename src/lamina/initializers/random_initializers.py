"""Initializers that draw random values; `__init__.py` describes the generator."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.core.serialization import registry
from lamina.core.types import Array, DTypeLike, SeedLike
from lamina.core.user_data.arguments import is_number
from lamina.core.variable.seed import SeedGenerator, make_default_seed
from lamina.initializers.initializer import (
    Initializer,
    check_float_dtype,
    check_known_shape,
    to_device,
)

# Standard deviation of a standard normal distribution truncated at two standard deviations.
_TRUNCATED_STDDEV = 0.87962566103423978


class RandomInitializer(Initializer):
    """Base class of initializers that draw random values.

    Args:
        seed: An integer, or None for a new one. Calls with the same shape give the same values. A
            `SeedGenerator` gives new values at every call.
    """

    def __init__(self, seed: SeedLike = None):
        if isinstance(seed, Mapping):
            seed = SeedGenerator.from_config(dict(seed["config"]))
        if seed is not None and not isinstance(seed, (int, np.integer, SeedGenerator)):
            raise ValueError(
                f"{type(self).__name__}: the seed must be an integer, a SeedGenerator or None; "
                f"received {seed!r}."
            )
        if isinstance(seed, (int, np.integer)) and seed < 0:
            raise ValueError(f"{type(self).__name__}: the seed must be 0 or more; received {seed}.")
        self._seed_argument = seed
        self.seed = make_default_seed() if seed is None else seed

    def get_config(self) -> dict:
        return {"seed": registry.serialize(self._seed_argument)}

    def _uniform(self, shape: Sequence[int]) -> np.ndarray:
        """Float64 values in [0, 1), each from one 64-bit word."""
        if isinstance(self.seed, SeedGenerator):
            key: Any = np.asarray(self.seed.next()).astype("uint64")
        else:
            key = int(self.seed)
        return np.random.Generator(np.random.Philox(key=key)).random(check_known_shape(shape))

    def _normal(self, shape: Sequence[int], truncated: bool = False) -> np.ndarray:
        """Standard normal values, by the inverse of the distribution function."""
        # Imported here because it is slow to import.
        from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

        low, high = (ndtr(-2.0), ndtr(2.0)) if truncated else (0.0, 1.0)
        # The middle of the interval, because 0 has no finite inverse.
        u = self._uniform(shape) + 2.0**-54
        return ndtri(low + (high - low) * u)


class RandomNormal(RandomInitializer):
    """Normally distributed values.

    Args:
        mean: Mean of the distribution.
        stddev: Its standard deviation.
        seed: Integer, `SeedGenerator` or None.

    Example:
        >>> RandomNormal(stddev=0.1, seed=1)((2, 3)).shape
        (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: SeedLike = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return to_device(
            self._normal(shape) * self.stddev + self.mean, check_float_dtype(self, dtype)
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomInitializer):
    """Normally distributed values, none further than two standard deviations from the mean.

    Args:
        mean: Mean of the distribution.
        stddev: Standard deviation before truncation.
        seed: Integer, `SeedGenerator` or None.

    Example:
        >>> float(abs(TruncatedNormal(stddev=0.1, seed=1)((1000,))).max()) <= 0.2
        True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: SeedLike = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        values = self._normal(shape, truncated=True)
        return to_device(values * self.stddev + self.mean, check_float_dtype(self, dtype))

    def get_config(self) -> dict:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class RandomUniform(RandomInitializer):
    """Uniformly distributed values in `[minval, maxval)`.

    Args:
        minval: Smallest possible value.
        maxval: Upper bound, not included.
        seed: Integer, `SeedGenerator` or None.

    Example:
        >>> RandomUniform(0.0, 1.0, seed=1)((2, 3)).shape
        (2, 3)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: SeedLike = None):
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        values = self.minval + (self.maxval - self.minval) * self._uniform(shape)
        return to_device(values, check_float_dtype(self, dtype))

    def get_config(self) -> dict:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Random values whose variance is `scale / n`, so that the scale of signals is preserved.

    `n` is the number of input units of the layer (`fan_in`), of its output units (`fan_out`), or
    the mean of both (`fan_avg`). For a convolution, each is multiplied by the number of positions
    of the kernel.

    Args:
        scale: Variance times `n`; above 0.
        mode: `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"` (at two standard deviations; also called `"normal"`),
            `"untruncated_normal"` or `"uniform"`.
        seed: Integer, `SeedGenerator` or None.
        input_axes: Axes of the kernel that count input units; only together with `output_axes`.
        output_axes: Axes that count output units.

    Source: He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852; Glorot and Bengio,
    2010, "Understanding the difficulty of training deep feedforward neural networks".

    Example:
        >>> kernel = VarianceScaling(scale=2.0, mode="fan_in", seed=1)((200, 50))
        >>> round(float(kernel.std()), 2)
        0.1
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: SeedLike = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(seed)
        distribution = str(distribution).lower()
        if not is_number(scale) or scale <= 0:
            raise ValueError(f"{type(self).__name__} needs a scale above 0; received {scale!r}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode must be 'fan_in', 'fan_out' or 'fan_avg'; received {mode!r}.")
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                "distribution must be 'truncated_normal', 'untruncated_normal' or 'uniform'; "
                f"received {distribution!r}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        dtype = check_float_dtype(self, dtype)
        fan_in, fan_out = compute_fans(check_known_shape(shape), self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return to_device(limit * (2 * self._uniform(shape) - 1), dtype)
        if self.distribution == "untruncated_normal":
            return to_device(stddev * self._normal(shape), dtype)
        # Truncation reduces the standard deviation, so it is increased before.
        return to_device(stddev / _TRUNCATED_STDDEV * self._normal(shape, truncated=True), dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _NamedScaling(VarianceScaling):
    """Base class of named variance scalings, whose only arguments are the seed and axes."""

    _settings: tuple[float, str, str]

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(*self._settings, seed, input_axes, output_axes)

    def get_config(self) -> dict:
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_NamedScaling):
    """Uniform values with variance `2 / (fan_in + fan_out)`: the default of most layers.

    Args:
        seed: Integer, `SeedGenerator` or None.
        input_axes, output_axes: See `VarianceScaling`.

    Source: Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward
    neural networks".

    Example:
        >>> float(abs(GlorotUniform(seed=1)((3, 3))).max()) <= 1.0
        True
    """

    _settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_NamedScaling):
    """Truncated normal values with variance `2 / (fan_in + fan_out)`.

    Args:
        seed: Integer, `SeedGenerator` or None.
        input_axes, output_axes: See `VarianceScaling`.

    Source: Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward
    neural networks".

    Example:
        >>> GlorotNormal(seed=1)((2, 3)).shape
        (2, 3)
    """

    _settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_NamedScaling):
    """Uniform values with variance `2 / fan_in`: made for ReLU.

    Args:
        seed: Integer, `SeedGenerator` or None.
        input_axes, output_axes: See `VarianceScaling`.

    Source: He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.

    Example:
        >>> HeUniform(seed=1)((2, 3)).shape
        (2, 3)
    """

    _settings = (2.0, "fan_in", "uniform")


class HeNormal(_NamedScaling):
    """Truncated normal values with variance `2 / fan_in`: made for ReLU.

    Args:
        seed: Integer, `SeedGenerator` or None.
        input_axes, output_axes: See `VarianceScaling`.

    Source: He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.

    Example:
        >>> HeNormal(seed=1)((2, 3)).shape
        (2, 3)
    """

    _settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_NamedScaling):
    """Uniform values with variance `1 / fan_in`.

    Args:
        seed: Integer, `SeedGenerator` or None.
        input_axes, output_axes: See `VarianceScaling`.

    Source: LeCun et al., 1998, "Efficient BackProp".

    Example:
        >>> LecunUniform(seed=1)((2, 3)).shape
        (2, 3)
    """

    _settings = (1.0, "fan_in", "uniform")


class LecunNormal(_NamedScaling):
    """Truncated normal values with variance `1 / fan_in`: made for SELU.

    Args:
        seed: Integer, `SeedGenerator` or None.
        input_axes, output_axes: See `VarianceScaling`.

    Source: LeCun et al., 1998, "Efficient BackProp"; Klambauer et al., 2017, "Self-Normalizing
    Neural Networks", arXiv:1706.02515.

    Example:
        >>> LecunNormal(seed=1)((2, 3)).shape
        (2, 3)
    """

    _settings = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal columns, or rows if it has fewer rows than columns.

    All axes but the last are flattened to rows. It is the default of recurrent kernels, because
    repeated multiplication by such a matrix preserves the norm of a signal.

    Args:
        gain: Factor on every value.
        seed: Integer, `SeedGenerator` or None.

    Source: Saxe et al., 2014, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", arXiv:1312.6120.

    Example:
        >>> kernel = Orthogonal(seed=1)((3, 3))
        >>> bool(np.allclose(kernel.T @ kernel, np.eye(3), atol=1e-5))
        True
    """

    def __init__(self, gain: float = 1.0, seed: SeedLike = None):
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        dtype = check_float_dtype(self, dtype)
        shape = check_known_shape(shape)
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least two axes; received {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(self._normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))  # so that orthogonal matrices are uniformly distributed
        q = q.T if rows < columns else q
        return to_device(self.gain * q.reshape(shape), dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "gain": self.gain}


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Numbers of input and output units of a kernel, `(..., inputs, outputs)`.

    Example:
        >>> compute_fans((3, 3, 16, 32))
        (144, 288)
    """
    if input_axes is not None and output_axes is not None:
        fan_in = math.prod(shape[axis] for axis in input_axes)
        return fan_in, math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    positions = math.prod(shape[:-2])
    return shape[-2] * positions, shape[-1] * positions
