"""TensorFlow's rules for dtypes: types are not mixed, and not narrowed silently.

Arrays are JAX's. For JAX, int32 + float32 is float32, and the default is 32 bits where TensorFlow
has 64. These functions raise TensorFlow's errors, and warn where a dtype has fewer bits.
"""

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.types import DTypeLike
from lamina.core.variable.variable import Variable
from lamina.training.checks import warn

_64_BIT_TYPES = ("float64", "int64", "uint64", "complex128")
# Dtypes for which a warning was given.
_warned: set[str] = set()


class OpError(Exception):
    """`tf.errors.OpError`: something went wrong inside an operation."""


class InvalidArgumentError(OpError):
    """`tf.errors.InvalidArgumentError`: an operation cannot take these arguments."""


def to_jax_dtype(dtype: Any) -> Any:
    """JAX's dtype for a dtype: float32 for float64, unless 64 bits are enabled."""
    requested = standardize_dtype(dtype)
    jax_dtype = jax.dtypes.canonicalize_dtype(np.dtype(requested))
    if requested in _64_BIT_TYPES and jax_dtype != requested and requested not in _warned:
        _warned.add(requested)
        warn(
            f"{requested} is computed in {jax_dtype.name} here, with half as many bits.\n"
            "  Fix: set JAX_ENABLE_X64=1 in the environment if the script needs 64 bits.",
        )
    return jax_dtype


def array(value: Any, dtype: Any = None) -> Any:
    """A JAX array with TensorFlow's dtype, as far as JAX supports it."""
    if isinstance(value, Variable):
        value = value.value
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.name in _64_BIT_TYPES:
        if dtype is None and value.dtype.kind in "fc":
            to_jax_dtype(value.dtype)  # warns; integers that fit lose nothing
        _refuse_overflow(value, dtype)
    return jnp.asarray(value, dtype=None if dtype is None else to_jax_dtype(dtype))


def to_strong_dtype(value: jax.Array) -> jax.Array:
    """The array with a strong type; JAX gives Python numbers a weak type."""
    return jax.lax.convert_element_type(value, value.dtype) if value.weak_type else value


def check_equal_dtypes(name: str, first: Any, second: Any) -> None:
    """Refuse two tensors of different types, and an integer tensor with a Python float.

    Raises:
        InvalidArgumentError: If two tensors differ in type.
        TypeError: If one is of integers and the other a Python float.
    """
    first_type, second_type = _dtype_of(first), _dtype_of(second)
    if first_type is not None and second_type is not None:
        if first_type != second_type:
            raise InvalidArgumentError(
                f"cannot compute {name} of tensors of types {first_type} and {second_type}: "
                "TensorFlow does not mix types.\n  Fix: tf.cast(x, "
                f"tf.{second_type if 'float' in str(second_type) else first_type})."
            )
        return
    for integer_type, number in ((first_type, second), (second_type, first)):
        if (
            isinstance(number, float)
            and integer_type is not None
            and jnp.issubdtype(integer_type, jnp.integer)
        ):
            raise TypeError(
                f"Cannot convert {number} to a tensor of type {integer_type} in {name}: "
                "TensorFlow does not mix types.\n  Fix: tf.cast(x, tf.float32)."
            )


def refuse_integers(name: str, x: Any) -> None:
    """Refuse integers for an operation that TensorFlow has only for floats."""
    dtype = _dtype_of(x)
    if dtype is not None and (dtype.kind in "biu"):
        raise InvalidArgumentError(
            f"{name} does not support tensors of type {dtype}, only floats and complex numbers.\n"
            "  Fix: tf.cast(x, tf.float32)."
        )


def mean(x: jax.Array, axis: Any = None, keepdims: bool = False) -> jax.Array:
    """The mean; for integers it is an integer, truncated towards 0, as in TensorFlow."""
    if not jnp.issubdtype(x.dtype, jnp.integer):
        return jnp.mean(x, axis=axis, keepdims=keepdims)
    total = jnp.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)
    return jax.lax.div(total, jnp.full(total.shape, x.size // max(1, total.size), x.dtype))


def require_float_reduction(name: str, function: Callable) -> Callable:
    """A reduction that TensorFlow has for floats only."""

    def reduce(x: jax.Array, axis: Any = None, keepdims: bool = False) -> jax.Array:
        if jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool:
            raise TypeError(
                f"{name} takes real or complex numbers; received {x.dtype}.\n"
                "  Fix: tf.cast(x, tf.float32)."
            )
        return function(x, axis=axis, keepdims=keepdims)

    reduce.__name__ = function.__name__
    return reduce


_OPERATORS = {
    "add": "AddV2", "sub": "Sub", "mul": "Mul", "truediv": "RealDiv", "floordiv": "FloorDiv",
    "mod": "FloorMod", "pow": "Pow", "matmul": "MatMul", "lt": "Less", "le": "LessEqual",
    "gt": "Greater", "ge": "GreaterEqual",
}  # fmt: skip


def check_operator_dtypes(tensor: type) -> None:
    """Check the dtypes of operators, such as `x + y`, in the script itself but not in libraries.

    Args:
        tensor: The class of arrays whose operators are replaced.
    """
    for method_name, name in _OPERATORS.items():
        for operator in (f"__{method_name}__", f"__r{method_name}__"):
            original = getattr(tensor, operator, None)
            if original is not None and not hasattr(original, "_lamina_checked"):
                setattr(tensor, operator, _check_dtypes_of(original, name))


def _check_dtypes_of(method: Callable, name: str) -> Callable:
    def operator(self: Any, other: Any) -> Any:
        # The script alone: libraries rely on JAX's rules.
        if sys._getframe(1).f_globals.get("__name__") == "__main__":
            check_equal_dtypes(name, self, other)
        return method(self, other)

    operator._lamina_checked = True  # type: ignore[attr-defined]
    operator.__name__ = method.__name__
    return operator


def _dtype_of(value: Any) -> Any:
    """The dtype of a tensor; None for numbers and lists, which adopt that of the other operand.

    Also None while JAX traces: there the library has chosen the dtypes.
    """
    if isinstance(value, jax.core.Tracer):
        return None
    if isinstance(value, jax.Array):
        return None if value.weak_type else value.dtype
    return jnp.dtype(value.dtype) if isinstance(value, Variable) else None


def _refuse_overflow(value: Any, dtype: DTypeLike | None) -> None:
    target_dtype = jax.dtypes.canonicalize_dtype(value.dtype if dtype is None else np.dtype(dtype))
    if value.dtype.kind not in "iu" or target_dtype.kind not in "iu" or not value.size:
        return
    limits = np.iinfo(target_dtype)
    if value.min() < limits.min or value.max() > limits.max:
        raise OverflowError(
            f"The numbers from {value.min()} to {value.max()} do not fit into "
            f"{target_dtype.name}.\n"
            "  Fix: set JAX_ENABLE_X64=1 in the environment for integers of 64 bits."
        )
