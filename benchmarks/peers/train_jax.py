"""Trains a workload by hand in JAX: an epoch is one compiled `lax.scan` over shuffled batches."""

from functools import partial

import workloads

from training import LEARNING_RATE, Record, arguments, data

options = arguments()
record = Record()
with record.timed("import"):
    import jax
    import jax.numpy as jnp
    import optax

workload = workloads.load(options.workload)
host_x, host_y = data(options, workload)

record.begin()
init, logits_of = workload.jax_model()
optimizer = optax.adam(LEARNING_RATE)


def loss_of(params, state, x, y, key):
    logits, state = logits_of(params, state, x, key)
    if workload.LOSS == "binary_crossentropy":
        logits = logits[:, 0]
        losses, right = optax.sigmoid_binary_cross_entropy(logits, y), (logits > 0) == (y > 0.5)
    else:
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        right = logits.argmax(-1) == y
    return losses.mean(), (state, right.mean())


@partial(jax.jit, donate_argnums=(0, 1, 2))
def epoch(params, state, moments, x, y, order, key):
    def step(carry, batch):
        params, state, moments = carry
        # A fresh key each step for dropout; one addition, where splitting would cost a cipher.
        at = jax.random.wrap_key_data(jax.random.key_data(key) + batch[0].astype("uint32"))
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        rows = (a.at[batch].get(mode="promise_in_bounds") for a in (x, y))
        (loss, (state, right)), grads = gradient(params, state, *rows, at)
        updates, moments = optimizer.update(grads, moments)
        return (optax.apply_updates(params, updates), state, moments), (loss, right)

    order = order.reshape(-1, workload.BATCH_SIZE)
    carry, (losses, right) = jax.lax.scan(step, (params, state, moments), order)
    return carry, losses.mean(), right.mean()


import numpy as np

x, y = jnp.asarray(host_x), jnp.asarray(host_y)
if y.dtype == jnp.uint8:
    y = y.astype(jnp.int32)
params, state = jax.jit(init)(jax.random.key(0))
moments = optimizer.init(params)
rng = np.random.default_rng(seed=0)
for number in range(1 + options.later):
    order = rng.permutation(len(host_x)).astype("int32")
    (params, state, moments), loss, right = epoch(
        params, state, moments, x, y, order, jax.random.key(number)
    )
    record.epoch_ends(loss)
record.end()

record.finish(jax=jax.__version__, optax=optax.__version__)
