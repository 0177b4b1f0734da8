"""The receptive field of a convolution: which part of the input one of its outputs depends on.

It is computed from kernels, strides, dilations and paddings, going back through the graph from the
layer to the input. On each spatial axis, positions become those that they are computed from.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lamina import layers
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.operation import Node
from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.layers.convolution import BaseConv, BaseConvolution
from lamina.layers.convolution_separable import BaseDepthwiseConv, BaseSeparableConv
from lamina.layers.convolution_transpose import BaseConvTranspose
from lamina.layers.cropping_and_padding import BaseCroppingOrPadding
from lamina.layers.merging import Concatenate, Dot, Merge
from lamina.layers.pooling import BasePooling
from lamina.layers.upsampling import BaseUpSampling
from lamina.models import Model
from lamina.ops import windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Seen(NamedTuple):
    """Positions on one spatial axis.

    Args:
        positions: Those within the tensor.
        first: The first one, which may be in the padding before the tensor.
        last: The last one, which may be in the padding after it.
    """

    positions: frozenset[int]
    first: int
    last: int

    def within(self, size: int | None) -> "Seen":
        """Without positions in the padding."""
        kept = [p for p in self.positions if p >= 0 and (size is None or p < size)]
        return self._replace(positions=frozenset(kept))

    def joined(self, other: "Seen") -> "Seen":
        """The positions of both."""
        positions = self.positions | other.positions
        return Seen(positions, min(self.first, other.first), max(self.last, other.last))

    def moved(self, by: int) -> "Seen":
        """All positions moved."""
        positions = frozenset(p + by for p in self.positions)
        return Seen(positions, self.first + by, self.last + by)


# Layers that compute every position from the same position of their inputs.
_POINTWISE = (
    layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Dropout,
    layers.GaussianNoise, layers.GaussianDropout, layers.AlphaDropout, layers.BatchNormalization,
    layers.Rescaling, layers.Normalization, layers.ActivityRegularization, layers.Identity,
    layers.InputLayer, layers.Dense, layers.Embedding, layers.UnitNormalization,
)  # fmt: skip
# Operations on tensors of which the same is true.
_POINTWISE_OPERATIONS = frozenset(
    "Absolute Add Cast Clip Divide Exp Gelu LeakyRelu Log Maximum Minimum Multiply Negative Power "
    "Relu Relu6 Sigmoid Silu Sqrt Square Subtract Tanh TrueDivide Where".split()
)


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReceptiveField:
    """The part of the input that one position of a layer depends on, and the layer's filter.

    Made by `lamina.explanation.receptive_field`.

    Args:
        layer: Name of the layer.
        position: The position in the layer's output, one number for each spatial axis.
        start: The first position of the input, on each axis.
        stop: The position after the last one, on each axis; both are within the input.
        size: Number of positions on each axis, with those in the padding around the input.
        kernel: The filter of the channel, `(…, channels)`; None if the layer has no kernel.
        unit: Number of the channel.

    Example:
        >>> import lamina
        >>> model = lamina.Sequential([
        ...     lamina.Input((28, 28, 1)), lamina.layers.Conv2D(4, 3), lamina.layers.MaxPooling2D(),
        ...     lamina.layers.Conv2D(4, 3, name="second")])
        >>> receptive_field(model, "second", position=(0, 0))
        Position (0, 0) of 'second' sees rows 0–7 and columns 0–7 of the input: 8 × 8.
    """

    layer: str
    position: tuple[int, ...]
    start: tuple[int, ...]
    stop: tuple[int, ...]
    size: tuple[int, ...]
    kernel: np.ndarray | None
    unit: int

    def __repr__(self) -> str:
        axes = {1: ["steps"], 2: ["rows", "columns"]}.get(len(self.start), [])
        if any(a == b for a, b in zip(self.start, self.stop, strict=True)):
            return f"Position {self.position} of {self.layer!r} sees nothing but padding."
        spans = [f"{first}–{end - 1}" for first, end in zip(self.start, self.stop, strict=True)]
        if len(axes) == len(spans):
            spans = [f"{axis} {span}" for axis, span in zip(axes, spans, strict=True)]
        size = " × ".join(map(str, self.size))
        return (
            f"Position {self.position} of {self.layer!r} sees {' and '.join(spans)} of the input: "
            f"{size}."
        )

    @property
    def slices(self) -> tuple[slice, ...]:
        """The part of the input, as indices of the spatial axes."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def plot(self, x: Any = None) -> "Figure":
        """The filter, and the part of the input that the position sees.

        Args:
            x: One sample, `(…)`, to draw the part in; None to draw the filter alone.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_receptive_field  # matplotlib, where it is wanted

        return plot_receptive_field(self, x)


@filter_traceback
def receptive_field(
    model: Model, layer: str, position: int | Sequence[int] | None = None, unit: int = 0
) -> ReceptiveField:
    """The part of the input that one position of a convolution depends on, and its filter.

    Args:
        model: A model that is a graph of layers.
        layer: Name of a layer with spatial axes, such as a convolution or a pooling layer.
        position: The position in its output, a number for each spatial axis; the middle if None.
        unit: Number of the channel whose filter is returned.

    Returns:
        A `ReceptiveField`.

    Raises:
        ValueError: If the model is not a graph, has no such layer or position, or if a layer on the
            way is of a kind for which this cannot be computed.

    Source: Araujo, Norris and Sim, 2019, "Computing Receptive Fields of Convolutional Neural
    Networks", Distill.

    Example:
        >>> import lamina
        >>> from lamina.explanation import receptive_field
        >>> model = lamina.Sequential([
        ...     lamina.Input((32, 32, 3)), lamina.layers.Conv2D(8, 3, strides=2, name="first")])
        >>> receptive_field(model, "first", (1, 2)).slices
        (slice(2, 5, None), slice(4, 7, None))
    """
    graph = getattr(model, "_graph", None)
    if graph is None:
        raise ValueError(
            f"The layers of model {getattr(model, 'name', model)!r} are not drawn as a graph, so "
            "the way from the input to a layer is not known.\n"
            "  Fix: begin a Sequential with lamina.Input(shape), or use Model(inputs, outputs)."
        )
    path = _path_to(model, layer)
    if path is None:
        names = sorted(_names_in(model))
        raise ValueError(
            f"Model {model.name!r} has no layer {layer!r}.{did_you_mean(str(layer), names)}\n"
            f"  Its layers: {', '.join(names)}."
        )
    *outer_nodes, node = path
    operation, tensor = node.operation, node.output_tensors[0]
    axes = _spatial_axes(operation, tensor.shape)
    if not axes:
        raise ValueError(
            f"Layer {layer!r} gives {tuple(tensor.shape)}, without spatial axes, so it sees all of "
            "the input."
        )
    where = _checked_position(position, [tensor.shape[axis] for axis in axes], layer)
    owner: Any = outer_nodes[-1].operation if outer_nodes else model
    found = _back_through(
        owner._graph, {_key(tensor): tuple(Seen(frozenset([p]), p, p) for p in where)}
    )
    for i in reversed(range(len(outer_nodes))):
        owner = outer_nodes[i - 1].operation if i else model
        tensors = outer_nodes[i].input_tensors
        found = _back_through(
            owner._graph,
            {_key(t): seen for t, seen in zip(tensors, found, strict=True) if seen is not None},
        )
    pairs = zip(graph.input_list, found, strict=True)
    tensor, seen = next((tensor, seen) for tensor, seen in pairs if seen is not None)
    sizes = [tensor.shape[axis] for axis in _spatial_axes(operation, tensor.shape, is_input=True)]
    if seen is _WHOLE:
        seen = tuple(Seen(frozenset(range(n or 1)), 0, (n or 1) - 1) for n in sizes)
    seen = tuple(one.within(size) for one, size in zip(seen, sizes, strict=True))
    return ReceptiveField(
        layer=layer,
        position=where,
        start=tuple(min(one.positions, default=0) for one in seen),
        stop=tuple(max(one.positions, default=-1) + 1 for one in seen),
        size=tuple(one.last - one.first + 1 for one in seen),
        kernel=_filter_of(operation, unit),
        unit=unit,
    )


# All positions of a tensor, as behind Flatten.
_WHOLE: Any = "whole"


def _back_through(graph: Any, wanted: dict[Any, Any]) -> list[Any]:
    """What of each input of a graph some positions of its tensors are computed from.

    Args:
        graph: The graph.
        wanted: A `Seen` for each axis, or `_WHOLE`, by the keys of tensors.

    Returns:
        The same, or None, for each input.
    """
    wanted = dict(wanted)
    for node in reversed(graph.nodes):
        keys = [_key(tensor) for tensor in node.output_tensors]
        outputs = [wanted.get(key) for key in keys]
        if not node.input_tensors or all(seen is None for seen in outputs):
            continue
        inner = getattr(node.operation, "_graph", None)
        if inner is not None:
            of_outputs = zip(map(_key, inner.output_list), outputs, strict=True)
            seen_of = _back_through(inner, {k: seen for k, seen in of_outputs if seen is not None})
        else:
            seen_of = [_before(node, tensor, outputs) for tensor in node.input_tensors]
        for tensor, seen in zip(node.input_tensors, seen_of, strict=True):
            if seen is not None:
                key = _key(tensor)
                wanted[key] = seen if key not in wanted else _joined(wanted[key], seen)
    return [wanted.get(_key(tensor)) for tensor in graph.input_list]


def _joined(one: Any, other: Any) -> Any:
    """The positions of both, axis by axis."""
    if one is _WHOLE or other is _WHOLE or len(one) != len(other):
        return _WHOLE
    return tuple(a.joined(b) for a, b in zip(one, other, strict=True))


def _before(node: Node, tensor: KerasTensor, outputs: list[Any]) -> Any:
    """What of an input of a call some positions of its outputs are computed from."""
    seen = next(seen for seen in outputs if seen is not None)
    operation: Any = node.operation
    if seen is _WHOLE:
        return _WHOLE
    shape, output_shape = tensor.shape, node.output_tensors[0].shape
    axes = _spatial_axes(operation, shape)
    sizes = [shape[axis] for axis in axes]
    output_axes = _spatial_axes(operation, output_shape)
    if len(output_axes) == len(seen):
        seen = [one.within(output_shape[a]) for one, a in zip(seen, output_axes, strict=True)]
    if isinstance(operation, BaseConvTranspose):
        return tuple(_before_transposed(one, operation, i) for i, one in enumerate(seen))
    if isinstance(operation, (BaseConv, BaseDepthwiseConv, BaseSeparableConv)):
        gaps = operation.dilation_rate
        return _before_windows(
            seen, sizes, operation.kernel_size, operation.strides, operation.padding, gaps
        )
    if isinstance(operation, BasePooling):
        gaps = (1,) * len(sizes)
        return _before_windows(
            seen, sizes, operation.pool_size, operation.strides, operation.padding, gaps
        )
    if isinstance(operation, BaseCroppingOrPadding):
        borders = [operation._by_axis[axis][0] * operation.sign for axis in axes]
        return tuple(one.moved(-border) for one, border in zip(seen, borders, strict=True))
    if isinstance(operation, BaseUpSampling):
        if getattr(operation, "interpolation", "nearest") == "nearest":
            return tuple(
                Seen(frozenset(p // n for p in one.positions), one.first // n, one.last // n)
                for one, n in zip(seen, operation.size, strict=True)
            )
    if _is_pointwise(operation, shape, output_shape):
        if len(axes) != len(seen):  # a Reshape that adds or removes an axis of channels
            return tuple(seen)
        only = Seen(frozenset([0]), 0, 0)  # of an axis that is repeated
        return tuple(only if size == 1 else one for size, one in zip(sizes, seen, strict=True))
    if _mixes_positions(operation, shape, output_shape):
        return _WHOLE
    raise ValueError(
        f"The receptive field cannot be computed through {operation.name!r}: what a position of a "
        f"{type(operation).__name__} depends on is not known."
    )


def _before_windows(
    seen: Any, sizes: Any, window: Any, strides: Any, padding: str, gaps: Any
) -> tuple[Seen, ...]:
    """The positions under some windows: of output `p` from `p * stride - padding` on."""
    if None in sizes and padding == "same":
        if max(strides) > 1:
            raise ValueError(
                "The receptive field depends on the size of the input where padding='same' and "
                "strides are above 1, and the model has an axis of any size.\n"
                "  Fix: lamina.Input(shape) with all sizes."
            )
        sizes = [size or 1 for size in sizes]  # without strides the padding is the same for all
    pads = windows.padding_amounts(sizes, window, strides, padding, gaps)
    result = []
    for one, (before, _), n, step, gap in zip(seen, pads, window, strides, gaps, strict=True):
        under = frozenset(p * step - before + i * gap for p in one.positions for i in range(n))
        last = one.last * step - before + (n - 1) * gap
        result.append(Seen(under, one.first * step - before, last))
    return tuple(result)


def _before_transposed(seen: Seen, operation: Any, axis: int) -> Seen:
    """The inputs whose kernels reach some outputs: input `i` reaches from `i * stride - cut` on."""
    size, stride = operation.kernel_size[axis], operation.strides[axis]
    gap = operation.dilation_rate[axis]
    dilated = (size - 1) * gap + 1
    extra = None if operation.output_padding is None else operation.output_padding[axis]
    before, _ = windows.conv_transpose_padding(dilated, stride, operation.padding, extra)
    cut = dilated - 1 - before
    reached = [p + cut - i * gap for p in seen.positions for i in range(size)]
    positions = frozenset(p // stride for p in reached if p % stride == 0)
    first, last = -((dilated - 1 - cut - seen.first) // stride), (seen.last + cut) // stride
    return Seen(positions, first, last)


def _is_pointwise(operation: Any, shape: Any, output_shape: Any) -> bool:
    """Whether each position of the output depends on the same position of the input."""
    if isinstance(operation, Dot):
        return False
    if isinstance(operation, Concatenate):
        axis = operation.axis % len(output_shape)
        return axis == len(output_shape) - 1 or axis not in _spatial_axes(operation, output_shape)
    if isinstance(operation, (layers.LayerNormalization, layers.Softmax)):
        axes: Any = operation.axis
        return axes in (-1, (-1,), [-1], len(shape) - 1, (len(shape) - 1,), [len(shape) - 1])
    if isinstance(operation, layers.Reshape):
        return (*shape[1:], 1) == tuple(output_shape[1:]) or (*output_shape[1:], 1) == shape[1:]
    return isinstance(operation, (Merge, *_POINTWISE)) or (
        type(operation).__name__ in _POINTWISE_OPERATIONS
        and not isinstance(operation, layers.Layer)
    )


def _mixes_positions(operation: Any, shape: Any, output_shape: Any) -> bool:
    """Whether each number of the output depends on all positions of the input."""
    kinds = (layers.Flatten, layers.GroupNormalization, layers.MultiHeadAttention, layers.Attention,
             layers.RNN, layers.Bidirectional, Dot)  # fmt: skip
    return isinstance(operation, kinds) or type(operation).__name__.startswith(
        ("Global", "Adaptive")
    )


def _spatial_axes(operation: Any, shape: Any, is_input: bool = False) -> tuple[int, ...]:
    """The spatial axes of a tensor: all but those of the batch and the channels."""
    if is_input and len(shape) == 3 and not isinstance(operation, layers.Layer):
        return (1,)
    form = getattr(operation, "data_format", None) or "channels_last"
    rank = getattr(operation, "rank", None)
    if rank is not None and len(shape) == rank + 1:  # pictures without an axis of channels
        return tuple(range(1, rank + 1))
    return windows.spatial_axes(len(shape), form)


def _key(tensor: KerasTensor) -> tuple[int, int, int]:
    operation, node_index, tensor_index = tensor.history  # type: ignore[misc]
    return (id(operation), node_index, tensor_index)


def _path_to(model: Any, name: str) -> list[Node] | None:
    """The last call of a layer with a name, after the calls of the models that it is in."""
    for node in reversed(model._graph.nodes):
        if node.operation.name == name:
            return [node]
    for node in reversed(model._graph.nodes):
        if getattr(node.operation, "_graph", None) is not None:
            inner = _path_to(node.operation, name)
            if inner is not None:
                return [node, *inner]
    return None


def _names_in(model: Any) -> set[str]:
    names: set[str] = set()
    for node in model._graph.nodes:
        names.add(node.operation.name)
        if getattr(node.operation, "_graph", None) is not None:
            names |= _names_in(node.operation)
    return names


def _checked_position(position: Any, sizes: Sequence[int | None], layer: str) -> tuple[int, ...]:
    if position is None:
        return tuple((size or 1) // 2 for size in sizes)
    where = tuple(np.atleast_1d(position).tolist())
    fits = len(where) == len(sizes) and all(
        isinstance(p, int) and p >= 0 and (size is None or p < size)
        for p, size in zip(where, sizes, strict=True)
    )
    if not fits:
        raise ValueError(
            f"position={position!r} is not a position of layer {layer!r}, whose spatial axes have "
            f"the sizes {tuple(sizes)}."
        )
    return where


def _filter_of(operation: Any, unit: int) -> np.ndarray | None:
    """The kernel of one channel; None for a layer without one."""
    if not isinstance(operation, BaseConvolution) or not hasattr(operation, "kernel"):
        return None
    kernel = np.asarray(operation.kernel.numpy(), dtype="float32")
    if isinstance(operation, BaseDepthwiseConv):
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    elif isinstance(operation, BaseConvTranspose):
        kernel = np.moveaxis(kernel, -1, -2)
    if not isinstance(unit, (int, np.integer)) or not 0 <= unit < kernel.shape[-1]:
        raise ValueError(
            f"Layer {operation.name!r} has the channels 0 to {kernel.shape[-1] - 1}; received "
            f"unit={unit!r}."
        )
    return np.asarray(kernel[..., int(unit)])
