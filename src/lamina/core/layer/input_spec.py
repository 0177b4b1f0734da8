"""InputSpec: the shapes and dtypes that a layer accepts, checked before the layer runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Config, DTypeLike, Shape
from lamina.core.variable.variable import to_shape_tuple


@filter_tracebacks_of_methods
class InputSpec:
    """Rank, shape or fixed axes that a layer's input must have; None means "anything".

    Args:
        dtype: Name of the expected dtype.
        shape: Expected shape, None for any size.
        ndim: Exact number of axes.
        max_ndim, min_ndim: Bounds for the number of axes.
        axes: Sizes of single axes, e.g. `{-1: 784}`.
        allow_last_axis_squeeze: Accept an extra or missing last axis of size 1.
        name: Name of the argument, for messages.
        optional: Whether None is accepted.
    """

    def __init__(
        self,
        dtype: DTypeLike | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = None if dtype is None else standardize_dtype(dtype)
        self.shape = None if shape is None else to_shape_tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = self._check_axes(axes or {})
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    @safe_repr
    def __repr__(self) -> str:
        settings = {k: v for k, v in vars(self).items() if v not in (None, False, {})}
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in settings.items())})"

    def problem(self, shape: Shape, dtype: str | None = None) -> str | None:
        """A description of what is wrong with a shape and dtype, or None.

        Args:
            shape: Shape of an input, None for axes of unknown size.
            dtype: Name of its dtype; None to skip the check of the dtype.

        Returns:
            A phrase for an error message, e.g. `"expected size 4 on axis -1 and received shape (2,
            3)"`; None if the input fits.
        """
        if self.dtype is not None and dtype is not None and dtype != self.dtype:
            return f"expected dtype {self.dtype} and received {dtype}"
        received = f"and received shape {shape}"
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            return f"expected an input with at least {self.min_ndim} axes {received}"
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            return f"expected an input with at most {self.max_ndim} axes {received}"
        for axis, size in self.axes.items():
            if not -len(shape) <= axis < len(shape):
                return f"expected size {size} on axis {axis} {received}"
            if size is not None and shape[axis] is not None and shape[axis] != size:
                return f"expected size {size} on axis {axis} {received}"
        expected = self.shape
        ndim = self.ndim
        if self.allow_last_axis_squeeze:
            expected, shape = _squeeze_shape(expected), _squeeze_shape(shape)
            ndim = ndim if expected is None else len(expected)
        if ndim is not None and len(shape) != ndim:
            return f"expected an input with {self.ndim} axes {received}"
        if expected is not None and any(
            None not in (e, s) and e != s for e, s in zip(expected, shape, strict=True)
        ):
            return f"expected shape {self.shape} {received}"
        return None

    def get_config(self) -> Config:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of arguments of the constructor; `name` and `allow_last_axis_squeeze` are left
            out, as in Keras.
        """
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: Config) -> "InputSpec":
        """An InputSpec with the settings that `get_config` returned.

        Args:
            config: Arguments of the constructor.

        Returns:
            The InputSpec.
        """
        return cls(**config)

    def _check_axes(self, axes: Mapping[int, int | None]) -> dict[int, int | None]:
        try:
            checked = {int(axis): size for axis, size in axes.items()}
        except (TypeError, ValueError, AttributeError):
            raise TypeError(
                f"InputSpec: axes must map axis numbers to sizes, e.g. {{-1: 784}}; "
                f"received {axes!r}."
            ) from None
        max_ndim = self.ndim if self.ndim is not None else self.max_ndim
        if checked and max_ndim is not None and max(checked) >= max_ndim:
            raise ValueError(
                f"InputSpec: an input with {max_ndim} axes has no axis {max(checked)}."
            )
        return checked


def check_inputs(spec: Any, inputs: Any, layer: str) -> None:
    """Raise a ValueError unless the inputs match the spec (or list of specs).

    Args:
        spec: An InputSpec, or a list of them (None where any input is accepted).
        inputs: An array, or a structure of several; a dict is matched by the names of the specs.
        layer: Name of the layer, for messages.
    """
    specs = jax.tree.leaves(spec, is_leaf=lambda s: s is None or isinstance(s, InputSpec))
    names = [getattr(spec, "name", None) for spec in specs]
    if isinstance(inputs, dict) and all(names):
        missing = next((name for name in names if name not in inputs), None)
        if missing is not None:
            raise ValueError(
                f"{layer} received no input {missing!r}; it takes {names} and was given "
                f"{sorted(inputs)}."
            )
        inputs = [inputs[name] for name in names]
    arrays = jax.tree.leaves(inputs, is_leaf=lambda leaf: leaf is None)
    if len(specs) != len(arrays):
        raise ValueError(
            f"{layer} takes {len(specs)} input(s) and received {len(arrays)}.\n"
            f"  Fix: call it on {len(specs)} array(s)."
        )
    for input_spec, array in zip(specs, arrays, strict=True):
        if input_spec is None or (array is None and input_spec.optional):
            continue
        if not hasattr(array, "shape"):
            raise ValueError(f"{layer} takes arrays and received {array!r}.")
        dtype = standardize_dtype(array.dtype) if input_spec.dtype is not None else None
        problem = input_spec.problem(tuple(array.shape), dtype)
        if problem:
            raise ValueError(f"{layer}: {problem}.")


def _squeeze_shape(shape: Any) -> Any:
    return shape[:-1] if shape and shape[-1] == 1 else shape
