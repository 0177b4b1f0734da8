"""The job by hand in JAX: one epoch is one compiled `lax.scan` over the shuffled batches."""

from job import BATCH_SIZE, CLASSES, HIDDEN, LEARNING_RATE, Job, arguments

options = arguments()
job = Job()
with job.timed("import"):
    import jax
    import jax.numpy as jnp
    import optax

import numpy as np

SIZES = (28 * 28, HIDDEN, HIDDEN, CLASSES)
optimizer = optax.adam(LEARNING_RATE)


def init(key):
    keys = jax.random.split(key, len(SIZES) - 1)
    glorot = jax.nn.initializers.glorot_uniform()
    shapes = zip(SIZES, SIZES[1:], strict=False)
    return [(glorot(k, shape), jnp.zeros(shape[1])) for k, shape in zip(keys, shapes, strict=True)]


def logits_of(params, x):
    x = x.reshape(len(x), -1) * jnp.float32(1 / 255)  # uint8 until here
    for kernel, bias in params[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = params[-1]
    return x @ kernel + bias


def loss_of(params, x, y):
    logits = logits_of(params, x)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
    return loss, (logits.argmax(1) == y).mean()


@jax.jit
def epoch(params, state, x, y, key):
    def step(carry, batch):
        params, state = carry
        (loss, right), grads = jax.value_and_grad(loss_of, has_aux=True)(params, x[batch], y[batch])
        updates, state = optimizer.update(grads, state)
        return (optax.apply_updates(params, updates), state), (loss, right)

    order = jax.random.permutation(key, len(x)).reshape(-1, BATCH_SIZE)
    (params, state), (losses, right) = jax.lax.scan(step, (params, state), order)
    return params, state, losses.mean(), right.mean()


data = np.load(options.data)
x_train, x_test = jnp.asarray(data["x_train"]), jnp.asarray(data["x_test"])
y_train, y_test = (jnp.asarray(data[name].astype("int32")) for name in ("y_train", "y_test"))
params = init(jax.random.key(0))
state = optimizer.init(params)

job.epoch_begins()
for number in range(options.epochs):
    params, state, loss, right = epoch(params, state, x_train, y_train, jax.random.key(number))
    print(f"loss {loss:.4f}, accuracy {right:.4f}")
    job.epoch_ends()

predict = jax.jit(logits_of)
accuracy = (predict(params, x_test).argmax(1) == y_test).mean()
np.savez("model.npz", *jax.tree.leaves(params))
with np.load("model.npz") as file:
    loaded = jax.tree.unflatten(jax.tree.structure(params), list(file.values()))
predictions = jax.nn.softmax(predict(loaded, x_test))

job.finish(accuracy, predictions[0].argmax(), jax=jax.__version__, optax=optax.__version__)
