"""Initializers without randomness: constants, the identity, Fourier transforms."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike, DTypeLike
from lamina.initializers.initializer import Initializer, check_known_shape, to_device
from lamina.ops.signal import window_weights


class Zeros(Initializer):
    """Zeros.

    Example:
        >>> Zeros()((2,)).tolist()
        [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return to_device(np.zeros(check_known_shape(shape)), dtype)


class Ones(Initializer):
    """Ones.

    Example:
        >>> Ones()((2,)).tolist()
        [1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return to_device(np.ones(check_known_shape(shape)), dtype)


class Constant(Initializer):
    """A constant, or the values of an array that broadcasts to the shape.

    Args:
        value: Number or array.

    Example:
        >>> Constant(0.5)((2,)).tolist()
        [0.5, 0.5]
    """

    def __init__(self, value: ArrayLike = 0.0):
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return to_device(np.broadcast_to(np.asarray(self.value), check_known_shape(shape)), dtype)

    def get_config(self) -> dict:
        return {"value": registry.serialize(self.value)}

    @classmethod
    def from_config(cls, config: dict) -> "Constant":
        return cls(registry.deserialize(config["value"]))


class Identity(Initializer):
    """The identity matrix times a factor; for matrices only.

    Args:
        gain: The value on the diagonal.

    Example:
        >>> Identity()((2, 2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        shape = check_known_shape(shape)
        if len(shape) != 2:
            raise ValueError(
                f"Identity makes matrices; received a shape of {len(shape)} axes: {shape}."
            )
        return to_device(self.gain * np.eye(*shape), dtype)

    def get_config(self) -> dict:
        # Keras does not save the gain; here it is saved if it is not 1.
        return {} if self.gain == 1.0 else {"gain": self.gain}


class STFT(Initializer):
    """The weights of a short-time Fourier transform, as kernels of a convolution over time.

    Args:
        side: `"real"` or `"imag"`: which part the kernels compute.
        window: Name of a window that SciPy knows, e.g. `"hann"`, numbers, or None for none.
        scaling: `"density"` divides by the root of the window's sum of squares, `"spectrum"` by
            its sum, None does not scale.
        periodic: Whether a window given by name is periodic instead of symmetric.

    Example:
        >>> STFT("real", window=None, scaling=None)((4, 1, 3)).shape
        (4, 1, 3)
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ):
        if side not in ("real", "imag"):
            raise ValueError(f"STFT: side must be 'real' or 'imag'; received {side!r}.")
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(
                f"STFT: scaling must be 'density', 'spectrum' or None; received {scaling!r}."
            )
        if isinstance(window, str):
            window_weights("STFT", window, 1, periodic)
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Array:
        """An array of initial values.

        Args:
            shape: `(frame length, 1, fft length // 2 + 1)`.
            dtype: Its type; `floatx()` for None.
        """
        length, _, bins = check_known_shape(shape)
        position, frequency = np.arange(length)[:, None, None], np.arange(bins) / (2 * (bins - 1))
        angle = -2 * np.pi * position * frequency
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            weights = window_weights("STFT", self.window, length, self.periodic)
            scale = {
                "density": np.sqrt(np.sum(np.square(weights))),
                "spectrum": np.sum(np.abs(weights)),
                None: 1.0,
            }[self.scaling]
            kernel = kernel * weights[:, None, None] / scale
        return to_device(kernel, dtype)

    def get_config(self) -> dict:
        return {
            "side": self.side,
            "window": registry.serialize(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
        }

    @classmethod
    def from_config(cls, config: dict) -> "STFT":
        return cls(**{**config, "window": registry.deserialize(config["window"])})


def array_initializer(array: Any) -> Any:
    """An initializer that returns an array, for variables of the same shape."""

    def initialize(shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        if tuple(shape) != tuple(array.shape):
            raise ValueError(
                f"The initial value has shape {tuple(array.shape)} and the variable {tuple(shape)}."
            )
        return to_device(np.asarray(array), dtype)

    return initialize
