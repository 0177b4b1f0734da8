"""Layer: creates its Variables in `build`, computes in `call`, and tracks its attributes."""

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config, dtypes
from lamina.core.configuration.context import context
from lamina.core.configuration.runtime import refuse_after_fork
from lamina.core.graph.keras_tensor import KerasTensor, is_symbolic, refuse_text
from lamina.core.graph.operation import Operation
from lamina.core.graph.output_specs import trace_spec
from lamina.core.layer import masking, remat
from lamina.core.layer.call_signature import (
    CallSignature,
    is_shape,
    shape_of,
    signature_of,
    signature_of_method,
)
from lamina.core.layer.input_spec import check_inputs
from lamina.core.layer.layer_state import LayerState
from lamina.core.messages.errors import (
    ArgumentError,
    LaminaWarning,
    stacklevel_of_user,
    unknown_argument,
)
from lamina.core.messages.tracebacks import (
    filter_traceback,
    filter_tracebacks_of_methods,
    strip_internal_frames,
)
from lamina.core.serialization import registry
from lamina.core.serialization.init_arguments import (
    constructor_example,
    init_argument_names,
    name_inherited_init,
)
from lamina.core.types import (
    ArrayLike,
    DTypeLike,
    DTypePolicyLike,
    Inputs,
    Masks,
    Outputs,
    RegularizerLike,
    Shapes,
)
from lamina.core.user_data.data_kinds import is_sparse, is_text, may_hold_text
from lamina.core.user_data.masked_arrays import remove_mask
from lamina.core.variable.stateless import stateless
from lamina.core.variable.threads import build_lock
from lamina.core.variable.variable import Variable, autocast, name_scope, to_shape_tuple


@filter_tracebacks_of_methods
class Layer(LayerState):
    """A layer: a function with weights. Subclass it to write your own layer.

    `__init__` stores the settings, `build(input_shape)` creates the weights once the shape is
    known, `call(x)` computes. Variables, layers and lists of them that are assigned to attributes
    are trained and saved automatically.

    Args:
        activity_regularizer: Function of the output, whose value is added to the loss.
        trainable: Whether the optimizer may change the weights.
        dtype: Type or policy: `"float32"`, `"mixed_bfloat16"` …
        autocast: Whether float inputs are cast to the compute dtype.
        name: Unique in a model; derived from the class's name if None.
        **kwargs: `input_shape`, `batch_input_shape` and `input_dim` of Keras 2, for the first layer
            of a Sequential model.

    Example:
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer=ones)
        ...     def call(self, x):
        ...         return x * self.factor
        >>> def ones(shape, dtype):
        ...     return np.ones(shape, dtype)
        >>> Scale()(np.zeros((2, 3))).shape
        (2, 3)
    """

    tracked_as = "layers"
    _tracked: dict[str, list[Any]]
    _losses_by_thread: dict[int, list[Any]]
    _weightless = False

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        name_inherited_init(cls)
        if "build" in cls.__dict__:
            cls.build = _wrap_build(cls.__dict__["build"])  # type: ignore[method-assign]
        cls._weightless = _never_has_weights(cls)
        filter_tracebacks_of_methods(cls)

    def _set_initial_attributes(self) -> None:
        # Before `__init__`, because users may assign layers to attributes before they call
        # `super().__init__`. A `Layer.__new__` would hide the arguments of `__init__` from
        # inspect.signature.
        kinds = ("trainable", "non_trainable", "seeds", "layers", "metrics")
        object.__setattr__(self, "_tracked", {kind: [] for kind in kinds})

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = None,
        trainable: bool = True,
        dtype: DTypePolicyLike = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        input_shape = _legacy_input_shape(kwargs)
        if kwargs:
            argument_names = init_argument_names(type(self))
            raise unknown_argument(type(self).__name__, next(iter(kwargs)), argument_names)
        if not isinstance(trainable, (bool, np.bool_)):
            raise ArgumentError(
                f"{type(self).__name__}: trainable must be True or False; received {trainable!r}."
            )
        super().__init__(name=name)
        self.activity_regularizer = registry.get("regularizer", activity_regularizer)
        self.dtype_policy = dtype
        self.autocast = autocast
        self.input_spec: Any = None
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        # A layer that never has weights counts as built from the start; its first call still builds
        # the layers inside it.
        self.built = self._build_pending = self._weightless
        self._trainable = bool(trainable)
        self._building = False
        self._path: str | None = None
        self._build_shapes: dict[str, Any] | None = None
        # From Keras 2's `Dense(8, input_shape=(4,))`, which has the same effect as an Input.
        self._input_shape_argument = input_shape
        self._warned_of_masks = False
        self._remat_scope = remat.current_scope()
        object.__setattr__(self, "_losses_by_thread", {})
        if not self._trainable:
            for tracked in (*self._tracked["trainable"], *self._tracked["layers"]):
                tracked.trainable = False

    def build(self, input_shape: Shapes) -> None:
        """Create the weights; called once, when the shape of the input is known.

        A layer that only contains other layers need not define it: they are built by tracing one
        call on symbolic inputs.

        Args:
            input_shape: Tuple with None for axes of unknown size, or a structure of tuples for a
                layer with several inputs. A layer whose `call(query, value)` takes several
                tensors may take one for each: `build(self, query_shape, value_shape)`.
        """
        if not _has_own_build(self) and (self._build_pending or not self.built):
            inputs = jax.tree.map(lambda s: KerasTensor(s), input_shape, is_leaf=is_shape)
            has_call = type(self).call is not Operation.call  # otherwise there is nothing to trace
            inner_layers = self._flatten_layers(include_self=False)
            if has_call and any(not layer.built for layer in inner_layers):
                with contextlib.nullcontext() if self._building else name_scope(self.name):
                    trace_spec(self.call, inputs)
                self._clear_losses()
            shape = jax.tree.map(lambda t: t.shape, inputs)
            object.__setattr__(self, "_build_shapes", {"input_shape": shape})
            self._build_pending, self.built = False, True

    build.builds_by_tracing = True  # type: ignore[attr-defined]

    def _build_inner_layers(self, shapes: dict[str, Any]) -> None:
        """Build the inner layers that a `build` has created but not built.

        Args:
            shapes: Arguments of `build`, by name.
        """
        if all(layer.built for layer in self._flatten_layers(include_self=False)):
            return
        inputs = [
            jax.tree.map(lambda s: KerasTensor(s), shape, is_leaf=is_shape)
            for shape in shapes.values()
        ]
        names = [name.removesuffix("_shape") for name in shapes]
        args, kwargs = (
            (inputs, {}) if len(inputs) == 1 else ((), dict(zip(names, inputs, strict=True)))
        )
        # Tracing fails if `call` needs more than shapes; then the first call builds the layers.
        with contextlib.suppress(Exception), name_scope(self.name):
            trace_spec(self.call, *args, **kwargs)
        self._clear_losses()

    # -- calling ---------------------------------------------------------------------------------

    @filter_traceback
    def __call__(self, *args: Any, **kwargs: Any) -> Outputs:
        self._check_initialised()
        args, kwargs = self._as_tensors(args), {k: self._as_tensors(v) for k, v in kwargs.items()}
        signature = signature_of(type(self).call)
        if len(args) > 1:
            self._refuse_settings(signature, args)
        if is_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        with _enter_call(self) as outer_training:
            training = self._training_mode(signature, args, kwargs, outer_training)
            inputs = signature.first_argument(args, kwargs)
            self._check_arrays(inputs)
            inputs_mask = self._fill_masks(signature, args, kwargs, inputs)
            try:
                if not self.built:
                    with build_lock:
                        self._build_for(signature, args, kwargs)
                if self.input_spec is not None:
                    check_inputs(self.input_spec, inputs, self._label)
                context.training = training
                with (
                    name_scope(self.name),
                    autocast(self._autocast_dtype),
                    _record_running_call(self),
                ):
                    call = self.call if self._remat_scope is None else remat.call_with_remat(self)
                    outputs = call(*args, **kwargs)
                    if context.placement is not None:
                        path = "/".join((*context.path, "output"))
                        outputs = context.placement.constrain_output(path, outputs)
            except Exception as error:
                self._explain(error, args)
                raise
            finally:
                context.training = outer_training
            if self.activity_regularizer is not None:
                for output in jax.tree.leaves(outputs):
                    # Divided by the batch size, so that the strength does not depend on it.
                    samples = max(output.shape[0], 1) if output.ndim else 1
                    # A sum of squares can overflow in float16.
                    if self._autocast_dtype:
                        output = output.astype(self.variable_dtype)
                    self.add_loss(self.activity_regularizer(output) / samples)
            if self.supports_masking:
                masking.set_masks(outputs, self.compute_mask(inputs, inputs_mask))
            elif inputs_mask is not None:
                self._warn_if_mask_is_lost(signature, outputs)
            return outputs

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer with the given values in place of those of its Variables.

        The Variables do not change. For your own training loops in JAX: the call may be compiled
        and differentiated.

        Args:
            trainable_variables: Arrays in the order of `layer.trainable_variables`.
            non_trainable_variables: Arrays in the order of `layer.non_trainable_variables`.
            *args, **kwargs: Arguments of the layer's call.
            return_losses: Whether to return the losses that the call added, too.

        Returns:
            `(outputs, non_trainable_variables)`, and with `return_losses` the list of losses as
            third.

        Example:
            >>> from lamina.layers import BatchNormalization
            >>> layer = BatchNormalization()
            >>> layer.build((None, 2))
            >>> outputs, new_state = layer.stateless_call(
            ...     layer.trainable_variables, layer.non_trainable_variables, np.eye(2),
            ...     training=True)
            >>> new_state[0].tolist(), layer.non_trainable_variables[0].numpy().tolist()
            ([0.00499..., 0.00499...], [0.0, 0.0])
        """
        self._check_initialised()
        if not self.built:
            raise ValueError(
                f"{self._label} has no weights yet, so it cannot be called with values for them.\n"
                "  Fix: build it first, e.g. layer.build(input_shape)."
            )
        variables = (self.trainable_variables, self.non_trainable_variables)
        variable_values = (list(trainable_variables), list(non_trainable_variables))
        for prefix, expected, values in zip(("", "non_"), variables, variable_values, strict=True):
            if len(expected) != len(values):
                raise ValueError(
                    f"{self._label} has {len(expected)} {prefix}trainable variables and received "
                    f"{len(values)} values for them.\n"
                    f"  Fix: pass one for each of layer.{prefix}trainable_variables."
                )

        def run() -> tuple[Any, ...]:
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else []
            self._clear_losses()
            return outputs, losses

        (outputs, losses), (_, new_values) = stateless(run, variables)(variable_values)
        return (outputs, new_values, losses) if return_losses else (outputs, new_values)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Outputs:
        """Call the layer on symbolic tensors: build it, if needed, and add a node to the graph.

        `layer(x)` does this where `x` is a `KerasTensor`.

        Args:
            *args: Arguments of `call`.
            **kwargs: Further arguments, by name.

        Returns:
            KerasTensors in the structure of the output.

        Raises:
            ValueError: If an input does not match `input_spec`.
        """
        signature = signature_of(type(self).call)
        try:
            self._build_for(signature, args, kwargs)
            if self.input_spec is not None:
                check_inputs(self.input_spec, signature.first_argument(args, kwargs), self._label)
            if not signature.has_training:
                kwargs.pop("training", None)
            outputs = super().symbolic_call(*args, **kwargs)
            if self.supports_masking:
                masking.set_masks(
                    outputs, self._symbolic_mask(signature.first_argument(args, kwargs))
                )
            return outputs
        except Exception as error:
            self._explain(error, args)
            raise

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Shapes:
        """Shape of the output for a given shape of the input (None for axes of unknown size).

        Args:
            *args: Shape of each input as a tuple, e.g. `(None, 28, 28)`; a subclass names them as
                in its `build`.
            **kwargs: Further shapes, by name.

        Returns:
            A shape as a tuple, or a structure of shapes for several outputs.

        Example:
            >>> from lamina.layers import Dense
            >>> Dense(2).compute_output_shape((None, 3))
            (None, 2)
        """
        shapes = jax.tree.map(
            lambda s: KerasTensor(s, self.compute_dtype), (args, kwargs), is_leaf=is_shape
        )
        spec = self.compute_output_spec(*shapes[0], **shapes[1])
        return jax.tree.map(lambda t: t.shape, spec)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Outputs:
        """Symbolic outputs for symbolic inputs, by `compute_output_shape` or by tracing.

        Args:
            *args: Arguments of `call`, with KerasTensors for arrays.
            **kwargs: Further arguments, by name.

        Returns:
            A KerasTensor, or a structure of them, for each output.
        """
        refuse_text((args, kwargs))
        if _knows_its_output_shape(self):
            signature = signature_of(type(self).call)
            shapes = signature.shapes(type(self).compute_output_shape, args, kwargs)
            output = self.compute_output_shape(**shapes)
            return jax.tree.map(
                lambda s: KerasTensor(s, self.compute_dtype), output, is_leaf=is_shape
            )

        return self._trace_call(args, kwargs)

    def _trace_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Trace one call on symbolic inputs, which also builds the inner layers."""

        def traced(args: tuple[Any, ...], kwargs: dict[str, Any], masks: tuple[Any, ...]) -> Any:
            inputs = jax.tree.leaves((args, kwargs), is_leaf=lambda leaf: leaf is None)
            for tensor, mask in zip(inputs, masks, strict=True):
                if mask is not None:
                    masking.set_mask(tensor, mask)
            outputs = Layer.__call__(self, *args, **kwargs)
            return outputs, jax.tree.map(masking.get_mask, outputs)

        leaves = jax.tree.leaves((args, kwargs), is_leaf=lambda leaf: leaf is None)
        masks = tuple(masking.get_mask(leaf) for leaf in leaves)
        outputs, output_masks = trace_spec(traced, args, kwargs, masks)
        self._clear_losses()
        masking.set_masks(outputs, output_masks)
        return outputs

    def _symbolic_mask(self, inputs: Any) -> Any:
        """The result of `compute_mask` for symbolic tensors."""
        previous_mask = masking.get_masks(inputs)
        try:
            return self.compute_mask(inputs, previous_mask)
        except Exception:  # `compute_mask` reads the values, as that of Embedding does
            return trace_spec(self.compute_mask, inputs, previous_mask)

    def compute_mask(self, inputs: Inputs, previous_mask: Masks) -> Masks:
        """Mask of the output; a layer that supports masking passes on the mask of its input.

        Args:
            inputs: The tensors that the layer is called on.
            previous_mask: Mask of the inputs, True for data and False for padding, or None.

        Returns:
            Mask of the output, or None.
        """
        return previous_mask

    def _as_tensors(self, values: Any) -> Any:
        return jax.tree.map(self._as_tensor, values, is_leaf=lambda v: v is None)

    def _as_tensor(self, value: Any) -> Any:
        """JAX arrays for arrays, floats in the compute dtype; anything else unchanged."""
        if isinstance(value, Variable):
            value = value.value
        elif is_sparse(value):
            value = value.toarray()
        dtype = self._input_dtype
        if isinstance(value, jax.Array):
            refuse_after_fork(type(self).__name__)
            if dtype is not None and _needs_cast(value.dtype, dtype):
                return masking.with_mask_of(value, value.astype(dtype))
            return value
        if hasattr(value, "__array__") and not isinstance(value, KerasTensor):
            # A data frame, another library's tensor.
            array = np.asarray(remove_mask(value, f"the input of {self._label}"))
            if array.dtype.kind == "O" and array.size and not is_text(array):
                array = self._from_objects(array)
            elif may_hold_text(array.dtype):
                return value  # text is for layers that work on the host
            if dtype is not None and dtypes.is_float(array.dtype):
                array = array.astype(dtype)
            refuse_after_fork(type(self).__name__)
            return jnp.asarray(array)
        return value

    def _from_objects(self, array: np.ndarray) -> np.ndarray:
        """Convert an array of objects that are numbers or lists of numbers to a numeric array."""
        try:
            return np.asarray([np.asarray(row) for row in array]).astype(config.floatx())
        except (TypeError, ValueError):
            if all(isinstance(row, (list, tuple, np.ndarray)) for row in array.flat):
                raise ValueError(
                    f"{self._label} received rows that differ in length, which are not an array.\n"
                    "  Fix: x = lamina.utils.pad_sequences(x, dtype='float32') pads them "
                    "with 0."
                ) from None
            raise ValueError(
                f"{self._label} received an array of objects that are not numbers.\n"
                "  Fix: replace each by a number, then x = x.astype('float32')."
            ) from None

    @property
    def _input_dtype(self) -> str | None:
        """The dtype that float inputs are cast to; None for no cast."""
        return self.compute_dtype if self.autocast else None

    def _check_arrays(self, inputs: Any) -> None:
        if isinstance(inputs, (type, Layer)):
            layer = constructor_example(inputs) if isinstance(inputs, type) else inputs.name
            raise TypeError(
                f"{self._label} was called on {inputs!r}, which is not a tensor.\n"
                f"  Fix: x = {layer}(x) first, and call {self.name!r} on that x."
            )
        if not isinstance(inputs, (list, tuple)):
            return
        if any(isinstance(leaf, (bool, int, float)) for leaf in jax.tree.leaves(inputs)):
            raise ValueError(
                f"{self._label} received a list of Python numbers; a list means several inputs.\n"
                "  Fix: make one array of it, e.g. np.array([[1.0, 2.0]])."
            )

    def _refuse_settings(self, signature: CallSignature, args: tuple[Any, ...]) -> None:
        """Refuse settings passed by position: the meaning of `layer(x, True)` is not clear."""
        for position, value in enumerate(args[1:], 1):
            if any(isinstance(leaf, (bool, int, float, str)) for leaf in jax.tree.leaves(value)):
                name = signature.names[position : position + 1]
                by_name = f"{name[0]}={value!r}" if name else f"training={value!r}"
                raise ValueError(
                    f"{self._label} takes tensors by position and other arguments by name; "
                    f"received {value!r}.\n  Fix: {by_name}."
                )

    def _training_mode(
        self,
        signature: CallSignature,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outer: bool | None,
    ) -> bool | None:
        """The mode: this call's argument, else the enclosing call's mode, else the default."""
        mode: bool | None = signature.value("training", args, kwargs)
        mode = outer if mode is None else mode
        mode = signature.training_default if mode is None else mode
        if not signature.has_training:
            kwargs.pop("training", None)
        elif mode is not None and len(args) <= signature.training_position:
            kwargs["training"] = mode
        return mode

    @property
    def _autocast_dtype(self) -> str | None:
        # Not `self.compute_dtype`: layers for text and categories override it with the dtype of
        # their results.
        dtype = LayerState.compute_dtype.__get__(self)
        return dtype if self.autocast and dtype != self.variable_dtype else None

    def _fill_masks(
        self, signature: CallSignature, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: Any
    ) -> Any:
        """Pass the masks of the input tensors to `call`, unless the caller has passed masks."""
        inputs_mask = masking.get_masks(inputs)
        for parameter, argument in signature.masks:
            passed_mask = kwargs.get(parameter, signature.positional(parameter, args))
            if passed_mask is None:
                source = inputs if argument is None else signature.value(argument, args, kwargs)
                mask = masking.get_masks(source)
                if mask is not None:
                    kwargs[parameter] = mask
            elif parameter == "mask":
                inputs_mask = passed_mask
        return inputs_mask

    def _warn_if_mask_is_lost(self, signature: CallSignature, outputs: Any) -> None:
        """Warn once if neither `call` nor later layers will see the mask of the input."""
        if signature.masks or masking.get_masks(outputs) is not None or self._warned_of_masks:
            return
        object.__setattr__(self, "_warned_of_masks", True)
        warnings.warn(
            f"{self._label} received an input with a mask and does not pass the mask on: later "
            "layers will treat padding as data.\n"
            "  Fix: set self.supports_masking = True in its __init__ if its output has the same "
            "steps, or write compute_mask(self, inputs, mask).",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )

    def _build_for(
        self, signature: CallSignature, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if self.built and not self._build_pending:
            return
        self._path = "/".join((*context.path, self.name))
        self._warn_if_untracked()
        shapes = signature.shapes(type(self).build, args, kwargs)
        if _has_own_build(self):
            if len(shapes) == 1:
                self.build(next(iter(shapes.values())))
            else:
                self.build(**shapes)
            if is_symbolic(args, kwargs) and _knows_its_output_shape(self):
                self._build_inner_layers(shapes)  # otherwise tracing the output shape builds them
        elif self._flat_layers():
            object.__setattr__(self, "_build_shapes", shapes)
            if is_symbolic(args, kwargs) and _knows_its_output_shape(self):
                self._trace_call(args, kwargs)  # otherwise tracing the output shape builds them
        self._build_pending, self.built = False, True

    def _warn_if_untracked(self) -> None:
        """Warn if this layer was created in another layer's `call`, where it is not tracked."""
        outermost = context.call_stack[0] if context.call_stack else self
        for caller in context.call_stack[-2:-1]:  # usually this layer is an attribute of its caller
            if self in caller._flat_layers():
                return
        if self in outermost._flatten_layers():
            return
        warnings.warn(
            f"{self._label} is used inside {outermost._label}, which does not track it: its "
            "weights will be neither trained nor saved.\n"
            f"  Fix: make it once, in __init__, and keep it on self: self.{self.name} = "
            f"{type(self).__name__}(…).",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )

    def _explain(self, error: Exception, args: tuple[Any, ...]) -> None:
        """Add to an error the layer in which it arose, once for each enclosing layer."""
        strip_internal_frames(error)
        if getattr(error, "_lamina_explained", None) == id(self):
            return
        shapes = jax.tree.map(shape_of, args)
        if len(shapes) == 1:
            shapes = shapes[0]
        if "__jax_array__" in str(error):
            error.add_note(
                "  Likely cause: a Variable was passed to a jax.numpy function.\n"
                "  Fix: pass the Variable's array, e.g. self.kernel.value; operators such as "
                "x @ self.kernel accept both."
            )
        error.add_note(f"  In {self._label}, called on shape {shapes}.")
        error._lamina_explained = id(self)  # type: ignore[attr-defined]

    @property
    def path(self) -> str | None:
        """Path of the layer, e.g. `model/block/dense`; None before it is built."""
        return self._path

    @property
    def _own_losses(self) -> list[Any]:
        """Losses added by `add_loss` since the last call began, in this thread."""
        return self._losses_by_thread.setdefault(threading.get_ident(), [])

    # -- losses ----------------------------------------------------------------------------------

    def add_loss(self, loss: ArrayLike | Sequence[ArrayLike]) -> None:
        """Add a scalar, computed inside `call`, to the loss that training minimises.

        Args:
            loss: A scalar computed from arrays, or a list of them.

        Raises:
            TypeError: If it is a function or a symbolic tensor.

        Example:
            >>> class Penalised(Layer):
            ...     def call(self, inputs):
            ...         self.add_loss(0.1 * (inputs**2).sum())
            ...         return inputs
            >>> layer = Penalised()
            >>> _ = layer(np.ones((1, 2)))
            >>> [round(float(loss), 2) for loss in layer.losses]
            [0.2]
        """
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            if isinstance(value, KerasTensor) or callable(value):
                raise TypeError(
                    f"add_loss() takes a number computed from arrays and received {value!r}.\n"
                    "  Fix: call self.add_loss(…) inside the call() of a layer."
                )
            if context.losses is not None:
                context.losses.append((self, value))
            else:
                self._own_losses.append(value)

    @property
    def losses(self) -> list[Any]:
        """Losses that the last call added, and the penalties of weight regularizers."""
        collected: list[Any] = []
        for layer in self._flatten_layers():
            collected.extend(layer._losses_by_thread.get(threading.get_ident(), ()))
        for variable in self.trainable_weights:
            if variable.regularizer is not None:
                collected.append(variable.regularizer(variable))
        return collected

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Removed in Keras 3: keep the metric as an attribute of the layer instead.

        Args:
            *args: As in Keras 2.
            **kwargs: As in Keras 2.

        Raises:
            NotImplementedError: Always, with the lines to write instead.
        """
        raise NotImplementedError(
            f"{self._label}: add_metric() was removed in Keras 3.\n"
            "  Fix: in __init__, self.my_metric = lamina.metrics.Mean(name='my_metric'); in "
            "call(),\n  self.my_metric.update_state(value). fit() shows and resets it."
        )

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses_by_thread.pop(threading.get_ident(), None)


@contextlib.contextmanager
def _enter_call(layer: Layer) -> Iterator[bool | None]:
    """Record that a layer is being called; yields the training mode of the enclosing call."""
    if not context.call_stack:
        layer._clear_losses()
    outer = context.training if context.call_stack else None
    context.call_stack.append(layer)
    try:
        yield outer
    finally:
        context.call_stack.pop()
        if not context.call_stack:
            masking.clear_masks()


@contextlib.contextmanager
def _record_running_call(layer: Layer) -> Iterator[None]:
    """Record that the `call` of a layer is running."""
    context.layers_in_call.append(layer)
    try:
        yield
    finally:
        context.layers_in_call.pop()


def _knows_its_output_shape(layer: Layer) -> bool:
    return type(layer).compute_output_shape is not Layer.compute_output_shape


def _never_has_weights(cls: type) -> bool:
    """Whether layers of a class never have weights: Lamina's without `build`, and marked ones."""
    builder = next(base for base in cls.__mro__ if "build" in vars(base))
    if builder is not Layer:
        return bool(vars(builder).get("has_nothing_to_build", False))
    base = next(base for base in cls.__mro__ if base.__module__.startswith("lamina."))
    return base.__module__.startswith("lamina.layers.") and not getattr(base, "holds_layers", False)


def _has_own_build(layer: Layer) -> bool:
    """Whether a class defines `build`; base classes that build by tracing a call are marked."""
    return not getattr(type(layer).build, "builds_by_tracing", False)


def _wrap_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a `build`: paths of weights get the layer's name, and shapes are stored for files."""

    @functools.wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        if self._building:  # super().build(…) inside build
            build(self, *args, **kwargs)
            return
        bound = signature_of_method(build).bind(self, *args, **kwargs)
        shapes = dict(list(bound.arguments.items())[1:])
        object.__setattr__(self, "_build_shapes", shapes.pop("kwargs", {}) | shapes)
        self._building = True
        tracked_before = {name: list(group) for name, group in self._tracked.items()}
        try:
            with name_scope(self.name):
                self._path = "/".join(context.path)
                build(self, *args, **kwargs)
        except Exception:
            for name, group in self._tracked.items():
                # so that a second attempt starts without these weights
                group[:] = tracked_before[name]
            raise
        finally:
            self._building = False
        self.built = True
        in_own_call = bool(context.call_stack) and context.call_stack[-1] is self
        if hasattr(self, "fit") and not in_own_call:
            self._build_inner_layers(self._build_shapes)  # type: ignore[arg-type]

    return wrapped


def _legacy_input_shape(kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
    """Pop `input_shape`, `batch_input_shape` or `input_dim` of Keras 2 from the arguments."""
    batch_shape = kwargs.pop("batch_input_shape", None)
    shape = kwargs.pop("input_shape", None)
    size = kwargs.pop("input_dim", None)
    length = kwargs.pop("input_length", None)
    if batch_shape is not None:
        return to_shape_tuple(batch_shape)
    if shape is not None:
        return (None, *to_shape_tuple(shape))
    if size is not None:
        return (None, length, int(size)) if length is not None else (None, int(size))
    return None


def _needs_cast(dtype: DTypeLike, target: str) -> bool:
    return dtypes.is_float(dtype) and dtypes.standardize_dtype(dtype) != target
