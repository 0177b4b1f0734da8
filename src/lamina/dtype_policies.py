"""Dtype policies, with Keras's names: the dtypes of weights and of computation."""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from lamina.core.configuration.dtypes import ALTERNATIVE_TO_QUANTIZATION, DTypePolicy, get_policy
from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.unavailable import make_unavailable_objects

FloatDTypePolicy = DTypePolicy


@filter_tracebacks_of_methods
class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Different policies for the layers inside a layer, by their paths.

    If a layer that creates other layers has this map as its `dtype`, each of these layers has the
    policy for its path, such as `"encoder/attention/query"`. A key is a path, or a regular
    expression that matches the whole path. Layers that match no key have the default policy.

    Args:
        default_policy: A policy or its name; None for `config.dtype_policy()`.
        policy_map: Policies by key.

    Raises:
        TypeError: If `policy_map` is not a dict.
        ValueError: If a key is given twice, two patterns match one path, or a value is not a
            policy.

    Example:
        >>> policies = DTypePolicyMap("float32")
        >>> policies["encoder/.*"] = "bfloat16"
        >>> policies["encoder/dense"].name, policies["decoder/dense"].name
        ('bfloat16', 'float32')
    """

    def __init__(
        self,
        default_policy: Any = None,
        policy_map: dict[str, Any] | None = None,
    ):
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("default_policy is one policy and cannot be a DTypePolicyMap.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                f"policy_map must be a dict from paths to policies; received {policy_map!r}."
            )
        self._default = None if default_policy is None else get(default_policy)
        self._policies: dict[str, DTypePolicy] = {}
        for key, policy in (policy_map or {}).items():
            self[key] = policy

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of layers that match no key."""
        return get_policy(self._default)

    @property
    def name(self) -> str:
        """`"map_"` followed by the name of the default policy."""
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        """Name of the compute dtype of layers that match no key."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """Name of the dtype of the weights of layers that match no key."""
        return self.default_policy.variable_dtype

    def policy_of(self, path: str | None) -> DTypePolicy:
        """The policy for the layer at a path.

        Args:
            path: Path of a layer, e.g. `"encoder/dense"`; None for a layer that has no path yet.

        Returns:
            The policy whose key matches the path; the default policy if none does, or if the path
            is None.
        """
        return self.default_policy if path is None else self[path]

    def assign_policy(self, path: str | None, policy: DTypePolicy) -> DTypePolicy:
        """Store a policy for the layer at a path.

        Args:
            path: Path of the layer; None for a layer that has no path yet.
            policy: The policy that was assigned.

        Returns:
            The new value of `layer.dtype_policy`: this map; or the assigned policy if it is a map
            itself or the layer has no path.
        """
        if path is None or isinstance(policy, DTypePolicyMap):
            return policy
        self._policies[path] = policy
        return self

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policies:
            return self._policies[key]
        matching_patterns = [pattern for pattern in self._policies if re.fullmatch(pattern, key)]
        if len(matching_patterns) > 1:
            raise ValueError(
                f"Two keys of the DTypePolicyMap match the layer {key!r}: {matching_patterns[0]!r} "
                f"and {matching_patterns[1]!r}.\n  Fix: make one of them narrower."
            )
        return self._policies[matching_patterns[0]] if matching_patterns else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policies:
            raise ValueError(
                f"The DTypePolicyMap has {self._policies[key].name!r} for {key!r} already.\n"
                f"  Fix: del policies[{key!r}] first."
            )
        self._policies[key] = get(policy)

    def __delitem__(self, key: str) -> None:
        del self._policies[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policies

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    def get_config(self) -> dict:
        return {
            "default_policy": registry.serialize(self._default),
            "policy_map": registry.serialize(self._policies),
        }

    @classmethod
    def from_config(cls, config: dict) -> "DTypePolicyMap":
        return cls(**registry.deserialize(config))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicyMap) and self.get_config() == other.get_config()

    __hash__ = object.__hash__  # a map is mutable

    @safe_repr
    def __repr__(self) -> str:
        names = {key: policy.name for key, policy in self._policies.items()}
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={names}>"


@filter_traceback
def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a saved config or None.

    Args:
        identifier: `"mixed_bfloat16"`, `numpy.float16`, the result of `serialize`, or None for the
            default policy.

    Returns:
        The policy.

    Example:
        >>> get("mixed_bfloat16").variable_dtype
        'float32'
    """
    if isinstance(identifier, dict) and "class_name" in identifier:
        return deserialize(identifier)
    return get_policy(identifier)


@filter_traceback
def serialize(dtype_policy: DTypePolicy) -> dict:
    """Serialize a policy.

    Args:
        dtype_policy: A policy.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(dtype_policy)


@filter_traceback
def deserialize(config: Mapping, custom_objects: Mapping | None = None) -> DTypePolicy:
    """The inverse of `serialize`.

    Args:
        config: Result of `serialize`.
        custom_objects: Classes that are not part of Lamina, by name.

    Returns:
        The policy.

    Example:
        >>> deserialize(serialize(DTypePolicy("float16")))
        <DTypePolicy "float16">
    """
    # As in Keras, the config may lack the module.
    return registry.deserialize({"module": "keras.dtype_policies", **config}, custom_objects)


_unavailable: dict[str, Any] = make_unavailable_objects(
    __name__,
    (
        "AWQDTypePolicy",
        "GPTQDTypePolicy",
        "Int4DTypePolicy",
        "QuantizedDTypePolicy",
        "QuantizedFloat8DTypePolicy",
    ),
    ALTERNATIVE_TO_QUANTIZATION,
)
globals().update(_unavailable)
registry.register_namespace(
    "keras.dtype_policies", {"DTypePolicyMap": DTypePolicyMap, **_unavailable}
)

__all__ = sorted(
    ["DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "deserialize", "get", "serialize"]
    + list(_unavailable)
)

suggest_similar_names(__name__)
