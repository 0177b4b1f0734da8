"""Rescaling and Normalization."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.config import epsilon, image_data_format
from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike, Inputs, Shape
from lamina.core.user_data.data_kinds import may_hold_text
from lamina.layers.preprocessing.host_layer import batches
from lamina.layers.settings import settings_of

# Maximum number of values per summation, which is in float64 and needs a copy of them.
_CHUNK_VALUES = 2**22


class Rescaling(Layer):
    """`x * scale + offset`, e.g. for pixels from 0–255 to 0–1 inside the model.

    Args:
        scale: Number, or one per channel.
        offset: Number, or one per channel.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> Rescaling(1 / 255)(np.array([0, 255], dtype="uint8")).tolist()
        [0.0, 1.0]
    """

    def __init__(self, scale: ArrayLike, offset: ArrayLike = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Compute `inputs * scale + offset`.

        Args:
            inputs: Numbers of any shape.

        Returns:
            Array of the same shape.
        """
        scale = jnp.asarray(self.scale, self.compute_dtype)
        if scale.ndim and image_data_format() == "channels_first":
            scale = scale.reshape(*scale.shape, *(1,) * (3 - scale.ndim))
        offset = jnp.asarray(self.offset, self.compute_dtype)
        return inputs.astype(self.compute_dtype) * scale + offset

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        settings = {
            "scale": registry.serialize(self.scale),
            "offset": registry.serialize(self.offset),
        }
        return {**super().get_config(), **settings}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        values = {key: registry.deserialize(config[key]) for key in ("scale", "offset")}
        return super().from_config({**config, **values})


class Normalization(Layer):
    """`(x - mean) / standard deviation`, with the mean and deviation of the training data.

    `adapt(data)` computes them; they are saved with the model, which therefore takes raw data.

    Args:
        axis: The axis, or axes, along which means are separate: -1 for one mean per column. None
            for one mean of all numbers.
        mean: The mean, if it is known; then `adapt` is not needed.
        variance: The variance, if it is known.
        invert: Compute the inverse: `x * standard deviation + mean`.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
        >>> layer(np.array([[1.0, 30.0]])).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        invert: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if axis is None:
            self.axis: tuple[int, ...] = ()
        else:
            self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                "Normalization needs both mean and variance, or neither; "
                f"received mean={mean!r} and variance={variance!r}."
            )
        mean_shape, variance_shape = np.shape(np.asarray(mean)), np.shape(np.asarray(variance))
        if mean_shape != variance_shape:
            raise ValueError(
                "Normalization: mean and variance must have the same shape; "
                f"received {mean_shape} and {variance_shape}."
            )
        if len(mean_shape) > len(self.axis):
            raise ValueError(
                f"Normalization: a mean of shape {mean_shape} has more axes than axis={self.axis}."
            )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        separate_axes = self._positive_axes(input_shape)
        shape = tuple(input_shape[axis] for axis in separate_axes)
        unknown = [axis for axis in separate_axes if input_shape[axis] is None]
        if unknown:
            raise ValueError(
                f"{self._label} needs a known size of axis {unknown[0]}; received shape "
                f"{tuple(input_shape)}.\n  Fix: give that axis a size, or Normalization(axis=None)."
            )
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            # Not used, but part of Keras's weights files.
            self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")
        self._broadcast_shape = tuple(
            size if axis in separate_axes else 1 for axis, size in enumerate(input_shape)
        )

    def adapt(self, data: Any) -> None:
        """Compute mean and variance of data, replacing previous ones.

        Args:
            data: An array `(samples, ...)`, or an iterable of such arrays (batches), or of tuples
                that begin with one, such as a data set for training.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"{self._label} was given its mean and variance, so there is nothing to adapt.\n"
                "  Fix: leave out mean= and variance=."
            )
        count, mean, sum_of_squares = 0, np.zeros(()), np.zeros(())
        for batch in _chunks_of(data):
            self._check_data(batch.shape)
            if not self.built:
                self.build(batch.shape)
            # Combines the statistics of batches exactly, as in Chan, Golub and LeVeque, 1979.
            values = self._rows(batch)
            total = count + len(values)
            with np.errstate(invalid="ignore", over="ignore"):
                batch_mean = values.mean(axis=0)
                mean_change = batch_mean - mean
                mean = mean + mean_change * (len(values) / total)
                sum_of_squares = sum_of_squares + np.square(values - batch_mean).sum(axis=0)
                sum_of_squares = sum_of_squares + np.square(mean_change) * (
                    count * len(values) / total
                )
            count = total
        if count == 0:
            raise ValueError(f"{self._label}: adapt() received no data.")
        if not np.isfinite(mean).all() or not np.isfinite(sum_of_squares).all():
            raise ValueError(
                f"{self._label}: the data contain NaN or infinite values, so they have no mean.\n"
                "  Fix: leave out or fill in such values, e.g. x = x[np.isfinite(x).all(axis=1)]."
            )
        self.adapt_mean.assign(mean.reshape(self.adapt_mean.shape))
        self.adapt_variance.assign((sum_of_squares / count).reshape(self.adapt_mean.shape))

    def finalize_state(self) -> None:
        """Nothing to do: mean and variance depend on the weights. Keras computes them here."""

    @property
    def mean(self) -> Array | None:
        """The mean, in a shape that broadcasts with the input; None before the layer is built."""
        return self._statistic("mean")

    @property
    def variance(self) -> Array | None:
        """The variance, in a shape that broadcasts with the input; None before it is built."""
        return self._statistic("variance")

    def call(self, inputs: Array) -> Array:
        """Subtract the mean and divide by the standard deviation; the inverse if `invert` is set.

        Args:
            inputs: Numbers, `(batch, ...)`.

        Returns:
            Array of the same shape.
        """
        self._check_shape(inputs.shape)
        x = inputs.astype(self.compute_dtype)
        mean, variance = (self._match_rank(x, self._statistic(n)) for n in ("mean", "variance"))
        # A constant column becomes 0, not NaN.
        deviation = jnp.maximum(jnp.sqrt(variance), epsilon())
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check_shape(input_shape)
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "axis", "invert"),
            "mean": _as_list(self.input_mean),
            "variance": _as_list(self.input_variance),
        }

    def _statistic(self, name: str) -> Any:
        if not self.built:
            return None
        initial = getattr(self, f"input_{name}")
        value = getattr(self, f"adapt_{name}").value if initial is None else jnp.asarray(initial)
        if not self.axis:
            return value.astype(self.compute_dtype)  # a scalar broadcasts to inputs of any rank
        # A given mean may have fewer axes, which are the last ones.
        shape = [1] * len(self._broadcast_shape)
        separate_axes = self._positive_axes(self._broadcast_shape)
        for axis, size in zip(reversed(separate_axes), reversed(value.shape), strict=False):
            shape[axis] = size
        value = value.reshape(shape).astype(self.compute_dtype)
        return jnp.broadcast_to(value, self._broadcast_shape)

    def _match_rank(self, x: Array, statistic: Array) -> Array:
        """A statistic for inputs with fewer axes than the layer was built for."""
        has_extra_axes = statistic.ndim > x.ndim
        return statistic.reshape(statistic.shape[-x.ndim :]) if has_extra_axes else statistic

    def _positive_axes(self, shape: Shape) -> list[int]:
        missing_axes = [axis for axis in self.axis if not -len(shape) <= axis < len(shape)]
        if missing_axes:
            raise ValueError(
                f"{self._label}: there is no axis {missing_axes[0]} in an input of shape "
                f"{tuple(shape)}."
            )
        return sorted(axis % len(shape) for axis in self.axis)

    def _rows(self, batch: np.ndarray) -> np.ndarray:
        """The batch as float64, `(averaged values, separate means)`."""
        separate_axes = self._positive_axes(batch.shape)
        values = np.moveaxis(batch.astype("float64"), separate_axes, range(-len(separate_axes), 0))
        return values.reshape(-1, math.prod(batch.shape[axis] for axis in separate_axes))

    def _check_data(self, shape: Shape) -> None:
        if len(shape) == 1 and self.axis == (-1,):
            raise ValueError(
                f"{self._label}: data of shape {shape} has no axis of features, only samples.\n"
                "  Fix: Normalization(axis=None) for one number per sample, or adapt(x[:, None])."
            )
        if self.built:
            self._check_shape(shape)

    def _check_shape(self, shape: Shape) -> None:
        if not self.built or not self.axis:
            self._positive_axes(shape)
            return
        expected = self._broadcast_shape
        # Axes counted from the end also exist in inputs with other numbers of axes.
        from_the_end = all(axis < 0 for axis in self.axis)
        axes = self.axis if from_the_end else self._positive_axes(expected)
        sizes = {axis: expected[axis] for axis in axes}
        has_all_axes = all(-len(shape) <= axis < len(shape) for axis in axes) and all(
            shape[axis] in (None, size) for axis, size in sizes.items()
        )
        if not has_all_axes or not (from_the_end or len(shape) == len(expected)):
            expected_sizes = " and ".join(
                f"size {size} on axis {axis}" for axis, size in sizes.items()
            )
            rank = "" if from_the_end else f"{len(expected)} axes, "
            fix = "\n  Fix: count the axis from the end." if has_all_axes else ""
            raise ValueError(
                f"{self._label} was built for inputs with {rank}{expected_sizes}, and received "
                f"shape {tuple(shape)}.{fix}"
            )


def _check_numeric(data: Any) -> np.ndarray:
    if data.dtype.kind not in "biuf" and data.dtype != jnp.bfloat16:
        received = "text" if may_hold_text(data.dtype) else f"an array of dtype {data.dtype}"
        raise TypeError(f"adapt() takes numbers; received {received}.")
    return data


def _chunks_of(data: Any) -> Iterator[np.ndarray]:
    """The data in arrays that are not much larger than `_CHUNK_VALUES`."""
    for batch in batches(data):
        yield from _chunks(_check_numeric(batch))


def _chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    if array.ndim == 0 or array.size == 0:
        return
    rows = max(1, _CHUNK_VALUES * len(array) // array.size)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _as_list(values: Inputs) -> Any:
    if isinstance(values, (np.ndarray, np.generic, jax.Array)):
        return np.asarray(values).tolist()
    return values
