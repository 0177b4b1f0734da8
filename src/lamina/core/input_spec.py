"""InputSpec: what a layer accepts, checked before it runs so that the error can be a plain one."""

from typing import Any

import jax

from lamina.core.dtypes import standardize_dtype
from lamina.core.variable import resolve_shape


class InputSpec:
    """Rank, shape or fixed axes that a layer's input must have; None means "anything".

    Args:
        dtype: Name of the expected dtype; informative.
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
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = None if dtype is None else standardize_dtype(dtype)
        self.shape = None if shape is None else resolve_shape(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if v not in (None, False, {})}
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in shown.items())})"

    def problem(self, shape: tuple) -> str | None:
        """What is wrong with a shape, in words, or None."""
        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim:
            squeezable = self.allow_last_axis_squeeze and (
                (ndim == self.ndim + 1 and shape[-1] == 1) or ndim == self.ndim - 1
            )
            if not squeezable:
                return f"expected an input with {self.ndim} axes"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"expected an input with at least {self.min_ndim} axes"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"expected an input with at most {self.max_ndim} axes"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] is not None and shape[axis] != size:
                return f"expected size {size} on axis {axis}"
        if self.shape is not None and ndim == len(self.shape):
            for expected, received in zip(self.shape, shape, strict=True):
                if expected is not None and received is not None and expected != received:
                    return f"expected shape {self.shape}"
        return None


def check_inputs(spec: Any, inputs: Any, layer: str) -> None:
    """Raise a ValueError unless the inputs are what the spec (or list of specs) asks for."""
    specs = jax.tree.leaves(spec, is_leaf=lambda s: isinstance(s, InputSpec))
    arrays = jax.tree.leaves(inputs)
    if len(specs) != len(arrays):
        raise ValueError(
            f"{layer} takes {len(specs)} input(s) and received {len(arrays)}.\n"
            f"  Fix: call it on {len(specs)} array(s)."
        )
    for one, array in zip(specs, arrays, strict=True):
        shape = tuple(getattr(array, "shape", ()))
        problem = one.problem(shape)
        if problem:
            raise ValueError(f"{layer}: {problem} and received shape {shape}.")
