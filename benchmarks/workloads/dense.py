"""Dense layers by hand in JAX."""

import jax
import jax.numpy as jnp


def init(key, sizes):
    """Kernels and biases of layers with so many units, from input to output."""
    keys = jax.random.split(key, len(sizes) - 1)
    glorot = jax.nn.initializers.glorot_uniform()
    shapes = zip(sizes, sizes[1:], strict=False)
    return [(glorot(k, shape), jnp.zeros(shape[1])) for k, shape in zip(keys, shapes, strict=True)]


def apply(params, x, activation=jax.nn.relu):
    """All layers, with the activation between them."""
    for kernel, bias in params[:-1]:
        x = activation(x @ kernel + bias)
    kernel, bias = params[-1]
    return x @ kernel + bias
