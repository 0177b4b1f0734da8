"""The kernels compute what plain JAX computes: values, gradients, and gradients of gradients."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import lamina_kernels
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from jax import lax

settings.register_profile("kernels", deadline=None, derandomize=True, max_examples=10)
settings.load_profile("kernels")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_same_sums(actual, expected):
    """Equal to 1e-6 of the largest sum."""
    expected = np.asarray(expected, np.float64)
    scale = np.max(np.abs(expected), initial=1e-3)
    np.testing.assert_allclose(np.asarray(actual) / scale, expected / scale, rtol=0, atol=1e-6)


def all_three(function, first, second, change):
    """A product of two arrays and both gradients, in the precision of the arrays."""
    y, back = jax.vjp(function, first, second)
    return y, *back(jnp.asarray(change(y.shape), y.dtype))


def in_double_precision(function, *arrays, change):
    with jax.enable_x64(True):
        doubles = [jnp.asarray(a, np.float64) for a in arrays]
        return [np.asarray(r) for r in all_three(function, *doubles, change)]


def library_convolution(strides, pads):
    numbers = ("NHWC", "HWIO", "NHWC")

    def convolve(images, kernel):
        return lax.conv_general_dilated(images, kernel, strides, pads, dimension_numbers=numbers)

    return convolve


@st.composite
def convolutions(draw):
    window = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    pads = tuple(draw(st.tuples(st.integers(0, w - 1), st.integers(0, w - 1))) for w in window)
    sizes = [draw(st.integers(1, 30)) + w - 1 for w in window]
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    batch, channels, filters = (draw(st.integers(1, most)) for most in (3, 20, 40))
    return normal(batch, *sizes, channels), normal(*window, channels, filters), strides, pads


@given(convolutions())
def test_convolution_and_both_gradients_are_those_of_the_library(case):
    assert_convolves_like_the_library(*case)


@pytest.mark.parametrize(
    ("sizes", "channels", "filters", "pads"),
    [
        ((7, 9), 16, 48, ((1, 1), (1, 1))),
        ((8, 13), 48, 16, ((0, 0), (0, 2))),
        ((1, 2), 32, 32, ((2, 2), (1, 0))),
    ],
)
def test_a_convolution_by_tiles_and_its_gradients_are_those_of_the_library(
    sizes, channels, filters, pads
):
    # 3x3 numbers, stride 1, channels in sixteens; odd results have half a tile at their end.
    kernel = normal(3, 3, channels, filters)
    assert_convolves_like_the_library(normal(3, *sizes, channels), kernel, (1, 1), pads)


def assert_convolves_like_the_library(images, kernel, strides, pads):
    def change(shape):
        return normal(*shape, seed=2)

    expected = in_double_precision(
        library_convolution(strides, pads), images, kernel, change=change
    )
    actual = all_three(
        lambda x, w: lamina_kernels.convolution(x, w, strides, pads), images, kernel, change
    )
    for one, other in zip(actual, expected, strict=True):
        assert_same_sums(one, other)


def library_pooling(strides, pads, block, rectified):
    convolve = library_convolution(strides, pads)

    def pooled(images, kernel, bias):
        y = convolve(images, kernel) + bias
        y = jax.nn.relu(y) if rectified else y
        window = (1, *block, 1)
        return lax.reduce_window(y, -np.inf, lax.max, window, window, "VALID")

    return pooled


def assert_pools_like_the_library(case, block, rectified):
    images, kernel, strides, pads = case
    bias = normal(kernel.shape[-1], seed=3)
    settings_ = (strides, pads, block, rectified)
    expected, back = jax.vjp(library_pooling(*settings_), images, kernel, bias)
    change = normal(*expected.shape, seed=4)
    actual, same = jax.vjp(
        lambda *a: lamina_kernels.pooled_convolution(*a, *settings_), images, kernel, bias
    )
    assert_same_sums(actual, expected)
    for one, other in zip(same(change), back(change), strict=True):
        assert_same_sums(one / 4, other / 4)  # both are sums in single precision


@settings(max_examples=5)
@given(convolutions(), st.sampled_from([(2, 2), (1, 3), (3, 1)]), st.booleans())
def test_a_pooled_convolution_and_its_gradients_are_those_of_the_library(case, block, rectified):
    assume(all(y >= b for y, b in zip(result_size(case), block, strict=True)))
    assert_pools_like_the_library(case, block, rectified)


def result_size(case):
    return jax.eval_shape(library_convolution(*case[2:]), *case[:2]).shape[1:3]


@pytest.mark.parametrize("channels", [16, 32])
def test_long_rows_of_a_kernel_give_the_same_gradients(channels):
    # They are summed over the chosen values only; 300 of each filter are more than one stretch.
    case = (normal(2, 41, 33, channels), normal(3, 3, channels, 5), (1, 1), ((1, 0), (0, 1)))
    assert_pools_like_the_library(case, (2, 2), True)


def test_of_equal_values_in_a_block_the_first_has_the_gradient():
    images, kernel = jnp.ones((1, 2, 2, 1)), jnp.ones((1, 1, 1, 1))
    gradient = jax.grad(lambda x: pooled(x, kernel).sum())(images)
    assert gradient[0, :, :, 0].tolist() == [[1, 0], [0, 0]]


def pooled(images, kernel):
    bias = jnp.zeros(kernel.shape[-1])
    pads = ((0, 0), (0, 0))
    return lamina_kernels.pooled_convolution(images, kernel, bias, (1, 1), pads, (2, 2), False)


def normalized(moments, scale_and_shift):
    """Batch normalisation of the columns of a matrix."""

    def normalize(x, gamma, beta):
        mean, variance = moments(x)
        factor = gamma * lax.rsqrt(variance + 1e-3)
        return scale_and_shift(x, factor, beta - mean * factor)

    return normalize


by_kernels = normalized(lamina_kernels.moments, lamina_kernels.scale_and_shift)
by_the_library = normalized(
    lambda x: (jnp.mean(x, 0), jnp.var(x, 0)), lambda x, factor, shift: x * factor + shift
)


@given(st.tuples(st.integers(1, 1400), st.integers(1, 40)))
def test_batch_normalisation_and_its_gradients_are_those_of_the_library(sizes):
    # The mean is large beside the deviation: squares less the square of the mean would be nothing.
    x, gamma, beta = 1000 + normal(*sizes), normal(sizes[1]), normal(sizes[1], seed=1)
    mean, variance = lamina_kernels.moments(x)
    np.testing.assert_allclose(mean, np.mean(x, 0, np.float64), rtol=1e-6)
    np.testing.assert_allclose(variance, np.var(x, 0, np.float64), rtol=1e-4, atol=1e-6)
    x -= 1000

    def gradients(normalize, dtype):
        arrays = (jnp.asarray(a, dtype) for a in (x, gamma, beta))
        y, back = jax.vjp(normalize, *arrays)
        return y, *back(jnp.sin(3 * y))

    with jax.enable_x64(True):
        expected = [np.asarray(e) for e in gradients(by_the_library, np.float64)]
    for one, other in zip(gradients(by_kernels, np.float32), expected, strict=True):
        scale = np.max(np.abs(other), initial=1)
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-5)


def test_batch_normalisation_works_forwards_twice_and_mapped():
    x, gamma, beta = normal(3, 7, 5), normal(5), normal(5, seed=1)

    def hessian_times(normalize):
        def loss(gamma):
            return jnp.sum(jnp.tanh(jax.vmap(lambda x: normalize(x * gamma, gamma, beta))(x)))

        return jax.jvp(jax.grad(loss), (gamma,), (normal(5, seed=5),))[1]

    expected = hessian_times(by_the_library)
    np.testing.assert_allclose(hessian_times(by_kernels), expected, rtol=1e-4, atol=1e-5)


@given(st.tuples(*[st.integers(1, most) for most in (130, 90, 70)]))
def test_product_and_both_gradients_are_those_of_numpy(sizes):
    rows, inner, columns = sizes
    x, y, change = normal(rows, inner), normal(inner, columns), normal(rows, columns, seed=2)
    actual = all_three(lamina_kernels.product, x, y, lambda _: change)
    x, y, change = (a.astype(np.float64) for a in (x, y, change))
    for one, other in zip(actual, (x @ y, change @ y.T, x.T @ change), strict=True):
        assert_same_sums(one, other)


def test_adam_takes_the_step_of_the_paper_in_one_pass():
    shapes = [(784, 128), (128,), (10, 3), (1,)]
    weights, momenta, gradients = ([normal(*s, seed=i) for s in shapes] for i in range(3))
    velocities = [normal(*s, seed=4) ** 2 for s in shapes]
    decays = [0.0, 0.1, 0.0, 0.5]
    size = 0.01 * np.sqrt(1 - 0.999**7) / (1 - 0.9**7)
    new = lamina_kernels.adam(
        weights,
        momenta,
        velocities,
        gradients,
        0.01,
        size,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        decays=decays,
    )
    for i, decay in enumerate(decays):
        w, m, v, g = (a[i].astype(np.float64) for a in (weights, momenta, velocities, gradients))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w * (1 - 0.01 * decay) - size * m / (np.sqrt(v) + 1e-7)
        for actual, expected in zip((part[i] for part in new), (w, m, v), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=3e-6, atol=1e-6)


@st.composite
def sequences(draw):
    steps, batch, features = (draw(st.integers(1, most)) for most in (6, 37, 40))
    return steps, batch, features, draw(st.sampled_from([5, 16, 23, 48])), draw(st.booleans())


def lstm_arguments(steps, batch, features, units):
    shapes = [(steps, batch, features), (features, 4 * units), (units, 4 * units), (4 * units,)]
    shapes += [(batch, units)] * 2
    return [0.5 * normal(*shape, seed=i) for i, shape in enumerate(shapes)]


def lstm_of_the_paper(x, kernel, recurrent, bias, h, c, counts, backwards):
    """Step by step, without a loop of JAX's."""
    outputs = []
    for t in range(len(x))[:: -1 if backwards else 1]:
        i, f, g, o = jnp.split(x[t] @ kernel + h @ recurrent + bias, 4, axis=1)
        new_c = c / (1 + jnp.exp(-f)) + jnp.tanh(g) / (1 + jnp.exp(-i))
        new_h = jnp.tanh(new_c) / (1 + jnp.exp(-o))
        stays = False if counts is None else ~counts[t][:, None]
        h, c = jnp.where(stays, h, new_h), jnp.where(stays, c, new_c)
        outputs.append(h)
    return jnp.stack(outputs), c


def lstm_with_gradients(lstm, arguments, dtype):
    arguments = [jnp.asarray(a, dtype) for a in arguments]
    (h, c), back = jax.vjp(lstm, *arguments)
    return h, c, *back((jnp.cos(h), jnp.sin(c)))


@given(sequences(), st.booleans())
def test_lstm_and_all_gradients_are_those_of_the_paper(case, masked):
    *sizes, backwards = case
    arguments = lstm_arguments(*sizes)
    counts = normal(*sizes[:2], seed=7) < 0.4 if masked else None
    actual = lstm_with_gradients(
        lambda *a: lamina_kernels.lstm(*a, counts, backwards), arguments, np.float32
    )
    with jax.enable_x64(True):
        expected = lstm_with_gradients(
            lambda *a: lstm_of_the_paper(*a, counts, backwards), arguments, np.float64
        )
        expected = [np.asarray(e) for e in expected]
    for one, other in zip(actual, expected, strict=True):
        assert_same_sums(one, other)


def test_lstm_is_right_where_gates_are_saturated_or_almost_zero():
    _, kernel, recurrent, bias, h, c = lstm_arguments(1, 9, 1, 16)
    x = np.float32([[[1e4], [-1e4], [100], [-100], [20], [-9], [1e-6], [-1e-3], [0]]])
    arguments = x, np.ones_like(kernel), 0 * recurrent, 0 * bias, 0 * h, 0 * c
    actual, expected = lamina_kernels.lstm(*arguments), lstm_of_the_paper(*arguments, None, False)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-37)
    nan = lamina_kernels.lstm(x * np.nan, *arguments[1:])
    assert all(np.isnan(a).all() for a in nan)


def test_lstm_has_second_derivatives_and_can_be_mapped():
    arguments = lstm_arguments(3, 4, 5, 16)
    inputs, weights = arguments[0], arguments[1]

    def slope(lstm, inputs):
        def loss(weights):
            return jnp.sum(jnp.sin(lstm(inputs, weights, *arguments[2:])[0]))

        return jax.jvp(jax.grad(loss), (weights,), (normal(*weights.shape, seed=9),))[1]

    def plain(*arguments):
        return lstm_of_the_paper(*arguments, None, False)

    assert_same_sums(slope(lamina_kernels.lstm, inputs), slope(plain, inputs))
    both = jnp.stack([inputs, -inputs])
    actual = jax.vmap(lambda x: lamina_kernels.lstm(x, *arguments[1:])[0])(both)
    assert_same_sums(actual[1], plain(-inputs, *arguments[1:])[0])


def test_infinity_and_nan_pass_through():
    images, kernel = normal(1, 4, 4, 2), normal(3, 3, 2, 5)
    images[0, 0, 0, 0], images[0, 3, 3, 1] = np.nan, np.inf
    pads = ((0, 0), (0, 0))
    y = np.asarray(lamina_kernels.convolution(images, kernel, (1, 1), pads))
    expected = np.asarray(library_convolution((1, 1), pads)(images, kernel))
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(y), np.isinf(expected))
    x = jnp.array([[np.nan, 1.0]])
    assert np.isnan(lamina_kernels.product(x, normal(2, 3))).all()


def test_sums_are_the_same_at_every_call():
    images, kernel = normal(37, 12, 12, 3), normal(3, 3, 3, 24)
    gradient = jax.jit(
        jax.grad(lambda w: jnp.sum(jnp.sin(convolve(images, w)))),
    )
    first = gradient(kernel)
    for _ in range(5):
        np.testing.assert_array_equal(gradient(kernel), first)


def convolve(images, kernel):
    return lamina_kernels.convolution(images, kernel, (1, 2), ((1, 1), (1, 0)))


def test_forward_mode_and_second_derivatives_work():
    images, kernel = normal(2, 6, 6, 2), normal(3, 3, 2, 4)
    plain = library_convolution((1, 2), ((1, 1), (1, 0)))

    def hessian_times(function):
        def loss(w):
            return jnp.sum(jnp.tanh(function(images, w)))

        return jax.jvp(jax.grad(loss), (kernel,), (normal(*kernel.shape, seed=5),))[1]

    assert_same_sums(hessian_times(convolve) / 10, hessian_times(plain) / 10)


def test_pooling_works_forwards_twice_and_mapped():
    images, kernel = normal(3, 2, 6, 6, 2), normal(3, 3, 2, 4)
    plain = library_pooling((1, 1), ((0, 0), (0, 0)), (2, 2), False)

    def hessians_times(function):
        def loss(w):
            return jnp.sum(jnp.tanh(jax.vmap(lambda x: function(x, w))(images)))

        return jax.jvp(jax.grad(loss), (kernel,), (normal(*kernel.shape, seed=5),))[1]

    expected = hessians_times(lambda x, w: plain(x, w, jnp.zeros(4)))
    assert_same_sums(hessians_times(pooled) / 10, expected / 10)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, None)])
def test_mapping_over_either_argument(axes):
    x = normal(*((5, 4) if axes[0] is None else (3, 5, 4) if axes[0] == 0 else (5, 3, 4)))
    y = normal(*((4, 6) if axes[1] is None else (3, 4, 6)))
    actual = jax.vmap(lamina_kernels.product, axes)(x, y)
    assert_same_sums(actual, jax.vmap(jnp.matmul, axes)(x, y))


def test_kernels_run_inside_loops_with_weights_in_place():
    target = normal(4, 3)

    def body(i, carry):
        w, m, v = carry
        new = lamina_kernels.adam(
            [w],
            [m],
            [v],
            [w - target],
            0.05,
            0.05 * jnp.sqrt(1 - 0.999 ** (i + 1)) / (1 - 0.9 ** (i + 1)),
            beta_1=0.9,
            beta_2=0.999,
            epsilon=1e-7,
            decays=[0.0],
        )
        return tuple(part[0] for part in new)

    start = (jnp.zeros((4, 3)),) * 3
    w, _, _ = jax.jit(lambda carry: lax.fori_loop(0, 500, body, carry))(start)
    np.testing.assert_allclose(w, target, atol=0.01)
    np.testing.assert_array_equal(start[0], 0)


def attention_arrays(sizes):
    """Query, key, value and a gradient of the result."""
    batch, queries, steps, heads, key_heads, size, value_size = sizes
    shapes = [(queries, heads, size), (steps, key_heads, size), (steps, key_heads, value_size)]
    shapes.append((queries, heads, value_size))
    return [normal(batch, *shape, seed=i) for i, shape in enumerate(shapes)]


def attention_with_gradients(attention, arrays, dtype):
    query, key, value, change = (jnp.asarray(a, dtype) for a in arrays)
    result, back = jax.vjp(attention, query, key, value)
    return result, *back(change)


def attention_of_the_paper(query, key, value, mask=None, causal=False):
    """Heads of the keys are repeated for those of the query that share them."""
    shared = query.shape[2] // key.shape[2]
    key, value = (jnp.repeat(a, shared, axis=2) for a in (key, value))
    logits = jnp.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5
    allowed = jnp.ones(logits.shape, bool) if mask is None else mask
    if causal:
        allowed = jnp.tril(jnp.broadcast_to(allowed, logits.shape))
    weights = jax.nn.softmax(jnp.where(allowed, logits, -1e9))
    return jnp.einsum("bhqk,bkhd->bqhd", weights, value)


def assert_same_attention(arrays, mask, causal):
    size = arrays[0].shape[-1]

    def expected(*given):
        return attention_of_the_paper(*given, mask, causal)

    def actual(*given):
        return lamina_kernels.attention(*given, mask, scale=size**-0.5, causal=causal)

    with jax.enable_x64(True):
        doubles = [np.asarray(a) for a in attention_with_gradients(expected, arrays, np.float64)]
    for one, other in zip(
        attention_with_gradients(actual, arrays, np.float32), doubles, strict=True
    ):
        assert_same_sums(one, other)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "sizes",  # batch, queries, steps, heads, heads of the keys, size, size of the values
    [(2, 5, 5, 2, 2, 16, 16), (1, 67, 67, 4, 2, 20, 36), (1, 100, 33, 1, 1, 8, 64)],
)
def test_attention_and_all_gradients_are_those_of_the_paper(sizes, causal):
    assert_same_attention(attention_arrays(sizes), None, causal)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(2, 1, 50, 50), (2, 1, 1, 50), (1, 2, 50, 50)])
def test_attention_looks_where_a_mask_lets_it(shape, causal):
    mask = np.random.default_rng(0).random(shape) < 0.4
    mask[:, :, -1:] &= shape[2] == 1  # the last query may look nowhere
    assert_same_attention(attention_arrays((2, 50, 50, 2, 2, 12, 12)), jnp.asarray(mask), causal)


def test_attention_does_not_overflow_and_passes_on_what_is_not_a_number():
    query, key, value, _ = attention_arrays((1, 3, 40, 1, 1, 8, 8))
    sharp = lamina_kernels.attention(1e4 * query, key, value, scale=1.0)
    best = np.argmax(np.einsum("bqhd,bkhd->bhqk", query, key), axis=-1)
    np.testing.assert_array_equal(sharp[0, :, 0], value[0, best[0, 0], 0])
    query[0, 1] = np.nan
    result = lamina_kernels.attention(query, key, value, scale=1.0)
    np.testing.assert_array_equal(np.isnan(result[0]).all(axis=(1, 2)), [False, True, False])


def test_attention_has_second_derivatives_and_can_be_mapped():
    query, key, value, _ = attention_arrays((2, 4, 5, 2, 1, 6, 3))

    def slope(attention):
        def loss(key):
            return jnp.sum(jnp.sin(jax.vmap(lambda q: attention(q, key, value))(query[:, None])))

        return jax.jvp(jax.grad(loss), (key,), (jnp.cos(key),))[1]

    key, value = key[:1], value[:1]
    actual = slope(lambda *given: lamina_kernels.attention(*given, scale=6**-0.5))
    assert_same_sums(actual, slope(attention_of_the_paper))


@pytest.mark.skipif("LAMINA_KERNELS_INSTRUCTIONS" in os.environ, reason="runs these tests itself")
@pytest.mark.parametrize("instructions", ["baseline", "avx2"])
def test_every_instruction_set_computes_the_same(instructions):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-k",
        "library or numpy or adam or paper",
        __file__,
    ]
    environment = {**os.environ, "LAMINA_KERNELS_INSTRUCTIONS": instructions}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
