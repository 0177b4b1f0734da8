"""Long short-term memory over all time steps of a batch, and its gradient; float32."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import ad

from lamina_kernels.library import Array, call
from lamina_kernels.primitives import primitive

# Units fill whole vectors of every instruction set; others are added, and left out of the result.
_UNITS_OF = 16
_GATES = 4


def lstm(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array,
    h: Array,
    c: Array,
    counts: Array | None = None,
    backwards: bool = False,
) -> tuple[Array, Array]:
    """Runs an LSTM with tanh and sigmoid over sequences.

    With `i, f, g, o` the four parts of `x @ kernel + h @ recurrent_kernel + bias`:
    `c = σ(f) * c + σ(i) * tanh(g)` and `h = σ(o) * tanh(c)`.

    Args:
        x: `(time, batch, features)`, float32 like all others.
        kernel: `(features, 4 * units)`.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)`.
        h, c: The states to begin with, `(batch, units)`.
        counts: `(time, batch)`, False where a step leaves the states of a sample as they are; None
            if all steps count.
        backwards: Whether to begin with the last step.

    Returns:
        h after every step, `(time, batch, units)` in the order of running, and the last c.

    Source: Hochreiter and Schmidhuber, 1997, "Long Short-Term Memory", Neural Computation 9(8).

    Example:
        >>> x, kernel, recurrent = jnp.ones((3, 2, 5)), jnp.ones((5, 64)), jnp.zeros((16, 64))
        >>> zeros = jnp.zeros((2, 16))
        >>> h, c = lstm(x, kernel, recurrent, jnp.zeros(64), zeros, zeros)
        >>> h.shape, c.shape, round(float(c[0, 0]), 2)
        ((3, 2, 16), (2, 16), 2.94)
    """
    units = h.shape[-1]
    # A unit of zeros stays zero: its gate `g` is.
    more = -units % _UNITS_OF
    if more:
        kernel, bias = _wider(kernel, more), _wider(bias, more)
        recurrent_kernel = jnp.pad(_wider(recurrent_kernel, more), ((0, more), (0, 0)))
        h, c = (jnp.pad(state, ((0, 0), (0, more))) for state in (h, c))
    kept = jnp.zeros((0, 0), np.uint8) if counts is None else counts.astype(np.uint8)
    every_h, c = _lstm.bind(x, kernel, recurrent_kernel, bias, h, c, kept, backwards=backwards)
    return (every_h[..., :units], c[..., :units]) if more else (every_h, c)


def _wider(weights: Array, more: int) -> Array:
    """The same with units of zeros behind those of every gate."""
    gates = jnp.reshape(weights, (*weights.shape[:-1], _GATES, -1))
    gates = jnp.pad(gates, [(0, 0)] * (gates.ndim - 1) + [(0, more)])
    return gates.reshape(*weights.shape[:-1], -1)


# -- the kernels ---------------------------------------------------------------------------------
# The forward run and the gradient are kernels. The derivative of the first is an operation that is
# linear in the changes of the first six arguments (the seventh says which steps count), so that its
# transpose can be the second; h, c and gates of all steps are handed on to it. Differentiated once
# more, or forward, everything is plain.

_CHANGES = 6
_ARGUMENTS = 7


def _plain_kept(*arguments: Array, backwards: bool) -> list[Array]:
    """h, c and gates after every step, in plain JAX."""
    x, kernel, recurrent, bias, *states, counts = arguments
    counts = counts if counts.size else jnp.ones(x.shape[:2], np.uint8)

    def step(states: tuple, at_step: tuple) -> tuple:
        (h_before, c_before), (x, counts) = states, at_step
        i, f, g, o = jnp.split(x @ kernel + h_before @ recurrent + bias, 4, axis=-1)
        i, f, g, o = gates = (*map(jax.nn.sigmoid, (i, f)), jnp.tanh(g), jax.nn.sigmoid(o))
        c = f * c_before + i * g
        h = o * jnp.tanh(c)
        h, c = (jnp.where(counts[:, None], *two) for two in ((h, h_before), (c, c_before)))
        return (h, c), (h, c, jnp.concatenate(gates, axis=-1))

    _, kept = lax.scan(step, tuple(states), (x, counts), reverse=backwards)
    kept = [jnp.flip(a, 0) for a in kept] if backwards else kept
    return list(kept)


def _plain(*arguments: Array, backwards: bool) -> tuple[Array, Array]:
    every_h, every_c, _ = _plain_kept(*arguments, backwards=backwards)
    return every_h, every_c[-1]


def _shaped(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _spec(x: Any, *others: Any, backwards: bool) -> list:
    state = others[_CHANGES - 2].shape
    return [_shaped(x.shape[0], *state), _shaped(*state)]


def _spec_kept(x: Any, *others: Any, backwards: bool) -> list:
    batch, units = others[_CHANGES - 2].shape
    return [_shaped(x.shape[0], batch, width) for width in (units, units, 4 * units)]


def _compute(*arrays: Array, backwards: bool) -> Any:
    return call("lstm", _spec(*arrays, backwards=backwards), *arrays, backwards=backwards)


def _compute_kept(*arrays: Array, backwards: bool) -> Any:
    results = _spec_kept(*arrays, backwards=backwards)
    return call("lstm_kept", results, *arrays, backwards=backwards)


def _spec_change(*arrays: Any, backwards: bool) -> list:
    return _spec(*arrays[:_CHANGES], backwards=backwards)


def _plain_change(*arrays: Array, backwards: bool) -> Any:
    changes, arguments = arrays[:_CHANGES], arrays[_CHANGES : _CHANGES + _ARGUMENTS]
    *arguments, counts = arguments
    return jax.jvp(
        lambda *a: _plain(*a, counts, backwards=backwards), tuple(arguments), tuple(changes)
    )[1]


def _spec_gradient(
    h_change: Any, c_change: Any, x: Any, *others: Any, backwards: bool, of_inputs: bool
) -> list:
    given = [x, *others[: _CHANGES - 1]]
    return [_shaped(*a.shape) for a in given] if of_inputs else _without_inputs(given)


def _without_inputs(given: list) -> list:
    return [_shaped(0, 0, 0), *(_shaped(*a.shape) for a in given[1:])]


def _compute_gradient(
    h_change: Array, c_change: Array, *arrays: Array, backwards: bool, of_inputs: bool
) -> Any:
    x, kernel, recurrent, _, *rest = arrays
    settings = {"backwards": backwards, "of_inputs": of_inputs}
    results = _spec_gradient(h_change, c_change, *arrays, **settings)
    changes = (h_change, c_change)
    return call("lstm_gradient", results, *changes, x, kernel, recurrent, *rest, **settings)


def _plain_gradient(
    h_change: Array, c_change: Array, *arrays: Array, backwards: bool, of_inputs: bool
) -> Any:
    counts = arrays[_CHANGES]
    _, back = jax.vjp(lambda *a: _plain(*a, counts, backwards=backwards), *arrays[:_CHANGES])
    x, *others = back((h_change, c_change))
    return [x if of_inputs else jnp.zeros((0, 0, 0), x.dtype), *others]


_lstm = primitive("lamina_lstm", _spec, _compute, several=True)
_lstm_kept = primitive("lamina_lstm_kept", _spec_kept, _compute_kept, several=True)
_lstm_change = primitive("lamina_lstm_change", _spec_change, _plain_change, several=True)
_lstm_gradient = primitive("lamina_lstm_gradient", _spec_gradient, _compute_gradient, several=True)


def _derivative(arguments: Any, changes: Any, *, backwards: bool) -> tuple:
    every_h, every_c, gates = _lstm_kept.bind(*arguments, backwards=backwards)
    changes = [ad.instantiate_zeros(change) for change in changes[:_CHANGES]]
    kept = (every_h, every_c, gates)
    out = _lstm_change.bind(*changes, *arguments, *kept, backwards=backwards)
    return [every_h, every_c[-1]], out


def _transpose(results: Any, *arrays: Any, backwards: bool) -> list:
    changes, rest = arrays[:_CHANGES], arrays[_CHANGES:]
    wanted = [ad.is_undefined_primal(change) for change in changes]
    results = [ad.instantiate_zeros(change) for change in results]
    settings = {"backwards": backwards, "of_inputs": wanted[0]}
    gradients = _lstm_gradient.bind(*results, *rest, **settings)
    found = [g if want else None for g, want in zip(gradients, wanted, strict=True)]
    return [*found, *(None for _ in rest)]


def _through(plain: Any) -> Any:
    def derivative(arguments: Any, changes: Any, **settings: Any) -> tuple:
        floats = [i for i, a in enumerate(arguments) if a.dtype == np.float32]

        def run(*given: Array) -> list:
            every = dict(enumerate(arguments)) | dict(zip(floats, given, strict=True))
            return list(plain(*every.values(), **settings))

        changes = tuple(ad.instantiate_zeros(changes[i]) for i in floats)
        return jax.jvp(run, tuple(arguments[i] for i in floats), changes)

    return derivative


ad.primitive_jvps[_lstm] = _derivative
ad.primitive_jvps[_lstm_kept] = _through(_plain_kept)
ad.primitive_jvps[_lstm_change] = _through(_plain_change)
ad.primitive_transposes[_lstm_change] = _transpose
ad.primitive_jvps[_lstm_gradient] = _through(_plain_gradient)
