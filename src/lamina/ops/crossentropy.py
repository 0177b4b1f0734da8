"""Cross-entropies without averaging: the terms that losses and metrics sum.

`lamina.losses` checks and aligns its arguments, then calls these functions.
"""

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, at_least_float32, to_common_floats, to_floats
from lamina.ops.define import operations

op = operations("nn")


@op("target", "output")
def binary_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> Array:
    """`-(t * log(p) + (1 - t) * log(1 - p))`, element by element, in nats.

    Args:
        target: Zeros and ones, or probabilities.
        output: Probabilities of a one, kept `epsilon()` away from 0 and 1; same shape.
        from_logits: Whether `output` holds logits instead.

    Returns:
        Array of the same shape.

    Example:
        >>> binary_crossentropy([1.0, 0.0], [0.5, 0.5]).round(4).tolist()
        [0.693..., 0.693...]
    """
    target, output = _same_shape(target, output, "binary_crossentropy")
    float_dtype = to_common_floats(target, output)[1].dtype
    output = to_floats(output)  # integers as float32: in half precision 1 - epsilon is 1
    if from_logits:
        # -log(sigmoid(x)) and -log(1 - sigmoid(x)), exact for any x.
        loss = target * jax.nn.softplus(-output) + (1.0 - target) * jax.nn.softplus(output)
    else:
        p = clip_probabilities(output)
        loss = -(target * jnp.log(p) + (1.0 - target) * jnp.log(1.0 - p))
    return loss.astype(jnp.result_type(target, float_dtype))


@op("target", "output")
def categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """`-sum(t * log(p))` over the classes, in nats.

    Args:
        target: One-hot vectors or probabilities, `(batch, …, classes)`.
        output: Probabilities, normalized to sum 1 and clipped away from 0 and 1; same shape.
        from_logits: Whether `output` holds logits instead.
        axis: The axis of the classes.

    Returns:
        Array without the axis of classes.

    Example:
        >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4).tolist()
        [0.693...]
    """
    target, output = _same_shape(target, output, "categorical_crossentropy")
    output = to_floats(output)
    if output.ndim < 1:
        raise ValueError("categorical_crossentropy needs an axis of classes; received one number.")
    if from_logits:
        log_p = jax.nn.log_softmax(output, axis)
    else:
        log_p = jnp.log(clip_probabilities(output / jnp.sum(output, axis, keepdims=True)))
    return -jnp.sum(target * log_p, axis)


@op("target", "output")
def sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """`-log(p[target])`, equal to `categorical_crossentropy` of one-hot targets.

    Args:
        target: Class numbers, `(batch, …)` or `(batch, …, 1)`.
        output: Probabilities, `(batch, …, classes)`, normalized to sum 1 and clipped away from 0
            and 1.
        from_logits: Whether `output` holds logits instead.
        axis: The axis of the classes.

    Returns:
        Array without the axis of classes.

    Example:
        >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4).tolist()
        [0.693...]
    """
    labels, output = as_array(target).astype("int32"), to_floats(output)
    if labels.ndim == output.ndim and labels.shape[-1:] == (1,):
        labels = jnp.squeeze(labels, -1)
    shape_without_classes = list(output.shape)
    if shape_without_classes:
        del shape_without_classes[axis]
    if not output.ndim or labels.shape != tuple(shape_without_classes):
        raise ValueError(
            "sparse_categorical_crossentropy needs targets in the shape of the output without "
            f"its classes on axis {axis}; received {labels.shape} and {output.shape}."
        )
    # Picking the label's value before the logarithm and the clipping gives Keras's numbers in
    # half its time: one logarithm per sample instead of one per class.
    if from_logits:
        shifted = output - jax.lax.stop_gradient(jnp.max(output, axis, keepdims=True))
        loss = jnp.log(jnp.sum(jnp.exp(shifted), axis)) - value_at_label_or_zero(
            shifted, labels, axis
        )
    else:
        p = value_at_label_or_zero(output, labels, axis) / jnp.sum(output, axis)
        loss = -jnp.log(clip_probabilities(p))
    # As in Keras, where the one-hot targets are float32.
    return loss.astype(at_least_float32(loss))


def value_at_label_or_zero(values: Array, labels: Array, axis: int = -1) -> Array:
    """The value at the label in each row of class values; 0 if the label is out of range.

    It is computed by a comparison with 0, 1, 2 … and a sum, because a gather would silently return
    some value for a label out of range.

    Args:
        values: One value per class, `(batch, …, classes)`.
        labels: Integers, `(batch, …)`.
        axis: The axis of the classes.

    Example:
        >>> value_at_label_or_zero(jnp.array([[5.0, 6.0], [7.0, 8.0]]), jnp.array([1, 0])).tolist()
        [6.0, 7.0]
    """
    axis = axis % values.ndim
    classes = jax.lax.broadcasted_iota("int32", values.shape, axis)
    return jnp.sum(jnp.where(classes == jnp.expand_dims(labels, axis), values, 0), axis=axis)


def clip_probabilities(p: Array) -> Array:
    """Probabilities at least `epsilon()` away from 0 and 1, so that logarithms stay finite."""
    return jnp.clip(p, config.epsilon(), 1.0 - config.epsilon())


def _same_shape(target: ArrayLike, output: ArrayLike, caller: str) -> tuple[Array, Array]:
    target, output = as_array(target), as_array(output)
    if target.shape != output.shape:
        raise ValueError(
            f"{caller} needs target and output of one shape; received {target.shape} and "
            f"{output.shape}."
        )
    return target, output
