"""Layers for sound, and what they are made of, against Keras and SciPy."""

import keras
import numpy as np
import pytest
import scipy.signal

from families.promises import Case, LayerPromises, close
from lamina import initializers, layers, ops

SOUND, FIRST = (2, 70, 2), (2, 2, 70)
SMALL = {"frame_length": 16}
WAVE = np.random.default_rng(seed=4).normal(size=(2, 3, 90)).astype("float32")
SOUNDS = WAVE.swapaxes(1, 2)


class TestSpectrograms(LayerPromises):
    cases = [
        Case("STFTSpectrogram", SMALL, SOUND),
        *(Case("STFTSpectrogram", {"mode": mode, **SMALL}, SOUND)
          for mode in ("magnitude", "psd", "real", "imag", "stft")),
        Case("STFTSpectrogram", {"mode": "real", "frame_length": 12, "frame_step": 5,
                                 "fft_length": 32, "window": "hamming", "periodic": True,
                                 "scaling": "spectrum", "padding": "same", "expand_dims": True},
             SOUND),
        Case("STFTSpectrogram", {"data_format": "channels_first", **SMALL}, FIRST),
        Case("STFTSpectrogram", {"data_format": "channels_first", "expand_dims": True,
                                 "window": None, "scaling": None, "mode": "stft", **SMALL}, FIRST),
        Case("MelSpectrogram", {"fft_length": 32, "sequence_stride": 10, "num_mel_bins": 6},
             (2, 90)),
        Case("MelSpectrogram", {"fft_length": 32, "sequence_stride": 8, "sequence_length": 20,
                                "window": "hamming", "sampling_rate": 8000, "num_mel_bins": 4,
                                "min_freq": 300.0, "max_freq": 3000, "power_to_db": False,
                                "mag_exp": 1.0, "ref_power": 2.0}, (2, 90)),
    ]  # fmt: skip


def test_the_angle_is_that_of_keras():
    settings = {"mode": "angle", **SMALL}
    ours, theirs = (k.STFTSpectrogram(**settings)(SOUNDS) for k in (layers, keras.layers))
    # A full turn apart is the same angle.
    apart = np.angle(np.exp(1j * (np.asarray(ours) - np.asarray(theirs))))
    np.testing.assert_allclose(apart, 0, atol=1e-2)


@pytest.mark.parametrize("settings", [
    {}, {"center": False}, {"window": "hamming"}, {"window": None},
    {"window": np.linspace(0.1, 1, 16).astype("float32")},
])  # fmt: skip
def test_short_time_fourier_transforms_are_those_of_keras(settings):
    lengths = (16, 5, 32)
    ours, theirs = (o.stft(WAVE, *lengths, **settings) for o in (ops, keras.ops))
    close(ours, theirs, tolerance=1e-4)
    more = {} if settings.get("center", True) else {"length": 80}
    back, expected = (o.istft(theirs, *lengths, **settings, **more) for o in (ops, keras.ops))
    # Without a window Keras divides by the stride, whatever the length of the pieces.
    if settings.get("window", "hann") is not None:
        close(back, expected, tolerance=1e-4)


@pytest.mark.parametrize("window", ["hann", None])
@pytest.mark.parametrize("center", [True, False])
def test_the_inverse_gives_the_sound_again(window, center):
    lengths = (16, 4, 16)
    again = ops.istft(ops.stft(WAVE, *lengths, window=window, center=center), *lengths,
                      window=window, center=center)  # fmt: skip
    length = min(again.shape[-1], WAVE.shape[-1])
    np.testing.assert_allclose(again[..., 8 : length - 8], WAVE[..., 8 : length - 8], atol=1e-4)


def test_pieces_are_those_of_keras():
    close(ops.extract_sequences(WAVE, 12, 5), keras.ops.extract_sequences(WAVE, 12, 5))
    close(ops.extract_sequences(WAVE, 12, 12), keras.ops.extract_sequences(WAVE, 12, 12))


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
def test_the_kernels_are_those_of_keras(side, scaling):
    settings = {"side": side, "scaling": scaling, "window": "blackman", "periodic": True}
    ours, theirs = initializers.STFT(**settings), keras.initializers.STFT(**settings)
    np.testing.assert_allclose(ours((20, 1, 17)), theirs((20, 1, 17)), atol=1e-5)
    assert ours.get_config() == theirs.get_config()
    assert initializers.STFTInitializer is initializers.STFT
    assert isinstance(initializers.get(keras.initializers.serialize(theirs)), initializers.STFT)


def test_the_layer_measures_the_power_that_scipy_measures():
    settings = {"mode": "psd", "frame_length": 32, "frame_step": 16, "periodic": True}
    ours = layers.STFTSpectrogram(**settings)(SOUNDS[..., :1])
    _, _, expected = scipy.signal.spectrogram(
        WAVE[:, 0], window="hann", nperseg=32, noverlap=16, detrend=False
    )
    np.testing.assert_allclose(ours, expected.swapaxes(1, 2), rtol=1e-3, atol=1e-5)


def test_loudness_does_not_depend_on_the_neighbours_in_a_batch():
    layer = layers.MelSpectrogram(32, 8, num_mel_bins=6, top_db=10.0)
    sounds = np.stack([WAVE[0, 0], 1000 * WAVE[0, 1]])
    together, alone = layer(sounds), layer(sounds[0])
    np.testing.assert_allclose(together[0], alone, atol=1e-4)
    np.testing.assert_allclose(alone, keras.layers.MelSpectrogram(
        32, 8, num_mel_bins=6, top_db=10.0)(sounds[0]), atol=1e-3)  # fmt: skip


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: layers.STFTSpectrogram("logg"), "Did you mean 'log'"),
        (lambda: layers.STFTSpectrogram(frame_length=8, frame_step=9), "from 1 to frame_length=8"),
        (lambda: layers.STFTSpectrogram(frame_length=8, fft_length=4), "received 4"),
        (lambda: layers.STFTSpectrogram(window="hanning-cosine"), "unknown window"),
        (lambda: layers.STFTSpectrogram()(WAVE), "at least frame_length=256 samples"),
        (lambda: layers.MelSpectrogram(fft_length=8, sequence_length=9), "at least sequence_len"),
        (lambda: layers.MelSpectrogram(min_freq=9000.0), "min_freq must lie between"),
        (lambda: layers.MelSpectrogram()(WAVE), r"received shape \(2, 3, 90\)"),
        (lambda: initializers.STFT("reel"), "side must be"),
        (lambda: initializers.STFT(scaling="power"), "scaling must be"),
        (lambda: initializers.STFT(window=[1.0, 2.0])((3, 1, 5)), "needs a window of 3 numbers"),
        (lambda: ops.stft(WAVE, 16, 5, 8), "at least sequence_length=16"),
        (lambda: ops.stft(WAVE, 16, 0, 16), "sequence_stride must be an integer"),
        (lambda: ops.stft(WAVE, 16, 5, 16, window="han"), "Did you mean 'hann'"),
        (lambda: ops.stft(WAVE, 16, 5, 256), "reflects 128 steps"),
        (lambda: ops.istft(WAVE, 16, 5, 16), "pair of arrays"),
        (lambda: ops.extract_sequences(WAVE, 91, 1), "frames of 91 steps"),
    ],
)  # fmt: skip
def test_impossible_requests_say_what_is_possible(call, says):
    with pytest.raises(ValueError, match=says):
        call()
