"""Hashes of text and integers that are the same on every machine, in NumPy and in JAX.

FarmHash's 64-bit fingerprint, and SipHash-2-4 if buckets must not be predictable. The results are
those of TensorFlow and Keras. All values are hashed at the same time, byte by byte.

Sources: G. Pike, 2014, "FarmHash" (its `na` variant is the frozen fingerprint);
J.-P. Aumasson and D. J. Bernstein, 2012, "SipHash: a fast short-input PRF".
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import Inputs

_u64 = np.uint64
_K0, _K1, _K2 = _u64(0xC3A5C85C97CB3127), _u64(0xB492B66FBE98F273), _u64(0x9AE16A3B2F90404F)
_CROSSING_MULTIPLIER = _u64(0xC6A4A7935BD1E995)
_CROSSING_START = 0xDECAFCAFFE
_MASK_OF_BYTES = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)
_POWERS_OF_TEN = np.array([10**n for n in range(20)], dtype=np.uint64)


def buckets(values: Inputs, count: int, salt: Sequence[int] | None = None) -> Any:
    """The bucket, 0 to `count` - 1, of every value.

    Args:
        values: Array of texts (dtype object), or of integers, which are hashed as their
            decimal digits; a JAX array of integers may be traced.
        count: Number of buckets.
        salt: Two numbers, for SipHash; None means FarmHash.

    Returns:
        Integers in the shape of `values`: NumPy for NumPy, JAX for JAX.

    Example:
        >>> buckets(np.array(["A", "B", "C"], dtype=object), 3).tolist()
        [1, 0, 1]
    """
    if isinstance(values, jax.Array):
        with jax.enable_x64(True):
            return _to_buckets(_hashes(_Digits(values.astype("int64")), salt), count)
    flat = np.asarray(values).ravel()
    texts = [str(v).encode() for v in flat.tolist()]
    return _to_buckets(_hashes(_Texts(texts), salt), count).reshape(np.shape(values))


def crossed_buckets(columns: Sequence[Any], count: int) -> Any:
    """The bucket of every combination of values of several columns.

    Args:
        columns: Arrays of one shape, texts or integers.
        count: Number of buckets.
    """
    with jax.enable_x64(True):
        fingerprints = [_fingerprint_of(column) for column in columns]
        combined = np.full(np.shape(fingerprints[0]), _CROSSING_START, dtype=np.uint64)
        for fingerprint in fingerprints:
            combined = _combine(combined, fingerprint)
        return _to_buckets(combined, count)


def _to_buckets(hashes: Any, count: int) -> Any:
    return (hashes % _u64(count)).astype("int32" if count <= 2**31 else "int64")


def _fingerprint_of(column: Any) -> Any:
    """The fingerprint of texts; integers unchanged."""
    if isinstance(column, jax.Array):
        return column.astype("int64").astype("uint64")
    if column.dtype != object:
        return column.astype("int64").astype("uint64")
    texts = [text.encode() for text in column.ravel().tolist()]
    return _hashes(_Texts(texts), None).reshape(column.shape)


def _combine(first: Any, second: Any) -> Any:
    multiplier = _CROSSING_MULTIPLIER
    result = first ^ multiplier ^ (_shift_mix(second * multiplier) * multiplier)
    return _shift_mix(_shift_mix(result * multiplier) * multiplier)


def _hashes(data: "_Texts | _Digits", salt: Sequence[int] | None) -> Any:
    return _farmhash(data) if salt is None else _siphash(data, salt)


# -- bytes to hash -------------------------------------------------------------------------------


class _Texts:
    """Concatenated byte strings: `word(offset)` reads 8 bytes of each, as one integer."""

    def __init__(self, texts: Sequence[bytes]):
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        self.size = sizes.astype(np.uint64)
        self.longest = int(sizes.max(initial=0))
        self._bytes = np.frombuffer(b"".join(texts) + bytes(16), dtype=np.uint8)
        self._start = np.cumsum(sizes) - sizes

    def word(self, offset: Any) -> np.ndarray:
        positions = self._start + np.asarray(offset).astype(np.int64)
        return self._bytes[positions[:, None] + np.arange(8)].view("<u8")[:, 0].astype(np.uint64)

    def select(self, selection: np.ndarray) -> "_Texts":
        texts = object.__new__(_Texts)
        texts.size, texts._start = self.size[selection], self._start[selection]
        texts.longest, texts._bytes = int(texts.size.max(initial=0)), self._bytes
        return texts


class _Digits:
    """Integers of a JAX array as decimal text, read like `_Texts`."""

    def __init__(self, numbers: jax.Array):
        self._negative = numbers < 0
        magnitude = numbers.astype("uint64")
        self._magnitude = jnp.where(self._negative, ~magnitude + _u64(1), magnitude)
        powers = jnp.asarray(_POWERS_OF_TEN)
        digits = jnp.searchsorted(powers, self._magnitude, side="right").astype("uint64")
        self.size = jnp.maximum(digits, _u64(1)) + self._negative.astype("uint64")
        self.longest = 20

    def word(self, offset: Any) -> jax.Array:
        powers = jnp.asarray(_POWERS_OF_TEN)
        word = jnp.zeros_like(self.size)
        for i in range(8):
            character_index = jnp.asarray(offset, "uint64") + _u64(i)
            digit_index = jnp.clip(
                self.size.astype("int64") - 1 - character_index.astype("int64"), 0, 19
            )
            character = (self._magnitude // powers[digit_index]) % _u64(10) + _u64(ord("0"))
            character = jnp.where(
                self._negative & (character_index == 0), _u64(ord("-")), character
            )
            word = word | (character << _u64(8 * i))
        return word


# -- FarmHash ------------------------------------------------------------------------------------


def _farmhash(data: _Texts | _Digits) -> Any:
    if isinstance(data, _Digits):  # at most 20 characters
        size, hashes = data.size, _hash_17_to_32(data)
        for max_size, function in ((16, _hash_8_to_16), (7, _hash_4_to_7), (3, _hash_1_to_3)):
            hashes = jnp.where(size <= max_size, function(data), hashes)
        return hashes
    result = np.full(len(data.size), _K2)  # the fingerprint of the empty string
    for min_size, max_size, hash_function in _FUNCTIONS_BY_SIZE:
        selection = (data.size >= min_size) & (data.size <= max_size)
        if selection.any():
            result[selection] = hash_function(data.select(selection))
    return result


def _hash_1_to_3(data: Any) -> Any:
    size = data.size
    low_8_bits = _u64(0xFF)
    y = (data.word(0) & low_8_bits) + ((data.word(size >> _u64(1)) & low_8_bits) << _u64(8))
    z = size + ((data.word(size - _u64(1)) & low_8_bits) << _u64(2))
    return _shift_mix(y * _K2 ^ z * _K0) * _K2


def _hash_4_to_7(data: Any) -> Any:
    size = data.size
    low_32_bits = _u64(0xFFFFFFFF)
    first, last = data.word(0) & low_32_bits, data.word(size - _u64(4)) & low_32_bits
    return _mix(size + (first << _u64(3)), last, _K2 + size * _u64(2))


def _hash_8_to_16(data: Any) -> Any:
    multiplier = _K2 + data.size * _u64(2)
    a, b = data.word(0) + _K2, data.word(data.size - _u64(8))
    c = _rotate(b, 37) * multiplier + a
    d = (_rotate(a, 25) + b) * multiplier
    return _mix(c, d, multiplier)


def _hash_17_to_32(data: Any) -> Any:
    multiplier = _K2 + data.size * _u64(2)
    a, b = data.word(0) * _K1, data.word(8)
    c, d = data.word(data.size - _u64(8)) * multiplier, data.word(data.size - _u64(16)) * _K2
    u = _rotate(a + b, 43) + _rotate(c, 30) + d
    return _mix(u, a + _rotate(b + _K2, 18) + c, multiplier)


def _hash_33_to_64(data: Any) -> Any:
    size = data.size
    multiplier = _K2 + size * _u64(2)
    a, b = data.word(0) * _K2, data.word(8)
    c, d = data.word(size - _u64(8)) * multiplier, data.word(size - _u64(16)) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _mix(y, a + _rotate(b + _K2, 18) + c, multiplier)
    e, f = data.word(16) * multiplier, data.word(24)
    g = (y + data.word(size - _u64(32))) * multiplier
    h = (z + data.word(size - _u64(24))) * multiplier
    u = _rotate(e + f, 43) + _rotate(g, 30) + h
    return _mix(u, e + _rotate(f + a, 18) + g, multiplier)


def _hash_65_and_more(data: _Texts) -> np.ndarray:
    """Hashes strings with equal numbers of 64-byte blocks together."""
    result = np.empty_like(data.size)
    blocks = (data.size - _u64(1)) >> _u64(6)
    for count in np.unique(blocks):
        selection = blocks == count
        result[selection] = _hash_blocks(data.select(selection), int(count))
    return result


def _hash_blocks(data: _Texts, count: int) -> np.ndarray:
    zero = np.zeros_like(data.size)
    x = zero + _u64(81)
    y = x * _K1 + _u64(113)
    z = _shift_mix(y * _K2 + _u64(113)) * _K2
    v, w = (zero, zero), (zero, zero)
    x = x * _K2 + data.word(0)

    def block(
        offset: Any, x: Any, y: Any, z: Any, v: Any, w: Any, multiplier: Any, factor: Any
    ) -> Any:
        x = _rotate(x + y + v[0] + data.word(offset + 8), 37) * multiplier
        y = _rotate(y + v[1] + data.word(offset + 48), 42) * multiplier
        x = x ^ (w[1] * factor)
        y = y + v[0] * factor + data.word(offset + 40)
        z = _rotate(z + w[0], 33) * multiplier
        v = _hash_four_words(data, offset, v[1] * multiplier, x + w[0])
        w = _hash_four_words(data, offset + 32, z + w[1], y + data.word(offset + 16))
        return z, y, x, v, w  # x and z are swapped

    for i in range(count):
        x, y, z, v, w = block(64 * i, x, y, z, v, w, _K1, _u64(1))
    multiplier = _K1 + ((z & _u64(0xFF)) << _u64(1))
    first = w[0] + ((data.size - _u64(1)) & _u64(63))
    v = (v[0] + first, v[1])
    w = (first + v[0], w[1])
    last = data.size.astype(np.int64) - 64
    x, y, z, v, w = block(last, x, y, z, v, w, multiplier, _u64(9))
    return _mix(
        _mix(v[0], w[0], multiplier) + _shift_mix(y) * _K0 + z,
        _mix(v[1], w[1], multiplier) + x,
        multiplier,
    )


def _hash_four_words(data: _Texts, offset: Any, a: Any, b: Any) -> tuple[Any, Any]:
    last = data.word(offset + 24)
    a = a + data.word(offset)
    b = _rotate(b + a + last, 21)
    total = a + data.word(offset + 8) + data.word(offset + 16)
    return total + last, b + _rotate(total, 44) + a


_FUNCTIONS_BY_SIZE: tuple[tuple[int, int, Callable], ...] = (
    (1, 3, _hash_1_to_3),
    (4, 7, _hash_4_to_7),
    (8, 16, _hash_8_to_16),
    (17, 32, _hash_17_to_32),
    (33, 64, _hash_33_to_64),
    (65, 2**62, _hash_65_and_more),
)


def _shift_mix(value: Any) -> Any:
    return value ^ (value >> _u64(47))


def _rotate(value: Any, positions: int) -> Any:
    return (value >> _u64(positions)) | (value << _u64(64 - positions))


def _mix(u: Any, v: Any, multiplier: Any) -> Any:
    a = _shift_mix((u ^ v) * multiplier)
    return _shift_mix((v ^ a) * multiplier) * multiplier


# -- SipHash -------------------------------------------------------------------------------------


def _siphash(data: _Texts | _Digits, salt: Sequence[int]) -> Any:
    where = np.where if isinstance(data, _Texts) else jnp.where
    key = [_u64(k % 2**64) for k in salt]
    zeros = data.size ^ data.size
    state = tuple(
        zeros + (key[i % 2] ^ _u64(start))
        for i, start in enumerate(
            (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
        )
    )
    words = data.size >> _u64(3)
    for i in range(data.longest // 8):
        next_state = _absorb_word(state, data.word(8 * i))
        state = tuple(
            where(words > i, new, old) for new, old in zip(next_state, state, strict=True)
        )
    masks = _MASK_OF_BYTES if isinstance(data, _Texts) else jnp.asarray(_MASK_OF_BYTES)
    tail_masks = masks[(data.size & _u64(7)).astype("int64")]
    last = (data.word(words << _u64(3)) & tail_masks) | (data.size << _u64(56))
    a, b, c, d = _absorb_word(state, last)
    state = (a, b, c ^ _u64(0xFF), d)
    for _ in range(4):
        state = _round(*state)
    a, b, c, d = state
    return a ^ b ^ c ^ d


def _absorb_word(state: Any, word: Any) -> Any:
    a, b, c, d = state
    a, b, c, d = _round(*_round(a, b, c, d ^ word))
    return a ^ word, b, c, d


def _round(a: Any, b: Any, c: Any, d: Any) -> Any:
    a, c = a + b, c + d
    b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
    a, c = _rotate(a, 32) + d, c + b
    b, d = _rotate(b, 47) ^ c, _rotate(d, 43) ^ a
    return a, b, _rotate(c, 32), d
