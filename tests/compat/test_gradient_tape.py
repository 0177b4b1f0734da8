"""`tf.GradientTape` against derivatives by hand, and against training without a tape."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina.compat import tensorflow as served
from lamina.core.messages.errors import LaminaWarning

tf = served.module("tensorflow")
math_ops, nn = served.module("tensorflow.math"), served.module("tensorflow.nn")

X = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]], np.float32)
POSITIVE = np.abs(X) + 0.5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# By name: what is computed, where, and the derivative of its sum.
DERIVATIVES = {
    "square": (lambda x: tf.square(x), X, 2 * X),
    "product": (lambda x: x * x * x, X, 3 * X**2),
    "quotient": (lambda x: 1.0 / x, POSITIVE, -1 / POSITIVE**2),
    "power": (lambda x: x**2.5, POSITIVE, 2.5 * POSITIVE**1.5),
    "exp": (lambda x: tf.exp(x), X, np.exp(X)),
    "log": (lambda x: math_ops.log(x), POSITIVE, 1 / POSITIVE),
    "log1p": (lambda x: math_ops.log1p(x), POSITIVE, 1 / (1 + POSITIVE)),
    "expm1": (lambda x: math_ops.expm1(x), X, np.exp(X)),
    "sqrt": (lambda x: tf.sqrt(x), POSITIVE, 0.5 / np.sqrt(POSITIVE)),
    "rsqrt": (lambda x: math_ops.rsqrt(x), POSITIVE, -0.5 * POSITIVE**-1.5),
    "reciprocal": (lambda x: math_ops.reciprocal(x), POSITIVE, -1 / POSITIVE**2),
    "sin": (lambda x: tf.sin(x), X, np.cos(X)),
    "cos": (lambda x: tf.cos(x), X, -np.sin(X)),
    "tan": (lambda x: tf.tan(x), X, 1 / np.cos(X) ** 2),
    "tanh": (lambda x: tf.tanh(x), X, 1 - np.tanh(X) ** 2),
    "sinh": (lambda x: tf.sinh(x), X, np.cosh(X)),
    "atan": (lambda x: tf.atan(x), X, 1 / (1 + X**2)),
    "sigmoid": (lambda x: tf.sigmoid(x), X, sigmoid(X) * (1 - sigmoid(X))),
    "relu": (lambda x: nn.relu(x), X, (X > 0).astype(float)),
    "relu6": (lambda x: nn.relu6(x), X, ((X > 0) & (X < 6)).astype(float)),
    "leaky": (lambda x: nn.leaky_relu(x, alpha=0.1), X, np.where(X > 0, 1, 0.1)),
    "elu": (lambda x: nn.elu(x), X, np.where(X > 0, 1, np.exp(X))),
    "softplus": (lambda x: nn.softplus(x), X, sigmoid(X)),
    "softsign": (lambda x: nn.softsign(x), X, 1 / (1 + np.abs(X)) ** 2),
    "abs": (lambda x: tf.abs(x), X, np.sign(X)),
    "negative": (lambda x: -x, X, -np.ones_like(X)),
    "maximum": (lambda x: tf.maximum(x, 0.3), X, (X > 0.3).astype(float)),
    "clip": (lambda x: tf.clip_by_value(x, -1.0, 1.0), X, (np.abs(X) < 1).astype(float)),
    "where": (lambda x: tf.where(x > 0, x * 2, x * 3), X, np.where(X > 0, 2, 3)),
    "mean": (lambda x: tf.reduce_mean(x), X, np.full_like(X, 1 / 6)),
    "variance": (lambda x: math_ops.reduce_variance(x), X, 2 * (X - X.mean()) / 6),
    "max": (lambda x: tf.reduce_max(x, axis=1), X, [[0, 0, 1], [1, 0, 0]]),
    "prod": (
        lambda x: tf.reduce_prod(x, axis=1),
        X,
        X.prod(1, keepdims=True) / X,
    ),
    "logsumexp": (lambda x: math_ops.reduce_logsumexp(x), X, np.exp(X) / np.exp(X).sum()),
    "softmax": (
        lambda x: nn.softmax(x)[:, 0],
        X,
        [[s[0] * ((i == 0) - s[i]) for i in range(3)]
         for s in np.exp(X) / np.exp(X).sum(1, keepdims=True)],
    ),
    "l2_loss": (lambda x: nn.l2_loss(x), X, X),
    "norm": (lambda x: tf.norm(x), X, X / np.linalg.norm(X)),
    "matmul": (lambda x: x @ tf.ones((3, 2)), X, np.full_like(X, 2)),
    "gram": (lambda x: tf.matmul(x, x, transpose_b=True), X, 2 * X.sum(0) * np.ones((2, 1))),
    "transpose": (lambda x: tf.transpose(x)[0] * 5.0, X, [[5, 0, 0], [5, 0, 0]]),
    "reshape": (lambda x: tf.reshape(x, [3, 2])[0] ** 2, X, [[1, -3, 0], [0, 0, 0]]),
    "slice": (lambda x: x[:, 1:] * 2, X, [[0, 2, 2], [0, 2, 2]]),
    "gather": (lambda x: tf.gather(x, [0, 0, 1]), X, [[2, 2, 2], [1, 1, 1]]),
    "concat": (lambda x: tf.concat([x, 2 * x], axis=0), X, np.full_like(X, 3)),
    "stack": (lambda x: tf.stack([x, x, x]), X, np.full_like(X, 3)),
    "split": (lambda x: tf.split(x, 3, axis=1)[2], X, [[0, 0, 1], [0, 0, 1]]),
    "tile": (lambda x: tf.tile(x, [2, 2]), X, np.full_like(X, 4)),
    "pad": (lambda x: tf.pad(x, [[1, 1], [0, 0]]) * 3, X, np.full_like(X, 3)),
    "expand": (lambda x: tf.squeeze(tf.expand_dims(x, 0)) * 3, X, np.full_like(X, 3)),
    "cast": (lambda x: tf.cast(x, tf.float16) * 2, X, np.full_like(X, 2)),
    "einsum": (lambda x: tf.einsum("ij,ij->i", x, x), X, 2 * X),
    "stop_gradient": (lambda x: x * tf.stop_gradient(x), X, X),
    "cumsum": (lambda x: tf.cumsum(x, axis=1), X, [[3, 2, 1], [3, 2, 1]]),
    "one path of two": (lambda x: x + tf.stop_gradient(tf.exp(x)), X, np.ones_like(X)),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_gradient_is_the_derivative(name):
    compute, values, expected = DERIVATIVES[name]
    x = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = compute(x)
    gradient = tape.gradient(y, x)
    assert gradient.dtype == x.dtype
    np.testing.assert_allclose(gradient, np.broadcast_to(expected, values.shape), 2e-5, 1e-6)


def test_trainable_variables_are_watched_and_others_are_not():
    v, frozen = tf.Variable(2.0), tf.Variable(3.0, trainable=False)
    with tf.GradientTape() as tape:
        y = v * v * frozen
    assert tape.watched_variables() == (v,)
    gradients = tape.gradient(y, [v, frozen])
    assert float(gradients[0]) == 12
    assert gradients[1] is None


def test_without_watching_variables_only_those_that_are_watched_have_gradients():
    v, w = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        y = v * w
    gradients = tape.gradient(y, {"v": v, "w": w})
    assert float(gradients["v"]) == 3
    assert gradients["w"] is None


def test_a_variable_that_is_assigned_keeps_the_gradient_of_what_was_read():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * v
        v.assign(10.0)
        y = y + v  # d/dv: 2 * 2 of the old value, 1 of the new
    v.assign_add(1.0)
    assert float(tape.gradient(y, v)) == 5


def test_what_was_computed_before_a_tensor_was_watched_does_not_count():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        tape.watch(x)
        z = x * y
    assert float(tape.gradient(z, x)) == 9


def test_a_gradient_by_something_in_between_stops_there():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert float(tape.gradient(z, y)) == 18
    assert float(tape.gradient(z, x)) == 108


def test_a_persistent_tape_gives_any_number_of_gradients_and_another_one_a_single():
    x = tf.constant(3.0)
    for persistent in (True, False):
        with tf.GradientTape(persistent=persistent) as tape:
            tape.watch(x)
            y = x * x
        assert float(tape.gradient(y, x)) == 6
        if persistent:
            assert float(tape.gradient(y, x)) == 6
        else:
            with pytest.raises(RuntimeError, match=r"Fix: tf\.GradientTape\(persistent=True\)"):
                tape.gradient(y, x)


def test_structures_of_targets_and_sources():
    a, b = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        targets = {"sum": tf.reduce_sum(a) * b, "square": [b * b]}
    gradients = tape.gradient(targets, {"x": [a], "y": (b, b)})
    np.testing.assert_allclose(gradients["x"][0], [3, 3])
    assert [float(g) for g in gradients["y"]] == [9, 9]


def test_output_gradients_weigh_the_numbers_of_a_target():
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    weights = tf.constant([1.0, 0.0, 10.0])
    np.testing.assert_allclose(tape.gradient(y, x, output_gradients=weights), [2, 0, 60])


@pytest.mark.parametrize("zero", ["zero", tf.UnconnectedGradients.ZERO])
def test_a_source_without_connection_is_none_or_zero(zero):
    x, other = tf.constant(2.0), tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, other) is None
    np.testing.assert_array_equal(tape.gradient(y, other, unconnected_gradients=zero), [0, 0])
    with pytest.raises(ValueError, match=r"Fix: tf\.UnconnectedGradients\.NONE"):
        tape.gradient(y, other, unconnected_gradients="none at all")


def test_tapes_in_tapes_give_higher_derivatives():
    x = tf.Variable(1.5)
    with tf.GradientTape() as third:
        with tf.GradientTape() as second:
            with tf.GradientTape() as first:
                y = tf.sin(x) * x
            dy = first.gradient(y, x)
        d2y = second.gradient(dy, x)
    d3y = third.gradient(d2y, x)
    sin, cos = math.sin(1.5), math.cos(1.5)
    expected = [sin + 1.5 * cos, 2 * cos - 1.5 * sin, -3 * sin - 1.5 * cos]
    np.testing.assert_allclose([dy, d2y, d3y], expected, rtol=1e-5)


def test_a_gradient_inside_of_its_own_tape():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        dy = tape.gradient(y, x)
        z = dy * dy
    assert float(tape.gradient(z, x)) == 24


def test_jacobians():
    x = tf.constant([[1.0, 2.0, 3.0]])
    w = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.matmul(x, w)
    np.testing.assert_allclose(tape.jacobian(y, x), w.numpy().T.reshape(1, 2, 1, 3))
    by_x, by_w = tape.jacobian(y, [x, w])
    assert (by_x.shape, by_w.shape) == ((1, 2, 1, 3), (1, 2, 3, 2))
    np.testing.assert_allclose(by_w[0, 1, :, 1], [1, 2, 3])
    assert tape.jacobian(y, tf.Variable(1.0)) is None
    assert tape.jacobian(y, tf.Variable(1.0), unconnected_gradients="zero").shape == (1, 2)


def test_a_jacobian_of_each_sample():
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x[:, :2] ** 2
    found = tape.batch_jacobian(y, x)
    expected = np.stack([np.eye(2, 3) * 2 * row[None] for row in X])
    np.testing.assert_allclose(found, expected)
    with pytest.raises(ValueError, match="first dimension"):
        tape.batch_jacobian(y[:1], x)


def test_recording_can_be_stopped_and_forgotten():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = y * y
            w = y
        v = y * x
    assert tape.gradient(z, x) is None
    assert float(tape.gradient(w, x)) == 6
    assert float(tape.gradient(v, x)) == 27
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.reset()
        tape.watch(x)
        z = x * y
    assert float(tape.gradient(z, x)) == 9


def test_a_custom_gradient_is_used():
    @tf.custom_gradient
    def clipped(x):
        return tf.exp(x), lambda upstream: tf.clip_by_value(upstream * tf.exp(x), 0.0, 1.0)

    x = tf.constant([-1.0, 5.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = clipped(x) + x
    np.testing.assert_allclose(tape.gradient(y, x), [1 + math.exp(-1), 2], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), [1 + math.exp(-1), 2], rtol=1e-6)


def test_integers_have_no_gradients_and_it_is_said():
    x = tf.constant([1, 2])
    with tf.GradientTape(persistent=True) as tape:
        with pytest.warns(LaminaWarning, match=r"Fix: tf\.cast\(x, tf\.float32\)"):
            tape.watch(x)
        y = x * 2
    with pytest.warns(LaminaWarning, match="target tensor must be floating"):
        assert tape.gradient(y, x) is None


@pytest.mark.parametrize("value", [3.0, np.ones(2), "text"])
def test_only_tensors_can_be_watched(value):
    with tf.GradientTape() as tape, pytest.raises(ValueError, match=r"Fix: x = tf\.constant\(x\)"):
        tape.watch(value)


def test_wrong_uses_of_a_tape_are_refused():
    tape = tf.GradientTape()
    with pytest.raises(RuntimeError, match="not recording"), tape.stop_recording():
        pass
    with tape, pytest.raises(ValueError, match="already recording"), tape:
        pass
    with pytest.raises(RuntimeError, match=r"Fix: with tf\.GradientTape"):
        tf.gradients(tf.constant(1.0), tf.constant(1.0))


def test_an_error_inside_ends_the_recording():
    tape = tf.GradientTape()
    with pytest.raises(ZeroDivisionError), tape:
        raise ZeroDivisionError
    assert lamina.core.configuration.context.context.on_variable_read is None
    x = tf.constant(1.0)
    y = x * x
    assert tape.gradient(y, x) is None


def mnist_like(rng):
    x = rng.standard_normal((64, 8)).astype(np.float32)
    return x, (x.sum(1) > 0).astype(np.int32)


def make_model():
    lamina.utils.set_random_seed(3)
    return lamina.Sequential(
        [
            lamina.Input((8,)),
            lamina.layers.Dense(16, activation="relu"),
            lamina.layers.BatchNormalization(),
            lamina.layers.Dropout(0.25, seed=1),
            lamina.layers.Dense(2),
        ]
    )


def test_a_loop_with_a_tape_trains_as_train_on_batch_does(rng):
    x, y = mnist_like(rng)
    loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
    by_tape, by_itself = make_model(), make_model()
    by_itself.compile(lamina.optimizers.Adam(0.01), loss)
    optimizer = lamina.optimizers.Adam(0.01)
    losses = []
    for _ in range(5):
        with tf.GradientTape() as tape:
            value = loss(y, by_tape(x, training=True))
        gradients = tape.gradient(value, by_tape.trainable_variables)
        optimizer.apply_gradients(zip(gradients, by_tape.trainable_variables, strict=True))
        losses.append(float(value))
    expected = [float(by_itself.train_on_batch(x, y)) for _ in range(5)]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for mine, theirs in zip(by_tape.weights, by_itself.weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-3, atol=2e-4)


def test_a_tape_inside_of_a_compiled_function():
    @jax.jit
    def derivative(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = jnp.sin(x) * x
        return tape.gradient(y, x)

    np.testing.assert_allclose(derivative(jnp.float32(2.0)), math.sin(2) + 2 * math.cos(2), 1e-5)
