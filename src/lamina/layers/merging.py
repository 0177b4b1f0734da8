"""Layers that combine several tensors into one: Add, Concatenate, Dot and similar layers.

For each there is a function, `add([x, y])` for `Add()([x, y])`.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Array, Inputs, Masks, Outputs, Shape, Shapes
from lamina.layers.settings import settings_of
from lamina.ops import core, nn, numpy as ops, products


class Merge(Layer):
    """Base class of layers that combine values element by element.

    Inputs with fewer axes get axes of size 1 after the batch axis; sizes of 1 are broadcast. A
    step of the output is masked if it is masked in all inputs.

    Args:
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    has_nothing_to_build = True

    def merge(self, inputs: Sequence[Array]) -> Array:
        """Combine arrays with the same number of axes.

        Args:
            inputs: Arrays whose shapes broadcast against each other.

        Returns:
            One array.
        """
        raise NotImplementedError(f"{type(self).__name__} has no merge(inputs) method.")

    def build(self, input_shape: Shapes) -> None:
        self._check(input_shape)

    def call(self, inputs: Sequence[Array]) -> Array:
        """Combine the arrays, element by element.

        Args:
            inputs: A list of arrays whose shapes broadcast against each other.

        Returns:
            One array.

        Raises:
            ValueError: If the shapes don't fit.
        """
        self._check(_shapes(inputs))
        return self.merge(_with_equal_ranks(inputs))

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        self._check(input_shape)
        return _broadcast(input_shape)

    def compute_mask(self, inputs: Inputs, previous_mask: Masks = None) -> Masks:
        if previous_mask is None:
            return None
        _check_masks(self._label, inputs, previous_mask)
        if any(mask is None for mask in previous_mask):
            return None
        return reduce(ops.logical_or, previous_mask)  # works for symbolic masks, too

    def _check(self, shapes: Any, exactly: int | None = None) -> None:
        if not (_is_list(shapes) and shapes and all(_is_list(shape) for shape in shapes)):
            raise ValueError(
                f"{self._label} takes a list of tensors and received one of shape {shapes}.\n"
                f"  Fix: {type(self).__name__}()([x, y])."
            )
        if exactly is not None and len(shapes) != exactly:
            raise ValueError(f"{self._label} takes {exactly} tensors and received {len(shapes)}.")
        if type(self).compute_output_shape is Merge.compute_output_shape:
            try:
                _broadcast(shapes)
            except ValueError as error:
                raise ValueError(
                    f"{self._label} cannot combine {error}.\n"
                    f"  Received: tensors of shapes {', '.join(str(tuple(s)) for s in shapes)}.\n"
                    "  Fix: give them the same shape, e.g. by a Dense or Reshape on one of them."
                ) from None


class Add(Merge):
    """Sum of tensors, element by element, e.g. for residual connections.

    Input shape: A list of tensors of one shape, or of shapes that broadcast.
    Output shape: That shape.

    Example:
        >>> Add()([jnp.array([[1.0]]), jnp.array([[2.0]])]).tolist()
        [[3.0]]
    """

    def merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.add, inputs)


class Subtract(Merge):
    """The first of two tensors minus the second.

    Input shape: A list of two tensors of one shape, or of shapes that broadcast.
    Output shape: That shape.

    Example:
        >>> Subtract()([jnp.array([[1.0]]), jnp.array([[2.0]])]).tolist()
        [[-1.0]]
    """

    def merge(self, inputs: Sequence[Array]) -> Array:
        return inputs[0] - inputs[1]

    def _check(self, shapes: Any, exactly: int | None = 2) -> None:
        super()._check(shapes, exactly)


class Multiply(Merge):
    """Product of tensors, element by element.

    A step that an input masks counts as 1; one that all inputs mask becomes 0.

    Input shape: A list of tensors of one shape, or of shapes that broadcast.
    Output shape: That shape.

    Example:
        >>> Multiply()([jnp.array([[3.0]]), jnp.array([[2.0]])]).tolist()
        [[6.0]]
    """

    def merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.multiply, inputs)

    def call(self, inputs: Sequence[Array], mask: Masks = None) -> Array:
        """Combine the arrays, element by element; masked values are ignored.

        Args:
            inputs: A list of arrays whose shapes broadcast against each other.
            mask: A list of their masks, each may be None.

        Returns:
            One array.

        Raises:
            ValueError: If the shapes don't fit.
        """
        if mask is None or all(m is None for m in mask):
            return super().call(inputs)
        self._check(_shapes(inputs))
        arrays = _with_equal_ranks(inputs)
        is_valid = [_broadcast_mask_to_features(m, x) for x, m in zip(arrays, mask, strict=True)]
        factors = [jnp.where(c, x, 1) for x, c in zip(arrays, is_valid, strict=True)]
        return jnp.where(reduce(jnp.logical_or, is_valid), self.merge(factors), 0)


class Average(Merge):
    """Mean of tensors, element by element.

    Input shape: A list of tensors of one shape, or of shapes that broadcast.
    Output shape: That shape.

    Example:
        >>> Average()([jnp.array([[1.0]]), jnp.array([[2.0]])]).tolist()
        [[1.5]]
    """

    def merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.add, inputs) / len(inputs)


class _MaskedMerge(Merge):
    """Base class of Maximum and Minimum, which ignore masked steps of an input."""

    def call(self, inputs: Sequence[Array], mask: Masks = None) -> Array:
        """Combine the arrays, element by element; masked values are ignored.

        Args:
            inputs: A list of arrays whose shapes broadcast against each other.
            mask: A list of their masks, each may be None.

        Returns:
            One array.

        Raises:
            ValueError: If the shapes don't fit.
        """
        if mask is None or all(m is None for m in mask):
            return super().call(inputs)
        self._check(_shapes(inputs))
        arrays = _with_equal_ranks(inputs)
        result, is_valid = arrays[0], _broadcast_mask_to_features(mask[0], arrays[0])
        for x, m in zip(arrays[1:], mask[1:], strict=True):
            valid = _broadcast_mask_to_features(m, x)
            x = jnp.where(valid, x, result)
            result = self.merge([jnp.where(is_valid, result, x), x])
            is_valid = is_valid | valid
        return result


class Maximum(_MaskedMerge):
    """The larger of the values of all tensors, element by element.

    Input shape: A list of tensors of one shape, or of shapes that broadcast.
    Output shape: That shape.

    Example:
        >>> Maximum()([jnp.array([[1.0]]), jnp.array([[2.0]])]).tolist()
        [[2.0]]
    """

    def merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.maximum, inputs)


class Minimum(_MaskedMerge):
    """The smaller of the values of all tensors, element by element.

    Input shape: A list of tensors of one shape, or of shapes that broadcast.
    Output shape: That shape.

    Example:
        >>> Minimum()([jnp.array([[1.0]]), jnp.array([[2.0]])]).tolist()
        [[1.0]]
    """

    def merge(self, inputs: Sequence[Array]) -> Array:
        return reduce(jnp.minimum, inputs)


class Concatenate(Merge):
    """Concatenates tensors along one axis.

    Args:
        axis: The axis of concatenation; all others must have equal sizes.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: A list of tensors that agree in all axes but one.
    Output shape: Same as the input, with the sum of the sizes on that axis.

    Example:
        >>> Concatenate()([jnp.zeros((2, 3)), jnp.zeros((2, 5))]).shape
        (2, 8)
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Sequence[Array]) -> Array:
        """Concatenate the arrays along the axis.

        Args:
            inputs: A list of arrays that differ in size on that axis alone.

        Returns:
            One array.

        Raises:
            ValueError: If the shapes don't fit.
        """
        self._check(_shapes(inputs))
        return jnp.concatenate(inputs, self.axis)

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        self._check(input_shape)
        output = [_common_size(sizes) for sizes in zip(*input_shape, strict=True)]
        axis_sizes = [shape[self.axis] for shape in input_shape]
        output[self.axis] = None if None in axis_sizes else sum(axis_sizes)
        return tuple(output)

    def compute_mask(self, inputs: Inputs, previous_mask: Masks = None) -> Masks:
        if previous_mask is None:
            return None
        _check_masks(self._label, inputs, previous_mask)
        if all(mask is None for mask in previous_mask):
            return None
        full_masks = []
        for x, mask in zip(inputs, previous_mask, strict=True):
            if mask is not None and _has_shape_of(mask, x):
                full_masks.append(core.cast(mask, "bool"))
                continue
            full_mask = ops.ones_like(x, dtype="bool")
            if mask is not None:
                while len(mask.shape) < len(x.shape):
                    mask = ops.expand_dims(mask, -1)
                full_mask = ops.logical_and(mask, full_mask)
            full_masks.append(full_mask)
        return ops.any(ops.concatenate(full_masks, self.axis), axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "axis")}

    def _check(self, shapes: Any, exactly: int | None = None) -> None:
        super()._check(shapes, exactly)
        shapes = [tuple(shape) for shape in shapes]
        ranks = {len(shape) for shape in shapes}
        shape_list = ", ".join(map(str, shapes))
        if len(ranks) > 1 or not -len(shapes[0]) <= self.axis < len(shapes[0]):
            raise ValueError(
                f"{self._label} concatenates tensors with the same number of axes, on axis "
                f"{self.axis}.\n"
                f"  Received: tensors of shapes {shape_list}."
            )
        for axis, sizes in enumerate(zip(*shapes, strict=True)):
            if axis != self.axis % len(shapes[0]) and len({*sizes} - {None}) > 1:
                raise ValueError(
                    f"{self._label} concatenates tensors on axis {self.axis}; all other axes must "
                    f"have the same size.\n  Received: tensors of shapes {shape_list}, which "
                    f"differ on axis {axis}."
                )


class Dot(Merge):
    """Dot product of two tensors along an axis of each, for every sample.

    Args:
        axes: The axis to sum over, one for both tensors or one for each; never the batch axis.
        normalize: Scale the vectors to length 1 first: the result is their cosine similarity.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: A list of two tensors.
    Output shape: The axes of the first without the one summed over, then those of the second
    without it and the batch axis; `(batch, 1)` for two matrices.

    Example:
        >>> Dot(axes=1)([jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])]).tolist()
        [[11.0]]
    """

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        axis_types = [type(axis) for axis in axes] if isinstance(axes, (list, tuple)) else None
        if not isinstance(axes, int) and axis_types != [int, int]:
            raise ArgumentError(f"Dot: axes must be an integer or two; received {axes!r}.")
        self.axes: Any = axes
        self.normalize = normalize

    def call(self, inputs: Sequence[Array]) -> Array:
        """Compute the dot product along the axes, for every sample.

        Args:
            inputs: A list of two arrays, `(batch, ...)`.

        Returns:
            Array `(batch, ...)` without the axis that was summed over, `(batch, 1)` for two
            vectors.

        Raises:
            ValueError: If the shapes don't fit.
        """
        self._check(_shapes(inputs))
        x, y = inputs
        a, b = self._axes_of(x.shape, y.shape)
        if self.normalize:
            x, y = nn.normalize(x, axis=a), nn.normalize(y, axis=b)
        # Batch first, the axis that is summed over last for x and second for y.
        x, y = jnp.moveaxis(x, a, -1), jnp.moveaxis(y, b, 1)
        product = products.einsum("nxk,nky->nxy", _rank3(x, 1), _rank3(y, 2))
        return product.reshape(self.compute_output_shape(_shapes(inputs)))

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        self._check(input_shape)
        x, y = ([*shape] for shape in input_shape)
        a, b = self._axes_of(x, y)
        x[0] = _common_size((x[0], y[0]))
        del x[a], y[b], y[0]
        return (*x, *y) if len(x) + len(y) > 1 else (*x, *y, 1)

    def compute_mask(self, inputs: Inputs, previous_mask: Masks = None) -> None:
        return None

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "axes", "normalize")}

    def _axes_of(self, x: Sequence, y: Sequence) -> tuple[int, int]:
        a, b = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return a % len(x), b % len(y)

    def _check(self, shapes: Any, exactly: int | None = 2) -> None:
        super()._check(shapes, exactly)
        x, y = (tuple(shape) for shape in shapes)
        a, b = self._axes_of(x, y)
        if 0 in (a, b) or min(len(x), len(y)) < 2:
            raise ValueError(
                f"{self._label} cannot sum over the batch axis.\n"
                f"  Received: tensors of shapes {x} and {y}, axes={self.axes}."
            )
        if None not in (x[a], y[b]) and x[a] != y[b]:
            raise ValueError(
                f"{self._label}: axis {a} of the first tensor and axis {b} of the second must have "
                f"the same size.\n  Received: tensors of shapes {x} and {y}."
            )


@filter_traceback
def add(inputs: Sequence[Inputs], **kwargs: Any) -> Outputs:
    """`Add(**kwargs)(inputs)`.

    Args:
        inputs: A list of arrays whose shapes broadcast against each other.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.

    Example:
        >>> add([jnp.array([[1.0]]), jnp.array([[2.0]])]).tolist()
        [[3.0]]
    """
    return Add(**kwargs)(inputs)


@filter_traceback
def subtract(inputs: Sequence[Inputs], **kwargs: Any) -> Outputs:
    """`Subtract(**kwargs)(inputs)`.

    Args:
        inputs: A list of two arrays whose shapes broadcast against each other.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.
    """
    return Subtract(**kwargs)(inputs)


@filter_traceback
def multiply(inputs: Sequence[Inputs], **kwargs: Any) -> Outputs:
    """`Multiply(**kwargs)(inputs)`.

    Args:
        inputs: A list of arrays whose shapes broadcast against each other.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.
    """
    return Multiply(**kwargs)(inputs)


@filter_traceback
def average(inputs: Sequence[Inputs], **kwargs: Any) -> Outputs:
    """`Average(**kwargs)(inputs)`.

    Args:
        inputs: A list of arrays whose shapes broadcast against each other.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.
    """
    return Average(**kwargs)(inputs)


@filter_traceback
def maximum(inputs: Sequence[Inputs], **kwargs: Any) -> Outputs:
    """`Maximum(**kwargs)(inputs)`.

    Args:
        inputs: A list of arrays whose shapes broadcast against each other.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.
    """
    return Maximum(**kwargs)(inputs)


@filter_traceback
def minimum(inputs: Sequence[Inputs], **kwargs: Any) -> Outputs:
    """`Minimum(**kwargs)(inputs)`.

    Args:
        inputs: A list of arrays whose shapes broadcast against each other.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.
    """
    return Minimum(**kwargs)(inputs)


@filter_traceback
def concatenate(inputs: Sequence[Inputs], axis: int = -1, **kwargs: Any) -> Outputs:
    """`Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: A list of arrays that differ in size on that axis alone.
        axis: The axis of concatenation.
        **kwargs: `name`, `dtype`; see `Layer`.

    Returns:
        One array.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


@filter_traceback
def dot(inputs: Sequence[Inputs], axes: int | Sequence[int] = -1, **kwargs: Any) -> Outputs:
    """`Dot(axes, **kwargs)(inputs)`.

    Args:
        inputs: A list of two arrays, `(batch, ...)`.
        axes: The axis that is summed over, or one for each array.
        **kwargs: `normalize`; `name`, `dtype`; see `Dot`.

    Returns:
        One array.
    """
    return Dot(axes=axes, **kwargs)(inputs)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _has_shape_of(mask: Any, x: Any) -> bool:
    """Whether a mask has the shape of a tensor."""
    sizes = zip(mask.shape, x.shape, strict=False)
    return len(mask.shape) == len(x.shape) and all(n is None or m == n for m, n in sizes)


def _check_masks(label: str, inputs: Any, masks: Any) -> None:
    """Check that there is a mask, or None, for each input."""
    for name, value in (("inputs", inputs), ("masks", masks)):
        if not _is_list(value):
            raise ValueError(
                f"{label}.compute_mask takes a list of {name} and received {value!r}.\n"
                "  Fix: compute_mask([x, y], [mask_of_x, mask_of_y]), None for one without a mask."
            )
    if len(inputs) != len(masks):
        raise ValueError(
            f"{label}.compute_mask needs one mask, or None, for each of {len(inputs)} inputs; "
            f"received {len(masks)}."
        )


def _shapes(inputs: Any) -> Any:
    return jax.tree.map(lambda x: tuple(x.shape), inputs)


def _with_equal_ranks(inputs: Sequence[Array]) -> list[Array]:
    rank = max(x.ndim for x in inputs)
    return [x.reshape(*x.shape[:1], *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs]


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    """The broadcast shape; None for an axis of unknown size."""
    rank = max(len(shape) for shape in shapes)
    padded_shapes = [(*s[:1], *(1,) * (rank - len(s)), *s[1:]) for s in shapes]
    output = []
    for axis, sizes in enumerate(zip(*padded_shapes, strict=True)):
        distinct_sizes = {*sizes} - {1, None}
        if len(distinct_sizes) > 1 or (axis == 0 and len({*sizes} - {None}) > 1):
            raise ValueError(f"sizes {' and '.join(map(str, sizes))} on axis {axis}")
        output.append(
            None if None in sizes and axis else max(distinct_sizes, default=_common_size(sizes))
        )
    return tuple(output)


def _common_size(sizes: Sequence[int | None]) -> int | None:
    return next((size for size in sizes if size is not None), None)


def _broadcast_mask_to_features(mask: Any, x: Array) -> Array:
    """A mask of steps, broadcast to the features; None masks nothing."""
    if mask is None:
        return jnp.ones(x.shape, bool)
    mask = jnp.asarray(mask).astype(bool)
    return mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))


def _rank3(x: Array, axis: int) -> Array:
    """Reshaped to 3 axes: batch, the summed axis, and all others flattened on the given axis."""
    return x.reshape(x.shape[0], -1, x.shape[-1]) if axis == 1 else x.reshape(*x.shape[:2], -1)
