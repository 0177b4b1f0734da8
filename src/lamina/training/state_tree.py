"""The state of a model as nested dicts of arrays by path, for other libraries and inspection.

Implements `model.get_state_tree()` and `model.set_state_tree()`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.core.variable.variable import Variable

_FORMATS = {"backend_tensor": jnp.asarray, "numpy_array": np.asarray}


def state_tree(
    groups: Mapping[str, list[Variable]], value_format: str = "backend_tensor"
) -> dict[str, Any]:
    """Nested dicts of arrays: group → part of the path → … → array.

    Args:
        groups: Variables by the name of their group, e.g. `"trainable_variables"`.
        value_format: `"backend_tensor"` for JAX arrays, `"numpy_array"` for NumPy's.

    Raises:
        ValueError: If two variables of a group have the same path.
    """
    if value_format not in _FORMATS:
        raise ValueError(
            f"value_format must be one of {', '.join(map(repr, _FORMATS))}; "
            f"received {value_format!r}."
        )
    convert = _FORMATS[value_format]
    return {name: _nest(variables, convert) for name, variables in groups.items()}


def assign_state_tree(groups: Mapping[str, list[Variable]], tree: Mapping[str, Any]) -> None:
    """Assign the arrays of a `state_tree` to the Variables; groups and paths may be left out.

    Raises:
        ValueError: If a group or path is unknown, or a shape differs. Then nothing is changed.
    """
    new_values: list[tuple[Variable, Any]] = []
    for group, content in tree.items():
        if group not in groups:
            raise ValueError(
                f"A state tree has the groups {', '.join(groups)}; received {group!r}."
                f"{did_you_mean(str(group), groups)}"
            )
        variable_at = {variable.path: variable for variable in groups[group]}
        for path, value in _flatten(content):
            if path not in variable_at:
                raise ValueError(
                    f"{group} has no variable {path!r}.{did_you_mean(path, variable_at)}\n"
                    "  Likely cause: the tree is from another model, or layers have other names."
                )
            is_divided = isinstance(value, jax.Array) and not value.is_fully_replicated
            array = value if is_divided else np.asarray(value)
            if array.shape != variable_at[path].shape:
                raise ValueError(
                    f"{path!r} has shape {variable_at[path].shape} and cannot take a value of "
                    f"shape {array.shape}."
                )
            new_values.append((variable_at[path], array))
    for variable, array in new_values:
        variable.assign(array)


def _nest(variables: list[Variable], convert: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for variable in variables:
        *keys, last_key = variable.path.split("/")
        inner = tree
        for key in keys:
            inner = inner.setdefault(key, {})
        if last_key in inner:
            raise ValueError(
                f"Two variables have the same path {variable.path!r}.\n"
                "  Likely cause: two layers have the same name.\n"
                "  Fix: use unique names, such as Dense(8, name='hidden')."
            )
        inner[last_key] = convert(variable.value)
    return tree


def _flatten(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, Mapping):
        yield path, tree
        return
    for name, inner in tree.items():
        yield from _flatten(inner, f"{path}/{name}" if path else name)
