"""Compiled kernels for CPUs, from the package lamina-kernels: used if installed, never needed.

Only the compiled programs of `fit`, `evaluate` and `predict` ask for them: what a user traces,
exports or looks into by himself is plain JAX. Whatever a kernel does not cover falls back silently
to the lowering that stands beside the question.
"""

import functools
import importlib
import importlib.util
import math
import os
import threading
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.errors import LaminaWarning, frames_to_user
from lamina.core.variable import Array
from lamina.ops import windows
from lamina.ops.dense import dense_product

# Two cores with AVX-512, a step of Adam: 784-128-128-10 at batch 32 takes 0.18 ms and not 0.24,
# 20-64-64-64 at batch 256 0.22 and not 0.26. XLA is the faster one with one row (4 times) and with
# large kernels (128x512x512 1.2 times, 32x1024x1024 1.8 times); columns fewer than a vector has
# numbers leave most of a tile idle: the table's last layer of one column as well takes its step
# from 0.175 to 0.193 ms.
_ROWS = range(16, 257)
_MOST_VALUES = 2**17
_FEWEST_COLUMNS = 16
# Of 2,048 rows, kernels of 64x64 only: a step of two blocks of width 64 takes 0.93 of the time.
# A GPT's of 128x128 are as fast either way, and with those of 128x512, too, it takes 1.05 to 1.12.
_MOST_VALUES_OF_MANY = 2**13
# The small convolutional network at batch 128 takes 17 ms and not 21, a ResNet-20 at batch 64 115
# and not 190. Of larger kernels, the partial sums of the gradient would take too much memory.
_MOST_KERNEL_VALUES = 2**20
# Of a convolution that is only pooled, one value in each block has a gradient: with both as one
# kernel the small network takes 7.4 ms and not 13.8. The kernel counts to 255.
_POOLED = range(4, 256)
# An embedding, an LSTM and a dense layer, a step at batch 32 and length 60: 3.0 ms and not 5.7 with
# 64 units; at length 30, 7.4 and not 12.0 with 128, 26 and not 32 with 256. Not tried beyond.
# With a mask, sentences of 5 to 60 words, 2.8 and not 5.6; both directions 5.7 and not 11.9; 50
# units, which are filled up to 64, 2.9 and not 4.4.
_MOST_LSTM_VALUES = 2**20
# Batch normalisation of images: a step of the ResNet-20 takes 71.3 ms and not 76.8 in one round of
# turns, 80.2 and not 83.2 in another.
_IMAGE_AXES = 4

# What this file calls: raised together with the package's own number when that changes.
_INTERFACE = 2

_scope = threading.local()


def in_program(step: Callable) -> Callable:
    """A function during whose tracing kernels may be used."""

    @functools.wraps(step)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before = getattr(_scope, "open", False), getattr(_scope, "results", {})
        _scope.open, _scope.results = True, {}
        try:
            return step(*args, **kwargs)
        finally:
            _scope.open, _scope.results = before

    return wrapped


def matmul(x: Array, kernel: Array) -> Array:
    """`x @ kernel`, by a compiled kernel where that is faster."""
    if kernel.ndim != 2 or x.ndim < 2:
        return dense_product(x, kernel)
    found = rows_product(x.reshape(-1, x.shape[-1]), kernel)
    if found is None:
        return dense_product(x, kernel)
    return found.reshape(*x.shape[:-1], kernel.shape[1])


def rows_product(x: Array, kernel: Array) -> Array | None:
    """`x @ kernel` of two matrices; None where plain JAX is as fast."""
    package = _found(x, kernel)
    if package is None or kernel.shape[1] < _FEWEST_COLUMNS:
        return None
    most = _MOST_VALUES if x.shape[0] in _ROWS else _MOST_VALUES_OF_MANY
    if x.shape[0] < _ROWS.start or kernel.size > most:
        return None
    return package.product(x, kernel)


def convolution(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array | None:
    """A convolution over two axes, channels last; None where plain JAX has to do it."""
    package = _found(x, kernel)
    if package is None or not _suits(x, kernel, data_format, dilation):
        return None
    amounts = windows.padding_amounts(x.shape[1:-1], kernel.shape[:2], strides, padding, dilation)
    return package.convolution(x, kernel, strides, amounts)


def remember(
    y: Array,
    x: Array,
    kernel: Array,
    bias: Array | None,
    rectified: bool,
    strides: tuple,
    padding: str,
    data_format: str,
    dilation: tuple,
) -> None:
    """Remember which convolution gave `y`, so that `max_pool` can compute both at once.

    The program then computes `y` itself only if something else asks for it, too.

    Args:
        y: The convolution of `x`, plus `bias`; zero where that is below, if `rectified`.
    """
    bias = jnp.zeros(kernel.shape[-1:], kernel.dtype) if bias is None else bias
    package = _found(y, x, kernel, bias)
    if package is not None and _suits(x, kernel, data_format, dilation):
        sizes = x.shape[1:-1], kernel.shape[:2]
        amounts = windows.padding_amounts(*sizes, strides, padding, dilation)
        pool = functools.partial(package.pooled_convolution, x, kernel, bias, strides, amounts)
        _scope.results[id(y)] = (y, functools.partial(pool, rectified=rectified))


def forget(y: Any) -> None:
    """Do not compute `y` together with its pooling: others ask for it, too."""
    if getattr(_scope, "open", False):
        _scope.results.pop(id(y), None)


def max_pool(y: Array, axes: tuple, window: tuple) -> Array | None:
    """The largest value of every block of a convolution's result; None for other arrays."""
    if _found(y) is None or id(y) not in _scope.results or axes != (1, 2):
        return None
    if math.prod(window) not in _POOLED:
        return None
    _, pool = _scope.results[id(y)]
    return pool(block=window)


def lstm(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h: Array,
    c: Array,
    counts: Array | None,
    backwards: bool,
) -> tuple[Array, Array] | None:
    """All steps of an LSTM with tanh and sigmoid: every h, `(time, batch, units)`, and the last c.

    None where plain JAX has to do it.

    Args:
        x: `(time, batch, features)`.
        kernel, recurrent: `(features, 4 * units)` and `(units, 4 * units)`.
        bias: `(4 * units,)`, or none.
        h, c: The states to begin with, `(batch, units)`.
        counts: `(time, batch)`, False where a step leaves a sample as it is; None if all count.
        backwards: Whether to begin with the last step; every h is in the order of running.
    """
    package = _found(x, kernel, recurrent, h, c, *([] if bias is None else [bias]))
    if package is None or x.ndim != 3:
        return None
    if kernel.size + recurrent.size > _MOST_LSTM_VALUES:
        return None
    bias = jnp.zeros(kernel.shape[1], kernel.dtype) if bias is None else bias
    return package.lstm(x, kernel, recurrent, bias, h, c, counts, backwards)


def attention(
    query: Array, key: Array, value: Array, mask: Array | None, scale: Any, causal: bool
) -> Array | None:
    """What `ops.dot_product_attention` gives, where a kernel computes it and its gradient.

    None where plain JAX has to do it.

    Args:
        query, key, value: `(batch, steps, heads, size)`; heads of the key are a divisor of those
            of the query.
        mask: True where a query may look, four axes that broadcast to `(batch, heads, queries,
            steps)`.
        scale: Factor of the logits, a number.
        causal: Whether a query sees only steps up to its own place.
    """
    package = _found(query, key, value)
    if package is None or isinstance(scale, jax.core.Tracer):
        return None
    if mask is not None:
        mask = jnp.broadcast_to(mask, (*mask.shape[:3], key.shape[1]))
    return package.attention(query, key, value, mask, scale=scale, causal=causal)


def moments(x: Array, axes: tuple) -> tuple[Array, Array] | None:
    """Mean and variance of each channel of images, channels last; None for other axes or arrays."""
    package = _found(x)
    if package is None or x.ndim != _IMAGE_AXES or axes != tuple(range(x.ndim - 1)):
        return None
    return package.moments(x.reshape(-1, x.shape[-1]))


def scale_and_shift(x: Array, axis: int, factor: Array, shift: Array) -> Array | None:
    """`x * factor + shift` by channels of images, channels last; None for other axes or arrays."""
    package = _found(x, factor, shift)
    if package is None or x.ndim != _IMAGE_AXES or axis % x.ndim != x.ndim - 1:
        return None
    if factor.shape != x.shape[-1:] or shift.shape != factor.shape:
        return None
    return package.scale_and_shift(x.reshape(-1, x.shape[-1]), factor, shift).reshape(x.shape)


def adam(values: list[Array], gradients: list[Array], **settings: Any) -> list[Array] | None:
    """New weights, momenta and velocities from the old ones, one after the other in `values`."""
    package = _found(*values, *gradients)
    if package is None:
        return None
    n = len(gradients)
    new = package.adam(values[:n], values[n : 2 * n], values[2 * n :], gradients, **settings)
    return [array for group in new for array in group]


def _suits(x: Array, kernel: Array, data_format: str, dilation: tuple) -> bool:
    plain = kernel.ndim == 4 and data_format == "channels_last" and set(dilation) == {1}
    return plain and x.shape[-1] == kernel.shape[-2] and kernel.size <= _MOST_KERNEL_VALUES


def _found(*arrays: Any) -> ModuleType | None:
    """The package, if it may be used here and now; kernels take float32 arrays, none empty."""
    if not getattr(_scope, "open", False):
        return None
    if any(a.dtype != jnp.float32 or a.size == 0 for a in arrays):
        return None
    return _package()


@functools.cache
def _package() -> ModuleType | None:
    if os.environ.get("LAMINA_KERNELS") == "0":
        return None
    # On several devices XLA would gather what a kernel takes on each of them.
    if jax.default_backend() != "cpu" or jax.device_count() > 1:
        return None
    if importlib.util.find_spec("lamina_kernels") is None:
        return None
    try:
        package = importlib.import_module("lamina_kernels")
        interface = getattr(package, "INTERFACE", 0)
        if interface != _INTERFACE:
            raise ImportError(f"it has interface {interface}, this Lamina calls {_INTERFACE}")
        return package
    except (ImportError, OSError) as error:
        warnings.warn(
            f"lamina-kernels is installed and cannot be used: {error}.\n"
            "  Likely cause: it was built for another machine, another JAX or another Lamina.\n"
            "  Fix: build it again (make kernels), or set LAMINA_KERNELS=0 to do without.",
            LaminaWarning,
            stacklevel=frames_to_user(),
        )
        return None
