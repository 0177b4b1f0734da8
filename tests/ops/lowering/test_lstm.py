"""The loop of an LSTM and its derivative, against the step of the paper written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina.ops.lowering import lstm

MASKS = [None, np.array([[True, False], [False, True], [True, False], [False, False]])]


def written_out(x, kernel, recurrent, bias, h, c, counts, backwards):
    outputs = []
    for t in reversed(range(4)) if backwards else range(4):
        sums = x[t] @ kernel + bias
        i, f, g, o = jnp.split(sums + h @ recurrent, 4, axis=1)
        new_c = c / (1 + jnp.exp(-f)) + jnp.tanh(g) / (1 + jnp.exp(-i))
        new_h = jnp.tanh(new_c) / (1 + jnp.exp(-o))
        stays = np.zeros((2, 1), bool) if counts is None else ~counts[t][:, None]
        h, c = jnp.where(stays, h, new_h), jnp.where(stays, c, new_c)
        outputs.append(h)
    return jnp.stack(outputs), c


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    shapes = (4, 2, 5), (5, 12), (3, 12), (12,), (2, 3), (2, 3)
    return [jnp.asarray(rng.normal(size=shape), "float32") for shape in shapes]


@pytest.mark.parametrize("counts", MASKS)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("function", [lstm.reference, lstm.by_steps])
def test_steps_and_all_gradients_are_those_of_the_paper(function, arguments, counts, backwards):
    def everything(lstm):
        out, back = jax.vjp(lambda *a: lstm(*a, counts, backwards), *arguments)
        return *out, *back((jnp.cos(out[0]), jnp.sin(out[1])))

    for actual, expected in zip(everything(function), everything(written_out), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=3e-6)


def test_second_derivatives_are_those_of_the_paper(arguments):
    def slope(lstm):
        gradient = jax.grad(lambda *a: jnp.sum(jnp.sin(lstm(*a, MASKS[1], False)[0])), (0, 2))
        return jax.jvp(gradient, tuple(arguments), tuple(0.5 * a for a in arguments))[1]

    for actual, expected in zip(slope(lstm.by_steps), slope(written_out), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)
