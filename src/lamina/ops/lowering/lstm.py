"""All steps of an LSTM with tanh and sigmoid: reference, loop for CPUs, compiled kernel."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops.lowering import compiled_kernels, products
from lamina.ops.lowering.low_precision import is_low_precision

# docs/performance.md, `kernel-lstm`. Larger sizes were not measured.
_MAX_KERNEL_VALUES = 2**20

_TimeSteps = tuple[Array, ...]


def reference(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h: Array,
    c: Array,
    mask: Array | None,
    backwards: bool,
) -> tuple[Array, Array]:
    """The h of every step, `(time, batch, units)`, and the last c.

    With `i, f, g, o` the four parts of `x @ kernel + h @ recurrent + bias`:
    `c = σ(f) * c + σ(i) * tanh(g)` and `h = σ(o) * tanh(c)`.

    Args:
        x: `(time, batch, features)`.
        kernel, recurrent: `(features, 4 * units)` and `(units, 4 * units)`.
        bias: `(4 * units,)`, or None.
        h, c: The initial states, `(batch, units)`.
        mask: `(time, batch)`; where it is False, the states do not change. None for no mask.
        backwards: Whether to begin with the last step; the results are in the order of execution.

    Source: Hochreiter and Schmidhuber, 1997, "Long Short-Term Memory", Neural Computation 9(8).
    """
    sums, mask = _project_inputs(x, kernel, bias, mask, backwards)
    c, (every_h,) = _scan(sums, recurrent, h, c, mask, with_gates=False)
    return every_h, c


def suits_kernel(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h: Array,
    c: Array,
    mask: Array | None,
    backwards: bool,
) -> bool:
    biases = [] if bias is None else [bias]
    is_small = x.ndim == 3 and kernel.size + recurrent.size <= _MAX_KERNEL_VALUES
    return is_small and compiled_kernels.accepts(x, kernel, recurrent, h, c, *biases)


def by_kernel(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h: Array,
    c: Array,
    mask: Array | None,
    backwards: bool,
) -> tuple[Array, Array]:
    bias = jnp.zeros(kernel.shape[1], kernel.dtype) if bias is None else bias
    return compiled_kernels.kernel_package().lstm(x, kernel, recurrent, bias, h, c, mask, backwards)


def suits_steps(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h: Array,
    c: Array,
    mask: Array | None,
    backwards: bool,
) -> bool:
    return x.dtype == jnp.float32 or is_low_precision(x, kernel)


def by_steps(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    h: Array,
    c: Array,
    mask: Array | None,
    backwards: bool,
) -> tuple[Array, Array]:
    """The loop of `reference`, with a custom derivative for all steps at once.

    Of low-precision floats, the states and the sums of the gates are float32.
    """
    sums, mask = _project_inputs(x, kernel, bias, mask, backwards, jnp.float32)
    every_h, last_c = _steps(sums, recurrent, *(s.astype(jnp.float32) for s in (h, c)), mask)
    return every_h.astype(h.dtype), last_c.astype(c.dtype)


def _project_inputs(
    x: Array,
    kernel: Array,
    bias: Array | None,
    mask: Array | None,
    backwards: bool,
    dtype: Any = None,
) -> tuple[Array, Array | None]:
    """The products of the inputs of all steps, and the mask, in the order of execution."""
    sums = products.matmul(x, kernel, dtype)
    sums = sums if bias is None else sums + bias
    if not backwards:
        return sums, mask
    return jnp.flip(sums, axis=0), None if mask is None else jnp.flip(mask, axis=0)


@jax.custom_jvp
def _steps(
    projected: Array, recurrent: Array, h: Array, c: Array, mask: Array | None
) -> tuple[Array, Array]:
    c, (every_h,) = _scan(projected, recurrent, h, c, mask, with_gates=False)
    return every_h, c


def _scan(
    projected: Array, recurrent: Array, h: Array, c: Array, mask: Array | None, *, with_gates: bool
) -> tuple[Array, _TimeSteps]:
    """The last c, and h of all steps; with `with_gates` also every c and the four gates."""

    def step(states: tuple, at_step: tuple) -> tuple[tuple, _TimeSteps]:
        h, c = states
        sums, mask = at_step
        i, f, g, o = jnp.split(sums + _recurrent_product(h, recurrent), 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        new_c = f * c + i * g
        new_h = o * jnp.tanh(new_c)
        if mask is not None:
            new_c = jnp.where(mask[:, None], new_c, c)
            new_h = jnp.where(mask[:, None], new_h, h)
        return (new_h, new_c), (new_h, new_c, i, f, g, o) if with_gates else (new_h,)

    (_, c), saved = lax.scan(step, (h, c), (projected, mask))
    return c, saved


# JAX's gradient of the loop accumulates the gradient of the recurrent kernel step by step and
# stores eleven arrays for it. Here everything that is not linear in the tangents is computed for
# all steps at once, including the tangents of the kernel, so that their transpose is one product
# after the loop: docs/performance.md, `lstm-steps`.
@_steps.defjvp
def _steps_jvp(primals: tuple, tangents: tuple) -> tuple:
    projected, recurrent, h, c, mask = primals
    d_projected, d_recurrent, d_h, d_c, _ = tangents
    last_c, (every_h, every_c, i, f, g, o) = _scan(
        projected, recurrent, h, c, mask, with_gates=True
    )
    h_before = jnp.concatenate([h[None], every_h[:-1]])
    c_before = jnp.concatenate([c[None], every_c[:-1]])
    tanh_c = jnp.tanh(every_c)
    factors: _TimeSteps = (
        f,
        g * i * (1 - i),
        c_before * f * (1 - f),
        i * (1 - g * g),
        tanh_c * o * (1 - o),
        o * (1 - tanh_c * tanh_c),
    )
    if mask is not None:
        is_unchanged = ~mask[..., None]
        factor_c, *gate_factors = factors
        factors = (
            jnp.where(is_unchanged, 1, factor_c),
            *(jnp.where(is_unchanged, 0, a) for a in gate_factors),
        )
        is_unchanged = is_unchanged.astype(projected.dtype)
    else:
        is_unchanged = None
    d_sums = d_projected + _recurrent_product(h_before, d_recurrent)

    def step(states: tuple, at_step: tuple) -> tuple[tuple, Array]:
        d_h, d_c = states
        d_sums, (factor_c, factor_i, factor_f, factor_g, factor_o, factor_new_c), is_unchanged = (
            at_step
        )
        d_i, d_f, d_g, d_o = jnp.split(d_sums + _recurrent_product(d_h, recurrent), 4, axis=-1)
        d_c = factor_c * d_c + factor_i * d_i + factor_f * d_f + factor_g * d_g
        new_h = factor_o * d_o + factor_new_c * d_c
        new_h = new_h if is_unchanged is None else new_h + is_unchanged * d_h
        return (new_h, d_c), new_h

    (_, d_c), d_every_h = lax.scan(step, (d_h, d_c), (d_sums, factors, is_unchanged))
    return (every_h, last_c), (d_every_h, d_c)


def _recurrent_product(h: Array, recurrent: Array) -> Array:
    return products.matmul(h.astype(recurrent.dtype), recurrent, h.dtype)
