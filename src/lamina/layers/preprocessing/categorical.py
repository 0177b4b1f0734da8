"""CategoryEncoding and Discretization."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Array, ArrayLike, DTypePolicyLike, Inputs, Shape
from lamina.core.user_data.arguments import check_integer
from lamina.layers.preprocessing.host_layer import (
    HostLayer,
    batches,
    check_output_mode,
    encode,
    encoded_shape,
    refuse_sparse,
    reserve_row_memory,
    to_integers,
)
from lamina.layers.settings import settings_of


class CategoryEncoding(HostLayer):
    """Encodes integers below a known bound as vectors of zeros and ones, or of counts.

    Args:
        num_tokens: Number of categories; the inputs are 0 to `num_tokens` - 1.
        output_mode: `"one_hot"` gives each number a vector, `"multi_hot"` one vector per sample
            with ones at its numbers, `"count"` one vector with the count of each number.
        sparse: Only False: there are no sparse arrays.
        **kwargs: `name`, `dtype`; see `Layer`.

    Call arguments:
        inputs: Integers, `(samples, numbers)` or `(samples,)`.
        count_weights: Weight of each number, in the shape of the inputs; for `"count"`.

    Output shape: `(samples, num_tokens)`.

    Raises:
        ValueError: For numbers outside the range; in a compiled program they are ignored.

    Example:
        >>> CategoryEncoding(4, output_mode="one_hot")([3, 0]).tolist()
        [[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        refuse_sparse("CategoryEncoding", sparse)
        modes = ("multi_hot", "one_hot", "count")
        self.output_mode = check_output_mode("CategoryEncoding", output_mode, modes)
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding needs num_tokens, the number of categories.\n"
                "  Fix: CategoryEncoding(num_tokens=…), or IntegerLookup, which learns them."
            )
        self.num_tokens = check_integer("num_tokens", num_tokens, owner="CategoryEncoding")
        reserve_row_memory("CategoryEncoding", self.output_mode, self.num_tokens)
        self.sparse = False

    def call(self, inputs: Array, count_weights: ArrayLike | None = None) -> Array:
        """Encode category numbers.

        Args:
            inputs: Integers from 0 to `num_tokens - 1`, `(batch, ...)`.
            count_weights: In the mode `"count"`, the weight of each number, in the shape of the
                inputs; or None.

        Returns:
            The encoded array; see the class.

        Raises:
            ValueError: If a number is out of range, or there are weights in another mode.
        """
        self._check(inputs, count_weights)
        inputs = to_integers(inputs, self._label)
        if not isinstance(inputs, jax.core.Tracer):
            self._check_range(inputs)
        dtype = self.compute_dtype
        if count_weights is not None:
            count_weights = jnp.asarray(count_weights).astype(jnp.dtype(dtype))
        return encode(inputs, self.output_mode, self.num_tokens, dtype, count_weights)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def compute_output_spec(
        self, inputs: Inputs, count_weights: ArrayLike | None = None
    ) -> KerasTensor:
        self._check(inputs, count_weights)
        return KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "num_tokens", "output_mode")}

    def _check(self, inputs: Inputs, count_weights: ArrayLike | None) -> None:
        self._refuse_text(inputs, "a StringLookup")
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"{self._label} takes count_weights only with output_mode='count'; its "
                f"output_mode is {self.output_mode!r}."
            )

    def _check_range(self, inputs: Inputs) -> None:
        if inputs.size == 0:
            return
        low, high = int(inputs.min()), int(inputs.max())
        if low < 0 or high >= self.num_tokens:
            raise ValueError(
                f"{self._label} takes numbers from 0 to {self.num_tokens - 1} and received "
                f"{low if low < 0 else high}.\n"
                f"  Fix: num_tokens={max(high + 1, self.num_tokens)}, or an IntegerLookup before "
                "it, which accepts any integers."
            )


class Discretization(HostLayer):
    """Maps numbers to the index of a range, e.g. ages to age groups.

    Args:
        bin_boundaries: Boundaries between ranges, ascending: `[0.0, 1.0]` makes
            the three ranges below 0, from 0 up to but not including 1, and from 1 on.
        num_bins: Number of ranges that `adapt` finds, with equal numbers of values.
        epsilon: Tolerance of the boundaries, as a fraction of the values.
        output_mode: `"int"` gives the index of the range; `"one_hot"`, `"multi_hot"` and
            `"count"` encode it as in `CategoryEncoding`.
        sparse: Only False: there are no sparse arrays.
        dtype: Dtype of the output, if it is not `"int"`.
        name: Name of the layer.
        **kwargs: `trainable`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input for `"int"`; see `CategoryEncoding` for the others.

    Example:
        >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])([-1.5, 1.0, 3.4]).tolist()
        [0, 2, 3]
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: DTypePolicyLike = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        refuse_sparse("Discretization", sparse)
        modes = ("int", "one_hot", "multi_hot", "count")
        self.output_mode = check_output_mode("Discretization", output_mode, modes)
        if (bin_boundaries is None) == (num_bins is None):
            both = "both" if num_bins is not None else "neither"
            raise ValueError(
                f"Discretization takes either bin_boundaries or num_bins, and received {both}.\n"
                "  Fix: bin_boundaries=[…] if you know them, or num_bins=… and adapt(data)."
            )
        if num_bins is not None:
            num_bins = check_integer("num_bins", num_bins, owner="Discretization")
            reserve_row_memory("Discretization", self.output_mode, num_bins)
        if not 0 < epsilon < 1:
            raise ValueError(
                f"Discretization: epsilon is a fraction between 0 and 1; received {epsilon!r}."
            )
        self.bin_boundaries = None if bin_boundaries is None else _check_ascending(bin_boundaries)
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.sparse = False

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries with equal numbers of values in each range.

        Args:
            data: An array, or an iterable of arrays (batches).
            steps: Number of batches to take; None takes all.
        """
        if self.num_bins is None:
            raise ValueError(
                f"{self._label} was given its bin_boundaries, so there is nothing to adapt.\n"
                "  Fix: num_bins=… instead of bin_boundaries."
            )
        sketch = np.zeros((2, 0), "float32")
        for batch in batches(data, steps):
            self._refuse_text(batch, "a StringLookup")
            sketch = _merge_sketches(_sketch(batch, self.epsilon), sketch, self.epsilon)
        if not sketch.size:
            raise ValueError(f"{self._label}: adapt() received no data.")
        if not np.isfinite(sketch).all():
            raise ValueError(
                f"{self._label}: the data contain NaN or infinite values.\n"
                "  Fix: leave out or fill in such values, e.g. x = x[numpy.isfinite(x)]."
            )
        self.bin_boundaries = _compress_sketch(sketch, 1.0 / self.num_bins)[0, :-1].tolist()
        self.adaptations += 1

    def call(self, inputs: Array) -> Array:
        """Find the range of every number.

        Args:
            inputs: Numbers, `(batch, ...)`.

        Returns:
            Index of the range, from 0, encoded as set by `output_mode`; see the class.

        Raises:
            ValueError: If there are no boundaries yet.
            TypeError: If the inputs are text.
        """
        self._refuse_text(inputs, "a StringLookup")
        if self.bin_boundaries is None:
            raise ValueError(
                f"{self._label} has no boundaries yet.\n"
                "  Fix: layer.adapt(data) before it is used, or bin_boundaries=[…]."
            )
        numpy: Any = jnp if isinstance(inputs, jax.Array) else np
        boundaries = np.asarray(self.bin_boundaries, config.floatx())
        range_indices = numpy.searchsorted(
            boundaries, inputs.astype(boundaries.dtype), side="right"
        )
        return encode(
            range_indices.astype("int32"), self.output_mode, self._depth, self.compute_dtype
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return encoded_shape(input_shape, self.output_mode, self._depth)

    def compute_output_spec(self, inputs: Inputs) -> KerasTensor:
        self._refuse_text(inputs, "a StringLookup")
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    @property
    def _depth(self) -> int:
        boundaries = self.bin_boundaries
        return int(self.num_bins or 0) if boundaries is None else len(boundaries) + 1

    def get_config(self) -> dict:
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        return settings_of(self, *names)

    @classmethod
    def from_config(cls, config: dict) -> "Discretization":
        boundaries = config.get("bin_boundaries")
        if boundaries is None or config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**{**config, "bin_boundaries": None})  # the boundaries were learned
        layer.bin_boundaries = _check_ascending(boundaries)
        return layer


def _check_ascending(boundaries: Any) -> list[float]:
    values = np.asarray(boundaries, dtype="float64")
    if values.ndim != 1 or values.size == 0 or (np.diff(values) < 0).any():
        raise ValueError(
            "Discretization: bin_boundaries must be a list of ascending numbers; received "
            f"{boundaries!r}.\n  Fix: sorted(bin_boundaries)."
        )
    return values.tolist()


# A sketch of many values: a sorted sample with weights, the number of values that each represents.
# Its size is bounded, and quantiles from it are accurate to about `epsilon`.


def _sketch(values: np.ndarray, epsilon: float) -> np.ndarray:
    """A sketch of about 1/epsilon values, at equal distances in the sorted values."""
    ordered = np.sort(values.astype("float32"), axis=None)
    step = max(ordered.size / (1.0 / epsilon), 1)
    thinned_values = ordered[int(step - 1) :: int(step)]
    return np.stack([thinned_values, np.ones_like(thinned_values) * step])


def _merge_sketches(first: np.ndarray, second: np.ndarray, epsilon: float) -> np.ndarray:
    both = np.concatenate([first, second], axis=1)
    return _compress_sketch(both[:, np.argsort(both[0])], epsilon)


def _compress_sketch(sketch: np.ndarray, epsilon: float) -> np.ndarray:
    """A sketch of about 1/epsilon values, by interpolation of the cumulative weights."""
    values, weights = sketch
    if len(values) * epsilon < 1:
        return sketch
    fractions = epsilon + np.arange(0.0, 1.0, epsilon)
    cumulative_weights = np.cumsum(weights)
    cumulative_fractions = cumulative_weights / cumulative_weights[-1]
    thinned_values = np.interp(fractions, cumulative_fractions, values)
    cumulative_weights = np.interp(fractions, cumulative_fractions, cumulative_weights)
    return np.stack([thinned_values, np.diff(cumulative_weights, prepend=0)]).astype("float32")
