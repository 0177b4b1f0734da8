"""Operation: a layer or function in the graph of a functional model. Node: one of its calls."""

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax

from lamina.core.graph.keras_tensor import KerasHistory, KerasTensor, is_symbolic
from lamina.core.graph.output_specs import spec_of_operation, trace_spec
from lamina.core.layer import masking
from lamina.core.messages.errors import unknown_argument
from lamina.core.messages.tracebacks import clean_error, filter_tracebacks_of_methods
from lamina.core.serialization import naming, registry
from lamina.core.serialization.init_arguments import (
    arguments_as_config,
    constructor_example,
    has_automatic_config,
)
from lamina.core.types import Config, Outputs
from lamina.core.variable.variable import Variable

# JAX's errors about shapes contain one of these words.
_SHAPE_WORDS = re.compile(r"shape|dimension|permutation")


class Node:
    """One call of an operation on symbolic tensors: its arguments and its outputs."""

    def __init__(
        self,
        operation: "Operation",
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outputs: Outputs,
    ):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.index = len(operation._inbound_nodes)
        self.input_tensors = [
            leaf for leaf in jax.tree.leaves((args, kwargs)) if isinstance(leaf, KerasTensor)
        ]
        self.output_tensors = jax.tree.leaves(outputs)
        for position, tensor in enumerate(self.output_tensors):
            tensor.history = KerasHistory(operation, self.index, position)
        operation._inbound_nodes.append(self)

    @property
    def parents(self) -> list["Node"]:
        """The nodes whose outputs are inputs of this node."""
        histories = [t.history for t in self.input_tensors if t.history is not None]
        return [h.operation._inbound_nodes[h.node_index] for h in histories]


@filter_tracebacks_of_methods
class Operation:
    """Base class of layers and of functions that may be called on symbolic tensors.

    A subclass defines `call`. If it does not define `get_config`, the arguments of its `__init__`
    are saved.

    Args:
        name: Name of the operation; derived from the class's name if None.

    Example:
        >>> class Halve(Operation):
        ...     def call(self, x):
        ...         return x / 2
        >>> Halve()(KerasTensor((None, 3))).shape
        (None, 3)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # No setting is an array with two axes, so such an array is data.
        if (
            args
            and cls.__module__.startswith("lamina.layers")
            and (is_symbolic(args[0]) or getattr(args[0], "ndim", 0) >= 2)
        ):
            constructor = constructor_example(cls)
            inputs = "[x, y]" if len(jax.tree.leaves(args)) > 1 else "x"
            raise TypeError(
                f"{cls.__name__} was given a tensor where its settings go: a layer is made first, "
                f"then called.\n  Fix: {constructor}({inputs}), in place of "
                f"{cls.__name__}({inputs})."
            )
        operation = super().__new__(cls)
        if has_automatic_config(cls):  # other classes do not need them, and they may be large
            object.__setattr__(operation, "_init_arguments", (args, kwargs))
        operation._set_initial_attributes()
        return operation

    def _set_initial_attributes(self) -> None:
        """Set attributes that an object must have before its `__init__` runs."""

    def __init__(self, name: str | None = None):
        self.name = naming.check_name(name, type(self).__name__) or naming.auto_name(type(self))
        self._inbound_nodes: list[Node] = []

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The computation of the operation; to be defined by subclasses.

        Args:
            *args: Arrays.
            **kwargs: Settings of the call.

        Returns:
            An array, or a structure of them.

        Raises:
            NotImplementedError: If a subclass has no `call`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no call() method.\n"
            "  Fix: write `def call(self, x):` that returns the output."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Outputs:
        if is_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Outputs:
        """Call the operation on symbolic tensors and add a node to the graph.

        Args:
            *args: Arguments of `call`, with KerasTensors for arrays.
            **kwargs: Further arguments, by name.

        Returns:
            KerasTensors in the structure of the output.
        """
        outputs = self.compute_output_spec(*args, **kwargs)
        # A node needs outputs of its own, even if the operation returns its input unchanged.
        outputs = jax.tree.map(
            lambda t: masking.with_mask_of(t, KerasTensor(t.shape, t.dtype, name=t.name)), outputs
        )
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Outputs:
        """Shapes and dtypes of the outputs, inferred by tracing `call`.

        Args:
            *args: Arguments of `call`, with KerasTensors for arrays.
            **kwargs: Further arguments, by name.

        Returns:
            A KerasTensor, or a structure of them.
        """
        return trace_spec(self.call, *args, **kwargs)

    def get_config(self) -> Config:
        """The arguments of the constructor as plain data, to recreate the operation.

        Returns:
            A dict of the arguments of the constructor.
        """
        if not has_automatic_config(type(self)):
            return {"name": self.name}  # subclasses add their own
        args, kwargs = self._init_arguments  # type: ignore[attr-defined]
        return {"name": self.name, **arguments_as_config(self, args, kwargs, excluded=("name",))}

    get_config.automatic = True  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: Config) -> "Operation":
        """A new operation with the settings that `get_config` returned.

        Args:
            config: Arguments of the constructor.

        Returns:
            An operation of this class.
        """
        return cls(**(registry.deserialize(config) if has_automatic_config(cls) else config))

    @property
    def input(self) -> Any:
        """The input of the first call."""
        tensors = self._first_node("input").input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self) -> Outputs:
        """The symbolic output of the first call, for building another model on it.

        Several outputs are a list, whatever structure they were returned in.
        """
        tensors = jax.tree.leaves(self._first_node("output").outputs)
        return tensors[0] if len(tensors) == 1 else tensors

    def _first_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no {what} yet: it has not been called "
                "on an Input.\n  Fix: call it on lamina.Input(shape) first; a Sequential can begin "
                "with one."
            )
        return self._inbound_nodes[0]


class FunctionOperation(Operation):
    """A plain function in a graph; `symbolic` makes one subclass for each function."""

    function: Callable[..., Any]
    spec: Callable[..., Any] | None
    signature: inspect.Signature
    tensors: tuple[str, ...] | None

    def __init__(self, *args: Any, name: str | None = None, **settings: Any):
        super().__init__(name=name)
        names = [n for n in type(self).signature.parameters if n not in (type(self).tensors or ())]
        settings = {**dict(zip(names, args, strict=False)), **settings}
        # Files of Keras may have settings, at their defaults, that this function does not take.
        parameters = type(self).signature.parameters
        self.settings = {k: v for k, v in settings.items() if k in parameters}
        unknown = next((k for k, v in settings.items() if k not in parameters and v), None)
        if unknown is not None:
            raise unknown_argument(type(self).__name__, unknown, parameters)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        variables = [leaf for leaf in jax.tree.leaves((args, kwargs)) if isinstance(leaf, Variable)]
        if variables:
            raise TypeError(
                f"{type(self).__name__} received the Variable {variables[0].path!r} and a symbolic "
                "tensor: a model of them would neither train nor save the Variable.\n"
                "  Fix: write a layer that keeps it on self and computes this in call()."
            )
        return super().symbolic_call(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Outputs:
        args, kwargs = self._arguments_with_settings(args, kwargs)
        return type(self).function(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Outputs:
        args, kwargs = self._arguments_with_settings(args, kwargs)
        spec = type(self).spec
        outputs = None if spec is None else spec(*args, **kwargs)
        if outputs is not None:
            return outputs
        return spec_of_operation(type(self).function, *args, **kwargs)

    def _arguments_with_settings(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the function: those of the call and the settings of the operation."""
        names = type(self).tensors
        if names is None:
            return args, kwargs
        variadic = _var_positional_name(type(self).signature)
        named = [name for name in names if name != variadic]
        keyword_args = {**dict(zip(named, args, strict=False)), **kwargs, **self.settings}
        variadic_args = args[len(named) :]
        if not variadic_args:
            return (), keyword_args
        # The arguments before `*args` must be passed by position, too.
        names_before = _names_before(type(self).signature, variadic)
        positional_args = [keyword_args.pop(name) for name in names_before if name in keyword_args]
        return (*positional_args, *variadic_args), keyword_args

    def get_config(self) -> Config:
        return {"name": self.name, **self.settings}

    @classmethod
    def from_config(cls, config: Config) -> "FunctionOperation":
        # A function among the settings was serialized as a dict.
        return cls(
            **{
                key: registry.deserialize(value) if isinstance(value, dict) else value
                for key, value in config.items()
            }
        )


def symbolic(
    function: Callable[..., Any],
    class_name: str,
    tensors: Sequence[str] | None = None,
    spec: Callable[..., Any] | None = None,
) -> tuple[Callable[..., Any], type[FunctionOperation]]:
    """Let a function of arrays be called on symbolic tensors as well.

    Args:
        function: Any traceable function of arrays.
        class_name: Name of the operation in saved models, Keras's own, e.g. `"Add"`.
        tensors: The arguments of the operation's call in Keras; the others are settings, which
            are in the operation's config. None if there are no settings.
        spec: The symbolic outputs, if tracing cannot find them; it takes the same arguments.

    Returns:
        The function to export, and the operation class to register under its namespace.
    """
    signature = inspect.signature(function)
    attributes = {
        "function": staticmethod(function),
        "spec": None if spec is None else staticmethod(spec),
        "signature": signature,
        "tensors": None if tensors is None else tuple(tensors),
        "__doc__": None,
    }
    operation = type(class_name, (FunctionOperation,), attributes)
    variadic = _var_positional_name(signature)

    def call_on_symbols(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if tensors is None:
            return operation().symbolic_call(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        settings = {k: v for k, v in bound.arguments.items() if k not in tensors}
        symbolic_settings = {
            name: settings.pop(name) for name in list(settings) if is_symbolic(settings[name])
        }
        for parameter in signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                settings.update(settings.pop(parameter.name))
        call_args: list[Any] = []
        for name in tensors:
            value = bound.arguments[name]
            call_args += value if name == variadic else [value]
        if not symbolic_settings:
            return operation(**settings).symbolic_call(*call_args)
        return _refuse_symbolic_settings(operation(**settings), call_args, symbolic_settings)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            try:
                if not is_symbolic(args, kwargs):
                    return function(*args, **kwargs)
                return call_on_symbols(args, kwargs)
            except IndexError:
                _refuse_axis(function.__name__, signature, args, kwargs)
                raise
            except TypeError as error:
                if is_symbolic(args, kwargs) and _is_about_shapes(error):
                    raise _as_shape_error(error) from None
                raise
        except Exception as error:
            if isinstance(error, (TypeError, ValueError)):
                _add_context(error, function.__name__, args, kwargs)
            clean_error(error)
            raise

    return wrapper, operation


class ShapeError(ValueError, TypeError):
    """Shapes do not match, detected while a graph is built.

    JAX raises a TypeError for them, Keras a ValueError; this is both.
    """


def _is_about_shapes(error: Exception) -> bool:
    return type(error) is TypeError and _SHAPE_WORDS.search(str(error)) is not None


def _as_shape_error(error: Exception) -> ShapeError:
    shape_error = ShapeError(str(error))
    shape_error.__dict__.update(error.__dict__)  # includes the notes
    return shape_error


def _refuse_symbolic_settings(
    operation: FunctionOperation, args: list[Any], settings: dict[str, Any]
) -> Any:
    """Raise an error if symbolic tensors were passed for arguments that must be numbers or arrays.

    A few functions accept them; their call succeeds.
    """
    try:
        return operation.symbolic_call(*args, **settings)
    except Exception as error:
        name = type(operation).function.__name__
        raise TypeError(
            f"ops.{name} takes {next(iter(settings))} as a number or array; received a symbolic "
            "tensor.\n  Fix: write a layer that computes this in call()."
        ) from error


def _refuse_axis(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raise an error that names the axis, if an axis does not exist."""
    bound_arguments = signature.bind(*args, **kwargs).arguments
    ranks = [len(x.shape) for x in jax.tree.leaves((args, kwargs)) if hasattr(x, "shape")]
    rank = max(ranks, default=0)
    for argument in ("axis", "axes", "axis1", "axis2"):
        axes = bound_arguments.get(argument)
        for axis in axes if isinstance(axes, (list, tuple)) else [axes]:
            if isinstance(axis, int) and not -rank <= axis < rank:
                raise ValueError(
                    f"{name}: {argument} {axis} is out of bounds for an array of rank {rank}."
                ) from None


def _add_context(
    error: Exception, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Add to an error, once, the name of the function and the shapes of its arguments."""
    shapes = [str(tuple(x.shape)) for x in jax.tree.leaves((args, kwargs)) if hasattr(x, "shape")]
    if shapes and getattr(error, "_lamina_explained", None) is None:
        error.add_note(f"  In ops.{name}, called on shapes {', '.join(shapes)}.")
        error._lamina_explained = name  # type: ignore[attr-defined]


def _var_positional_name(signature: inspect.Signature) -> str | None:
    """The name of `*args`, if the function has them."""
    kinds = {p.kind: p.name for p in signature.parameters.values()}
    return kinds.get(inspect.Parameter.VAR_POSITIONAL)


def _names_before(signature: inspect.Signature, variadic: str | None) -> list[str]:
    names = list(signature.parameters)
    return names[: names.index(variadic)] if variadic in names else []
