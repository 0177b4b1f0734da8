"""Series and their frequencies: what they cost, and large ones beside small ones."""

import tracemalloc

import numpy as np

import lamina
from lamina import ops
from lamina.ops import sliding_windows


def test_the_shape_of_a_long_series_frequencies_takes_no_memory():
    series = lamina.Input((10**7,))
    tracemalloc.start()
    real, _ = ops.stft(series, 256, 128, 256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert real.shape == (None, 78126, 129)
    assert peak < 20e6  # a table of all places would be 160 MB


def test_pieces_of_a_long_series_are_those_of_a_short_one(monkeypatch):
    x = np.arange(50.0, dtype="float32")
    expected = np.lib.stride_tricks.sliding_window_view(x, 6)[::4]
    small = ops.extract_sequences(x, 6, 4)
    monkeypatch.setattr(sliding_windows, "_LARGE_TABLE", 0)
    np.testing.assert_array_equal(small, expected)
    np.testing.assert_array_equal(ops.extract_sequences(x, 6, 4), expected)
