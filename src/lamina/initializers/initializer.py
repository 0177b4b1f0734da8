"""Initializer, the base class, and the transfer of values to the device."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.configuration.dtypes import is_float, standardize_dtype
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import DTypeLike
from lamina.core.variable.variable import to_shape_tuple


@filter_tracebacks_of_methods
class Initializer:
    """Base class of initializers: an object that is called with a shape and a dtype.

    Example:
        >>> class Half(Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return jnp.full(shape, 0.5, dtype)
        >>> Half()((2,)).tolist()
        [0.5, 0.5]
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        filter_tracebacks_of_methods(cls)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """An array of initial values.

        Args:
            shape: Shape of the variable.
            dtype: Its type; `floatx()` for None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no __call__(shape, dtype) method.")

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Initializer":
        """An initializer with the settings that `get_config` gave.

        Args:
            config: Arguments of the constructor.

        Returns:
            The initializer.
        """
        return cls(**config)

    def clone(self) -> "Initializer":
        """Another initializer with the same settings.

        Returns:
            An initializer of the same class.
        """
        return self.from_config(self.get_config())


def check_known_shape(shape: Any) -> tuple[int, ...]:
    shape = to_shape_tuple(shape)
    if any(size is None or size < 0 for size in shape):
        raise ValueError(f"A variable needs a shape of known sizes; received {shape}.")
    return shape


def check_float_dtype(initializer: Initializer, dtype: DTypeLike | None) -> str:
    dtype = standardize_dtype(dtype)
    if not is_float(dtype):
        raise ValueError(f"{type(initializer).__name__} draws floats; received dtype={dtype!r}.")
    return dtype


def to_device(values: np.ndarray, dtype: Any) -> Any:
    host = np.array(values, dtype=jnp.dtype(standardize_dtype(dtype)))
    if context.keep_initial_values_on_host:
        return host  # the Variable copies it to its own devices
    # device_put only copies; jnp.asarray compiles a program for every new shape:
    # docs/performance.md, `initial-values`.
    return jax.device_put(host)
