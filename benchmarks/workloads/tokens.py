"""Sequences of tokens with something to be learnt."""

import numpy as np


def two_classes(rng, samples, length, vocabulary):
    """`int32` tokens, `(samples, length)`: in class 1 low numbers are commoner."""
    y = rng.integers(0, 2, samples)
    power = np.where(y, 2.0, 1.0)[:, None]
    x = (rng.random((samples, length)) ** power * vocabulary).astype(np.int32)
    return x, y.astype(np.float32)


def text(rng, samples, length, vocabulary):
    """`int32` characters and, for each, the next one; every character has four likely ones."""
    line = np.empty((samples, length + 1), np.int32)
    line[:, 0] = rng.integers(0, vocabulary, samples)
    for i in range(length):
        line[:, i + 1] = (line[:, i] * 5 + rng.integers(0, 4, samples)) % vocabulary
    return line[:, :-1].copy(), line[:, 1:].copy()
