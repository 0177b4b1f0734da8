"""LayerState, the base class of `Layer`: weights, inner layers, dtypes and config."""

import contextlib
import functools
import types
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import dtypes
from lamina.core.configuration.context import context
from lamina.core.graph.operation import Operation
from lamina.core.layer.call_signature import is_shape
from lamina.core.layer.tracking import find_unreferenced, kind_of, track
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.serialization.init_arguments import (
    arguments_as_config,
    has_automatic_config,
    make_from_config,
)
from lamina.core.types import (
    Config,
    ConstraintLike,
    DTypeLike,
    DTypePolicyLike,
    InitializerLike,
    RegularizerLike,
)
from lamina.core.unavailable import unavailable_function
from lamina.core.variable.changes import record_change
from lamina.core.variable.settings import remember_setting
from lamina.core.variable.stateless import snapshot
from lamina.core.variable.threads import is_training_in_other_thread, value_lock
from lamina.core.variable.variable import Variable, name_scope, to_shape_tuple

if TYPE_CHECKING:
    from lamina.core.layer.layer import Layer


class LateStateError(RuntimeError, ValueError):
    """A weight or layer was created inside `call`. It is a ValueError as well, as in Keras."""


Method = TypeVar("Method", bound=Callable[..., Any])
# Attributes whose references to tracked objects do not count as use of the object.
_TRACKING_ATTRIBUTES = ("_tracked", "_init_arguments")


def _accept_name_first(add_weight: Method) -> Method:
    """Accept the name as first argument, as Keras 2 does: `add_weight("kernel", (3, 4))`."""

    @functools.wraps(add_weight)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str):
            names = ("name", "shape", "dtype", "initializer", "regularizer", "trainable")
            kwargs, args = dict(zip(names, args, strict=False)) | kwargs, ()
        return add_weight(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


@filter_tracebacks_of_methods
class LayerState(Operation):
    """The part of a layer that does not compute: weights, inner layers, dtypes and config.

    `Layer` inherits from it and adds the call.
    """

    built: bool
    activity_regularizer: Any
    _tracked: dict[str, list[Any]]
    _trainable: bool
    _building: bool
    _build_shapes: dict[str, Any] | None
    _path: str | None
    build: Any
    _build_inner_layers: Any

    # -- weights ---------------------------------------------------------------------------------

    @_accept_name_first
    def add_weight(
        self,
        shape: int | Sequence[int | None] | None = None,
        initializer: InitializerLike = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Create a Variable of this layer.

        Args:
            shape: Shape of the Variable; `()` or None for a scalar.
            initializer: Name (`"zeros"`, `"glorot_uniform"` …), function or `Initializer`.
                None means Glorot-uniform for floats and zeros for everything else.
            dtype: Defaults to the policy's variable dtype.
            trainable: False if the optimizer must not change it.
            autocast: Whether the Variable is cast to the compute dtype when read, under a mixed
                policy.
            regularizer: Function of the weights, whose value is added to the loss.
            constraint: Function applied to the weights after every update.
            aggregation, overwrite_with_gradient: Accepted for compatibility with Keras; no effect.
            name: Name of the Variable, e.g. `"kernel"`.

        Returns:
            The Variable.

        Example:
            >>> from lamina.core.layer.layer import Layer
            >>> layer = Layer()
            >>> layer.add_weight(shape=(2,), initializer="ones", name="scale").numpy().tolist()
            [1.0, 1.0]
        """
        self._check_initialised()
        dtype = self.variable_dtype if dtype is None else dtypes.standardize_dtype(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        with contextlib.nullcontext() if self._building else name_scope(self.name):
            variable = Variable(
                registry.get("initializer", initializer),
                shape=to_shape_tuple(shape),
                dtype=dtype,
                trainable=trainable,
                name=name,  # the Variable makes it unique within its path
                regularizer=registry.get("regularizer", regularizer),
                constraint=registry.get("constraint", constraint),
                autocast=autocast,
            )
        self._register(variable)
        return variable

    def add_variable(
        self,
        shape: int | Sequence[int | None],
        initializer: InitializerLike,
        dtype: DTypeLike | None = None,
        **kwargs: Any,
    ) -> Variable:
        """Create a Variable of this layer, like `add_weight`; shape and initializer are required.

        Args:
            shape: Shape of the variable.
            initializer: Name of an initializer, an initializer, or a function of shape and dtype.
            dtype: Its dtype; the policy's `variable_dtype` for None.
            **kwargs: Further arguments of `add_weight`.

        Returns:
            The Variable.
        """
        return self.add_weight(shape=shape, initializer=initializer, dtype=dtype, **kwargs)

    @property
    def variables(self) -> list[Variable]:
        """Every Variable: weights and the states of random generators, without duplicates."""
        seed_states = [generator.state for generator in self._tracked["seeds"]]
        inner = (v for layer in self._flat_layers() for v in layer.variables)
        return unique_by_identity([*self._own_weights(), *seed_states, *inner])

    @property
    def weights(self) -> list[Variable]:
        """All weights without duplicates: the layer's own first, then those of inner layers."""
        inner = (v for layer in self._flat_layers() for v in layer.weights)
        return unique_by_identity([*self._own_weights(), *inner])

    @property
    def trainable_variables(self) -> list[Variable]:
        """Variables that training changes, including inner layers; none if the layer is
        frozen.
        """
        return self._select_trainable("variables")

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes, including inner layers; none if the layer is
        frozen.
        """
        return self._select_trainable("weights")

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other variables: frozen weights, moving statistics, states of seed generators and
        metrics.
        """
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """All other weights: frozen ones and moving statistics."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer may change the weights of this layer and of the layers in it.

        Setting it also sets it for the layers inside, which may be changed individually afterwards.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for variable in self._tracked["trainable"]:
            variable.trainable = self._trainable
        for layer in self._flat_layers():
            layer.trainable = value

    def get_weights(self) -> list[np.ndarray]:
        """The weights' values as NumPy arrays, in the order of `weights`.

        Returns:
            A list of arrays.

        Example:
            >>> from lamina.layers import Dense
            >>> layer = Dense(2)
            >>> layer.build((None, 3))
            >>> [array.shape for array in layer.get_weights()]
            [(3, 2), (2,)]
        """
        weights = self.weights
        # The lock makes a training that starts meanwhile wait.
        with snapshot(weights) if is_training_in_other_thread() else value_lock:
            return [v.numpy() for v in weights]

    @filter_traceback
    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights from a list in the order of `get_weights`.

        Args:
            weights: Arrays, one for each of `weights`, of the same shapes.

        Raises:
            ValueError: If the number of arrays or a shape is different.

        Example:
            >>> from lamina.layers import Dense
            >>> layer = Dense(2)
            >>> layer.build((None, 3))
            >>> layer.set_weights([np.ones((3, 2)), np.zeros(2)])
            >>> layer(np.ones((1, 3))).tolist()
            [[3.0, 3.0]]
        """
        variables = self.weights
        if len(weights) != len(variables):
            hint = "" if self.built else "\n  The layer is not built yet, so it has no weights."
            raise ValueError(
                f"{self._label} has {len(variables)} weights and received a list of "
                f"{len(weights)}.{hint}"
            )
        for variable, value in zip(variables, weights, strict=True):
            if tuple(np.shape(value)) != variable.shape:
                raise ValueError(
                    f"{self._label}: weight {variable.path!r} has shape {variable.shape} and "
                    f"cannot take a value of shape {np.shape(value)}."
                )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """The number of parameters in the weights.

        Returns:
            An integer.

        Example:
            >>> from lamina.layers import Dense
            >>> layer = Dense(2)
            >>> layer.build((None, 3))
            >>> layer.count_params()
            8
        """
        if not self.built and not self.weights:
            raise ValueError(
                f"{self._label} has no weights yet, so they cannot be counted.\n"
                "  Fix: build the model first, e.g. put lamina.Input(shape) in front."
            )
        return sum(v.size for v in self.weights)

    # -- dtypes ----------------------------------------------------------------------------------

    @property
    def dtype_policy(self) -> dtypes.DTypePolicy:
        """The dtypes in which the layer stores its weights and computes."""
        policy: dtypes.DTypePolicy = self._dtype_policy
        return policy

    @dtype_policy.setter
    def dtype_policy(self, policy: DTypePolicyLike) -> None:
        policy = dtypes.get_policy(policy)
        current = self.__dict__.get("_dtype_policy")
        self._dtype_policy = (
            policy if current is None else current.assign_policy(self._path, policy)
        )

    @property
    def dtype(self) -> str:
        """Name of the dtype of the weights; the same as `variable_dtype`."""
        return self.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """Name of the dtype of the weights, from the dtype policy."""
        return self.dtype_policy.policy_of(self._path).variable_dtype

    @property
    def compute_dtype(self) -> str:
        """Name of the dtype in which the layer computes, from the dtype policy."""
        dtype = self.dtype_policy.policy_of(self._path).compute_dtype
        if context.compute_dtype_override is not None and dtype == "float32":
            override, excluded = context.compute_dtype_override
            return dtype if id(self) in excluded else override
        return dtype

    @property
    def input_dtype(self) -> str:
        """Name of the dtype that float inputs are cast to."""
        return self.dtype_policy.compute_dtype

    quantization_mode = None  # weights are floats: see `quantize`
    quantize = unavailable_function(
        "quantize",
        "lamina.Layer",
        "dtype='mixed_bfloat16' halves the memory of activations.",
    )

    @property
    def metrics(self) -> list[Any]:
        """Metrics that are attributes of this layer or of the layers in it."""
        return [m for layer in self._flatten_layers() for m in layer._tracked["metrics"]]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state of `metrics`."""
        return unique_by_identity(v for metric in self.metrics for v in metric.variables)

    @property
    def _label(self) -> str:
        """Class and name of the layer, for messages."""
        return f"{type(self).__name__} {self.name!r}"

    def _check_initialised(self) -> None:
        if "_losses_by_thread" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}.__init__() does not call super().__init__().\n"
                "  Fix: make `super().__init__(**kwargs)` its first line."
            )

    # -- tracking --------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        record_change()
        reserved = getattr(type(self), name, None)
        if name[0] == "_" and _is_method_of_lamina(reserved):
            raise _reserved_name_error(self, name)
        if isinstance(reserved, property) or name.startswith("__"):
            if isinstance(reserved, property) and reserved.fset is None:
                raise _reserved_name_error(self, name)
            object.__setattr__(self, name, value)
            return
        old_value = self.__dict__.get(name)
        object.__setattr__(self, name, track(value, self))
        remember_setting(self, name, value)
        if old_value is not None and old_value is not value:
            self._untrack(old_value)

    def __delattr__(self, name: str) -> None:
        old_value = self.__dict__.get(name)
        object.__delattr__(self, name)
        self._untrack(old_value)

    def _register(self, value: Any) -> None:
        """Track a Variable, layer, metric or random generator."""
        group = str(kind_of(value))
        if group == "variables":
            # Decided once: freezing the Variable later must not change the order of the weights.
            group = "trainable" if value.trainable else "non_trainable"
        if value is self or any(value is o for tracked in self._tracked.values() for o in tracked):
            return
        if any(layer is self for layer in context.layers_in_call):
            raise LateStateError(
                f"{self._label} makes {value!r} inside call(), so there would be a new one at "
                "every call.\n  Fix: make it once, in __init__ or build."
            )
        self._tracked[group].append(value)
        record_change()
        trainable = self.__dict__.get("_trainable", True)  # not known before __init__
        if not trainable and group in ("trainable", "layers"):
            value.trainable = False

    def _untrack(self, value: Any) -> None:
        """Stop tracking an object removed from an attribute, unless another one refers to it."""
        removed = (
            find_unreferenced(self, value, _TRACKING_ATTRIBUTES)
            if "_tracked" in self.__dict__
            else ()
        )
        record_change()
        for tracked in self._tracked.values() if removed else ():
            tracked[:] = [item for item in tracked if id(item) not in removed]

    def _own_weights(self) -> list[Variable]:
        """The layer's own weights, the trainable ones first, which is Keras's order."""
        return [*self._tracked["trainable"], *self._tracked["non_trainable"]]

    def _select_trainable(self, attribute: str) -> list[Variable]:
        return [v for v in getattr(self, attribute) if v.trainable] if self._trainable else []

    def _flat_layers(self) -> list["Layer"]:
        return self._tracked["layers"]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list["Layer"]:
        layers: list[Any] = [self] if include_self else []
        visited = {id(self)}
        # In reverse order, because pop() from the end of a list is fast.
        stack = self._flat_layers()[::-1]
        while stack:
            layer = stack.pop()
            if id(layer) in visited:
                continue
            visited.add(id(layer))
            layers.append(layer)
            if recursive:
                stack += layer._flat_layers()[::-1]
        return layers

    # -- saving ----------------------------------------------------------------------------------

    def get_config(self) -> Config:
        """The arguments of `__init__` as plain data, from which the layer can be recreated.

        Returns:
            A dict with Keras's keys, for `from_config`.
        """
        config = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": registry.serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        if has_automatic_config(type(self)):
            config.update(self._arguments_as_config())
        return config

    get_config.automatic = True  # type: ignore[attr-defined]

    def _arguments_as_config(self) -> Config:
        """The constructor arguments of an object whose class has no get_config."""
        args, kwargs = self._init_arguments  # type: ignore[attr-defined]
        return arguments_as_config(self, args, kwargs)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A new layer, not yet built, with the settings that `get_config` returned.

        Args:
            config: Arguments of the constructor; settings that are objects may be in serialized
                form.

        Returns:
            A layer of this class, with new weights.

        Raises:
            TypeError: If the constructor does not accept one of the settings.
        """
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = registry.deserialize(config["dtype"])
        if has_automatic_config(cls):
            config = registry.deserialize(config)
        return make_from_config(cls, config)

    def get_build_config(self) -> Config | None:
        """The shapes that `build` was called with.

        Returns:
            A dict for `build_from_config`, or None if the layer was not built.
        """
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": self._build_shapes}

    def build_from_config(self, config: Config) -> None:
        """Build a layer for the shapes from `get_build_config`, when a model is read from a file.

        Args:
            config: A dict with the entry `"input_shape"`, or `"shapes_dict"` for a `build` with
                several arguments; without either, nothing happens.
        """
        if "input_shape" in config:
            if config["input_shape"] is not None and not self.built:
                shape = _to_tuples(config["input_shape"])
                self.build(shape)
                self.built = True
                self._build_inner_layers({"input_shape": shape})
        elif config.get("shapes_dict"):
            shapes = {k: _to_tuples(v) for k, v in config["shapes_dict"].items()}
            self.build(**shapes)
            self.built = True
            self._build_inner_layers(shapes)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Store the layer's own weights in a mapping, under "0", "1" …

        Args:
            store: A mapping from names to arrays, to be filled.
        """
        for index, variable in enumerate(self._own_weights()):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Load the layer's own weights from a mapping made by `save_own_variables`.

        Args:
            store: A mapping from names to arrays.

        Raises:
            ValueError: If the number of arrays or a shape differs from the layer's weights.
        """
        weights = self._own_weights()
        if len(store.keys()) != len(weights):
            if weights or not self.built:
                state = "was never built" if not self.built else f"has {len(weights)} weights"
                raise ValueError(
                    f"{self._label} {state}, and the file holds {len(store.keys())} for it.\n"
                    "  Likely cause: the model was made with other layers or other settings."
                )
            raise ValueError(f"{self._label} has no weights; the file holds {len(store.keys())}.")
        values = [store[str(index)] for index in range(len(weights))]
        for variable, value in zip(weights, values, strict=True):
            if tuple(value.shape) != variable.shape:
                raise ValueError(
                    f"{self._label}: weight {variable.name!r} has shape {variable.shape}, "
                    f"and the file holds shape {tuple(value.shape)}."
                )
        for variable, value in zip(weights, values, strict=True):
            variable.assign(_from_file(value, variable.dtype))

    @safe_repr
    def __repr__(self) -> str:
        built = f", built={self.built}"
        return f"<{type(self).__name__} name={self.name}{built}>"


def _from_file(value: Any, dtype: str) -> np.ndarray:
    """An array read from a file. HDF5 has no bfloat16 and returns two raw bytes per number."""
    array = np.asarray(value)
    if array.dtype.kind == "V" or (dtype == "bfloat16" and array.dtype == np.uint16):
        return array.view(jnp.bfloat16)
    return array


def unique_by_identity(values: Iterable[Any]) -> list[Any]:
    return list({id(value): value for value in values}.values())


def _to_tuples(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _to_tuples(value) for key, value in shape.items()}
    if is_shape(shape):
        return tuple(shape)
    if isinstance(shape, (list, tuple)):
        return [_to_tuples(value) for value in shape]
    return shape


def all_layers(layer: LayerState) -> list["Layer"]:
    """A layer and all layers in it, including those of nested models, without duplicates."""
    return layer._flatten_layers()


def set_own_trainable(layers: Sequence[LayerState], flags: Sequence[bool]) -> None:
    """Set `trainable` on each of the layers, but not on their inner layers or weights."""
    for layer, flag in zip(layers, flags, strict=True):
        layer._trainable = flag


def _is_method_of_lamina(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and value.__module__.startswith("lamina.")


def _reserved_name_error(layer: LayerState, name: str) -> AttributeError:
    return AttributeError(
        f"{type(layer).__name__}.{name} is reserved by Lamina and cannot be assigned.\n"
        f"  Fix: use another name, e.g. self.my_{name.lstrip('_')}."
    )
