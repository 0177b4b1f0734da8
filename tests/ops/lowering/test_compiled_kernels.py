"""Compiled kernels are used where they are installed, and nowhere missed where they are not.

The tests marked `extra` are run by `make test-extra`, where kernels have to be.
"""

import importlib.machinery
import importlib.util
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina import Input, layers, models, ops, optimizers
from lamina.core.variable.seed import set_random_seed
from lamina.ops import nn
from lamina.ops.lowering import compiled_kernels, lowering_for, run_lowering


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch):
    monkeypatch.setenv("LAMINA_KERNELS", "1")
    compiled_kernels.found.cache_clear()
    yield
    compiled_kernels.found.cache_clear()


def small_network() -> models.Sequential:
    parts = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(5, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(16, activation="tanh"),
        layers.Dense(3, activation="softmax"),
    ]
    return models.Sequential([Input((8, 7, 2)), *parts])


def trained(optimizer: optimizers.Optimizer) -> tuple:
    """Weights and predictions after a few steps from the same start, in the same order."""
    set_random_seed(3)
    rng = np.random.default_rng(3)
    model = small_network()
    model.set_weights([rng.normal(size=w.shape) * 0.3 for w in model.get_weights()])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, y = rng.normal(size=(20, 8, 7, 2)).astype("float32"), rng.integers(0, 3, 20)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    return *model.get_weights(), model.predict(x[:5], verbose=0)


def with_kernels(function):
    return lowering_for("cpu", kernels=True)(function)


def product(x, kernel):
    return run_lowering("dense", x, kernel)


def primitives_of(function, *arguments) -> str:
    return str(jax.make_jaxpr(function)(*arguments))


@pytest.mark.extra
@pytest.mark.parametrize(
    "settings", [{}, {"weight_decay": 0.1}, {"clipnorm": 0.1}, {"amsgrad": True}]
)
def test_training_with_kernels_gives_the_weights_of_training_without(settings, monkeypatch):
    results = []
    for switch in ("1", "0"):
        monkeypatch.setenv("LAMINA_KERNELS", switch)
        compiled_kernels.found.cache_clear()
        results.append(trained(optimizers.Adam(0.01, **settings)))
    for with_kernels, without in zip(*results, strict=True):
        # Adam makes much of a gradient near 0, where only rounding is left of it.
        np.testing.assert_allclose(with_kernels, without, rtol=0, atol=2e-5)


def pooling_network(shared: bool) -> models.Model:
    x = Input((8, 7, 2))
    y = layers.Conv2D(5, 3, padding="same", activation="relu")(x)
    parts = [layers.Flatten()(layers.MaxPooling2D(2)(y))]
    if shared:
        parts.append(layers.GlobalAveragePooling2D()(y))
    y = layers.Concatenate()(parts) if shared else parts[0]
    return models.Model(x, layers.Dense(3, activation="softmax")(y))


@pytest.mark.extra
@pytest.mark.parametrize("shared", [False, True])
def test_a_convolution_is_pooled_where_it_is_computed_if_only_the_pooling_asks_for_it(shared):
    program = primitives_of(with_kernels(pooling_network(shared)), jnp.ones((2, 8, 7, 2)))
    assert ("lamina_pooled_convolution" in program) != shared


@pytest.mark.extra
def test_a_layer_that_convolves_in_its_own_way_is_pooled_by_itself():
    class Halved(layers.Conv2D):
        def convolve(self, inputs):
            return super().convolve(inputs) / 2

    model = models.Sequential([Input((8, 7, 2)), Halved(4, 3), layers.MaxPooling2D(2)])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 7, 2)), "float32")
    np.testing.assert_allclose(with_kernels(model)(x), model(x), rtol=0, atol=1e-6)


@pytest.mark.extra
@pytest.mark.parametrize(
    ("shape", "axis", "used"),
    [((4, 5, 6, 3), -1, True), ((4, 5, 6, 3), 1, False), ((9, 3), 1, False)],
)
def test_batch_normalisation_of_images_gives_the_same_with_kernels_and_without(shape, axis, used):
    x = np.random.default_rng(0).normal(2, 3, shape).astype("float32")
    others = tuple(a for a in range(x.ndim) if a != axis % x.ndim)

    def normalized(x):
        mean, variance = nn.moments(x, others)
        return mean, variance, nn.batch_normalization(x, mean, variance, axis)

    compiled = with_kernels(normalized)
    assert ("lamina_scale_and_shift" in primitives_of(compiled, x)) == used
    for one, other in zip(compiled(x), normalized(x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.extra
def test_only_compiled_programs_have_kernels_in_them():
    model = small_network()
    x = jnp.ones((16, 8, 7, 2))
    assert "lamina_" not in primitives_of(model, x)
    inside = primitives_of(with_kernels(model), x)
    assert "lamina_convolution" in inside
    assert "lamina_product" in inside


@pytest.mark.extra
@pytest.mark.parametrize(
    ("rows", "kernel", "used"),
    [
        (16, (8, 16), True),
        (1, (8, 16), False),
        (16, (8, 1), False),
        (16, (512, 512), False),
        (2048, (64, 64), True),
        (2048, (128, 512), False),
    ],
)
def test_products_are_kernels_where_they_have_been_measured_to_pay(rows, kernel, used):
    arrays = jnp.ones((rows, kernel[0])), jnp.ones(kernel)
    assert ("lamina_product" in primitives_of(with_kernels(product), *arrays)) == used


@pytest.mark.extra
@pytest.mark.parametrize(
    ("equation", "output", "used"),
    [
        ("abx,xyz->abyz", (5, 2, 16), True),
        ("abx,xz->abz", (5, 16), True),
        ("abx,zx->abz", (5, 16), False),
        ("abx,xz->azb", (16, 5), False),
    ],
)
def test_dense_layers_by_an_equation_are_kernels_where_it_is_a_product_of_matrices(
    equation, output, used
):
    layer = layers.EinsumDense(equation, output)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 5, 8)), "float32")
    layer.build(x.shape)
    inside = with_kernels(lambda x: layer(x))
    assert ("lamina_product" in primitives_of(inside, x)) == used
    np.testing.assert_allclose(jax.jit(inside)(x), layer(x), rtol=0, atol=1e-6)


LENGTHS = jnp.arange(5) < jnp.array([[5], [2], [1]])


def reader(units: int = 16, mask: jax.Array | None = None, **settings) -> tuple:
    """Whether an LSTM's kernel is in its program, and what comes out with and without it."""
    set_random_seed(3)
    layer = layers.LSTM(units, return_sequences=True, return_state=True, **settings)
    x = jnp.asarray(np.random.default_rng(3).normal(size=(3, 5, 4)), "float32")
    layer.build(x.shape)
    inside = with_kernels(lambda x: layer(x, mask=mask))
    return "lamina_lstm" in primitives_of(inside, x), jax.jit(inside)(x), layer(x, mask=mask)


@pytest.mark.extra
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"go_backwards": True},
        {"use_bias": False},
        {"units": 10},
        {"mask": LENGTHS, "zero_output_for_mask": True, "go_backwards": True},
    ],
)
def test_recurrent_layers_give_the_same_with_kernels_and_without(settings):
    used, with_kernels, without = reader(**settings)
    assert used
    for one, other in zip(with_kernels, without, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.extra
@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "relu"},
        {"unroll": True},
        {"dtype": "mixed_bfloat16"},
    ],
)
def test_recurrent_layers_that_kernels_do_not_cover_are_plain(settings):
    assert not reader(**settings)[0]


def attention(mask=None, dtype=None, **settings) -> tuple:
    """Whether attention's kernel is in a layer's program; what comes out with and without it."""
    set_random_seed(3)
    layer = layers.MultiHeadAttention(2, 8, dtype=dtype, **settings.pop("layer", {}))
    x = jnp.asarray(np.random.default_rng(3).normal(size=(3, 7, 16)), "float32")
    layer.build(x.shape, x.shape)

    def loss(x):
        return jnp.sum(jnp.sin(layer(x, x, attention_mask=mask, **settings)))

    inside = with_kernels(jax.value_and_grad(loss))
    program = primitives_of(inside, x)
    return "lamina_attention" in program, jax.jit(inside)(x), jax.value_and_grad(loss)(x)


SEEN = jnp.arange(7) < jnp.array([[7], [3], [0]])


@pytest.mark.extra
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_causal_mask": True},
        {"mask": SEEN[:, None], "use_causal_mask": True},
        {"layer": {"sliding_window": 2}},
    ],
)
def test_attention_gives_the_same_with_kernels_and_without(settings):
    used, (value, gradient), (plain_value, plain_gradient) = attention(**settings)
    assert used
    np.testing.assert_allclose(value, plain_value, rtol=1e-5)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=0, atol=1e-5)


@pytest.mark.extra
@pytest.mark.parametrize("settings", [{"layer": {"dropout": 0.5}}, {"dtype": "mixed_bfloat16"}])
def test_attention_that_kernels_do_not_cover_is_plain(settings):
    assert not attention(**settings)[0]


@pytest.mark.extra
@pytest.mark.parametrize(
    ("shape", "kernel", "dtype"),
    [
        ((1, 4, 4, 2), (3, 3, 2, 4), "float16"),
        ((0, 4, 4, 2), (3, 3, 2, 4), "float32"),
        ((1, 4, 4, 4), (3, 3, 2, 4), "float32"),  # groups
        ((1, 4, 2), (3, 2, 4), "float32"),
    ],
)
def test_what_kernels_do_not_cover_falls_back_silently(shape, kernel, dtype):
    def convolve(x, w):
        return ops.nn.conv(x, w, padding="same")

    x, w = jnp.ones(shape, dtype), jnp.ones(kernel, dtype)
    assert "lamina_" not in primitives_of(with_kernels(convolve), x, w)


def test_without_the_package_nothing_is_missed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    x = jnp.ones((16, 16))
    assert "dot_general" in primitives_of(with_kernels(product), x, x.T)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("undefined symbol: XLA_FFI_Something"), "undefined symbol: XLA_FFI_Something"),
        (
            ImportError("liblamina_kernels.so is not the file"),
            "liblamina_kernels.so is not the file",
        ),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_not_used_and_the_reason_is_kept(
    monkeypatch, error, reason
):
    def broken(name):
        raise error

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib, "import_module", broken)
    assert compiled_kernels.found() == (None, reason)
    x = jnp.ones((16, 16))
    assert "dot_general" in primitives_of(with_kernels(product), x, x.T)


def test_a_package_of_another_interface_is_not_used(monkeypatch):
    older = types.ModuleType("lamina_kernels")
    older.__spec__ = importlib.machinery.ModuleSpec("lamina_kernels", None)
    monkeypatch.setitem(sys.modules, "lamina_kernels", older)
    package, reason = compiled_kernels.found()
    assert package is None
    assert "interface 0, this Lamina calls" in reason


def test_kernels_that_are_switched_off_are_not_imported(monkeypatch):
    monkeypatch.setenv("LAMINA_KERNELS", "0")
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail("imported"))
    assert compiled_kernels.found() == (None, "LAMINA_KERNELS is 0")
