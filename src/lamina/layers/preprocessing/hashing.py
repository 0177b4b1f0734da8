"""Hashing and HashedCrossing: buckets of text and integers by a hash, without a vocabulary."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Array, DTypePolicyLike, Inputs, Shape, Shapes
from lamina.core.user_data.arguments import check_integer
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import as_host_array
from lamina.layers.preprocessing import fingerprint
from lamina.layers.preprocessing.host_layer import (
    HostLayer,
    check_output_mode,
    encode,
    encoded_shape,
    refuse_sparse,
    reserve_row_memory,
    to_integers,
)
from lamina.layers.settings import settings_of


class Hashing(HostLayer):
    """Maps text or integers to buckets by a hash that is the same on all machines.

    There is no vocabulary; different values may share a bucket.

    Args:
        num_bins: Number of buckets, including that of `mask_value`.
        mask_value: The only value that is mapped to bucket 0; None for no mask.
        salt: One or two integers, the key of SipHash, so that buckets cannot be predicted without
            it. None for FarmHash.
        output_mode: `"int"` gives the index of the bucket; `"one_hot"`, `"multi_hot"` and
            `"count"` encode it as in `CategoryEncoding`.
        sparse: Only False: there are no sparse arrays.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any; texts or integers; fractions are truncated.
    Output shape: Same as the input for `"int"`; see `CategoryEncoding` for the others.

    Example:
        >>> Hashing(num_bins=3)([["A"], ["B"], ["C"]]).tolist()
        [[1], [0], [1]]
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ):
        modes = ("int", "one_hot", "multi_hot", "count")
        mode = check_output_mode("Hashing", output_mode, modes)
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if mode == "int" else config.floatx()
        super().__init__(**kwargs)
        refuse_sparse("Hashing", sparse)
        self.num_bins = check_integer("num_bins", num_bins, owner="Hashing")
        reserve_row_memory("Hashing", mode, self.num_bins)
        if mode == "int" and self.dtype not in ("int32", "int64"):
            raise ValueError(
                "Hashing: with output_mode='int' the dtype is 'int32' or 'int64'; received "
                f"{self.dtype!r}."
            )
        self.mask_value = mask_value
        self.salt = check_salt("Hashing", salt)
        self.output_mode = mode
        self.sparse = False

    def call(self, inputs: Array) -> Array:
        """Find the bucket of every value.

        Args:
            inputs: Texts or integers, `(batch, ...)`.

        Returns:
            Index of the bucket, from 0 to `num_bins - 1`, encoded as set by `output_mode`.
        """
        if inputs.dtype.kind == "f":
            inputs = inputs.astype("int32" if isinstance(inputs, jax.Array) else "int64")
        has_mask = self.mask_value is not None and self.num_bins > 1
        bucket_indices = fingerprint.buckets(inputs, self.num_bins - has_mask, self.salt)
        if has_mask:
            numpy: Any = jnp if isinstance(inputs, jax.Array) else np
            bucket_indices = numpy.where(inputs == self.mask_value, 0, bucket_indices + 1)
        return encode(bucket_indices, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Inputs) -> KerasTensor:
        return KerasTensor(self.compute_output_shape(inputs.shape), self.dtype)

    def get_config(self) -> dict:
        settings = settings_of(self, "num_bins", "salt", "mask_value", "output_mode", "sparse")
        return {**super().get_config(), **settings}


class HashedCrossing(HostLayer):
    """Maps combinations of values of several columns to buckets.

    Args:
        num_bins: Number of buckets.
        output_mode: `"int"` gives the index of the bucket, `"one_hot"` a vector.
        sparse: Only False: there are no sparse arrays.
        name: Name of the layer.
        dtype: Dtype of the output.
        **kwargs: `trainable`; see `Layer`.

    Call arguments:
        inputs: List of two or more columns, texts or integers, `(samples, 1)` or
            `(samples,)`.

    Output shape: That of a column for `"int"`, `(samples, num_bins)` for `"one_hot"`.

    Example:
        >>> HashedCrossing(num_bins=5)([["A", "B", "A"], [101, 101, 102]]).tolist()
        [1, 4, 3]
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        **kwargs: Any,
    ):
        mode = check_output_mode("HashedCrossing", output_mode, ("int", "one_hot"))
        dtype = "int64" if dtype is None and mode == "int" else dtype
        super().__init__(name=name, dtype=dtype, **kwargs)
        refuse_sparse("HashedCrossing", sparse)
        self.num_bins = check_integer("num_bins", num_bins, owner="HashedCrossing")
        reserve_row_memory("HashedCrossing", mode, self.num_bins)
        self.output_mode = mode
        self.sparse = False

    def _values(self, features: Any) -> Any:
        if not isinstance(features, (list, tuple)):
            return features
        return [
            as_host_array(column, f"{self._label}: column {i}") for i, column in enumerate(features)
        ]

    def call(self, inputs: Inputs) -> Array:
        """Find the bucket of every combination.

        Args:
            inputs: A list of columns of texts or integers, of equal shape, `(batch,)` or
                `(batch, 1)`.

        Returns:
            Index of the bucket, from 0 to `num_bins - 1`, encoded as set by `output_mode`.

        Raises:
            ValueError: If the inputs are not such a list.
        """
        self._check(inputs)
        columns = [x if is_text(x) else to_integers(x, self._label) for x in inputs]
        shape = columns[0].shape
        bucket_indices = fingerprint.crossed_buckets(
            [x.reshape(-1) for x in columns], self.num_bins
        )
        return encode(
            bucket_indices.reshape(shape), self.output_mode, self.num_bins, self.compute_dtype
        )

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        return encoded_shape(input_shape[0], self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Inputs) -> KerasTensor:
        self._check(inputs)
        shape = self.compute_output_shape([x.shape for x in inputs])
        return KerasTensor(shape, self.dtype)

    def get_config(self) -> dict:
        return settings_of(self, "num_bins", "output_mode", "sparse", "name", "dtype")

    def _check(self, inputs: Inputs) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(
                f"{self._label} is called on a list of two or more columns; received "
                f"{len(inputs) if isinstance(inputs, (list, tuple)) else 'one array'}.\n"
                "  Fix: layer([first_column, second_column])."
            )
        shapes = [tuple(x.shape) for x in inputs]
        first = shapes[0]
        if len(first) > 2 or (len(first) == 2 and first[1] != 1) or len(set(shapes)) > 1:
            raise ValueError(
                f"{self._label} takes columns of equal shape, (samples,) or (samples, 1); "
                f"received {' and '.join(map(str, shapes))}."
            )


def check_salt(layer: str, salt: Any) -> list[int] | None:
    """The salt as a list of two integers; one integer is repeated. None stays None."""
    if salt is None:
        return None
    pair = [salt, salt] if isinstance(salt, int) else salt
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        if all(isinstance(number, int) and not isinstance(number, bool) for number in pair):
            return list(pair)
    raise ValueError(f"{layer}: salt is one or two integers; received {salt!r}.")
