"""Keras's scopes: StatelessScope, SymbolicScope, name_scope and device."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration.context import context
from lamina.core.configuration.devices import device_of
from lamina.core.layer.remat import collected_losses
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.types import ArrayLike
from lamina.core.variable.stateless import discard_assignments
from lamina.core.variable.variable import Bindings, Variable, name_scope as path_scope


@filter_tracebacks_of_methods
class StatelessScope:
    """A scope in which Variables have other values, and assignments change only these.

    This is Keras's form of `lamina.stateless`, which makes a function stateless.

    Args:
        state_mapping: Pairs `(variable, value)`.
        collect_losses: Collect the losses that layers add with `add_loss` in the scope's `losses`.
        initialize_variables: Accepted for compatibility with Keras; Variables always have values.

    Example:
        >>> v = Variable(1.0)
        >>> with StatelessScope([(v, 5.0)]) as scope:
        ...     _ = v.assign_add(1.0)
        >>> float(scope.get_current_value(v)), float(v)
        (6.0, 1.0)
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ):
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        self._bindings = Bindings(None, allow_others=True)
        for pair in state_mapping or ():
            self.add_update(pair)

    def __enter__(self) -> "StatelessScope":
        self._outer = context.bindings
        if self._outer is not None:
            self._bindings.values = {**self._outer.values, **self._bindings.values}
        context.bindings = self._bindings
        self._loss_collection = contextlib.ExitStack()
        if self.collect_losses:
            self._pairs = self._loss_collection.enter_context(collected_losses())
        return self

    def __exit__(self, *error: Any) -> None:
        context.bindings = self._outer
        self._loss_collection.close()
        if self.collect_losses:
            self.losses += [value for _, value in self._pairs]

    def add_loss(self, loss: ArrayLike | Sequence[ArrayLike]) -> None:
        """Add a scalar to `losses`.

        Args:
            loss: The scalar.
        """
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Give a Variable another value: a pair `(variable, value)`.

        Args:
            update: The pair; the value is cast to the Variable's dtype.

        Raises:
            ValueError: If the shapes differ, or the first item is not a Variable.
        """
        variable, value = update
        self._bindings.assign(variable, self._convert_value(variable, value))

    def get_current_value(self, variable: Variable) -> Any:
        """The value of a Variable in this scope, or None if the scope has none.

        Args:
            variable: A Variable.

        Returns:
            An array of its shape, or None.
        """
        return self._bindings.values.get(id(variable))

    @staticmethod
    def _convert_value(variable: Any, value: Any) -> jax.Array:
        if not isinstance(variable, Variable):
            raise ValueError(f"StatelessScope maps Variables to values; received {variable!r}.")
        raw = value.value if isinstance(value, Variable) else value
        array = jnp.asarray(raw).astype(jax.dtypes.canonicalize_dtype(variable.dtype))
        if array.shape != variable.shape:
            raise ValueError(
                f"StatelessScope: Variable {variable.path!r} has shape {variable.shape} and cannot "
                f"take a value of shape {array.shape}."
            )
        return array


class SymbolicScope:
    """A scope for code that is traced only to infer shapes; assignments to Variables are discarded.

    Example:
        >>> v = Variable(1.0)
        >>> with SymbolicScope():
        ...     _ = v.assign(2.0)
        >>> float(v)
        1.0
    """

    def __enter__(self) -> "SymbolicScope":
        self._discarding = discard_assignments()
        self._discarding.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._discarding.__exit__(None, None, None)


@contextlib.contextmanager
@filter_traceback
def name_scope(
    name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None
) -> Iterator[None]:
    """A scope in which new Variables have the prefix `name/` in their path; profiles show it, too.

    Args:
        name: One part of a path, without `/`.
        caller: The object that opens the scope.
        deduplicate: If the same caller opens the same scope again inside it, the name is not
            repeated.
        override_parent: A path that replaces that of the enclosing scopes.

    Returns:
        A context manager.

    Example:
        >>> with name_scope("encoder"):
        ...     Variable(1.0, name="scale").path
        'encoder/scale'
    """
    if not isinstance(name, str) or "/" in name:
        raise ValueError(
            f"name_scope needs a name that is a string without '/'; received {name!r}."
        )
    is_open = caller is not None and context.name_callers[-1:] == [(caller, name)]
    if deduplicate and is_open:
        yield
        return
    outer = context.path
    if override_parent is not None:
        context.path = tuple(part for part in override_parent.split("/") if part)
    context.name_callers.append((caller, name))
    try:
        with path_scope(name), jax.named_scope(name):
            yield
    finally:
        context.name_callers.pop()
        context.path = outer


@filter_traceback
def device(device_name: str) -> Any:
    """A scope in which new arrays are on one device.

    Args:
        device_name: `"cpu"`, `"gpu"` or `"tpu"`, with an index if there are several (`"gpu:1"`), or
            a `jax.Device`.

    Returns:
        A context manager.

    Raises:
        ValueError: If this machine has no such device.

    Example:
        >>> with device("cpu:0"):
        ...     x = jnp.ones(2)
        >>> x.device.platform
        'cpu'
    """
    if isinstance(device_name, jax.Device):
        return jax.default_device(device_name)
    if not isinstance(device_name, str):
        raise ValueError(f"device needs a name such as 'gpu:0'; received {device_name!r}.")
    return jax.default_device(device_of(device_name))
