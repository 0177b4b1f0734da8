"""Adam's step for all weights, one by one or by one compiled kernel."""

from collections.abc import Sequence

from lamina.core.types import Array
from lamina.ops import adam_rule
from lamina.ops.lowering import compiled_kernels

# Weights, momenta, velocities.
State = tuple[list[Array], list[Array], list[Array]]


def reference(
    state: State,
    gradients: list[Array],
    learning_rate: Array,
    step: Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decays: Sequence[float | None],
) -> State:
    """The weights after a step, their momenta and velocities.

    Args:
        state: State before the step; each list has one array per weight.
        gradients: One per weight.
        learning_rate: Approximate size of a step, in units of the weights.
        step: Number of previous steps.
        beta_1, beta_2, epsilon: See `lamina.optimizers.Adam`.
        decays: Weight decay of each weight, as a fraction at a learning rate of 1; None for none.
    """
    weights, momenta, velocities = state
    decayed = [
        weight if decay is None else weight - weight * decay * learning_rate
        for weight, decay in zip(weights, decays, strict=True)
    ]
    size = adam_rule.step_size(learning_rate, step, beta_1, beta_2)
    settings = float(beta_1), float(beta_2), float(epsilon)
    results = [
        adam_rule.update(gradient, momentum, velocity, None, size, *settings)
        for gradient, momentum, velocity in zip(gradients, momenta, velocities, strict=True)
    ]
    changes, momenta, velocities = (
        [results_of_weight[i] for results_of_weight in results] for i in range(3)
    )
    weights = [weight + change for weight, change in zip(decayed, changes, strict=True)]
    return weights, momenta, velocities


def suits_kernel(
    state: State,
    gradients: list[Array],
    learning_rate: Array,
    step: Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decays: Sequence[float | None],
) -> bool:
    return compiled_kernels.accepts(*gradients, *(array for arrays in state for array in arrays))


def by_kernel(
    state: State,
    gradients: list[Array],
    learning_rate: Array,
    step: Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decays: Sequence[float | None],
) -> State:
    """Updates weights, momenta and velocities in place, in one call for all weights."""
    return compiled_kernels.kernel_package().adam(
        *state,
        gradients,
        learning_rate=learning_rate,
        step_size=adam_rule.step_size(learning_rate, step, beta_1, beta_2),
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        decays=[decay or 0.0 for decay in decays],
    )
