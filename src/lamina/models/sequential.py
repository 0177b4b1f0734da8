"""Sequential: a stack of layers; the input of each layer is the output of the previous one."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from lamina import activations
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import trace_spec
from lamina.core.layer import masking
from lamina.core.layer.call_signature import is_shape
from lamina.core.layer.layer import Layer
from lamina.core.layer.remat import collected_losses
from lamina.core.messages.errors import ArgumentError
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.serialization.init_arguments import constructor_example
from lamina.core.types import Inputs, Masks, Outputs, Shapes
from lamina.core.user_data.text import Preprocessed, has_text
from lamina.core.variable.changes import record_change
from lamina.core.variable.threads import build_lock
from lamina.core.variable.variable import name_scope, to_shape_tuple
from lamina.layers.input import Input, InputLayer
from lamina.models.graph import Graph
from lamina.models.model import Model


class Sequential(Model):
    """A plain stack of layers.

    The shape of the input may be given by an `Input` as the first layer. Otherwise the weights are
    created when the model is first called. Later data may have another length or size, if the
    layers accept it; the weights stay the same.

    Args:
        layers: The layers, in order.
        trainable: Whether the optimizer may change the weights.
        name: Name of the model.

    Example:
        >>> from lamina.layers import Dense, Input
        >>> model = Sequential([Input(shape=(4,)), Dense(8, activation="relu"), Dense(1)])
        >>> model.output_shape, model.count_params()
        ((None, 1), 49)
    """

    _stack: list[Layer]
    # The symbolic outputs of the layers that have been called, from the first on.
    _tensors: list[Any]
    _names: set[str]
    _cached_graph: Graph | None
    _has_text_inputs = False
    _shape_is_from_data = False  # the input shape was taken from the first data

    def __init__(
        self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None
    ):
        if isinstance(trainable, Layer):
            raise TypeError("Sequential takes one list of layers: Sequential([layer, layer]).")
        object.__setattr__(self, "_stack", [])
        object.__setattr__(self, "_tensors", [])
        object.__setattr__(self, "_names", set())
        super().__init__(trainable=trainable, name=name)
        if isinstance(layers, Layer):
            raise TypeError("Sequential takes a list of layers: Sequential([layer]).")
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"Sequential takes a list of layers; received {layers!r}.")
        for layer in layers or ():
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def _flat_layers(self) -> list[Layer]:
        stack, tracked_layers = self.layers, self._tracked["layers"]
        ids = {id(layer) for layer in stack} if tracked_layers else ()
        return stack + [layer for layer in tracked_layers if id(layer) not in ids]

    @property
    def _graph(self) -> Graph | None:
        """The stack as a graph, made when it is needed: layers are often added one by one."""
        if self._cached_graph is None and len(self._tensors) > 1:
            graph = Graph(self._tensors[0], self._tensors[-1], name=self.name)
            object.__setattr__(self, "_cached_graph", graph)
        return self._cached_graph

    @_graph.setter
    def _graph(self, graph: Graph | None) -> None:
        object.__setattr__(self, "_cached_graph", graph)

    @filter_traceback
    def add(self, layer: Layer | Callable[..., Any], rebuild: bool = True) -> None:
        """Add a layer at the end of the stack.

        Args:
            layer: A layer, a model, or the result of `Input`.
            rebuild: Accepted for compatibility with Keras; only the new layer is built.

        Example:
            >>> import lamina
            >>> model = Sequential([lamina.Input((3,))])
            >>> model.add(lamina.layers.Dense(2))
            >>> model.output_shape
            (None, 2)
        """
        if isinstance(layer, KerasTensor) and layer.history is not None:
            layer = layer.history.operation  # `model.add(lamina.Input(shape=(4,)))`
        if not isinstance(layer, Layer):
            received = (
                "the class itself" if isinstance(layer, type) else f"a {type(layer).__name__}"
            )
            raise ArgumentError(
                f"Sequential {self.name!r} is made of layers and received {received}: {layer!r}.\n"
                f"  Fix: {_as_layer(layer)}."
            )
        layer._check_initialised()
        if layer.name in self._names and any(
            layer.name == other.name and layer is not other for other in self._stack
        ):
            raise ValueError(
                f"Sequential {self.name!r} already has a layer named {layer.name!r}; names must "
                "be unique.\n  Fix: give one of them another name=…"
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise ValueError(
                f"Sequential {self.name!r}: an Input can only come first, and the stack already "
                f"has {len(self._stack)} layer(s)."
            )
        count_before = len(self._stack)
        if not self._stack and not isinstance(layer, InputLayer):
            shape = layer._input_shape_argument
            if shape is None and isinstance(layer, Model) and layer._graph is not None:
                shape = layer.inputs[0].shape if len(layer.inputs) == 1 else None
            if shape is not None:
                self._stack.append(InputLayer(batch_shape=shape))
        self._stack.append(layer)
        try:
            self._extend_graph()
        except Exception:
            del self._stack[count_before:], self._tensors[count_before:]  # restore the model
            raise
        self._names.update(added_layer.name for added_layer in self._stack[count_before:])

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer and return it.

        Args:
            rebuild: Accepted for compatibility with Keras; the graph is always made again.

        Returns:
            The layer.

        Raises:
            ValueError: If there are no layers.

        Example:
            >>> import lamina
            >>> model = Sequential([lamina.Input((3,)), lamina.layers.Dense(2, name="head")])
            >>> model.pop().name, len(model.layers)
            ('head', 0)
        """
        if not self.layers:
            raise ValueError(f"Sequential {self.name!r} has no layer to remove.")
        layer = self._stack.pop()
        del self._tensors[len(self._stack) :]
        self._extend_graph()
        return layer

    @filter_traceback
    def build(self, input_shape: Shapes = None) -> None:
        """Create all weights for inputs of this shape (with the batch axis, which may be None).

        Args:
            input_shape: Shape of the input, such as `(None, 28, 28)`; optional if there is an
                `Input`.

        Raises:
            ValueError: If the shape is missing, or differs from that of the `Input`, or there are
                no layers.

        Example:
            >>> import lamina
            >>> model = Sequential([lamina.layers.Dense(2)])
            >>> model.build((None, 3))
            >>> model.count_params()
            8
        """
        if not self.layers:
            raise ValueError(
                f"Sequential {self.name!r} has no layers.\n"
                "  Fix: model.add(lamina.layers.Dense(…))."
            )
        first = self._stack[0]
        if isinstance(first, InputLayer):
            known_shape = first.batch_shape
            if input_shape is not None and not _fits(to_shape_tuple(input_shape), known_shape):
                raise ValueError(
                    f"Sequential {self.name!r} has an Input of shape {known_shape} and cannot be "
                    f"built for {to_shape_tuple(input_shape)}."
                )
            return
        if input_shape is None:
            raise ValueError(
                f"Sequential {self.name!r} cannot be built without the shape of its input.\n"
                "  Fix: put lamina.Input(shape) first, or call model.build((None, …))."
            )
        if not is_shape(input_shape):
            tensors = jax.tree.map(lambda s: KerasTensor(s), input_shape, is_leaf=is_shape)
            self._build_for_structure(tensors)
            return
        # Other batches may have another number of samples.
        shape = (None, *to_shape_tuple(input_shape)[1:])
        dtype = "string" if self._has_text_inputs or first.compute_dtype == "string" else None
        self._stack.insert(0, InputLayer(batch_shape=shape, dtype=dtype))
        try:
            self._extend_graph()
        except Exception:
            del self._stack[0], self._tensors[:]
            raise

    def _build_for_structure(self, tensors: Any) -> None:
        """Create the weights if the first layer takes several inputs; an `Input` is a single one.

        Args:
            tensors: Structure of symbolic tensors.
        """
        trace_spec(self.call, tensors)
        self._clear_losses()
        self.built = True

    def _accept_shapes(self, x: Any) -> None:
        """If the input shape is that of the first data, allow other sizes that the layers accept.

        Args:
            x: The next inputs; only the shape is used.
        """
        x = _single_array(x)
        if not self._shape_is_from_data or not hasattr(x, "shape") or self._graph is None:
            return
        input_tensor = self._graph.input_list[0]
        shape, known_shape = tuple(x.shape), input_tensor.shape
        if len(shape) != len(known_shape) or _fits(shape, known_shape):
            return
        with build_lock:
            try:
                with collected_losses():
                    spec = KerasTensor((None, *shape[1:]), input_tensor.dtype)
                    trace_spec(self._run_layers, spec)
            except Exception:
                return  # the layers cannot take this shape: the checks that follow raise an error
            pairs = zip(known_shape[1:], shape[1:], strict=True)
            # Axes that differ get an unknown size, if the layers accept that.
            flexible_shape = (None, *(k if k == s else None for k, s in pairs))
            if not self._rebuild_graph(flexible_shape):
                self._rebuild_graph((None, *shape[1:]))

    def _rebuild_graph(self, batch_shape: tuple) -> bool:
        """Make the graph for another input shape.

        False if that is not possible; then the model is unchanged.
        """
        input_layer, graph, tensors = self._stack[0], self._graph, list(self._tensors)
        assert graph is not None
        nodes_of_graph = set(map(id, graph.nodes))
        calls = [(layer, list(layer._inbound_nodes)) for layer in self.layers]
        for layer, nodes in calls:
            if all(id(node) in nodes_of_graph for node in nodes):
                layer._inbound_nodes.clear()  # so that `layer.output` is that of the new graph
        dtype = graph.input_list[0].dtype
        self._stack[0] = InputLayer(batch_shape=batch_shape, dtype=dtype, name=input_layer.name)
        self._tensors.clear()
        try:
            self._extend_graph()
            if self.built:
                return True
        except Exception:
            pass
        self._stack[0], self._tensors[:] = input_layer, tensors
        self._graph, self.built = graph, True
        for layer, nodes in calls:
            layer._inbound_nodes[:] = nodes
        return False

    def _extend_graph(self) -> None:
        """Call the layers on the symbolic input, except those that were called already."""
        first = self._stack[0] if self._stack else None
        if isinstance(first, InputLayer):
            if not self._tensors:
                self._tensors.append(first.output)
            with contextlib.nullcontext() if self._building else name_scope(self.name):
                try:
                    for i in range(len(self._tensors), len(self._stack)):
                        self._tensors.append(self._stack[i](self._tensors[-1]))
                except NotImplementedError:
                    del self._tensors[1:]  # a layer's output shape is unknown: there is no graph
        self._graph = None
        self.built = len(self._tensors) > 1
        if self.built:
            object.__setattr__(self, "_build_shapes", {"input_shape": self._tensors[0].shape})
        record_change()

    def _build_for(self, signature: Any, args: tuple, kwargs: dict) -> None:
        if self.built:
            return
        self._build_from_inputs(signature.value("inputs", args, kwargs))

    def _build_from_inputs(self, inputs: Inputs) -> None:
        self._has_text_inputs = has_text(inputs)
        inputs = self._fit_to_first_layer(inputs)
        if hasattr(inputs, "shape"):
            has_input = bool(self._stack) and isinstance(self._stack[0], InputLayer)
            self.build(tuple(inputs.shape))
            self._shape_is_from_data = not has_input and self._graph is not None
        else:
            self._build_for_structure(
                jax.tree.map(lambda x: KerasTensor((None, *x.shape[1:]), x.dtype), inputs)
            )
        self.built = True  # without a graph, the call that follows builds the layers

    def _fit_to_first_layer(self, inputs: Inputs) -> Any:
        """The array in a list or dict of one, unless the first layer may take the structure."""
        is_custom = self.layers and not type(self.layers[0]).__module__.startswith("lamina.")
        if isinstance(inputs, dict) and (is_custom or len(inputs) > 1) and self._graph is None:
            return inputs
        return _single_array(inputs)

    def call(self, inputs: Inputs, training: bool | None = None, mask: Masks = None) -> Outputs:
        """The output of the stack for a batch of inputs.

        Args:
            inputs: Array `(batch, ...)`.
            training: Whether layers such as Dropout behave as in training.
            mask: Mask of the inputs, or None.

        Returns:
            Array `(batch, ...)`.
        """
        if isinstance(inputs, Preprocessed):
            return super().call(inputs)
        x = self._fit_to_first_layer(inputs)
        if mask is not None:
            masking.set_masks(x, mask)
        if self._graph is not None:
            self._accept_shapes(x)
            x = self._graph._fit_input(x, self._graph.input_list[0])
        return self._run_layers(x)

    def _run_layers(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def _on_host(self, x: Any) -> Any:
        if not self.built and has_text(x):
            self._build_from_inputs(x)
        return super()._on_host(x)

    def get_config(self) -> dict:
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
            "layers": [registry.serialize(layer) for layer in self._stack],
        }
        if self._build_shapes is not None:
            config["build_input_shape"] = self._build_shapes["input_shape"]
        if self._shape_is_from_data:
            config["shape_is_of_data"] = True  # not in Keras, which does not check an Input's shape
        return config

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "Sequential":
        model = cls(name=config.get("name"), trainable=True)
        for record in config["layers"]:
            model.add(registry.deserialize(record, custom_objects))
        model._trainable = config.get("trainable", True)
        if config.get("dtype") is not None:  # Keras writes it, but does not read it
            model.dtype_policy = registry.deserialize(config["dtype"])
        shape = config.get("build_input_shape")
        if shape and not model.built and model.layers:
            model.build(tuple(shape))
        model._shape_is_from_data |= bool(config.get("shape_is_of_data"))
        return model

    def get_build_config(self) -> dict | None:
        return Layer.get_build_config(self)

    def build_from_config(self, config: dict) -> None:
        """Build the stack for the input shape in a file, when a model is loaded.

        Args:
            config: A dict with the entry `"input_shape"`; without it, nothing happens.
        """
        if not self.built and config.get("input_shape") and self.layers:
            self.build(tuple(config["input_shape"]))


def _as_layer(value: Any) -> str:
    """The expression to use instead of an object that is not a layer."""
    if isinstance(value, type):
        return constructor_example(value)
    name = value if isinstance(value, str) else getattr(value, "__name__", "")
    if name in activations.__all__:
        return f"lamina.layers.Activation({name!r})"
    if value is Input:
        return "lamina.Input(shape=…)"
    if is_shape(value) and value:
        return f"lamina.Input({tuple(value)})"
    if callable(value):
        return f"lamina.layers.Lambda({name})"
    return "pass an object, e.g. lamina.layers.Dense(128, activation='relu')"


def _single_array(inputs: Inputs) -> Any:
    """The array in a list or dict of one array; other inputs unchanged."""
    if isinstance(inputs, dict) and len(inputs) == 1:
        inputs = list(inputs.values())
    return inputs[0] if isinstance(inputs, (list, tuple)) and len(inputs) == 1 else inputs


def _fits(shape: tuple, known_shape: tuple) -> bool:
    """Whether a model for one shape can take another; the number of samples may differ."""
    pairs = zip(shape[1:], known_shape[1:], strict=False)
    return len(shape) == len(known_shape) and all(a == b or None in (a, b) for a, b in pairs)
