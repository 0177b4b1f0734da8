"""Metric, the base class of all metrics, which accumulate values over batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import initializers
from lamina.core.configuration import config
from lamina.core.configuration.dtypes import get_policy
from lamina.core.layer.tracking import find_unreferenced, kind_of, track
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.serialization import naming
from lamina.core.types import DTypeLike, DTypePolicyLike, InitializerLike, Scores
from lamina.core.user_data.arguments import explain_arguments
from lamina.core.variable.changes import record_change
from lamina.core.variable.stateless import stateless
from lamina.core.variable.variable import Variable, name_scope, to_shape_tuple


@filter_tracebacks_of_methods
class Metric:
    """Base class of all metrics. Subclass it and define `update_state` and `result`.

    The state is Variables made with `add_variable` in `__init__`; Variables and Metrics that are
    assigned to attributes are tracked. `update_state` is traced in the compiled training step, so
    it should compute with `jax.numpy`.

    Args:
        dtype: Float type of the state and the result; `floatx()` if None.
        name: Name of the value in logs; made from the class's name if None.

    Example:
        >>> class LargestError(Metric):
        ...     def __init__(self, name="largest_error", dtype=None):
        ...         super().__init__(name=name, dtype=dtype)
        ...         self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         error = abs(np.asarray(y_true) - np.asarray(y_pred)).max()
        ...         self.largest.assign(np.maximum(self.largest.value, error))
        ...     def result(self):
        ...         return self.largest.value
        >>> metric = LargestError()
        >>> metric.update_state([1.0, 2.0], [1.5, 2.0])
        >>> float(metric.result())
        0.5
    """

    tracked_as = "metrics"

    # "up" if higher is better, "down" if lower is, None if not known. Used by callbacks with
    # mode="auto".
    direction: str | None = None

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = explain_arguments(cls.__init__)  # type: ignore[method-assign]
        filter_tracebacks_of_methods(cls)

    @explain_arguments
    def __init__(self, dtype: DTypePolicyLike = None, name: str | None = None):
        self._own_variables: list[Variable] = []
        self._metrics: list[Metric] = []
        self.name = naming.check_printable(name, type(self).__name__) or naming.auto_name(
            type(self)
        )
        self.resolved_name = self.name
        self._dtype = get_policy(dtype or config.floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        """The float type of the state and the result."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """Every Variable: the metric's own, then those of the metrics in it."""
        return [*self._own_variables, *(v for m in self._metrics for v in m.variables)]

    def add_variable(
        self,
        shape: int | Sequence[int] = (),
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike | None = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a Variable that holds a part of the state.

        Args:
            shape: Tuple; `()` is a scalar.
            initializer: Name or function; `reset_state` sets zeros in any case, as in Keras.
            dtype: `floatx()` if None.
            aggregation: Accepted for compatibility with Keras; no effect.
            name: E.g. `"total"`.

        Returns:
            The Variable.
        """
        self._check_initialised()
        with name_scope(self.name.replace("/", ">")):
            variable = Variable(
                initializers.get(initializer),
                shape=to_shape_tuple(shape),
                dtype=dtype,
                trainable=False,
                name=name,
                autocast=False,
            )
        self._register(variable)
        return variable

    def add_weight(
        self,
        shape: int | Sequence[int] = (),
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ) -> Variable:
        """Alias of `add_variable`.

        Args:
            shape: Shape of the variable; a scalar by default.
            initializer: Name of an initializer, an initializer, or a function of shape and dtype.
            dtype: Its type; the metric's own for None.
            name: Name in `variables`.

        Returns:
            The Variable.
        """
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    def build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        """Make the Variables whose shape depends on the data, once. Most metrics have none.

        `update_state` calls it at the first batch. It is called before `update_state` is compiled.

        Args:
            y_true_shape: Shape of the targets, with the batch axis.
            y_pred_shape: Shape of the predictions, with the batch axis.
        """

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add one batch, usually `(y_true, y_pred, sample_weight=None)`; defined by subclasses.

        Args:
            *args: Arrays of one batch.
            **kwargs: Further arguments, by name.

        Raises:
            NotImplementedError: If a subclass has no `update_state`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no update_state() method.\n"
            "  Fix: write `def update_state(self, y_true, y_pred, sample_weight=None):`."
        )

    def result(self) -> Scores:
        """The value for all batches since the last reset: a scalar or a dict of scalars.

        Returns:
            A scalar, or a dict from names to scalars.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no result() method.\n"
            "  Fix: write `def result(self):` that returns a number made from the state."
        )

    def reset_state(self) -> None:
        """Reset all Variables to zero."""
        for variable in self._own_variables:
            # From the host, because jnp.zeros would compile a program for each shape.
            variable.assign(np.zeros(variable.shape, variable.dtype))
        for metric in self._metrics:
            metric.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Scores:
        """Add one batch and return the value for all batches so far."""
        self._check_initialised()
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """The state after one more batch, as arrays in the order of `variables`.

        Args:
            metric_variables: Arrays, one for each of `variables`.
            *args: Arguments of `update_state`.
            **kwargs: Further arguments, by name.

        Returns:
            A list of arrays; the state of the metric is not changed.

        Raises:
            ValueError: If the number of arrays is not that of `variables`.
        """
        update = stateless(self.update_state, self.variables)
        return update(self._check_values(metric_variables), *args, **kwargs)[1]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Scores:
        """The value for a state, given as arrays.

        Args:
            metric_variables: Arrays, one for each of `variables`.

        Returns:
            The result of `result` for them.

        Raises:
            ValueError: If the number of arrays is not that of `variables`.
        """
        return stateless(self.result, self.variables)(self._check_values(metric_variables))[0]

    def stateless_reset_state(self) -> list[Any]:
        """The state before any batch, as arrays in the order of `variables`.

        Returns:
            A list of arrays.
        """
        reset = stateless(self.reset_state, self.variables)
        return reset([v.value for v in self.variables])[1]

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`; the state is not among them.

        Returns:
            A dict of arguments of the constructor.
        """
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict) -> "Metric":
        """A metric with the settings that `get_config` gave, and an empty state.

        Args:
            config: Arguments of the constructor.

        Returns:
            The metric.
        """
        return cls(**config)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_metrics" in self.__dict__:
            value = track(value, self)
        super().__setattr__(name, value)

    @safe_repr
    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _register(self, value: Any) -> None:
        kinds: dict[str | None, list] = {
            "variables": self._own_variables,
            "metrics": self._metrics,
        }
        tracked = kinds.get(kind_of(value))
        if tracked is not None and not any(value is item for item in tracked):
            tracked.append(value)
            record_change()

    def _untrack(self, value: Any) -> None:
        unreferenced_ids = find_unreferenced(self, value, ("_own_variables", "_metrics"))
        lists: tuple[list, list] = (self._own_variables, self._metrics)
        for tracked in lists:
            tracked[:] = [item for item in tracked if id(item) not in unreferenced_ids]
        record_change()

    def _check_values(self, values: Sequence[Any]) -> list[Any]:
        if len(values) != len(self.variables):
            raise ValueError(
                f"Metric {self.name!r} has {len(self.variables)} variables and received "
                f"{len(values)} values.\n"
                "  Fix: pass one array for each of metric.variables, in their order."
            )
        return list(values)

    def _check_initialised(self) -> None:
        if "_metrics" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}.__init__() does not call super().__init__().\n"
                "  Fix: make `super().__init__(name=name, dtype=dtype)` its first line."
            )
