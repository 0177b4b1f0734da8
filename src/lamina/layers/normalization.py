"""BatchNormalization and LayerNormalization."""

import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from lamina import constraints, initializers, regularizers
from lamina.core.configuration import config
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError, LaminaWarning, stacklevel_of_user
from lamina.core.types import (
    Array,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    Masks,
    RegularizerLike,
    Shape,
)
from lamina.core.variable.variable import Variable
from lamina.layers.settings import settings_of
from lamina.ops import nn

# Arguments of the learned scale and shift, gamma and beta.
AFFINE = (
    "beta_initializer",
    "gamma_initializer",
    "beta_regularizer",
    "gamma_regularizer",
    "beta_constraint",
    "gamma_constraint",
)


class BatchNormalization(Layer):
    """Normalises every channel over the batch, then scales and shifts it by learned numbers.

    Training uses mean and variance of the batch and updates moving averages of them; otherwise the
    moving averages are used. A layer with `trainable = False` always uses the moving averages and
    does not update them.

    Args:
        axis: The axis of the channels.
        momentum: Factor of the moving averages at every step.
        epsilon: Added to the variance, so that the division stays finite.
        center: Whether a learned `beta` is added.
        scale: Whether a learned `gamma` multiplies.
        beta_initializer, gamma_initializer: Initializers of beta and gamma.
        moving_mean_initializer, moving_variance_initializer: Initializers of the averages.
        beta_regularizer, gamma_regularizer: Penalties, added to the loss.
        beta_constraint, gamma_constraint: Constraints on beta and gamma, applied after every
            update.
        renorm: Whether training uses the batch's own mean and variance corrected towards moving
            averages of them, so that it differs less from inference (Ioffe, 2017).
        renorm_clipping: Limits of the correction `x * r + d`: a dict that may have `"rmin"` and
            `"rmax"` for `r`, `"dmax"` for the size of `d`. None means no limits.
        renorm_momentum: Factor of the averages for `renorm` at every step.
        synchronized: For compatibility with Keras. Statistics are always those of the whole batch,
            on any number of devices.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: Any with a channel axis; masked steps, `(batch, time)`, do not count.
    Output shape: Same as the input.

    Source: Ioffe and Szegedy, 2015, "Batch Normalization", arXiv:1502.03167; Ioffe, 2017, "Batch
    Renormalization", arXiv:1702.03275.

    Example:
        >>> layer = BatchNormalization(epsilon=0.0)
        >>> layer(jnp.array([[1.0], [3.0]]), training=True).tolist()
        [[-1.0], [1.0]]
        >>> layer.moving_mean.numpy().round(3).astype(str).tolist()
        ['0.02']
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        renorm: bool = False,
        renorm_clipping: dict | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis = check_single_axis(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm = renorm
        self.renorm_clipping = _check_clipping(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self._check(input_shape)
        shape = (input_shape[self.axis],)
        self.gamma, self.beta = affine_weights(self, shape)
        self.moving_mean = self._add_average("moving_mean", shape, self.moving_mean_initializer)
        self.moving_variance = self._add_average(
            "moving_variance", shape, self.moving_variance_initializer
        )
        if self.renorm:
            self.moving_stddev = self._add_average("moving_stddev", shape, self._initial_stddev)
            self.renorm_mean = self._add_average("renorm_mean", shape, self.moving_mean_initializer)
            self.renorm_stddev = self._add_average("renorm_stddev", shape, self._initial_stddev)

    def call(self, inputs: Array, training: bool = False, mask: Masks = None) -> Array:
        """Normalise every channel, by the batch in training and by the moving statistics otherwise.

        Args:
            inputs: Array `(batch, ..., channels)`; `axis` says where the channels are.
            training: Whether the batch's own statistics are used and the moving averages updated;
                a frozen layer uses the moving averages in any case.
            mask: True for the steps that count in the statistics, or None.

        Returns:
            Array of the same shape.

        Raises:
            ValueError: If the number of channels is not the one that the layer was built for.
        """
        self._check(inputs.shape)
        # Sums over a batch overflow half-precision floats.
        x = inputs.astype(jnp.promote_types(inputs.dtype, "float32"))
        beta, gamma = self.beta, self.gamma
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            if self.renorm:
                beta, gamma = self._renorm_scale_and_shift(mean, variance)
                self._update_averages(mean, variance)
            else:
                self._update_average(self.moving_mean, mean)
                self._update_average(self.moving_variance, variance)
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        y = nn.batch_normalization(x, mean, variance, self.axis, beta, gamma, self.epsilon)
        return y.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "axis", "momentum", "epsilon", "center", "scale", *AFFINE),
            **settings_of(self, "moving_mean_initializer", "moving_variance_initializer"),
            **settings_of(self, "renorm", "renorm_clipping", "renorm_momentum", "synchronized"),
        }

    def _moments(self, x: Array, mask: Any) -> tuple[Array, Array]:
        axes = tuple(axis for axis in range(x.ndim) if axis != self.axis % x.ndim)
        if mask is None:
            return nn.moments(x, axes)
        mask = jnp.asarray(mask)
        if mask.ndim != x.ndim - 1:
            raise ValueError(
                f"{self._label}: the mask must have one axis less than the input.\n"
                f"  Received: a mask of shape {mask.shape} for inputs of shape {x.shape}."
            )
        broadcast_mask = jnp.broadcast_to(mask.astype(bool)[..., None], x.shape)
        # Keras adds epsilon to the count, so a batch of padding gives zeros instead of NaN.
        count = jnp.sum(broadcast_mask, axes, dtype=x.dtype, keepdims=True) + config.epsilon()
        mean = jnp.sum(jnp.where(broadcast_mask, x, 0), axes, keepdims=True) / count
        squares = jnp.where(broadcast_mask, jnp.square(x - mean), 0)
        variance = jnp.sum(squares, axes) / count.reshape(-1)
        return mean.reshape(-1), variance

    def _add_average(self, name: str, shape: Shape, initializer: InitializerLike) -> Variable:
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=False, autocast=False
        )

    def _initial_stddev(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return jnp.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def _update_average(self, average: Any, value: Array, momentum: float | None = None) -> None:
        momentum = self.momentum if momentum is None else momentum
        average.assign(average.value * momentum + value * (1 - momentum))

    def _renorm_scale_and_shift(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Shift and scale (beta and gamma) that include the correction of `renorm`."""
        limits = self.renorm_clipping or {}
        # At least the smallest possible deviation, which matters at the start of training.
        average_stddev = jnp.maximum(self.renorm_stddev.value, self.epsilon**0.5)
        r = jnp.sqrt(variance + self.epsilon) / average_stddev
        r = jnp.clip(r, limits.get("rmin"), limits.get("rmax"))
        d = (mean - self.renorm_mean.value) / average_stddev
        if limits.get("dmax") is not None:
            d = jnp.clip(d, -limits["dmax"], limits["dmax"])
        r, d = lax.stop_gradient((r, d))
        if self.gamma is not None:
            r, d = r * self.gamma.value, d * self.gamma.value
        return d if self.beta is None else d + self.beta.value, r

    def _update_averages(self, mean: Array, variance: Array) -> None:
        stddev = jnp.sqrt(variance + self.epsilon)
        self._update_average(self.renorm_mean, mean, self.renorm_momentum)
        self._update_average(self.renorm_stddev, stddev, self.renorm_momentum)
        self._update_average(self.moving_mean, mean)
        self._update_average(self.moving_stddev, stddev)
        moved_variance = jnp.square(self.moving_stddev.value) - self.epsilon
        self.moving_variance.assign(jnp.maximum(moved_variance, 0))  # may be negative by rounding

    def _check(self, shape: Shape) -> None:
        check_axes(self, [self.axis], shape)
        size = shape[self.axis]
        if self.built and size not in (None, self.moving_mean.shape[0]):
            raise ValueError(
                f"{self._label} was built for {self.moving_mean.shape[0]} channels and received "
                f"{size}.\n  Received: an input of shape {tuple(shape)}; axis {self.axis} counts "
                "the channels."
            )


class LayerNormalization(Layer):
    """Normalises every sample separately, then scales and shifts it by learned numbers.

    Args:
        axis: The axis to normalise over, or several.
        epsilon: Added to the variance, so that the division stays finite.
        center: Whether a learned `beta` is added.
        scale: Whether a learned `gamma` multiplies.
        beta_initializer, gamma_initializer: Initializers of beta and gamma.
        beta_regularizer, gamma_regularizer: Penalties, added to the loss.
        beta_constraint, gamma_constraint: Constraints on beta and gamma, applied after every
            update.
        rms_scaling: Only divide by the root of the variance, and learn no shift, as in Keras. The
            mean is not subtracted; use `RMSNormalization` for RMS normalisation.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Ba et al., 2016, "Layer Normalization", arXiv:1607.06450.

    Example:
        >>> LayerNormalization()(jnp.array([[1.0, 3.0], [10.0, 30.0]])).round(2).tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if rms_scaling:
            warnings.warn(
                "LayerNormalization(rms_scaling=True) divides by the deviation from the mean, "
                "not by the root mean square.\n  Fix: lamina.layers.RMSNormalization().",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )
        self.axis = (
            [check_single_axis(a) for a in axis]
            if isinstance(axis, Sequence)
            else check_single_axis(axis)
        )
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.rms_scaling = rms_scaling
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.autocast = False  # computed in float32, then cast

    def build(self, input_shape: Shape) -> None:
        # The axes are a list, as in a built layer of Keras and in its files.
        self._check(input_shape)
        self.axis = sort_axes(self._axes, input_shape)
        shape = tuple(input_shape[axis] for axis in self.axis)
        only_gamma = {"scale": True, "center": False} if self.rms_scaling else {}
        self.gamma, self.beta = affine_weights(self, shape, **only_gamma)

    def call(self, inputs: Array) -> Array:
        """Normalise every sample along the axes, then scale and shift.

        Args:
            inputs: Array `(batch, ..., features)`.

        Returns:
            Array of the same shape.

        Raises:
            ValueError: If the shape is not the one that the layer was built for.
        """
        self._check(inputs.shape)
        y = nn.layer_normalization(
            inputs, self.gamma, self.beta, self._axes, self.epsilon, rms_scaling=self.rms_scaling
        )
        return y.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "axis", "epsilon", "center", "scale", "rms_scaling", *AFFINE),
        }

    @property
    def _axes(self) -> list[int]:
        return [self.axis] if isinstance(self.axis, int) else list(self.axis)

    def _check(self, shape: Shape) -> None:
        check_axes(self, self._axes, shape)
        weight = None
        if self.built:
            weight = self.beta if self.gamma is None else self.gamma
        sizes = tuple(shape[axis] for axis in self._axes)
        if weight is not None and None not in sizes and sizes != weight.shape:
            raise ValueError(
                f"{self._label} was built for size {weight.shape} on axis {self._axes} and "
                f"received an input of shape {tuple(shape)}."
            )


def affine_weights(
    layer: Any, shape: Shape, scale: bool | None = None, center: bool | None = None
) -> tuple[Any, Any]:
    """The learned scale and shift of a normalisation; None for each that is not used."""
    gamma = beta = None
    if layer.scale if scale is None else scale:
        gamma = layer.add_weight(
            name="gamma",
            shape=shape,
            initializer=layer.gamma_initializer,
            regularizer=layer.gamma_regularizer,
            constraint=layer.gamma_constraint,
            autocast=False,
        )
    if layer.center if center is None else center:
        beta = layer.add_weight(
            name="beta",
            shape=shape,
            initializer=layer.beta_initializer,
            regularizer=layer.beta_regularizer,
            constraint=layer.beta_constraint,
            autocast=False,
        )
    return gamma, beta


def _check_clipping(limits: dict | None) -> dict:
    """The limits of the renorm correction, checked."""
    limits = dict(limits or {})
    unknown = set(limits) - {"rmin", "rmax", "dmax"}
    if unknown:
        raise ValueError(
            "BatchNormalization: renorm_clipping may have the keys 'rmin', 'rmax' and 'dmax'; "
            f"received {sorted(unknown)}."
        )
    rmin, rmax, dmax = (limits.get(name) for name in ("rmin", "rmax", "dmax"))
    if (rmin is not None and rmax is not None and rmax < rmin) or (dmax is not None and dmax < 0):
        raise ValueError(
            "BatchNormalization: renorm_clipping needs rmin below rmax, and dmax of 0 or more; "
            f"received {limits}."
        )
    return limits


def check_single_axis(axis: Any) -> int:
    """`axis`, if it is an integer."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise ArgumentError(f"An axis must be an integer; received {axis!r}.")
    return axis


def sort_axes(axes: Sequence[int], shape: Shape) -> list[int]:
    """The axes in ascending order. In Keras, axes in another order, such as (-1, 1), fail."""
    return sorted(axes, key=lambda axis: axis % len(shape))


def check_axes(layer: Layer, axes: Sequence[int], shape: Shape) -> None:
    """Refuse inputs without one of the axes, or with an unknown size on it."""
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"{layer._label}: there is no axis {axis} in an input of shape {tuple(shape)}."
            )
        if shape[axis] is None and not layer.built:
            raise ValueError(
                f"{layer._label} must know the size of axis {axis} and received shape "
                f"{tuple(shape)}.\n  Fix: give that axis a size, e.g. in lamina.Input(shape)."
            )
