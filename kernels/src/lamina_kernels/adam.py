"""One step of Adam for many weights in one pass, in place where XLA lets it be."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lamina_kernels.library import Array, call


def adam(
    weights: Sequence[Array],
    momenta: Sequence[Array],
    velocities: Sequence[Array],
    gradients: Sequence[Array],
    learning_rate: Array,
    step_size: Array,
    *,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decays: Sequence[float],
) -> tuple[list[Array], list[Array], list[Array]]:
    """New weights, momenta and velocities.

    Args:
        weights, momenta, velocities, gradients: One float32 array per weight each.
        learning_rate: A scalar.
        step_size: A scalar: the learning rate with the corrections of both running means in it.
        beta_1, beta_2: Fractions of the running means that are kept.
        epsilon: Added to the root of the velocity.
        decays: Fraction, times the learning rate, that each weight loses first.

    Source: Kingma and Ba, 2015, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980.

    Example:
        >>> one = [jnp.ones(2)]
        >>> zero = [jnp.zeros(2)]
        >>> (w,), _, _ = adam(one, zero, zero, [jnp.array([5.0, -0.5])], 0.1, 0.0316228,
        ...     beta_1=0.9, beta_2=0.999, epsilon=1e-7, decays=[0.0])
        >>> [round(x, 4) for x in w.tolist()]
        [0.9, 1.1]
    """
    number = len(weights)
    results = [jax.ShapeDtypeStruct(w.shape, np.float32) for w in weights] * 3
    new = call(
        "adam",
        results,
        jnp.asarray(learning_rate, np.float32),
        jnp.asarray(step_size, np.float32),
        *weights,
        *momenta,
        *velocities,
        *gradients,
        input_output_aliases={2 + i: i for i in range(3 * number)},
        change_1=np.float32(1 - beta_1),  # here, where 1 - 0.999 is not yet rounded
        change_2=np.float32(1 - beta_2),
        epsilon=np.float32(epsilon),
        decays=np.array(decays, np.float32),
    )
    return new[:number], new[number : 2 * number], new[2 * number :]
