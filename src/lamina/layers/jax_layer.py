"""Layers around functions of JAX and modules of Flax: their parameters become weights."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import dtypes
from lamina.core.layer.call_signature import is_shape
from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import Inputs, Outputs, PyTree, Shapes
from lamina.core.variable.seed import SeedGenerator, draw_key
from lamina.core.variable.variable import Variable


class JaxLayer(Layer):
    """Runs a pure function of JAX as a layer that is trained and saved with the model.

    `call_fn(params, state, rng, inputs, training)` computes the output; all arguments but
    `inputs` are optional. If it takes `state`, it returns `(outputs, new state)`.
    `init_fn(rng, inputs, training)` makes the parameters, or `(params, state)`.

    Args:
        call_fn: Pure function; its arguments have the names above, in any order.
        init_fn: Makes the weights when the shape of the input is known; None if they are given.
        params: Weights that are trained, any pytree of arrays; None to make them by `init_fn`.
        state: Weights that `call_fn` changes in training, any pytree of arrays.
        seed: An integer for reproducible randomness; for functions that take `rng`.
        native_serialization_platforms: For compatibility with Keras, for TensorFlow; has no effect.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: What the function takes; several arrays as one list, tuple or dict.
    Output shape: The result of the function.

    Raises:
        ValueError: If a function has an argument that is not among those above, or there is no
            way to make the weights.

    Example:
        >>> def scaled(params, inputs):
        ...     return params["scale"] * inputs
        >>> layer = JaxLayer(scaled, params={"scale": jnp.array(3.0)})
        >>> layer(jnp.array([1.0, 2.0])).tolist()
        [3.0, 6.0]
    """

    def __init__(
        self,
        call_fn: Callable,
        init_fn: Callable | None = None,
        params: PyTree = None,
        state: PyTree = None,
        seed: int | None = None,
        native_serialization_platforms: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        allowed = ("params", "state", "rng", "inputs", "training")
        self._call_argument_names = _check_argument_names("call_fn", call_fn, allowed)
        if init_fn is not None:
            self._init_argument_names = _check_argument_names(
                "init_fn", init_fn, ("rng", "inputs", "training")
            )
        weights = {"params", "state"} & set(self._call_argument_names)
        if init_fn is None and params is None and state is None and weights:
            raise ValueError(
                f"{type(self).__name__}: call_fn takes {' and '.join(sorted(weights))}, and there "
                "is nothing to make them from.\n  Fix: give init_fn, or params and state."
            )
        self.call_fn = call_fn
        self.init_fn = init_fn
        self.seed = seed
        self.native_serialization_platforms = native_serialization_platforms
        if "rng" in self._call_argument_names:
            self.seed_generator = SeedGenerator(seed)
        self._has_weights = params is not None or state is not None
        self._make_variables(params, state)

    def build(self, input_shape: Shapes) -> None:
        if self._has_weights or self.init_fn is None:
            return
        # The initial values are concrete arrays, even if the model is only traced.
        with jax.ensure_compile_time_eval():
            shapes = jax.tree.map(
                lambda shape: jnp.ones([size or 1 for size in shape], self.compute_dtype),
                input_shape,
                is_leaf=is_shape,
            )
            arguments = {"rng": self._get_init_rng(), "inputs": shapes, "training": True}
            variables = self.init_fn(*(arguments[name] for name in self._init_argument_names))
        self._make_variables(
            *(variables if "state" in self._call_argument_names else (variables, None))
        )

    def call(self, inputs: Inputs, training: bool = False) -> Outputs:
        """Call the function with the arguments it takes, among params, state, rng, inputs and
        training.

        Args:
            inputs: Array, or structure of arrays.
            training: Passed to the function, if it has this argument.

        Returns:
            The result of the function, without the state, which the layer stores.

        Raises:
            ValueError: If the function returns a state of another structure.
        """
        arguments = {"inputs": inputs, "training": training}
        for name in self._call_argument_names:
            if name == "rng":
                arguments["rng"] = self._get_call_rng(training)
            elif name in ("params", "state"):
                arguments[name] = jax.tree.map(_value, getattr(self, name), is_leaf=_is_variable)
        result = self.call_fn(*(arguments[name] for name in self._call_argument_names))
        if "state" not in self._call_argument_names:
            return result
        outputs, state = result
        structure: Any
        leaves, structure = jax.tree.flatten(state)
        if structure != self._structures["state"]:
            raise ValueError(
                f"{self._label}: call_fn must return a state of the same structure.\n"
                f"  Given: {self._structures['state']}\n  Returned: {structure}"
            )
        for variable, value in zip(self.tracked_state, leaves, strict=True):
            if isinstance(variable, Variable):
                variable.assign(value)
        return outputs

    @property
    def params(self) -> PyTree:
        """The trained weights as Variables, in the structure that `call_fn` takes them in."""
        return jax.tree.unflatten(self._structures["params"], self.tracked_params)

    @property
    def state(self) -> PyTree:
        """The other weights as Variables, in the structure that `call_fn` takes them in."""
        return jax.tree.unflatten(self._structures["state"], self.tracked_state)

    # With Keras's names, because subclasses override them.

    def _get_init_seed(self) -> jax.Array:
        return draw_key(None)

    def _get_call_seed(self) -> jax.Array:
        return self.seed_generator.next()

    def _get_init_rng(self) -> Any:
        """The `rng` argument of `init_fn`; overridden for functions that need several keys."""
        return self._get_init_seed()

    def _get_call_rng(self, training: bool) -> Any:
        """The `rng` argument of `call_fn`: a new key in training, else None."""
        return self._get_call_seed() if training else None

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "call_fn": registry.serialize(self.call_fn),
            "init_fn": registry.serialize(self.init_fn),
            "native_serialization_platforms": self.native_serialization_platforms,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "JaxLayer":
        """A new layer with the settings that `get_config` gave, not yet built.

        Args:
            config: Arguments of the constructor; functions and modules are serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A layer with new weights.
        """
        config = dict(config)
        for name in ("call_fn", "init_fn"):
            config[name] = registry.deserialize_function(config[name], custom_objects)
        return super().from_config(config)

    def _make_variables(self, params: Any, state: Any) -> None:
        """Make Variables of the arrays in both structures."""
        flat = {name: jax.tree.flatten(v) for name, v in (("params", params), ("state", state))}
        self._structures = {name: structure for name, (_, structure) in flat.items()}
        self.tracked_params = [self._make_variable(leaf, True) for leaf in flat["params"][0]]
        self.tracked_state = [self._make_variable(leaf, False) for leaf in flat["state"][0]]

    def _make_variable(self, leaf: Any, trainable: bool) -> Any:
        if not isinstance(leaf, (jax.Array, np.ndarray, np.generic, bool, int, float)):
            return leaf  # e.g. a string, which is an option of the function
        value = np.asarray(leaf)
        floats = dtypes.is_float(value.dtype)
        dtype = None if floats else dtypes.standardize_dtype(jnp.asarray(value).dtype)
        return self.add_weight(
            value.shape, lambda shape, dtype: value.astype(dtype), dtype, trainable=trainable
        )


class FlaxLayer(JaxLayer):
    """Runs a module of Flax (`flax.linen`) as a layer that is trained and saved with the model.

    The collection `"params"` is trained; the others, such as the averages of a batch
    normalisation, are state.

    Args:
        module: The module. Its method takes `inputs` and, optionally, `training`.
        method: Name of the method to call, the method, or a function of module and inputs; None
            for `__call__`.
        variables: Result of `module.init`, for a module that is trained already.
        **kwargs: `seed`, `name`, `dtype`, `trainable`; see `JaxLayer`.

    Input shape: What the module takes.
    Output shape: The result of the module.

    Raises:
        TypeError: If `module` is not a module of `flax.linen`.
    """

    def __init__(self, module: Any, method: Any = None, variables: PyTree = None, **kwargs: Any):
        if not all(callable(getattr(module, name, None)) for name in ("init", "apply")):
            raise TypeError(
                f"FlaxLayer needs a module of flax.linen, with init and apply; received {module!r}."
            )
        method_function = getattr(module, method) if isinstance(method, str) else method
        method_function = method_function or module.__call__
        takes_training = "training" in inspect.signature(method_function).parameters

        def apply(params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> Any:
            optional = {"training": training} if takes_training else {}
            # Every collection but the parameters may change.
            return module.apply(
                {**(params or {}), **(state or {})},
                inputs,
                rngs=rng,
                method=method_function,
                mutable=list(state or {}),
                **optional,
            )

        def init(rng: Any, inputs: Any) -> tuple[dict, dict]:
            optional = {"training": True} if takes_training else {}
            return _split_collections(module.init(rng, inputs, method=method_function, **optional))

        params, state = _split_collections(variables) if variables is not None else (None, None)
        super().__init__(apply, init, params, state, **kwargs)
        self.module = module
        self.method = method

    def _get_init_rng(self) -> dict:
        return {"params": self._get_init_seed(), "dropout": self._get_init_seed()}

    def _get_call_rng(self, training: bool) -> dict:
        return {"dropout": self._get_call_seed()} if training else {}

    def get_config(self) -> dict:
        config = super().get_config()
        del config["call_fn"], config["init_fn"]
        bound = getattr(self.method, "__self__", None) is self.module
        method = self.method.__name__ if bound else registry.serialize(self.method)
        return {**config, "module": registry.serialize(self.module), "method": method}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "FlaxLayer":
        """A new layer with the settings that `get_config` gave, not yet built.

        Args:
            config: Arguments of the constructor; functions and modules are serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A layer with new weights.
        """
        config = {**config, "module": registry.deserialize(config["module"], custom_objects)}
        if not isinstance(config["method"], str):
            config["method"] = registry.deserialize_function(config["method"], custom_objects)
        return Layer.from_config.__func__(cls, config)  # type: ignore[attr-defined]


def _check_argument_names(name: str, function: Any, allowed: Sequence[str]) -> list[str]:
    if not callable(function):
        raise TypeError(f"{name} must be a function; received {function!r}.")
    parameter_names = list(inspect.signature(function).parameters)
    unknown = [argument for argument in parameter_names if argument not in allowed]
    if unknown or "inputs" not in parameter_names:
        problem = f"it takes {unknown[0]!r}" if unknown else "it does not take 'inputs'"
        raise ValueError(
            f"{name} must take inputs, and no arguments other than {', '.join(allowed)}: "
            f"{problem}.\n"
            "  Fix: wrap it in a function with these names."
        )
    return parameter_names


def _split_collections(variables: Mapping) -> tuple[dict, dict]:
    """Parameters and the other collections of a Flax module, each as a dict of collections."""
    params = {name: value for name, value in variables.items() if name == "params"}
    return params, {name: value for name, value in variables.items() if name != "params"}


def _is_variable(leaf: Any) -> bool:
    return isinstance(leaf, Variable)


def _value(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, Variable) else leaf
