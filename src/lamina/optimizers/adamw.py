"""AdamW: Adam with decoupled weight decay."""

from typing import Any

from lamina.optimizers.adam import Adam
from lamina.optimizers.optimizer import LearningRate


class AdamW(Adam):
    """Adam with weight decay that is not part of the gradient.

    Before each step weights are reduced by a fraction of `learning_rate * weight_decay`. `Adam`
    with the same `weight_decay` does the same; here it has a default.

    Args:
        learning_rate: Approximate size of a step, in units of the weights.
        weight_decay: Fraction of a weight, times the learning rate, subtracted at every step.
        beta_1: Fraction of the mean gradient that is kept at every step, 0 to 1.
        beta_2: Fraction of the mean squared gradient that is kept at every step, 0 to 1.
        epsilon: Added to the root before dividing, in units of the gradient.
        amsgrad: Divide by the highest mean square so far.
        **kwargs: `clipnorm`, `use_ema`, …; see `Optimizer`.

    Source: Loshchilov and Hutter, 2019, "Decoupled Weight Decay Regularization",
    arXiv:1711.05101.

    Example:
        >>> import jax.numpy as jnp
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0])
        >>> AdamW(learning_rate=0.1, weight_decay=0.5).apply([jnp.array([0.0])], [weight])
        >>> round(float(weight[0]), 4)
        0.95
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        if weight_decay is None:
            raise ValueError("AdamW needs a weight_decay; without one it is Adam.")
        super().__init__(
            learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            weight_decay=weight_decay,
            **kwargs,
        )
