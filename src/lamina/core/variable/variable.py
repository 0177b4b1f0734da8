"""Variable: a named, assignable array, for weights and other state of layers."""

import contextlib
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import processes
from lamina.core.configuration import config, runtime  # noqa: F401 - runtime sets JAX up
from lamina.core.configuration.context import context
from lamina.core.configuration.dtypes import is_float, standardize_dtype
from lamina.core.memory_limit import reserve_memory_for
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.serialization import naming, registry
from lamina.core.types import ArrayLike, DTypeLike, LayoutLike, PyTree, Shape
from lamina.core.user_data.data_kinds import is_text_dtype
from lamina.core.variable.changes import record_change
from lamina.core.variable.threads import value_lock


class Bindings:
    """The values that replace those of Variables while JAX traces a function.

    Args:
        outer: The enclosing bindings, whose values are visible here.
        variables: Variables that may be assigned.
        values: Initial values of `variables`.
        allow_others: Whether Variables that are not in `variables` may be assigned, too.
    """

    def __init__(
        self,
        outer: "Bindings | None",
        variables: Sequence["Variable"] = (),
        values: Sequence[Any] = (),
        allow_others: bool = False,
    ):
        self.allow_others = allow_others
        self.outer = outer
        self.variables = {id(variable): variable for variable in variables}
        self.values: dict[int, jax.Array] = dict(outer.values) if outer is not None else {}
        self.values.update(zip(self.variables, values, strict=True))

    def can_assign(self, variable: "Variable") -> bool:
        """Whether a Variable can be assigned here and, later, in the enclosing bindings."""
        if id(variable) in self.variables:
            return True
        return self.allow_others and (self.outer is None or self.outer.can_assign(variable))

    def assign(self, variable: "Variable", value: jax.Array) -> None:
        """Set the value of a Variable in these bindings."""
        if id(variable) not in self.variables:
            if not self.allow_others:
                raise _untracked_assignment_error(variable)
            # The reference keeps the Variable alive, so that no other one can get the same id.
            self.variables[id(variable)] = variable
        self.values[id(variable)] = value


@contextlib.contextmanager
def autocast(dtype: str | None) -> Iterator[None]:
    """Context manager in which float Variables are cast to `dtype` when read; None for no cast."""
    outer, context.autocast = context.autocast, dtype
    try:
        yield
    finally:
        context.autocast = outer


@contextlib.contextmanager
def override_compute_dtype(dtype: str, excluded: frozenset[int] = frozenset()) -> Iterator[None]:
    """Context manager in which layers with the compute dtype float32 compute in `dtype` instead.

    Args:
        dtype: A half-precision float type.
        excluded: Ids of layers that still compute in float32.
    """
    outer, context.compute_dtype_override = context.compute_dtype_override, (dtype, excluded)
    try:
        yield
    finally:
        context.compute_dtype_override = outer


@contextlib.contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Context manager in which the paths of new Variables get the prefix `name/`."""
    outer, context.path = context.path, (*context.path, name)
    try:
        yield
    finally:
        context.path = outer


@contextlib.contextmanager
def without_name_scope() -> Iterator[None]:
    """Context manager in which the paths of new Variables get no prefix, even in a layer's call."""
    outer, context.path = context.path, ()
    try:
        yield
    finally:
        context.path = outer


@contextlib.contextmanager
def deferred_initialization() -> Iterator[None]:
    """Context manager that runs the initializers of new Variables only at its end.

    The initializer of a Variable that has been assigned by then is skipped. Reading a Variable runs
    its initializer at once.
    """
    outer, context.uninitialized = context.uninitialized, []
    try:
        yield
        for variable in context.uninitialized:
            variable._initialize()
    finally:
        context.uninitialized = outer


@filter_tracebacks_of_methods
class Variable:
    """A named array that can be assigned, such as a weight of a layer.

    Layers make variables with `add_weight`; assigning a variable to an attribute of a layer is
    enough for it to be trained and saved.

    Args:
        initializer: An array, a function `(shape, dtype) → array`, or the name of an initializer.
        shape: Needed when `initializer` is a function.
        dtype: Defaults to the array's own, or `floatx()` for a function. JAX holds 64 bits only
            with `JAX_ENABLE_X64=1`; otherwise `value` has 32 bits, while `dtype` is the requested
            type.
        trainable: Whether an optimizer may change it.
        autocast: Whether layers with a mixed policy read it in their compute dtype.
        layout: The devices of the array: a `lamina.distribution.TensorLayout` or a JAX sharding.
            By default, the distribution that is set decides.
        aggregation, synchronization: Accepted for compatibility with Keras; without effect, since
            all devices agree.
        name: Last part of the path, e.g. `kernel`.
        regularizer: Function `array → scalar`, added to the loss.
        constraint: Function `array → array`, applied after every optimizer step.
        slot_of: The weight that an optimizer keeps this state for. Both are on the same devices.

    Example:
        >>> v = Variable([1.0, 2.0], name="scale")
        >>> _ = v.assign_add([1.0, 1.0])
        >>> v.numpy().tolist()
        [2.0, 3.0]
    """

    # Higher than for NumPy's arrays, so that `array * variable` calls the operator of the Variable,
    # whose value may be a tracer.
    __array_priority__ = 1_000
    _value: jax.Array
    # The initializer, if it is deferred until the Variable is first read; else None.
    _deferred_initializer: Callable[..., Any] | None = None
    # The devices that its arrays are on; None for JAX's default device.
    _sharding: jax.sharding.Sharding | None = None

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int | None] | None = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        layout: LayoutLike | None = None,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        regularizer: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
        slot_of: "Variable | None" = None,
    ):
        self.name = naming.check_printable(name, type(self).__name__) or naming.auto_name(
            type(self)
        )
        self.path = "/".join((*context.path, self.name))
        self._trainable = bool(trainable)
        self.regularizer = regularizer
        self.constraint = constraint
        self.autocast = autocast
        self._layout, self._slot_of = layout, slot_of
        dtype = None if dtype is None else standardize_dtype(dtype)
        if isinstance(initializer, str):
            initializer = registry.get("initializer", initializer)
        # Initial values are real arrays even if a layer is built while JAX traces.
        with jax.ensure_compile_time_eval():
            if callable(initializer):
                dtype, shape = dtype or config.floatx(), self._check_shape_is_known(shape)
                reserve_memory_for(self.path, shape, dtype)
                if context.uninitialized is not None:
                    context.uninitialized.append(self)
                    self._deferred_initializer = initializer
                    value = np.zeros(shape, jax.dtypes.canonicalize_dtype(dtype))
                    self._sharding = self._choose_sharding(shape)
                else:
                    self._sharding = self._choose_sharding(shape)
                    value = self._run(initializer, shape, dtype)
            else:
                value = initializer
                if layout is not None or context.placement is not None:
                    self._sharding = self._choose_sharding(np.shape(value))
            if self._deferred_initializer is not None and self._sharding is None:
                self._value = cast(jax.Array, value)  # only its shape and dtype are read
            else:
                self._value = _copy_to_device(value, dtype, self._sharding)
        # As in Keras, `dtype` is the requested dtype, although JAX may store fewer bits.
        requested = self._value.dtype.name if dtype is None else dtype
        self._narrowed_from = None if requested == self._value.dtype.name else requested
        # Whether other objects may refer to the array; then training must not overwrite it in
        # place.
        self._shared = False
        # Number of threads that are reading the array; training must not overwrite it meanwhile.
        self._readers = 0
        record_change()
        if shape is not None and to_shape_tuple(shape) != self._value.shape:
            raise _initial_shape_error(self.path, self._value.shape, to_shape_tuple(shape))

    def _initialize(self) -> None:
        """Run the initializer, if it was deferred and no value has been assigned."""
        initializer, self._deferred_initializer = self._deferred_initializer, None
        if initializer is not None:
            with jax.ensure_compile_time_eval():
                dtype = self._requested_dtype
                value = self._run(initializer, self.shape, dtype)
                value = _copy_to_device(value, dtype, self._sharding)
            if value.shape != self.shape:
                raise _initial_shape_error(self.path, value.shape, self.shape)
            self._value = value

    def _run(self, initializer: Callable[..., Any], shape: Shape, dtype: str) -> Any:
        # A user's own initializer may call one of Lamina's and use the result as an array of JAX.
        own = type(initializer).__module__.startswith("lamina.")
        context.keep_initial_values_on_host = own or self._sharding is not None
        try:
            return initializer(shape, dtype=dtype)
        finally:
            context.keep_initial_values_on_host = False

    def _choose_sharding(self, shape: Sequence[int]) -> jax.sharding.Sharding | None:
        """The sharding of the layout that was given, else of the current placement."""
        if self._layout is not None:
            chosen = getattr(self._layout, "backend_layout", self._layout)
        elif context.placement is None:
            chosen = None
        elif self._slot_of is None:
            chosen = context.placement.of_variable(self.path, shape)
        elif self._slot_of._layout is not None and self._slot_of.shape == tuple(shape):
            chosen = self._slot_of._sharding
        else:
            chosen = context.placement.of_slot(self._slot_of.path, shape)
        return cast("jax.sharding.Sharding | None", chosen)

    def _move(self) -> None:
        """Move the value to the devices that the current placement chooses."""
        sharding = self._choose_sharding(self.shape)
        if sharding == self._sharding:
            return
        with value_lock:
            value = self._read_uncast()
            if sharding is None and not value.is_fully_replicated:
                return  # it may be too large for one device
            self._value = (
                _copy_to_device(value, None) if sharding is None else _move_to(value, sharding)
            )
            self._sharding, self._shared = sharding, sharding is not None

    def _check_shape_is_known(self, shape: Any) -> tuple[int, ...]:
        if shape is None:
            raise ValueError(
                f"Variable {self.path!r} needs a shape for its initializer.\n"
                "  Fix: shape=(3, 4), or shape=() for a single number."
            )
        resolved = to_shape_tuple(shape)
        known_sizes = tuple(size for size in resolved if size is not None)
        if len(known_sizes) < len(resolved):
            raise ValueError(
                f"Variable {self.path!r} cannot have the shape {resolved}: every size must be "
                "known.\n  Likely cause: it depends on the batch size, or on an axis that was "
                "left open in lamina.Input(shape)."
            )
        return known_sizes

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the Variable."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        record_change()

    @property
    def value(self) -> jax.Array:
        """The array; inside a compiled step, its value at this point of the step."""
        if context.bindings is not None:
            return self._read()
        with value_lock:
            self._shared = True
            return self._read()

    def _copy_to_host(self) -> np.ndarray:
        """A copy as a NumPy array, which assignments by other threads do not affect."""
        with value_lock:
            value = self._read()
            self._readers += 1
        try:
            if not (value.is_fully_addressable or value.is_fully_replicated):
                return processes.gather_on_host(value, self.path)
            return np.array(value)
        finally:
            with value_lock:
                self._readers -= 1

    def _read(self) -> jax.Array:
        value = self._read_uncast()
        if self._is_cast(value.dtype):
            return value.astype(context.autocast)
        return value

    def _read_uncast(self) -> jax.Array:
        bindings = context.bindings
        if bindings is None:
            if self._deferred_initializer is not None:
                self._initialize()
            if context.on_variable_read is not None:
                context.on_variable_read(self, self._value)
            return self._value
        return bindings.values.get(id(self), self._value)

    def assign(self, value: ArrayLike) -> "Variable":
        """Replace the value by another array of the same shape.

        Args:
            value: Array or number of that shape; it is cast to the Variable's dtype.

        Returns:
            The Variable itself.

        Raises:
            ValueError: If the shape is different.
        """
        shared = isinstance(value, jax.Array)  # the caller still has the array
        if not isinstance(value, jax.Array):
            value = _copy_to_device(value, self._value.dtype, self._sharding)
        elif value.dtype != self._value.dtype:
            value = value.astype(self._value.dtype)
        if value.shape != self._value.shape:
            raise ValueError(
                f"Variable {self.path!r} has shape {self._value.shape} and cannot hold "
                f"a value of shape {value.shape}."
            )
        bindings = context.bindings
        if bindings is not None:
            bindings.assign(self, value)
        elif isinstance(value, jax.core.Tracer):
            raise _untracked_assignment_error(self)
        else:
            if self._sharding is not None:
                value = _move_to(value, self._sharding)
            with value_lock:
                self._value, self._shared = value, shared
                self._deferred_initializer = None
        return self

    def assign_add(self, value: ArrayLike) -> "Variable":
        """Add an array or number to the value.

        Args:
            value: The array or number to add; it broadcasts to the Variable's shape.

        Returns:
            The Variable itself.

        Raises:
            ValueError: If the sum has another shape than the Variable.
        """
        return self.assign(self._read_uncast() + jnp.asarray(value))

    def assign_sub(self, value: ArrayLike) -> "Variable":
        """Subtract an array or number from the value.

        Args:
            value: The array or number to subtract; it broadcasts to the Variable's shape.

        Returns:
            The Variable itself.

        Raises:
            ValueError: If the difference has another shape than the Variable.
        """
        return self.assign(self._read_uncast() - jnp.asarray(value))

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes, as a tuple."""
        return tuple(self._value.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self._value.size)

    @property
    def dtype(self) -> str:
        """Name of the dtype, e.g. `"float32"`.

        In the call of a layer with a mixed policy, the dtype in which the layer reads the Variable.
        """
        dtype = self._requested_dtype
        return context.autocast if self._is_cast(dtype) else dtype  # type: ignore[return-value]

    @property
    def _requested_dtype(self) -> str:
        return self._narrowed_from or self._value.dtype.name

    def _is_cast(self, dtype: DTypeLike) -> bool:
        return context.autocast is not None and self.autocast and is_float(dtype)

    def numpy(self) -> np.ndarray:
        """A copy as a NumPy array.

        Returns:
            A NumPy array of the Variable's shape and dtype.
        """
        return self._copy_to_host()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._copy_to_host(), dtype=dtype)

    def __jax_array__(self) -> jax.Array:
        return self.value

    def __getitem__(self, index: Any) -> jax.Array:
        return self.value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __float__(self) -> float:
        return float(self._copy_to_host())

    def __int__(self) -> int:
        return int(self._copy_to_host())

    def __bool__(self) -> bool:
        return bool(self._copy_to_host())

    def __round__(self, ndigits: int | None = None) -> jax.Array:
        return jnp.round(self.value, ndigits or 0)

    def __hash__(self) -> int:
        return id(self)  # == compares numbers, as everywhere in array code

    @safe_repr
    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self._requested_dtype}>"


def _initial_shape_error(path: str, shape: Shape, expected: tuple[Any, ...]) -> ValueError:
    return ValueError(
        f"Variable {path!r}: the initializer returned shape {shape}, expected {expected}."
    )


def _untracked_assignment_error(variable: Variable) -> RuntimeError:
    return RuntimeError(
        f"Variable {variable.path!r} was assigned inside a compiled step, but the model does not "
        "know it.\n  Likely cause: it is not reachable from an attribute of the model, a layer or "
        "a metric, or it was not listed for stateless().\n"
        "  Fix: keep it, or the layer that owns it, on self."
    )


def _copy_to_device(value: Any, dtype: Any = None, sharding: Any = None) -> jax.Array:
    """A copy of a value on the device, or on the devices of a sharding.

    The value is copied on the host: a Variable must not change when the user's array does, and
    `jnp.array` compiles a program for every new shape, which would take most of the time needed to
    build a model.
    """
    if isinstance(value, Variable):
        value = value._read()
    if isinstance(value, jax.core.Tracer):
        return value if dtype is None else value.astype(dtype)
    try:
        host = np.array(value)
    except ValueError as error:
        raise ValueError(
            f"A Variable holds one array of numbers; the value cannot be made into one: {error}"
        ) from error
    if is_text_dtype(host.dtype) or dtype == "string":
        raise TypeError(
            "A Variable holds numbers; received text.\n"
            "  Fix: numbers for the words first, e.g. lamina.layers.StringLookup(vocabulary=words)."
        )
    if host.dtype.kind in "OMm":
        raise TypeError(f"A Variable holds numbers; received {repr(value)[:80]}.")
    jax_dtype = jax.dtypes.canonicalize_dtype(host.dtype if dtype is None else dtype)
    host = host.astype(jax_dtype, copy=False)
    if sharding is not None:
        # Each device gets its part of the array, so that none holds all of a sharded weight.
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
    array: jax.Array = jax.device_put(host)
    return array


def _move_to(value: Any, sharding: jax.sharding.Sharding) -> jax.Array:
    """An array on the devices of a sharding; the same array if it is there already."""
    if value.sharding.is_equivalent_to(sharding, value.ndim):
        return cast(jax.Array, value)
    if value.is_fully_addressable and not sharding.is_fully_addressable:
        return _copy_to_device(value, None, sharding)
    return cast(jax.Array, jax.device_put(value, sharding))


def _operator(name: str, function: Callable[..., Any] | None = None) -> None:
    """Define an operator of Variables: the operator of arrays, or a function of both operands."""

    def operator(self: Variable, *others: Any) -> PyTree:
        for other in others:
            if getattr(other, "__array_priority__", 0) > Variable.__array_priority__:
                return NotImplemented  # a symbolic tensor, whose own operator adds to the graph
        arrays = [o.value if isinstance(o, Variable) else o for o in others]
        if function is not None:
            return function(self.value, *arrays)
        return getattr(self.value, name)(*arrays)

    operator.__name__ = name
    setattr(Variable, name, operator)


def _matmul(a: jax.Array, b: Any) -> jax.Array:
    # Products of int8 are summed in int32, as in `ops.matmul`.
    sum_dtype = "int32" if a.dtype == getattr(b, "dtype", None) == "int8" else None
    return jnp.matmul(a, b, preferred_element_type=sum_dtype)


_OPERATORS = """
    add sub mul truediv floordiv mod pow radd rsub rmul rtruediv rfloordiv rmod rpow
    eq ne lt le gt ge neg pos abs invert
""".split()
for _name in _OPERATORS:
    _operator(f"__{_name}__")
_operator("__matmul__", _matmul)
_operator("__rmatmul__", lambda a, b: _matmul(jnp.asarray(b), a))
# Logical, not bitwise, like those of symbolic tensors: a number is true unless it is 0.
for _name in ("and", "or", "xor"):
    _operator(f"__{_name}__", getattr(jnp, f"logical_{_name}"))
    _operator(f"__r{_name}__", getattr(jnp, f"logical_{_name}"))


def to_shape_tuple(shape: int | Sequence[int | None] | None) -> Shape:
    """A shape, given as an int, list or tuple, as a tuple of ints and None."""
    if shape is None:
        return ()
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    try:
        sizes = tuple(None if size is None else operator.index(size) for size in shape)
    except TypeError:
        sizes = (-1,)
    if any(size is not None and size < 0 for size in sizes):
        raise ValueError(
            "A shape is a tuple of integers of at least 0, with None for an axis of any size, "
            f"such as (None, 28, 28); received {shape!r}."
        )
    return sizes
