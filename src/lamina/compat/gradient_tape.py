"""`tf.GradientTape` for JAX's arrays.

While a tape records, JAX hands every operation to a trace (`_Recording`), which computes it at once
and notes it if one of its inputs is watched. A gradient computes the noted operations between the
sources and the target once more, as a function that JAX differentiates. So results are ordinary
arrays, rules of `custom_gradient` apply, and tapes can be nested.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax._src import core  # traces have no public name

from lamina.core.configuration.context import context
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.variable.variable import Variable
from lamina.training.checks import warn


class UnconnectedGradients(enum.Enum):
    """`tf.UnconnectedGradients`: the gradient of a source that the target does not depend on."""

    NONE = "none"
    ZERO = "zero"


class _Operation(NamedTuple):
    """One operation that was computed while a tape was recording."""

    compute: Callable[..., Sequence[Any]]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


class _Recording(core.Trace):
    """The trace that computes every operation at once, and reports it to a tape."""

    def __init__(self, parent: Any, tape: "GradientTape"):
        super().__init__()
        self._parent = parent
        self._tape = tape
        self.requires_low = getattr(parent, "requires_low", True)

    def process_primitive(self, primitive: Any, args: Any, params: Any, /) -> Any:
        with core.set_current_trace(self._parent):
            result = self._parent.process_primitive(primitive, args, params)
            # A result may be the input itself, as of stop_gradient, and has another gradient.
            is_input = {id(value) for value in args}
            outputs = [
                jnp.copy(output) if id(output) in is_input else output
                for output in (result if primitive.multiple_results else [result])
            ]

        def compute(*inputs: Any) -> Sequence[Any]:
            again = primitive.bind(*inputs, **params)
            return again if primitive.multiple_results else [again]

        self._tape._record(compute, args, outputs)
        return outputs if primitive.multiple_results else outputs[0]

    def stage_value(self, val: Any) -> Any:
        with core.set_current_trace(self._parent):
            result = self._parent.stage_value(val)
        if result is not val:
            self._tape._record(lambda x: [x], [val], [result])
        return result

    def process_call(self, primitive: Any, f: Any, tracers: Any, params: Any, /) -> Any:
        with core.set_current_trace(self):
            return f.call_wrapped(*tracers)

    def cur_qdd(self, x: Any) -> Any:
        return self._parent.cur_qdd(x)

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Any, /, **params: Any
    ) -> Any:
        return self._call_with_own_gradient("process_custom_jvp_call", primitive, fun, jvp)(
            tracers, params
        )

    def process_custom_vjp_call(
        self, primitive: Any, fun: Any, fwd: Any, bwd: Any, tracers: Any, /, **params: Any
    ) -> Any:
        return self._call_with_own_gradient("process_custom_vjp_call", primitive, fun, fwd, bwd)(
            tracers, params
        )

    def _call_with_own_gradient(self, method: str, *functions: Any) -> Callable[..., Any]:
        def call(inputs: Any, params: dict[str, Any]) -> Any:
            # Functions with their own gradient can be called once; a jaxpr of them, many times.
            with core.set_current_trace(self._parent):
                jaxpr = jax.make_jaxpr(
                    lambda *xs: getattr(core.trace_ctx.trace, method)(*functions, xs, **params)
                )(*inputs)
                compute = core.jaxpr_as_fun(jaxpr)
                outputs = compute(*inputs)
            self._tape._record(compute, inputs, outputs)
            return outputs

        return call


@filter_tracebacks_of_methods
class GradientTape:
    """`tf.GradientTape`: records operations, and computes gradients of what they gave.

    Args:
        persistent: Whether several gradients may be computed.
        watch_accessed_variables: Whether trainable Variables are watched when they are read.

    Example:
        >>> x = jax.numpy.float32(3.0)
        >>> with GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> float(tape.gradient(y, x))
        6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._scopes: ExitStack | None = None
        self._is_used = False
        self._clear()

    def _clear(self) -> None:
        self._operations: list[_Operation] = []
        # Arrays that are watched, or computed from these, by id; they are kept so that ids stay
        # unique.
        self._tracked: dict[int, Any] = {}
        self._variables: dict[int, Variable] = {}
        # For each watched Variable, the arrays that it had when it was read.
        self._read: dict[int, dict[int, Any]] = {}

    # -- recording ---------------------------------------------------------------------------

    def __enter__(self) -> "GradientTape":
        if self._scopes is not None:
            raise ValueError("Tape is already recording.")
        self._clear()
        self._is_used = False
        self._start()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._scopes is not None:
            self._stop()

    def _start(self) -> None:
        self._scopes = ExitStack()
        self._scopes.enter_context(core.set_current_trace(_Recording(core.trace_ctx.trace, self)))
        outer = context.on_variable_read

        def on_read(variable: Variable, value: Any) -> None:
            if outer is not None:
                outer(variable, value)
            self._variable_was_read(variable, value)

        context.on_variable_read = on_read
        self._scopes.callback(setattr, context, "on_variable_read", outer)

    def _stop(self) -> None:
        assert self._scopes is not None
        scopes, self._scopes = self._scopes, None
        scopes.close()

    def _variable_was_read(self, variable: Variable, value: Any) -> None:
        is_watched = id(variable) in self._variables
        if not is_watched and not (self._watches_variables and variable.trainable):
            return
        if not jnp.issubdtype(value.dtype, jnp.inexact):
            return
        self._variables[id(variable)] = variable
        self._read.setdefault(id(variable), {})[id(value)] = value
        self._tracked[id(value)] = value

    def _record(self, compute: Callable[..., Any], inputs: Any, outputs: Any) -> None:
        if self._scopes is not None and any(id(value) in self._tracked for value in inputs):
            self._operations.append(_Operation(compute, tuple(inputs), tuple(outputs)))
            for output in outputs:
                if jnp.issubdtype(output.dtype, jnp.inexact):
                    self._tracked[id(output)] = output

    def watch(self, tensor: Any) -> None:
        """Watch tensors, so that gradients by them can be computed.

        Args:
            tensor: A tensor or Variable, or a list or dict of them, of floats.
        """
        for leaf in jax.tree.leaves(tensor):
            if not isinstance(leaf, (jax.Array, Variable)):
                raise ValueError(
                    f"Passed in object {leaf!r} of type {type(leaf).__name__!r}, not tf.Tensor or "
                    "tf.Variable.\n  Fix: x = tf.constant(x) first, and use that x."
                )
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                warn(
                    f"The dtype of the watched tensor must be floating (e.g. tf.float32); got "
                    f"{leaf.dtype}: its gradient will be None.\n  Fix: tf.cast(x, tf.float32)."
                )
            elif isinstance(leaf, Variable):
                self._variables[id(leaf)] = leaf
            else:
                self._tracked[id(leaf)] = leaf

    def watched_variables(self) -> tuple[Variable, ...]:
        """The Variables that are watched, in the order in which they were first read."""
        return tuple(self._variables.values())

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Context manager in which operations are not recorded."""
        if self._scopes is None:
            raise RuntimeError("Tape is not recording.")
        self._stop()
        try:
            yield
        finally:
            self._start()

    def reset(self) -> None:
        """Forget all that was recorded and watched."""
        self._clear()

    # -- gradients ---------------------------------------------------------------------------

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
    ) -> Any:
        """The gradients of the sum of all targets.

        Args:
            target: Tensors, in a list or dict if there are several.
            sources: Tensors and Variables that were watched, in any structure.
            output_gradients: What each target's gradient is multiplied by; ones for None.
            unconnected_gradients: `"none"` or `"zero"`: the gradient of a source that no target
                depends on.

        Returns:
            The gradients, in the structure of `sources`.
        """
        fill = _as_unconnected(unconnected_gradients)
        self._use()
        try:
            targets = [_array_of(leaf) for leaf in _leaves(target)]
            weights = [None] * len(targets)
            if output_gradients is not None:
                weights = [None if w is None else _array_of(w) for w in _leaves(output_gradients)]
            known = [
                (t, w) for t, w in zip(targets, weights, strict=True) if self._is_differentiable(t)
            ]
            leaves, structure = jax.tree.flatten(sources, is_leaf=_is_none)
            pulled = self._pull_back([t for t, _ in known], [w for _, w in known], leaves)
            gradients = [
                _filled(gradient, leaf, fill) for gradient, leaf in zip(pulled, leaves, strict=True)
            ]
            return jax.tree.unflatten(structure, gradients)
        finally:
            self._release()

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The gradient of every number in the target by every number in the sources.

        Args:
            target: A tensor.
            sources: Tensors and Variables that were watched, in any structure.
            unconnected_gradients: As for `gradient`.
            parallel_iterations, experimental_use_pfor: Accepted, without effect.

        Returns:
            Arrays of shape `(*target.shape, *source.shape)`, in the structure of `sources`.
        """
        fill = _as_unconnected(unconnected_gradients)
        self._use()
        try:
            target = _array_of(target)
            leaves, structure = jax.tree.flatten(sources, is_leaf=_is_none)
            weights = jnp.eye(target.size, dtype=target.dtype)
            weights = weights.reshape(target.size, *target.shape)
            rows = self._pull_back_rows(target, weights, leaves)
            gradients = [
                _filled(None, leaf, fill, target.shape)
                if row is None
                else row.reshape(*target.shape, *leaf.shape)
                for row, leaf in zip(rows, leaves, strict=True)
            ]
            return jax.tree.unflatten(structure, gradients)
        finally:
            self._release()

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The jacobian of every sample by itself.

        Args:
            target: `(batch, …)`.
            source: `(batch, …)`; a sample of the target must depend on this sample alone.
            unconnected_gradients: As for `gradient`.
            parallel_iterations, experimental_use_pfor: Accepted, without effect.

        Returns:
            `(batch, *target.shape[1:], *source.shape[1:])`.
        """
        fill = _as_unconnected(unconnected_gradients)
        target, source_shape = _array_of(target), tuple(source.shape)
        if not target.shape or target.shape[:1] != source_shape[:1]:
            raise ValueError(
                "Need first dimension of target shape and source shape to match; received "
                f"{tuple(target.shape)} and {source_shape}."
            )
        self._use()
        try:
            shape = (*target.shape, *source_shape[1:])
            numbers = target[0].size
            # The samples are independent: one number of each sample at a time.
            flat = jnp.eye(numbers, dtype=target.dtype).reshape(numbers, 1, *target.shape[1:])
            weights = jnp.broadcast_to(flat, (numbers, *target.shape))
            (rows,) = self._pull_back_rows(target, weights, [source])
            if rows is None:
                zero = fill is UnconnectedGradients.ZERO
                return jnp.zeros(shape, source.dtype) if zero else None
            return jnp.moveaxis(rows, 0, 1).reshape(shape)
        finally:
            self._release()

    def _use(self) -> None:
        if self._is_used and not self._persistent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients "
                "(or jacobians).\n  Fix: tf.GradientTape(persistent=True)."
            )
        self._is_used = True
        if self._scopes is not None and not self._persistent:
            self._stop()

    def _release(self) -> None:
        if not self._persistent:
            self._clear()

    def _is_differentiable(self, target: Any) -> bool:
        if jnp.issubdtype(target.dtype, jnp.inexact):
            return True
        warn(
            "The dtype of the target tensor must be floating (e.g. tf.float32) when calling "
            f"GradientTape.gradient; got {target.dtype}: its gradients are None."
        )
        return False

    def _pull_back(self, targets: list[Any], weights: list[Any], sources: list[Any]) -> list[Any]:
        """The gradient of the weighted sum of targets by each source; None where unconnected."""
        function, arrays = self._function(targets, sources)
        if not arrays:
            return [None] * len(sources)
        _, pull_back = jax.vjp(function, *arrays)
        cotangents = [
            jnp.ones(t.shape, t.dtype)
            if w is None
            else jnp.broadcast_to(w, t.shape).astype(t.dtype)
            for t, w in zip(targets, weights, strict=True)
        ]
        return self._by_source(sources, arrays, pull_back(cotangents))

    def _pull_back_rows(self, target: Any, weights: Any, sources: list[Any]) -> list[Any]:
        """The same for one target and every row of weights, stacked."""
        function, arrays = self._function([target], sources)
        if not arrays:
            return [None] * len(sources)
        _, pull_back = jax.vjp(lambda *values: function(*values)[0], *arrays)
        return self._by_source(sources, arrays, jax.vmap(pull_back)(weights))

    def _function(
        self, targets: list[Any], sources: list[Any]
    ) -> tuple[Callable[..., list[Any]], list[Any]]:
        """The targets as a function of the arrays of the sources that they depend on."""
        arrays = {id(array): array for source in sources for array in self._arrays_of(source)}
        sensitive = set(arrays)
        for operation in self._operations:
            if any(id(value) in sensitive for value in operation.inputs):
                sensitive.update(map(id, operation.outputs))
        needed = {id(target) for target in targets} & sensitive
        kept: list[_Operation] = []
        for operation in reversed(self._operations):
            if any(id(value) in needed for value in operation.outputs):
                kept.append(operation)
                needed.update({id(value) for value in operation.inputs} & sensitive)
        kept.reverse()
        used = [key for key in arrays if key in needed]

        def function(*values: Any) -> list[Any]:
            current = dict(zip(used, values, strict=True))
            for operation in kept:
                inputs = [current.get(id(value), value) for value in operation.inputs]
                for old, new in zip(operation.outputs, operation.compute(*inputs), strict=True):
                    if id(old) not in arrays:  # what comes before a source does not count
                        current[id(old)] = new
            return [current.get(id(target), target) for target in targets]

        return function, [arrays[key] for key in used]

    def _arrays_of(self, source: Any) -> list[Any]:
        """The watched arrays of a source: itself, or the values that a Variable had."""
        if isinstance(source, Variable):
            return list(self._read.get(id(source), {}).values())
        return [source] if id(source) in self._tracked else []

    def _by_source(self, sources: list[Any], arrays: list[Any], gradients: Any) -> list[Any]:
        """One gradient for each source; a Variable that was assigned has had several arrays."""
        known = {id(array): gradient for array, gradient in zip(arrays, gradients, strict=True)}
        found: list[Any] = []
        for source in sources:
            parts = [known[id(a)] for a in self._arrays_of(source) if id(a) in known]
            found.append(sum(parts[1:], parts[0]) if parts else None)
        return found


@filter_traceback
def gradients(ys: Any, xs: Any, grad_ys: Any = None, **settings: Any) -> Any:
    """`tf.gradients`, which TensorFlow has in graphs only."""
    raise RuntimeError(
        "tf.gradients is not supported when eager execution is enabled.\n"
        "  Fix: with tf.GradientTape() as tape: … ; tape.gradient(ys, xs)."
    )


def _as_unconnected(value: UnconnectedGradients | str) -> UnconnectedGradients:
    try:
        return UnconnectedGradients(getattr(value, "value", value))
    except ValueError:
        raise ValueError(
            f"Unknown value for unconnected_gradients: {value!r}.\n"
            "  Fix: tf.UnconnectedGradients.NONE or tf.UnconnectedGradients.ZERO."
        ) from None


def _filled(
    gradient: Any, source: Any, fill: UnconnectedGradients, target_shape: tuple[int, ...] = ()
) -> Any:
    if gradient is None and source is not None and fill is UnconnectedGradients.ZERO:
        return jnp.zeros((*target_shape, *source.shape), source.dtype)
    return gradient


def _leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=_is_none)


def _is_none(value: Any) -> bool:
    return value is None


def _array_of(value: Any) -> Any:
    return value.value if isinstance(value, Variable) else jnp.asarray(value)
