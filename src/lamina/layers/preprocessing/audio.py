"""STFTSpectrogram and MelSpectrogram: the spectrum of sounds over time."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina import initializers
from lamina.core.configuration.config import epsilon, standardize_data_format
from lamina.core.layer.input_spec import InputSpec
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import unknown_name
from lamina.core.types import Array, ArrayLike, Shape
from lamina.core.user_data.arguments import check_integer
from lamina.layers.settings import settings_of
from lamina.ops import signal, sliding_windows

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
# Where the mel scale changes from linear to logarithmic, and its units per e-fold above that.
_MEL_BREAK_HERTZ = 700.0
_MELS_PER_E_FOLD = 1127.0


class STFTSpectrogram(Layer):
    """Spectrogram by a short-time Fourier transform, whose kernels are weights of the layer.

    Args:
        mode: The result: `"log"` (of the magnitudes), `"magnitude"`, `"psd"` (power),
            `"real"`, `"imag"`, `"angle"`, or `"stft"` (real and imaginary parts
            concatenated).
        frame_length: Samples in a frame.
        frame_step: Samples from one frame to the next; half of `frame_length` for None.
        fft_length: Length of the transform, which determines the number of frequencies,
            `fft_length // 2 + 1`; the power of 2 at or above `frame_length` for None.
        window: Name of a SciPy window, numbers, or None for no window.
        periodic: Whether a window given by name is periodic instead of symmetric.
        scaling: `"density"`, `"spectrum"` or None; see `initializers.STFT`.
        padding: `"valid"` for complete frames only, `"same"` to pad with zeros.
        expand_dims: Whether frequencies and channels are separate axes.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: `(batch, time, channels)`, or `(batch, channels, time)`.
    Output shape: `(batch, frames, channels * frequencies)`, or
        `(batch, frames, frequencies, channels)` with `expand_dims`; with `"channels_first"`
        `(batch, channels * frequencies, frames)` or `(batch, channels, frames, frequencies)`.

    Example:
        >>> sound = np.sin(2 * np.pi * np.arange(256) / 8)[None, :, None]
        >>> spectrogram = STFTSpectrogram("magnitude", frame_length=64)(sound)
        >>> spectrogram.shape, int(spectrogram[0, 0].argmax())
        ((1, 7, 33), 8)
    """

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: str | ArrayLike = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if mode not in _MODES:
            raise unknown_name("mode of STFTSpectrogram", mode, _MODES)
        self.mode = mode
        self.frame_length = check_integer("frame_length", frame_length, owner="STFTSpectrogram")
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ValueError(
                f"STFTSpectrogram: frame_step must be from 1 to frame_length={frame_length}, so "
                f"that nothing is skipped; received {frame_step}."
            )
        self.frame_step = frame_step
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                f"STFTSpectrogram: fft_length must be at least frame_length={frame_length}; "
                f"received {fft_length}."
            )
        self.fft_length = fft_length
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = sliding_windows.check_padding(padding)
        self.expand_dims = expand_dims
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)
        self._kernel_initializers = {  # here, so that invalid settings raise
            side: initializers.STFT(side, window, scaling, periodic) for side in ("real", "imag")
        }

    def build(self, input_shape: Shape) -> None:
        shape = (self.frame_length, 1, self._frequencies)
        if self.mode != "imag":
            self.real_kernel = self.add_weight(
                shape, self._kernel_initializers["real"], name="real_kernel"
            )
        if self.mode != "real":
            self.imag_kernel = self.add_weight(
                shape, self._kernel_initializers["imag"], name="imag_kernel"
            )

    def call(self, inputs: Array) -> Array:
        """Compute the spectrograms.

        Args:
            inputs: Sounds, `(batch, time, channels)`, or channels first.

        Returns:
            Array `(batch, frames, channels * frequencies)`; for other settings see the class.

        Raises:
            ValueError: If the sounds are shorter than a frame.
        """
        sound = jnp.asarray(inputs, self.compute_dtype)
        if self.data_format == "channels_last":
            sound = jnp.swapaxes(sound, 1, 2)
        edges = sliding_windows.padding_amounts(
            sound.shape[-1:], (self.frame_length,), (self._step,), self.padding
        )
        sound = sliding_windows.pad(sound, axes=[2], amounts=edges, value=0)
        if sound.shape[-1] < self.frame_length:
            raise ValueError(
                f"{self._label} needs at least frame_length={self.frame_length} samples; received "
                f"an input of shape {inputs.shape}.\n  Fix: padding='same' or a shorter frame."
            )
        # (batch, channels, frames, frame_length), so that one matrix product applies all kernels.
        frames = sliding_windows.windows_along_axis(sound, -1, self.frame_length, self._step)
        if self.mode in ("real", "imag"):
            return self._to_output_layout(frames @ self._kernel_matrix(self.mode))
        real, imag = frames @ self._kernel_matrix("real"), frames @ self._kernel_matrix("imag")
        if self.mode == "angle":
            return self._to_output_layout(jnp.arctan2(imag, real))
        if self.mode == "stft":
            return self._to_output_layout(jnp.concatenate([real, imag], axis=-1))
        power = jnp.square(real) + jnp.square(imag)
        if self.mode == "psd":
            # Each frequency, except the first and the last, also stands for its negative.
            is_inner = (np.arange(self._frequencies) % (self._frequencies - 1)) > 0
            return self._to_output_layout(jnp.where(is_inner, 2 * power, power))
        magnitude = jnp.sqrt(jnp.maximum(power, epsilon()))
        if self.mode == "log":
            magnitude = jnp.log(jnp.maximum(magnitude, epsilon()))
        return self._to_output_layout(magnitude)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        channels_last = self.data_format == "channels_last"
        batch, time, channels = (
            input_shape if channels_last else [input_shape[i] for i in (0, 2, 1)]
        )
        frames = sliding_windows.output_size(time, self.frame_length, self._step, self.padding)
        bins = self._frequencies * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (
                (batch, frames, bins, channels)
                if channels_last
                else (batch, channels, frames, bins)
            )
        features = None if channels is None else channels * bins
        return (batch, frames, features) if channels_last else (batch, features, frames)

    def get_config(self) -> dict:
        names = ("mode", "frame_length", "frame_step", "fft_length", "window", "periodic")
        more_names = ("scaling", "padding", "expand_dims", "data_format")
        return {**super().get_config(), **settings_of(self, *names, *more_names)}

    @property
    def _step(self) -> int:
        return self.frame_step or max(self.frame_length // 2, 1)

    @property
    def _frequencies(self) -> int:
        fft_length = self.fft_length or 2 ** (self.frame_length - 1).bit_length()
        return fft_length // 2 + 1

    def _kernel_matrix(self, side: str) -> Array:
        return getattr(self, f"{side}_kernel").value[:, 0, :]

    def _to_output_layout(self, x: Array) -> Array:
        """From (batch, channels, frames, frequencies) to the axes of the output."""
        channels_last = self.data_format == "channels_last"
        if self.expand_dims:
            return jnp.transpose(x, (0, 2, 3, 1)) if channels_last else x
        batch, channels, frames, bins = x.shape
        if channels_last:
            return jnp.moveaxis(x, 1, 2).reshape(batch, frames, channels * bins)
        return jnp.swapaxes(x, 2, 3).reshape(batch, channels * bins, frames)


class MelSpectrogram(Layer):
    """Mel spectrogram: the power of a sound over time on the mel scale of pitch, in decibels.

    Args:
        fft_length: Length of the transform, in samples.
        sequence_stride: Samples from one frame to the next.
        sequence_length: Samples in a frame; `fft_length` for None.
        window: `"hann"`, `"hamming"`, `sequence_length` numbers, or None.
        sampling_rate: Samples per second, hertz.
        num_mel_bins: Number of mel bins.
        min_freq: Lowest frequency, hertz.
        max_freq: Highest frequency, hertz; half of the sampling rate for None.
        power_to_db: Whether the result is in decibels.
        top_db: Minimum power relative to the maximum of a sample, in decibels.
        mag_exp: Power of the magnitudes: 1 for energy, 2 for power.
        min_power: Minimum power.
        ref_power: The power that corresponds to 0 decibels.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(time,)` or `(batch, time)`.
    Output shape: `(num_mel_bins, frames)` or `(batch, num_mel_bins, frames)`.

    Source: Davis and Mermelstein, 1980, "Comparison of parametric representations for
    monosyllabic word recognition in continuously spoken sentences".

    Example:
        >>> sound = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
        >>> layer = MelSpectrogram(512, 256, sampling_rate=8000, num_mel_bins=40)
        >>> layer(sound).shape
        (40, 32)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: str | ArrayLike = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        owner = "MelSpectrogram"
        self.fft_length = check_integer("fft_length", fft_length, owner=owner)
        self.sequence_stride = check_integer("sequence_stride", sequence_stride, owner=owner)
        self.sequence_length = check_integer(
            "sequence_length", sequence_length or fft_length, owner=owner
        )
        if self.fft_length < self.sequence_length:
            raise ValueError(
                f"MelSpectrogram: fft_length must be at least sequence_length="
                f"{self.sequence_length}; received {fft_length}."
            )
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = check_integer("num_mel_bins", num_mel_bins, owner=owner)
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        if not 0 <= self.min_freq < self.max_freq:
            raise ValueError(
                "MelSpectrogram: min_freq must lie between 0 and max_freq; received "
                f"min_freq={min_freq} and max_freq={self.max_freq}."
            )
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power

    def call(self, inputs: Array) -> Array:
        """Compute the spectrograms.

        Args:
            inputs: Sounds, `(batch, time)`, or one, `(time,)`.

        Returns:
            Array `(batch, num_mel_bins, frames)`, or `(num_mel_bins, frames)`.

        Raises:
            ValueError: If the inputs have a different number of axes.
        """
        if inputs.ndim not in (1, 2):
            raise ValueError(
                f"{self._label} takes sounds (time,) or (batch, time); received shape "
                f"{inputs.shape}.\n  Fix: leave out the axis of channels, e.g. sound[..., 0]."
            )
        float_dtype = "float64" if self.compute_dtype == "float64" else "float32"
        real, imag = signal.stft(
            inputs.astype(float_dtype),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            self.window,
        )
        power = jnp.sqrt(jnp.square(real) + jnp.square(imag)) ** self.mag_exp
        weights = self.linear_to_mel_weight_matrix(
            self.num_mel_bins,
            self.fft_length // 2 + 1,
            self.sampling_rate,
            self.min_freq,
            self.max_freq,
            float_dtype,
        )
        mel_power = power @ weights
        if self.power_to_db:
            mel_power = self._decibels(mel_power)
        return jnp.swapaxes(mel_power, -1, -2).astype(self.compute_dtype)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> Array:
        """Weights of the frequencies in every mel bin: overlapping triangles.

        Args:
            num_mel_bins: Number of mel bins.
            num_spectrogram_bins: Number of frequencies, the last at half of the sampling rate.
            sampling_rate: Samples per second, hertz.
            lower_edge_hertz: Lower edge of the lowest bin.
            upper_edge_hertz: Upper edge of the highest bin.
            dtype: Type of the result.

        Returns:
            `(num_spectrogram_bins, num_mel_bins)`.
        """
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        positions = _mel(np.linspace(0, sampling_rate / 2, num_spectrogram_bins))[:, None]
        rising, falling = (positions - low) / (middle - low), (high - positions) / (high - middle)
        weights = np.maximum(0, np.minimum(rising, falling))
        weights[0] = 0  # frequency 0, the mean of the sound, is excluded
        return jnp.asarray(weights, dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        *batch, time = input_shape
        padding = self.fft_length // 2 * 2 - self.fft_length
        frames = None if time is None else 1 + (time + padding) // self.sequence_stride
        return (*batch, self.num_mel_bins, frames)

    def get_config(self) -> dict:
        names = ("fft_length", "sequence_stride", "sequence_length", "window", "sampling_rate")
        more_names = ("num_mel_bins", "min_freq", "max_freq", "power_to_db", "top_db", "mag_exp")
        settings = settings_of(self, *names, *more_names, "min_power", "ref_power")
        return {**super().get_config(), **settings}

    def _decibels(self, power: Array) -> Array:
        decibels = 10 * jnp.log10(jnp.maximum(power, self.min_power))
        decibels -= 10 * np.log10(max(abs(self.ref_power), self.min_power))
        # For each sound separately, so that results do not depend on other sounds of the batch.
        maximum = jnp.max(decibels, axis=(-1, -2), keepdims=True)
        return jnp.maximum(decibels, maximum - self.top_db)


def _mel(hertz: Any) -> Any:
    return _MELS_PER_E_FOLD * np.log1p(hertz / _MEL_BREAK_HERTZ)
