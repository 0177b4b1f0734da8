"""Arithmetic of symbolic tensors: what `x + y`, `x * 2` and `x[:, 0]` do in a functional model.

The operations have Keras's names, so that files with them can be read by either.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import registry
from lamina.core.keras_tensor import operators
from lamina.core.operation import FunctionOperation, symbolic


def get_item(x: jax.Array, key: Any) -> jax.Array:
    """`x[key]`; in a file a tuple of indices has become a list."""
    return x[tuple(key) if isinstance(key, list) else key]


def round_to(x: jax.Array, decimals: int = 0) -> jax.Array:
    """`x` with so many digits after the point."""
    return jnp.round(x, decimals)


_FUNCTIONS: dict[str, Callable] = {
    "Absolute": jnp.abs,
    "Add": jnp.add,
    "Divide": jnp.true_divide,
    "Equal": jnp.equal,
    "FloorDivide": jnp.floor_divide,
    "GetItem": get_item,
    "Greater": jnp.greater,
    "GreaterEqual": jnp.greater_equal,
    "Less": jnp.less,
    "LessEqual": jnp.less_equal,
    "LogicalAnd": jnp.logical_and,
    "LogicalNot": jnp.logical_not,
    "LogicalOr": jnp.logical_or,
    "LogicalXor": jnp.logical_xor,
    "Matmul": jnp.matmul,
    "Mod": jnp.mod,
    "Multiply": jnp.multiply,
    "Negative": jnp.negative,
    "NotEqual": jnp.not_equal,
    "Power": jnp.power,
    "Round": round_to,
    "Subtract": jnp.subtract,
    "TrueDivide": jnp.true_divide,
}

_classes: dict[str, type[FunctionOperation]] = {}
for _name, _function in _FUNCTIONS.items():
    _tensors = ("x",) if _name == "Round" else None  # it is the one with a setting
    operators[_name], _classes[_name] = symbolic(_function, _name, _tensors)
registry.register_namespace("keras.src.ops.numpy", _classes)
