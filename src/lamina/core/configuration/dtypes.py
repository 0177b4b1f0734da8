"""Dtypes, and dtype policies: the dtypes of a layer's weights and of its computation.

Every layer has a `DTypePolicy`. `lamina.dtype_policies` has the public names and the policies by
path.
"""

import re
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.types import Config, DTypeLike
from lamina.core.unavailable import NotAvailableError
from lamina.core.user_data.data_kinds import may_hold_text

ALTERNATIVE_TO_QUANTIZATION = (
    "'mixed_bfloat16' halves the memory of activations; a model that was saved before it was "
    "quantized can be opened."
)
_KNOWN = (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64",
    "complex64", "complex128", "string",
)  # fmt: skip
_PYTHON_TYPES = {bool: "bool", int: "int32", str: "string"}  # for `float` it is `floatx()`


@filter_traceback
def standardize_dtype(dtype: DTypeLike | None) -> str:
    """The name of a dtype given as a name, a NumPy or JAX dtype, a Python type or None.

    Args:
        dtype: A name, a NumPy or JAX dtype, a Python type, or None for `floatx()`.

    Returns:
        The name, e.g. `"float32"`; `"string"` for text.

    Raises:
        ValueError: If there is no such dtype.

    Example:
        >>> standardize_dtype(np.float32), standardize_dtype(None)
        ('float32', 'float32')
    """
    if dtype is None or dtype is float:
        return config.floatx()
    if isinstance(dtype, type) and dtype in _PYTHON_TYPES:
        return _PYTHON_TYPES[dtype]
    if isinstance(dtype, str) and dtype in ("int", "float"):
        return "int32" if dtype == "int" else config.floatx()
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    if isinstance(dtype, np.dtype) and may_hold_text(dtype):
        return "string"
    if name is None:
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = str(dtype)
    if name not in _KNOWN:
        raise ValueError(f"Unknown dtype {dtype!r}; known are {', '.join(_KNOWN)}.")
    return str(name)


def is_float(dtype: DTypeLike) -> bool:
    """True for float16, bfloat16, float32 and float64."""
    return dtype != "string" and jnp.issubdtype(dtype, jnp.floating)


@filter_tracebacks_of_methods
class DTypePolicy:
    """The types in which a layer stores its weights and computes.

    Args:
        name: A dtype such as `"float32"`, or `"mixed_bfloat16"` / `"mixed_float16"`: weights in
            float32, computation in the half-precision type. None for the default policy
            of layers.

    Example:
        >>> DTypePolicy("mixed_bfloat16").compute_dtype
        'bfloat16'
    """

    def __init__(self, name: str | None = None):
        name = dtype_policy().name if name is None else name
        if not isinstance(name, str):
            raise TypeError(f"A dtype policy needs a name, e.g. 'float32'; received {name!r}.")
        if re.match(r"(int8|int4|float8|gptq|awq)\S*_from_", name):
            raise NotAvailableError(
                f"The dtype policy {name!r} is not available yet.\n"
                f"  Meanwhile: {ALTERNATIVE_TO_QUANTIZATION}"
            )
        self._name = name
        if name in ("mixed_float16", "mixed_bfloat16"):
            self._compute_dtype, self._variable_dtype = name.removeprefix("mixed_"), "float32"
        else:
            try:
                self._compute_dtype = self._variable_dtype = standardize_dtype(name)
            except ValueError:
                raise ValueError(
                    f"Unknown dtype policy {name!r}; use a dtype such as 'float32', "
                    "'mixed_bfloat16' or 'mixed_float16'."
                ) from None

    @property
    def name(self) -> str:
        """The policy's name, e.g. `"float32"` or `"mixed_bfloat16"`."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """Name of the dtype that a layer computes in; float inputs are cast to it."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """Name of the dtype in which a layer stores its weights."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How weights are quantized; always None in this version."""
        return None

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """Cast an array of floats to `dtype` if `autocast` is set; return anything else unchanged.

        Args:
            x: An array, or anything else.
            autocast: Whether arrays of floats are cast.
            dtype: Dtype to cast to.

        Returns:
            A JAX array for an array; anything else unchanged.
        """
        if not hasattr(x, "__array__"):
            return x
        x = jnp.asarray(x)
        return x.astype(standardize_dtype(dtype)) if autocast and is_float(x.dtype) else x

    def policy_of(self, path: str | None) -> "DTypePolicy":
        """The policy for the layer at a path; a `DTypePolicyMap` may have a different one for each.

        Args:
            path: Path of a layer, e.g. `"encoder/dense"`; None for a layer that has no path yet.

        Returns:
            The policy; for a plain `DTypePolicy`, itself.
        """
        return self

    def assign_policy(self, path: str | None, policy: "DTypePolicy") -> "DTypePolicy":
        """Assign a policy to the layer at a path; a `DTypePolicyMap` stores it.

        Args:
            path: Path of the layer; None for a layer that has no path yet.
            policy: The policy that was assigned.

        Returns:
            The new value of `layer.dtype_policy`: the assigned policy, or the `DTypePolicyMap`
            in which it is stored.
        """
        return policy

    def get_config(self) -> Config:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: Config) -> "DTypePolicy":
        """The inverse of `get_config`.

        Args:
            config: Result of `get_config`.

        Returns:
            An equal policy.
        """
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self._name)

    @safe_repr
    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


_global_policy: list[DTypePolicy] = []


def dtype_policy() -> DTypePolicy:
    """The default policy of layers.

    Returns:
        The policy.
    """
    return _global_policy[0] if _global_policy else DTypePolicy(config.floatx())


@filter_traceback
def set_dtype_policy(policy: "str | DTypePolicy") -> None:
    """Set the policy of layers made from now on.

    Args:
        policy: A policy or its name, e.g. `"mixed_bfloat16"`.

    Raises:
        ValueError: If it is None.
    """
    if policy is None:
        raise ValueError(
            "set_dtype_policy needs a policy; received None.\n"
            "  Fix: set_dtype_policy('float32'), or another name of a type."
        )
    _global_policy[:] = [get_policy(policy)]


def reset_dtype_policy() -> None:
    """Reset the default policy: layers made from now on compute in `floatx()`."""
    _global_policy.clear()


def get_policy(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a saved config or None."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(**identifier.get("config", identifier))
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(standardize_dtype(identifier))
