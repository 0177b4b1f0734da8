"""Which functions keep the rows of a batch apart, by the program that JAX makes of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import lamina
from lamina import layers
from lamina.core.variable.stateless import stateless, values_of
from lamina.training.row_dependence.analysis import rows_are_independent

TABLE = np.arange(24, dtype="float32").reshape(4, 6)
PLANE, STEPS, IMAGES = (5, 4), (5, 3, 4), (5, 3, 8, 8)
MAX = (-jnp.inf, lax.max)


def apart(function, *shape, dtype="float32"):
    return rows_are_independent(lambda state, x: (function(x), state), None, np.zeros(shape, dtype))


def turned(x):
    return x.transpose(1, 0, *range(2, x.ndim))


def merged_and_split(x):
    return (x.reshape(-1, 4) @ TABLE).reshape(-1, 3, 6)


def merged_behind_and_split(x):
    return turned((turned(x).reshape(-1, 4) @ TABLE).reshape(3, -1, 6))


def over_steps(x):
    _, found = lax.scan(lambda c, a: (c + a, c * 2), jnp.zeros_like(x[:, 0]), turned(x))
    return turned(found)


KEPT_APART = {
    "product": (lambda x: x @ TABLE, STEPS),
    "mean of each row": (lambda x: x - x.mean(1, keepdims=True), PLANE),
    "softmax of each row": (lambda x: jax.nn.softmax(x, 1), PLANE),
    "merged and split": (merged_and_split, STEPS),
    "merged behind and split": (merged_behind_and_split, STEPS),
    "attention": (lambda x: jax.nn.dot_product_attention(x, x, x), (5, 3, 2, 4)),
    "outer product in a row": (lambda x: jnp.einsum("bi,bj->bij", x, x), PLANE),
    "product of matrices in a row": (lambda x: jnp.einsum("bij,bkj->bik", x, x), STEPS),
    "sort, sum and turn in a row": (lambda x: jnp.cumsum(jnp.sort(x, 1)[:, ::-1], 1), PLANE),
    "largest of a row": (lambda x: lax.top_k(x, 2)[0], PLANE),
    "roll in a row": (lambda x: jnp.roll(x, 1, 1), PLANE),
    "scan over steps": (over_steps, STEPS),
    "loop of known length": (lambda x: lax.fori_loop(0, 3, lambda i, c: c * 2 + i, x), PLANE),
    "while of a counter": (
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, 2 * c[1]), (0, x))[1],
        PLANE,
    ),
    "map over rows": (lambda x: lax.map(lambda row: jnp.sort(row.ravel()), x), STEPS),
    "vmap over rows": (lambda x: jax.vmap(lambda row: jnp.sort(row.ravel()))(x), STEPS),
    "rematerialised": (jax.checkpoint(lambda x: jax.nn.relu(x)), PLANE),
    "take along a row": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1), PLANE),
    "columns": (lambda x: x[:, jnp.array([1, 0])], PLANE),
    "write a column": (lambda x: x.at[:, 0].set(0.0), PLANE),
    "beside a constant": (lambda x: jnp.concatenate([x, jnp.ones_like(x)], 1), PLANE),
    "repeat and sum": (lambda x: jnp.repeat(x, 2, 0).reshape(-1, 2, 4).sum(1), PLANE),
    "stack and unstack": (lambda x: jnp.stack([x, x])[0], PLANE),
    "inverse": (jnp.linalg.inv, (5, 3, 3)),
    "Fourier": (lambda x: jnp.fft.fft2(x).real, (5, 8, 8)),
    "convolution": (lambda x: lax.conv(x, np.ones((2, 3, 2, 2), "f"), (1, 1), "SAME"), IMAGES),
    "pooling": (lambda x: lax.reduce_window(x, *MAX, (1, 1, 2, 2), (1, 1, 2, 2), "SAME"), IMAGES),
    "noise of one row": (lambda x: x + jax.random.normal(jax.random.key(0), x.shape[1:]), PLANE),
    "the same everywhere": (jnp.ones_like, PLANE),
}

NOT_APART = {
    "mean": (lambda x: x - x.mean(0), PLANE),
    "softmax over the batch": (lambda x: jax.nn.softmax(x, 0), PLANE),
    "size of the batch": (lambda x: x / x.shape[0], PLANE),
    "similarities": (lambda x: x @ x.T, PLANE),
    "distances summed": (lambda x: (x[:, None] - x[None]).sum(1), PLANE),
    "row copied along itself": (
        lambda x: jnp.broadcast_to(x[:, None], (len(x), len(x), 4)).sum(1), PLANE
    ),
    "attention over rows": (lambda x: jnp.einsum("bij,cij->bci", x, x), STEPS),
    "merged": (lambda x: x.reshape(-1, 4) @ TABLE, STEPS),
    "merged one way and split another": (lambda x: turned(x).reshape(x.shape), STEPS),
    "sort": (lambda x: jnp.sort(x, 0), PLANE),
    "running sum": (lambda x: jnp.cumsum(x, 0), PLANE),
    "associative scan": (lambda x: lax.associative_scan(jnp.add, x, axis=0), PLANE),
    "turned round": (lambda x: x[::-1], PLANE),
    "roll": (lambda x: jnp.roll(x, 1, 0), PLANE),
    "first rows": (lambda x: x[:4], PLANE),
    "rows twice": (lambda x: jnp.concatenate([x, x]), PLANE),
    "some rows": (lambda x: x[jnp.array([1, 0])], PLANE),
    "take along the batch": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, 0), 0), PLANE),
    "write a row": (lambda x: x.at[0].set(0.0), PLANE),
    "number of the row": (lambda x: x + np.arange(len(x))[:, None], PLANE),
    "scan over rows": (lambda x: lax.scan(lambda c, a: (c + a, c), x[0], x)[1], PLANE),
    "map that sees the batch": (lambda x: lax.map(lambda row: row - x.mean(0), x), PLANE),
    "while of the largest": (
        lambda x: lax.while_loop(lambda c: c.max() < 3, lambda c: c + 1, x), PLANE
    ),
    "branch by the sum": (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), PLANE),
    "where any": (lambda x: jnp.where(x.any(), x, 0), PLANE),
    "inverse over the batch": (lambda x: x @ jnp.linalg.inv(x.T @ x), PLANE),
    "Fourier over the batch": (lambda x: jnp.fft.fft2(x).real, PLANE),
    "pooling of rows": (
        lambda x: lax.reduce_window(x, *MAX, (2, 1, 2, 2), (1, 1, 1, 1), "SAME"), IMAGES
    ),
    "noise of every row": (lambda x: x + jax.random.normal(jax.random.key(0), x.shape), PLANE),
    "a number": (jnp.mean, PLANE),
    "a table": (lambda x: jnp.ones((4,)), PLANE),
    "NumPy inside": (
        lambda x: jax.pure_callback(lambda a: a - a.mean(0), jax.ShapeDtypeStruct(x.shape, "f"), x),
        PLANE,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("function", "shape"), KEPT_APART.values(), ids=KEPT_APART)
def test_rows_are_apart(function, shape):
    assert apart(function, *shape)


@pytest.mark.parametrize(("function", "shape"), NOT_APART.values(), ids=NOT_APART)
def test_rows_are_not_apart(function, shape):
    assert not apart(function, *shape)


def test_rows_of_whole_numbers_look_up_a_table():
    assert apart(lambda x: jnp.take(TABLE, x, axis=0), 5, 3, dtype="int32")
    assert apart(lambda x: jax.nn.one_hot(x, 7), 5, dtype="int32")


def test_a_table_with_a_row_for_each_sample_is_no_table_of_words():
    assert not apart(lambda x: x + np.ones((len(x), 1)), 5, 4)


def test_a_function_that_changes_its_state_is_not_apart():
    assert not rows_are_independent(lambda n, x: (x, n + 1), np.zeros(()), np.zeros((5, 4)))


def test_a_function_that_cannot_be_traced_is_not_apart():
    assert not apart(lambda x: np.sin(x), 5, 4)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dense(3, activation="softmax"), (12, 4)),
        (layers.Conv2D(3, 2, activation="relu"), (7, 6, 3)),
        (layers.Conv1DTranspose(3, 2), (6, 3)),
        (layers.MaxPooling2D(), (7, 6, 3)),
        (layers.BatchNormalization(), (4,)),
        (layers.LayerNormalization(), (6, 4)),
        (layers.Dropout(0.5), (4,)),
        (layers.LSTM(3, return_sequences=True), (6, 4)),
        (layers.Bidirectional(layers.GRU(3)), (6, 4)),
        (layers.TimeDistributed(layers.Dense(2)), (6, 4)),
        (layers.Rescaling(2.0), (4,)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_ordinary_layers_keep_rows_apart(layer, shape):
    model = lamina.Sequential([lamina.Input(shape), layer])
    forward = stateless(lambda x: model(x, training=False), model.variables)
    assert rows_are_independent(
        forward, values_of(model.variables), np.zeros((5, *shape), "float32")
    )
