"""Long short-term memory over all time steps of a batch, and its gradient; float32."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import ad

from lamina_kernels.library import Array, call
from lamina_kernels.primitives import primitive

# Units fill whole vectors of every instruction set.
UNITS_OF = 16


def lstm(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array,
    h: Array,
    c: Array,
    backwards: bool = False,
) -> tuple[Array, Array]:
    """Runs an LSTM with tanh and sigmoid over sequences.

    With `i, f, g, o` the four parts of `x @ kernel + h @ recurrent_kernel + bias`:
    `c = σ(f) * c + σ(i) * tanh(g)` and `h = σ(o) * tanh(c)`.

    Args:
        x: `(time, batch, features)`, float32 like all others.
        kernel: `(features, 4 * units)`; units are a multiple of 16.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)`.
        h, c: The states to begin with, `(batch, units)`.
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
    h, c = _lstm.bind(x, kernel, recurrent_kernel, bias, h, c, backwards=backwards)
    return h, c


# -- the kernels ---------------------------------------------------------------------------------
# The forward run and the gradient are kernels. The derivative of the first is an operation that is
# linear in the changes of the six arguments, so that its transpose can be the second; h, c and
# gates of all steps are handed on to it. Differentiated once more, or forward, everything is plain.

_ARGUMENTS = 6


def _plain_kept(*arguments: Array, backwards: bool) -> list[Array]:
    """h, c and gates after every step, in plain JAX."""
    x, kernel, recurrent, bias, *states = arguments

    def step(states: tuple, x: Array) -> tuple:
        h, c = states
        i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        i, f, g, o = gates = (*map(jax.nn.sigmoid, (i, f)), jnp.tanh(g), jax.nn.sigmoid(o))
        c = f * c + i * g
        h = o * jnp.tanh(c)
        return (h, c), (h, c, jnp.concatenate(gates, axis=-1))

    _, kept = lax.scan(step, tuple(states), jnp.flip(x, 0) if backwards else x)
    return list(kept)


def _plain(*arguments: Array, backwards: bool) -> tuple[Array, Array]:
    every_h, every_c, _ = _plain_kept(*arguments, backwards=backwards)
    return every_h, every_c[-1]


def _shaped(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _spec(x: Any, kernel: Any, recurrent: Any, bias: Any, h: Any, c: Any, backwards: bool) -> list:
    return [_shaped(x.shape[0], *h.shape), _shaped(*c.shape)]


def _spec_kept(x: Any, *others: Any, backwards: bool) -> list:
    batch, units = others[-1].shape
    return [_shaped(x.shape[0], batch, width) for width in (units, units, 4 * units)]


def _compute(*arrays: Array, backwards: bool) -> Any:
    return call("lstm", _spec(*arrays, backwards), *arrays, backwards=backwards)


def _compute_kept(*arrays: Array, backwards: bool) -> Any:
    results = _spec_kept(*arrays, backwards=backwards)
    return call("lstm_kept", results, *arrays, backwards=backwards)


def _spec_change(*arrays: Any, backwards: bool) -> list:
    return _spec(*arrays[:_ARGUMENTS], backwards=backwards)


def _plain_change(*arrays: Array, backwards: bool) -> Any:
    changes, arguments = arrays[:_ARGUMENTS], arrays[_ARGUMENTS : 2 * _ARGUMENTS]
    return jax.jvp(partial(_plain, backwards=backwards), arguments, changes)[1]


def _spec_gradient(
    h_change: Any, c_change: Any, x: Any, *others: Any, backwards: bool, of_inputs: bool
) -> list:
    given = [x, *others[: _ARGUMENTS - 1]]
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
    _, back = jax.vjp(partial(_plain, backwards=backwards), *arrays[:_ARGUMENTS])
    x, *others = back((h_change, c_change))
    return [x if of_inputs else jnp.zeros((0, 0, 0), x.dtype), *others]


_lstm = primitive("lamina_lstm", _spec, _compute, several=True)
_lstm_kept = primitive("lamina_lstm_kept", _spec_kept, _compute_kept, several=True)
_lstm_change = primitive("lamina_lstm_change", _spec_change, _plain_change, several=True)
_lstm_gradient = primitive("lamina_lstm_gradient", _spec_gradient, _compute_gradient, several=True)


def _derivative(arguments: Any, changes: Any, *, backwards: bool) -> tuple:
    every_h, every_c, gates = _lstm_kept.bind(*arguments, backwards=backwards)
    changes = [ad.instantiate_zeros(change) for change in changes]
    kept = (every_h, every_c, gates)
    out = _lstm_change.bind(*changes, *arguments, *kept, backwards=backwards)
    return [every_h, every_c[-1]], out


def _transpose(results: Any, *arrays: Any, backwards: bool) -> list:
    changes, rest = arrays[:_ARGUMENTS], arrays[_ARGUMENTS:]
    wanted = [ad.is_undefined_primal(change) for change in changes]
    results = [ad.instantiate_zeros(change) for change in results]
    settings = {"backwards": backwards, "of_inputs": wanted[0]}
    gradients = _lstm_gradient.bind(*results, *rest, **settings)
    found = [g if want else None for g, want in zip(gradients, wanted, strict=True)]
    return [*found, *(None for _ in rest)]


def _through(plain: Any) -> Any:
    def derivative(arguments: Any, changes: Any, **settings: Any) -> tuple:
        changes = [ad.instantiate_zeros(change) for change in changes]
        return jax.jvp(lambda *a: list(plain(*a, **settings)), tuple(arguments), tuple(changes))

    return derivative


ad.primitive_jvps[_lstm] = _derivative
ad.primitive_jvps[_lstm_kept] = _through(_plain_kept)
ad.primitive_jvps[_lstm_change] = _through(_plain_change)
ad.primitive_transposes[_lstm_change] = _transpose
ad.primitive_jvps[_lstm_gradient] = _through(_plain_gradient)
