"""Random bits from a hash of (key, position), for dropout masks.

JAX's own generator, threefry, is cryptographically strong, but in a small compiled loop it would
take most of the run time and of the compile time. This hash is much cheaper; see `hashed-dropout`
in docs/performance.md. Bits depend only on the key and on the position
in the array, so they are the same on any number of devices.
"""

from collections.abc import Sequence

import jax
import numpy as np
from jax import lax


def hashed_bits(key: jax.Array, shape: Sequence[int]) -> jax.Array:
    """32 random bits for each element of an array.

    Args:
        key: Two uint32, such as the keys of a `SeedGenerator`. Different keys give unrelated bits.
        shape: Shape of the result; bits repeat after 2**32 elements.

    Returns:
        uint32 array.

    Source: the mixing function is "lowbias32" of Chris Wellons' search for integer hashes, 2018,
    applied twice, with one half of the key mixed in before each application.

    Example:
        >>> bits = hashed_bits(jax.numpy.array([1, 2], dtype="uint32"), (1000,))
        >>> bool(0.45 < (bits >> 31).mean() < 0.55)
        True
    """
    size = int(np.prod(shape))
    position = lax.iota(np.uint32, size).reshape(tuple(shape))
    # The halves are small numbers (a seed, a counter): spread them over all bits first.
    first = _mix_bits(key[0] ^ _mix_bits(key[1] + np.uint32(0x9E3779B9)))
    second = _mix_bits(key[1] ^ _mix_bits(key[0] + np.uint32(0x85EBCA6B)))
    return _mix_bits(_mix_bits(position ^ first) + second)


def _mix_bits(bits: jax.Array) -> jax.Array:
    bits ^= bits >> 16
    bits *= np.uint32(0x7FEB352D)
    bits ^= bits >> 15
    bits *= np.uint32(0x846CA68B)
    return bits ^ (bits >> 16)
