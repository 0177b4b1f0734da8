"""SpectralNormalization: divides the kernel of a layer by its spectral norm."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from lamina import initializers
from lamina.core.layer.input_spec import InputSpec
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Shape, Shapes
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.variable import autocast
from lamina.layers.settings import settings_of
from lamina.layers.wrapper import Wrapper
from lamina.ops import nn


class SpectralNormalization(Wrapper):
    """Divides the kernel of the inner layer by its spectral norm, at every step of training.

    The spectral norm is the largest singular value of the kernel as a matrix. It is estimated by
    power iteration, which continues from step to step. This makes the training of GANs more stable.

    Args:
        layer: A layer with a `kernel` or, for an `Embedding`, `embeddings`.
        power_iterations: Rounds of power iteration per step.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: That of the inner layer.
    Output shape: That of the inner layer.

    Raises:
        ValueError: If the layer has no kernel.

    Source: Miyato et al., 2018, "Spectral Normalization for Generative Adversarial Networks",
    arXiv:1802.05957.

    Example:
        >>> from lamina.layers import Dense
        >>> layer = SpectralNormalization(Dense(2, kernel_initializer="ones"))
        >>> float(layer(jnp.ones((1, 2)), training=True)[0, 0].round(3))
        1.0
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        name = "power_iterations"
        self.power_iterations = check_integer(name, power_iterations, owner="SpectralNormalization")

    def build(self, input_shape: Shapes = None) -> None:
        super().build(input_shape)
        if input_shape and input_shape[-1] is not None:
            self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            raise ValueError(
                f"{self._label} needs a layer with a kernel or embeddings, and "
                f"{type(self.layer).__name__} has neither."
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
        )

    def call(self, inputs: Array, training: bool = False) -> Array:
        """Call the inner layer; in training its kernel is first divided by its largest singular
        value.

        Args:
            inputs: Inputs of the inner layer.
            training: Whether the kernel is normalised.

        Returns:
            The result of the inner layer.
        """
        if training:
            u, kernel = self.normalized_weights()
            self.vector_u.assign(u)
            self.kernel.assign(kernel)
        return self.layer(inputs).astype(self.compute_dtype)

    def normalized_weights(self) -> tuple[Array, Array]:
        """The values of `vector_u` and of the kernel after the next step of training.

        Returns:
            Two arrays, of the shapes of `vector_u` and of the kernel.
        """
        with autocast(None):  # the kernel must not be rounded at every step
            kernel, u = normalized_kernel(
                self.kernel.value, self.vector_u.value, self.power_iterations
            )
        return u, kernel

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "power_iterations")}


def normalized_kernel(kernel: Array, u: Array, iterations: int) -> tuple[Array, Array]:
    """A kernel divided by its spectral norm, and an estimate of its singular vector.

    Args:
        kernel: `(..., outputs)`; all but the last axis count as one. Zeros stay zeros.
        u: `(1, outputs)`, the estimate so far.
        iterations: Rounds of power iteration.

    Example:
        >>> kernel, u = normalized_kernel(jnp.diag(jnp.array([4.0, 1.0])), jnp.ones((1, 2)), 9)
        >>> kernel.round(3).tolist(), u.round(3).tolist()
        ([[1.0, 0.0], [0.0, 0.25]], [[1.0, 0.0]])
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    # No gradient through the singular vectors, as in the paper.
    fixed_matrix = lax.stop_gradient(matrix)

    def iterate(_: Any, directions: tuple[Array, Array]) -> tuple[Array, Array]:
        v = nn.normalize(directions[1] @ fixed_matrix.T, axis=(0, 1))
        return v, nn.normalize(v @ fixed_matrix, axis=(0, 1))

    start = jnp.zeros((1, matrix.shape[0]), kernel.dtype), u
    v, direction = lax.fori_loop(0, iterations, iterate, start)
    zeros = jnp.all(kernel == 0)
    norm = jnp.where(zeros, 1, (v @ matrix @ direction.T)[0, 0])
    return kernel / norm, jnp.where(zeros, u, direction)
