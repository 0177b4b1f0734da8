"""Signals: frames of a sequence, and short-time Fourier transforms."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import suggest_similar_names, unknown_name
from lamina.core.types import Array, ArrayLike
from lamina.core.user_data.arguments import check_integer
from lamina.ops import sliding_windows
from lamina.ops.define import operations

__all__ = ["extract_sequences", "istft", "stft"]

op = operations("math")

_WINDOWS = ("hann", "hamming")


@op("x")
def extract_sequences(x: ArrayLike, sequence_length: int, sequence_stride: int) -> Array:
    """Frames of a sequence, which may overlap.

    Args:
        x: `(..., time)`.
        sequence_length: Steps in a frame.
        sequence_stride: Steps from one frame to the next.

    Returns:
        `(..., frames, sequence_length)`; an incomplete last frame is dropped.

    Example:
        >>> extract_sequences(jnp.arange(5), sequence_length=3, sequence_stride=2).tolist()
        [[0, 1, 2], [2, 3, 4]]
    """
    x = jnp.asarray(x)
    length = check_integer("sequence_length", sequence_length, owner="extract_sequences")
    stride = check_integer("sequence_stride", sequence_stride, owner="extract_sequences")
    if x.ndim == 0 or x.shape[-1] < length:
        raise ValueError(
            f"extract_sequences cannot take frames of {length} steps from an input of shape "
            f"{x.shape}.\n  Fix: a sequence_length of at most its last axis."
        )
    return sliding_windows.windows_along_axis(x, -1, length, stride)


@op("x", class_name="STFT")
def stft(
    x: ArrayLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | ArrayLike = "hann",
    center: bool = True,
) -> tuple[Array, Array]:
    """Short-time Fourier transform: the spectrum of each frame of a signal.

    Args:
        x: Floats `(..., time)`.
        sequence_length: Steps in a frame.
        sequence_stride: Steps from one frame to the next.
        fft_length: Length to which a frame is padded with zeros; `sequence_length` or more.
        window: `"hann"`, `"hamming"`, `sequence_length` numbers, or None for no window.
        center: Whether to pad the signal by reflection at both ends, so that frames are centred
            at multiples of the stride.

    Returns:
        Real and imaginary part, each `(..., frames, fft_length // 2 + 1)`.

    Example:
        >>> wave = jnp.sin(2 * jnp.pi * jnp.arange(64) / 8)
        >>> real, imag = stft(wave, sequence_length=16, sequence_stride=16, fft_length=16)
        >>> int(jnp.argmax(real[2] ** 2 + imag[2] ** 2))
        2
    """
    x = jnp.asarray(x)
    if x.dtype not in ("float32", "float64"):
        raise TypeError(f"stft takes float32 or float64; received {x.dtype}.")
    stride = check_integer("sequence_stride", sequence_stride, owner="stft")
    weights = _padded_window("stft", window, sequence_length, fft_length, x.dtype)
    if center:
        half = fft_length // 2
        if x.ndim == 0 or x.shape[-1] <= half:
            raise ValueError(
                f"stft with center=True reflects {half} steps at the ends and needs more than "
                f"that; received shape {x.shape}.\n  Fix: center=False, or a smaller fft_length."
            )
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode="reflect")
    frames = extract_sequences(x, fft_length, stride)
    spectrum = jnp.fft.rfft(frames * weights, axis=-1)
    return spectrum.real, spectrum.imag


@op("x", class_name="ISTFT")
def istft(
    x: tuple[ArrayLike, ArrayLike],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | ArrayLike = "hann",
    center: bool = True,
) -> Array:
    """The inverse of `stft`: the signal with a given short-time Fourier transform.

    Args:
        x: Real and imaginary part, each `(..., frames, fft_length // 2 + 1)`.
        sequence_length, sequence_stride, fft_length: As for `stft`.
        length: Number of steps of the result; None for all.
        window, center: As for `stft`.

    Returns:
        `(..., time)`.

    Example:
        >>> wave = jnp.sin(2 * jnp.pi * jnp.arange(64) / 8)
        >>> restored = istft(stft(wave, 16, 8, 16), 16, 8, 16)
        >>> bool(jnp.allclose(restored, wave, atol=1e-5))
        True
    """
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError("istft takes a pair of arrays: real and imaginary part.")
    real, imag = map(jnp.asarray, x)
    if real.shape != imag.shape or real.ndim < 2:
        raise ValueError(
            "istft takes real and imaginary parts of one shape (..., frames, frequencies); "
            f"received {real.shape} and {imag.shape}."
        )
    stride = check_integer("sequence_stride", sequence_stride, owner="istft")
    weights = _padded_window("istft", window, sequence_length, fft_length, real.dtype)
    _, series = jax.scipy.signal.istft(
        jax.lax.complex(real, imag),
        window=weights,  # type: ignore[arg-type]  # it takes arrays, too
        nperseg=fft_length,
        noverlap=fft_length - stride,
        nfft=fft_length,
        boundary=False,
        time_axis=-2,
        freq_axis=-1,
    )
    series = series / weights.sum()  # SciPy multiplies by this sum, but stft does not divide by it
    start = fft_length // 2 if center else 0
    if length is not None:
        return series[..., start : start + length]
    return series[..., start : series.shape[-1] - start]


def _padded_window(caller: str, window: Any, length: int, fft_length: int, dtype: Any) -> Array:
    """The window of a frame, with zeros on both sides up to `fft_length`."""
    length = check_integer("sequence_length", length, owner=caller)
    if fft_length < length:
        raise ValueError(
            f"{caller} needs a fft_length of at least sequence_length={length}; "
            f"received {fft_length}."
        )
    if window is None:
        return jnp.ones(fft_length, dtype)
    if isinstance(window, str) and window not in _WINDOWS:
        raise unknown_name(f"window of {caller}", window, _WINDOWS)
    weights = jnp.asarray(window_weights(caller, window, length), dtype)
    zeros_before = (fft_length - length) // 2
    return jnp.pad(weights, (zeros_before, fft_length - length - zeros_before))


def window_weights(caller: str, window: Any, length: int, periodic: bool = True) -> np.ndarray:
    """The weights of a window: SciPy's for a name, or the given numbers.

    Args:
        caller: Name of the function, for messages.
        window: A name such as `"hann"`, or numbers.
        length: Number of weights.
        periodic: Whether a window given by name is periodic instead of symmetric.
    """
    if isinstance(window, str):
        from scipy.signal import get_window  # type: ignore[import-untyped]  # slow to import

        try:
            return get_window(window, length, fftbins=periodic)
        except ValueError as error:
            raise ValueError(f"{caller}: unknown window {window!r}. {error}") from None
    weights = np.asarray(window)
    if weights.shape != (length,):
        raise ValueError(
            f"{caller} needs a window of {length} numbers; received shape {weights.shape}."
        )
    return weights


suggest_similar_names(__name__)
