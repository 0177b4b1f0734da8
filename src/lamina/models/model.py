"""Model: a Layer that can be trained, evaluated, used for prediction and saved."""

import inspect
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.operation import Operation
from lamina.core.layer import masking
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import attribute_error, did_you_mean
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.types import Data, Inputs, Masks, Outputs, Shapes
from lamina.core.unavailable import unavailable_function
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.user_data.text import Preprocessed, as_user_results, convert_texts, has_text
from lamina.models.graph import Graph, output_of
from lamina.models.graph_config import graph_config, model_from_graph_config
from lamina.training import checks
from lamina.training.feeds.conversion import convert
from lamina.training.inference import InferenceFunction, inference_function
from lamina.training.overrides import Overrides
from lamina.training.trainable import Signature
from lamina.training.trainer import Trainer

if TYPE_CHECKING:
    from lamina.explanation import Explanation

# Methods that Keras 3 has removed, and their replacements.
_REMOVED_ATTRIBUTES = {
    "evaluate_generator": "evaluate, which takes generators",
    "fit_generator": "fit, which takes generators",
    "predict_classes": "model.predict(x).argmax(axis=-1), or predict(x) > 0.5 for a sigmoid",
    "predict_generator": "predict, which takes generators",
    "predict_proba": "predict",
}


class Model(Trainer):
    """A network that `fit` can train.

    There are three ways to make one: `Sequential` for a plain stack, `Model(inputs, outputs)` for
    a graph of layers, and a subclass with its own `__init__` and `call`.

    Args:
        **kwargs: `trainable`, `dtype`; see `Layer`.
        inputs: Symbolic tensor(s) made by `Input`, alone or in a list, tuple or dict.
        outputs: Results of layers called on them.
        name: Name of the model.

    Example:
        >>> import numpy as np
        >>> from lamina.layers import Dense, Input
        >>> x = Input(shape=(4,))
        >>> model = Model(x, Dense(2)(x))
        >>> model.output_shape
        (None, 2)
        >>> class Twice(Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.dense = Dense(4)
        ...     def call(self, x):
        ...         return self.dense(self.dense(x))
        >>> Twice()(np.zeros((3, 4))).shape
        (3, 4)
    """

    _graph: Graph | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> "Model":
        if cls is Model and _is_functional(args, kwargs):
            from lamina.models.functional import Functional  # which imports this file

            cls = Functional
        model = super().__new__(cls, *args, **kwargs)
        assert isinstance(model, Model)
        return model

    if not TYPE_CHECKING:  # so that type checkers still report unknown attributes

        @filter_traceback
        def __getattr__(self, name: str) -> Any:
            if name in _REMOVED_ATTRIBUTES:
                raise attribute_error(
                    f"{type(self).__name__} has no {name} any more, as in Keras 3.\n"
                    f"  Fix: {_REMOVED_ATTRIBUTES[name]}.",
                    name,
                )
            return object.__getattribute__(self, name)  # raises the original error again

    def __init__(self, *args: Any, **kwargs: Any):
        graph = None
        if _is_functional(args, kwargs):
            positional = dict(zip(("inputs", "outputs", "name"), args, strict=False))
            inputs = positional.get("inputs", kwargs.pop("inputs", None))
            outputs = positional.get("outputs", kwargs.pop("outputs", None))
            if "name" in positional:
                kwargs["name"] = positional["name"]
            graph = Graph(inputs, outputs, name=kwargs.get("name") or type(self).__name__)
        elif args:
            raise TypeError(
                f"{type(self).__name__} takes Model(inputs, outputs) or no positional arguments; "
                f"received {args!r}."
            )
        object.__setattr__(self, "_graph", graph)
        super().__init__(**kwargs)
        if graph is not None:
            graph.name = self.name
            self.built = True
            if not self.trainable:
                self.trainable = False  # also sets it on the layers

    # -- structure -------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers directly in this model (a nested model counts as one)."""
        return list(self._flat_layers())

    def _flat_layers(self) -> list[Layer]:
        tracked = super()._flat_layers()
        if self._graph is None:
            return tracked
        in_graph = self._graph.layers
        ids = {id(layer) for layer in in_graph}
        return in_graph + [layer for layer in tracked if id(layer) not in ids]

    @filter_traceback
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer with a name, or at an index of `layers`.

        Args:
            name: Name of the layer.
            index: Index in `layers`, from 0; negative indices count from the end.

        Returns:
            The layer.

        Raises:
            ValueError: If neither or both are given, or there is no such layer.

        Example:
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2, name="head")])
            >>> model.get_layer("head").units, model.get_layer(index=0).name
            (2, 'head')
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer takes either a name or an index.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(
                    f"Model {self.name!r} has {len(self.layers)} layers; there is no layer {index}."
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"Model {self.name!r} has no layer {name!r}.{did_you_mean(str(name), names)}\n"
            f"  Its layers: {', '.join(names)}."
        )

    @property
    def operations(self) -> list[Operation]:
        """Layers and functions of the graph, in the order in which weights are listed."""
        return list(self._graph_or_error("operations").operations)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs of the graph; a model without a graph lacks this attribute."""
        return self._graph_or_error("inputs").input_list

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs of the graph; a model without a graph lacks this attribute."""
        graph = self._graph_or_error("outputs")
        for tensor in graph.output_list:
            output_of[tensor] = weakref.ref(self)
        return graph.output_list

    def _graph_or_error(self, what: str) -> Graph:
        if self._graph is None:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no {what}: it has no graph of layers.\n"
                "  Fix: put lamina.Input(shape) first in a Sequential, or use "
                "Model(inputs, outputs)."
            )
        return self._graph

    @property
    def input(self) -> Inputs:
        return self._graph.inputs if self._graph else super().input

    @property
    def output(self) -> Inputs:
        if self._graph is None:
            return super().output
        for tensor in self._graph.output_list:
            output_of[tensor] = weakref.ref(self)
        return self._graph.outputs

    @property
    def input_shape(self) -> Shapes:
        """Shape of the input with the batch axis; a list of them for several inputs."""
        return _shapes(self.inputs if self._graph else self.input)

    @property
    def output_shape(self) -> Shapes:
        """Shape of the output with the batch axis; a list of them for several outputs."""
        return _shapes(self.outputs if self._graph else self.output)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs of a functional model, in order; empty for others."""
        return self._graph.input_names if self._graph else []

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of a functional model, in order; empty for others."""
        return self._graph.output_names if self._graph else []

    # -- building and calling --------------------------------------------------------------------

    @filter_traceback
    def __call__(self, *args: Any, **kwargs: Any) -> Outputs:
        if args and has_text(args[0]):
            args = (convert_texts(args[0]), *args[1:])
        outputs = super().__call__(*args, **kwargs)
        return outputs if context.call_stack else as_user_results(outputs)

    @property
    def _has_host_part(self) -> bool:
        return self._graph is not None and self._graph.host_part is not None

    def _signature(self) -> Signature:
        graph = self._graph
        if graph is None:
            return Signature(output_names=tuple(self.output_names))
        return Signature(
            inputs=tuple(graph.input_list),
            outputs=tuple(graph.output_list),
            input_names=tuple(self.input_names),
            output_names=tuple(self.output_names),
            input_tree=graph.input_tree,
            inputs_as_written=graph.inputs,
            outputs_as_written=graph.outputs,
            nodes=tuple(graph.nodes),
            arrange=graph.arrange,
        )

    def _on_host(self, x: Any) -> Any:
        """Run the host part of the model, if it has one.

        Args:
            x: Inputs on the host, as arrays.

        Returns:
            The inputs themselves, or a `Preprocessed` if there is a host part.
        """
        if type(x) is np.ndarray and x.dtype.kind in "fiub" and not self._has_host_part:
            return x
        if isinstance(x, Preprocessed):
            return x
        part = self._graph.host_part if self._graph is not None else None
        if part is not None:
            checks.check_inputs(self._learner, x)
            return part.run(x)
        if has_text(x) and not self.run_eagerly:
            if any(layer.compute_dtype == "string" for layer in self._flatten_layers()):
                raise TypeError(
                    f"Model {self.name!r} converts text to numbers inside its own call(), which "
                    "is compiled; a compiled program cannot take text.\n"
                    "  Fix: call the layer on x before, or make it the first layer of a Sequential "
                    "or Model(inputs, outputs);\n"
                    "  or model.compile(…, run_eagerly=True), which compiles nothing and is slow."
                )
            convert(x, "x")  # raises an error that explains what to do with text
        return x

    def call(self, inputs: Inputs, training: bool | None = None, mask: Masks = None) -> Outputs:
        """The outputs for a batch of inputs; a subclass without a graph writes its own.

        Args:
            inputs: Array `(batch, ...)`, or a structure of arrays.
            training: Whether layers such as Dropout behave as in training.
            mask: Mask of the inputs, or None.

        Returns:
            Array `(batch, ...)`, or a structure of arrays.

        Raises:
            NotImplementedError: If a subclass has no `call`.

        Example:
            >>> import lamina
            >>> class Twice(Model):
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.inner = lamina.layers.Dense(3)
            ...     def call(self, inputs):
            ...         return self.inner(self.inner(inputs))
            >>> Twice()(lamina.ops.ones((2, 3))).shape
            (2, 3)
        """
        if self._graph is None:
            raise NotImplementedError(
                f"{type(self).__name__} has no call() method.\n"
                "  Fix: write `def call(self, x):` that returns the output."
            )
        if mask is not None:
            masking.set_masks(inputs, mask)
        outputs = self._graph.run(inputs)
        is_single = isinstance(outputs, (list, tuple)) and len(outputs) == 1
        return outputs[0] if is_single else outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Outputs:
        if self._graph is None:
            return super().compute_output_spec(*args, **kwargs)
        tensors = jax.tree.leaves(args or kwargs.get("inputs"))
        if [t.shape[1:] for t in tensors] == [t.shape[1:] for t in self._graph.input_list]:
            batch = tensors[0].shape[:1]
            specs = [
                masking.with_mask_of(t, KerasTensor((*batch, *t.shape[1:]), t.dtype))
                for t in self.outputs
            ]
        else:
            specs = jax.tree.leaves(super().compute_output_spec(*args, **kwargs))
        return jax.tree.unflatten(jax.tree.structure(self._graph.outputs), specs)

    @filter_traceback
    def inference_function(self, example: Data = None) -> InferenceFunction:
        """The forward pass as a pure function of parameters and inputs.

        Use it to run the model elsewhere: under `jax.jit` in your own program, in a server, or on
        another platform. It computes the same as `predict`, without compiled kernels and without
        division into batches. The parameters are the current weights. If the forward pass changes
        state, as in a stateful LSTM, `function.step` returns the new state, too.

        Args:
            example: Inputs as for `predict`, one row or more, of which only shapes and dtypes are
                used. Needed for a model that is not a graph of layers, such as a subclass with its
                own `call`.

        Returns:
            An `InferenceFunction`: `function(function.parameters, x)` gives the outputs, and
            `function.inputs` and `function.outputs` are names, shapes and dtypes.

        Raises:
            ValueError: If the inputs of the model are unknown, and there is no example.

        Example:
            >>> import jax
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> function = model.inference_function()
            >>> outputs = jax.jit(function)(function.parameters, lamina.ops.ones((5, 3)))
            >>> outputs.shape, function.outputs.shape
            ((5, 2), (None, 2))
        """
        user_predict_step = Overrides.of(self, Trainer).predict_step
        return inference_function(self._learner, example, user_predict_step)

    @property
    def _input_dtype(self) -> str | None:
        # The inputs of a graph have their own dtypes.
        return super()._input_dtype if self._graph is None else None

    @filter_traceback
    @explain_arguments
    def explain(
        self,
        x: Data,
        target: int | str | None = None,
        baseline: Data = None,
        output: int | str | None = None,
        steps: int = 64,
        names: Sequence[str] | Mapping[int, str] | None = None,
    ) -> "Explanation":
        """Why the model gives its answer for one sample.

        Integrated gradients assign to every number of the sample the amount by which it raised or
        lowered the score of the class. For a picture there is also a Grad-CAM map, and for a model
        with attention its maps. `lamina.explanation` has more, such as single neurons and the
        receptive fields of convolutions. Not in Keras.

        Args:
            x: One sample, `(…)` or `(1, …)`; a structure of arrays, a text; for a model that was
                trained on data of `lamina.data.load` also a file, or a row as a dict.
            target: Index or name of the class to explain, or index of the number that a regression
                predicts; the most probable class if None.
            baseline: A neutral sample in the form of `x`, with which `x` is compared. If None:
                zeros; for columns of a table, their mean in the training data.
            output: Name or index of the output, if the model has several; the first if None.
            steps: Number of points at which the gradient is integrated.
            names: Names of the features; for text, the word of each index, as a list or a dict.

        Returns:
            An `Explanation`: printed it is a short text; `plot()` draws it, `save(path)` writes it.

        Raises:
            ValueError, TypeError: If `x` is not one sample that fits the model, or there is no such
                class or output.

        Example:
            >>> import lamina
            >>> dense = lamina.layers.Dense(1, kernel_initializer="ones")
            >>> model = lamina.Sequential([lamina.Input((2,)), dense], name="sum")
            >>> print(model.explain([4.0, -1.0]))
            Model 'sum' gives the output = 3.
              Raised it most: x[0] = 4 (+4).
              Lowered it most: x[1] = -1 (-1).
        """
        from lamina.explanation import explain  # which is above this package

        return explain(self, x, target, baseline, output, steps, names)

    # -- saving ----------------------------------------------------------------------------------

    @filter_traceback
    def save(
        self,
        filepath: str | Path,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Write architecture, weights and optimizer state to one file.

        Args:
            filepath: Path of the file; Keras opens only names that end in `.keras`.
            overwrite: Whether an existing file may be replaced.
            zipped: Accepted for compatibility with Keras: a model is always one file.
            **kwargs: `include_optimizer=False` leaves out the optimizer, loss and metrics.

        Example:
            >>> import tempfile
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.save(f"{folder}/model.keras")
            ...     again = lamina.models.load_model(f"{folder}/model.keras")
            >>> bool((again.layers[0].kernel.value == model.layers[0].kernel.value).all())
            True
        """
        from lamina.saving import save_model  # h5py is slow to import

        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    @filter_traceback
    def save_weights(
        self,
        filepath: str | Path,
        overwrite: bool = True,
        max_shard_size: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the weights alone (`.weights.h5` is customary).

        With `max_shard_size` (in GiB), into several files that a `.weights.json` lists.

        Args:
            filepath: File to write.
            overwrite: Whether an existing file may be replaced.
            max_shard_size: Size of each file in GiB; None for one file.
            **kwargs: Further arguments of `lamina.saving.save_weights`.

        Raises:
            FileExistsError: If the file exists and `overwrite` is False.

        Example:
            >>> import tempfile
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> other = lamina.models.clone_model(model)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.save_weights(f"{folder}/model.weights.h5")
            ...     other.load_weights(f"{folder}/model.weights.h5")
            >>> bool((other.layers[0].kernel.value == model.layers[0].kernel.value).all())
            True
        """
        from lamina.saving import save_weights  # see `save`

        save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    @filter_traceback
    def load_weights(
        self, filepath: str | Path, skip_mismatch: bool = False, **kwargs: Any
    ) -> None:
        """Read the weights from a weights file or a saved model of the same architecture.

        Args:
            filepath: File to read.
            skip_mismatch: Whether layers whose weights do not fit are left unchanged, with a
                warning.
            **kwargs: Further arguments of `lamina.saving.load_weights`.

        Raises:
            ValueError: If the weights do not fit the model.

        Example:
            >>> import tempfile
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.save_weights(f"{folder}/model.weights.h5")
            ...     model.set_weights([0 * array for array in model.get_weights()])
            ...     model.load_weights(f"{folder}/model.weights.h5")
            >>> bool((model.layers[0].kernel.value == 0).any())
            False
        """
        from lamina.saving import load_weights  # see `save`

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    export = unavailable_function(
        "export", "lamina.Model", "model.save('model.keras') writes a file that Keras opens, too."
    )

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copies and pickles use the content of a saved file."""
        if not self.built:
            return super().__reduce_ex__(protocol)
        from lamina.saving.model_file import model_as_bytes  # see `save`

        layers = self._flatten_layers()
        custom_classes = {
            registry.get_registered_name(cls): cls
            for cls in map(type, layers)
            if not cls.__module__.startswith("lamina.")
        }
        return _model_from_bytes, (model_as_bytes(self), custom_classes, self._learner.columns)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture (no weights) as a JSON string; read by `model_from_json`.

        Args:
            **kwargs: For `json.dumps`, e.g. `indent=2`.

        Returns:
            The JSON text.

        Example:
            >>> import lamina
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> model_from_json(model.to_json()).output_shape
            (None, 2)
        """
        return json.dumps(registry.serialize(self), **kwargs)

    def get_config(self) -> dict:
        """The configuration of the model, as plain data.

        Returns:
            A dict: `name`, the layers and how they are connected, or the arguments of a subclass.

        Example:
            >>> import lamina
            >>> x = lamina.Input((3,), name="features")
            >>> model = Model(x, lamina.layers.Dense(2, name="head")(x))
            >>> [layer["name"] for layer in model.get_config()["layers"]]
            ['features', 'head']
        """
        if self._graph is not None and takes_a_graph(type(self)):
            return graph_config(self)
        return super().get_config()

    get_config.automatic = True  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "Model":
        """Create a model from its config, with new weights.

        Args:
            config: Result of `get_config`.
            custom_objects: From names to classes and functions that are not Lamina's own.

        Returns:
            The model, not compiled.

        Example:
            >>> import lamina
            >>> x = lamina.Input((3,))
            >>> model = Model(x, lamina.layers.Dense(2)(x))
            >>> Model.from_config(model.get_config()).output_shape
            (None, 2)
        """
        if "input_layers" in config:
            return model_from_graph_config(cls, config, custom_objects)
        with registry.custom_object_scope(custom_objects or {}):
            return super().from_config(config)

    def get_build_config(self) -> dict | None:
        """The shape of the input; None for a graph, whose layers have their own shapes.

        Returns:
            A dict for `build_from_config`, or None if the model was not built.
        """
        return super().get_build_config() if self._graph is None else {"input_shape": None}

    @filter_traceback
    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[..., Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print a table of the layers: output shape, parameters, memory.

        Args:
            line_length: Width of the table in characters.
            positions: Accepted for compatibility with Keras, without effect.
            print_fn: Called with the text instead of printing it.
            expand_nested: Also show the layers inside nested models.
            show_trainable: Also show which layers are frozen.
            layer_range: Names of the first and the last layer to show.

        Example:
            >>> import lamina
            >>> lines = []
            >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
            >>> model.summary(print_fn=lambda text: lines.extend(text.splitlines()))
            >>> any(line.startswith("Parameters: 8") for line in lines)
            True
        """
        from lamina.models.summary import print_summary  # rich is slow to import

        print_summary(
            self,
            line_length=line_length,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )

    def _repr_html_(self) -> str:
        """For notebooks."""
        from lamina.models.summary import summary_as_html  # rich is slow to import

        return summary_as_html(self)


def _model_from_bytes(content: bytes, custom_objects: dict, columns: dict) -> Model:
    from lamina.saving.model_file import model_from_bytes  # h5py is slow to import

    model = model_from_bytes(content, custom_objects)
    model._learner.columns.update(columns)
    return model


def _shapes(tensors: Any) -> Any:
    shapes = [tensor.shape for tensor in jax.tree.leaves(tensors)]
    return shapes[0] if len(shapes) == 1 else shapes


def takes_a_graph(cls: type) -> bool:
    """Whether the class can be created as `cls(inputs, outputs)`."""
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    return cls.__init__ is Model.__init__ or list(parameters)[:3] == ["self", "inputs", "outputs"]  # type: ignore[misc]


def _is_functional(args: tuple, kwargs: dict) -> bool:
    return (
        len(args) >= 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


@filter_traceback
def model_from_json(json_string: str, custom_objects: dict | None = None) -> Model:
    """Create a model with new weights from the result of `to_json`.

    Args:
        json_string: The JSON text.
        custom_objects: From names to classes and functions that are not Lamina's own.

    Returns:
        The model, not compiled.
    """
    return registry.deserialize(json.loads(json_string), custom_objects)


__all__ = ["Model", "model_from_json"]
