"""The receptive field of a convolution: which part of the input one of its outputs depends on.

It is computed from kernel sizes, strides, dilations and paddings by walking the graph backward from
the layer to the input. At each layer, positions of the output are replaced by the positions of the
input that they are computed from, axis by axis.
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
from lamina.ops import sliding_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class AxisPositions(NamedTuple):
    """A set of positions on one spatial axis.

    Args:
        positions: The positions inside the tensor.
        first: The first position, which may be in the padding before the tensor.
        last: The last position, which may be in the padding after the tensor.
    """

    positions: frozenset[int]
    first: int
    last: int

    def without_padding(self, size: int | None) -> "AxisPositions":
        """Leave out positions in the padding around a tensor of this size."""
        inside = [p for p in self.positions if p >= 0 and (size is None or p < size)]
        return self._replace(positions=frozenset(inside))

    def union(self, other: "AxisPositions") -> "AxisPositions":
        """The positions of both."""
        positions = self.positions | other.positions
        return AxisPositions(positions, min(self.first, other.first), max(self.last, other.last))

    def shift(self, offset: int) -> "AxisPositions":
        """Add an offset to all positions."""
        positions = frozenset(p + offset for p in self.positions)
        return AxisPositions(positions, self.first + offset, self.last + offset)


# Layers whose output at a position depends on the inputs at this position alone.
_POINTWISE = (
    layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Dropout,
    layers.GaussianNoise, layers.GaussianDropout, layers.AlphaDropout, layers.BatchNormalization,
    layers.Rescaling, layers.Normalization, layers.ActivityRegularization, layers.Identity,
    layers.InputLayer, layers.Dense, layers.Embedding, layers.UnitNormalization,
)  # fmt: skip
# Operations on tensors with the same property.
_POINTWISE_OPERATIONS = frozenset(
    "Absolute Add Cast Clip Divide Exp Gelu LeakyRelu Log Maximum Minimum Multiply Negative Power "
    "Relu Relu6 Sigmoid Silu Sqrt Square Subtract Tanh TrueDivide Where".split()
)


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReceptiveField:
    """The part of the input that one position of a layer depends on, and the layer's filter.

    `lamina.explanation.receptive_field` returns it.

    Args:
        layer: Name of the layer.
        position: The position in the layer's output, one number for each spatial axis.
        start: On each spatial axis, the first position of the input that it depends on.
        stop: On each spatial axis, the position after the last one; start and stop leave out the
            padding around the input.
        size: On each spatial axis, the number of positions, including the padding.
        kernel: The filter of the channel, `(…, channels)`; None if the layer has no kernel.
        unit: Index of the channel.

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
        """The part of the input, as slices of the spatial axes."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def plot(self, x: Any = None) -> "Figure":
        """Draw the filter, and the part of the input that the position depends on.

        Args:
            x: One sample, `(…)`, to draw the part in; None to draw the filter alone.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_receptive_field  # needs matplotlib

        return plot_receptive_field(self, x)


@filter_traceback
def receptive_field(
    model: Model, layer: str, position: int | Sequence[int] | None = None, unit: int = 0
) -> ReceptiveField:
    """The part of the input that one position of a convolution depends on, and its filter.

    Args:
        model: A model that is a graph of layers.
        layer: Name of a layer with spatial axes, such as a convolution or a pooling layer.
        position: The position in its output, an index for each spatial axis; the middle if None.
        unit: Index of the channel whose filter is returned.

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
            f"The layers of model {getattr(model, 'name', model)!r} do not form a graph, so the "
            "path from the input to a layer is not known.\n"
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
            f"The output of layer {layer!r} has the shape {tuple(tensor.shape)}, without spatial "
            "axes, so it depends on the whole input."
        )
    position_index = _check_position(position, [tensor.shape[axis] for axis in axes], layer)
    owner: Any = outer_nodes[-1].operation if outer_nodes else model
    field: Any = tuple(AxisPositions(frozenset([p]), p, p) for p in position_index)
    fields = _trace_to_inputs(owner._graph, {_key(tensor): field})
    for i in reversed(range(len(outer_nodes))):
        owner = outer_nodes[i - 1].operation if i else model
        tensors = outer_nodes[i].input_tensors
        fields = _trace_to_inputs(
            owner._graph,
            {_key(t): field for t, field in zip(tensors, fields, strict=True) if field is not None},
        )
    pairs = zip(graph.input_list, fields, strict=True)
    tensor, field = next((tensor, field) for tensor, field in pairs if field is not None)
    sizes = [tensor.shape[axis] for axis in _spatial_axes(operation, tensor.shape, is_input=True)]
    if field is _ALL_POSITIONS:
        field = tuple(AxisPositions(frozenset(range(n or 1)), 0, (n or 1) - 1) for n in sizes)
    field = tuple(axis.without_padding(size) for axis, size in zip(field, sizes, strict=True))
    return ReceptiveField(
        layer=layer,
        position=position_index,
        start=tuple(min(axis.positions, default=0) for axis in field),
        stop=tuple(max(axis.positions, default=-1) + 1 for axis in field),
        size=tuple(axis.last - axis.first + 1 for axis in field),
        kernel=_filter_of(operation, unit),
        unit=unit,
    )


# The field of a tensor all of whose positions are used, as in front of Flatten.
_ALL_POSITIONS: Any = "whole"


def _trace_to_inputs(graph: Any, fields: dict[Any, Any]) -> list[Any]:
    """Which positions of the inputs of a graph the given positions of its tensors depend on.

    Args:
        graph: The graph.
        fields: From the keys of tensors to their positions: an `AxisPositions` for each spatial
            axis, or `_ALL_POSITIONS`.

    Returns:
        Such positions for each input; None for an input that nothing depends on.
    """
    fields = dict(fields)
    for node in reversed(graph.nodes):
        keys = [_key(tensor) for tensor in node.output_tensors]
        output_fields = [fields.get(key) for key in keys]
        if not node.input_tensors or all(field is None for field in output_fields):
            continue
        inner = getattr(node.operation, "_graph", None)
        if inner is not None:
            pairs = zip(map(_key, inner.output_list), output_fields, strict=True)
            input_fields = _trace_to_inputs(
                inner, {key: field for key, field in pairs if field is not None}
            )
        else:
            input_fields = [
                _input_field(node, tensor, output_fields) for tensor in node.input_tensors
            ]
        for tensor, field in zip(node.input_tensors, input_fields, strict=True):
            if field is not None:
                key = _key(tensor)
                fields[key] = field if key not in fields else _union(fields[key], field)
    return [fields.get(_key(tensor)) for tensor in graph.input_list]


def _union(a: Any, b: Any) -> Any:
    """The positions of two fields, axis by axis."""
    if a is _ALL_POSITIONS or b is _ALL_POSITIONS or len(a) != len(b):
        return _ALL_POSITIONS
    return tuple(axis_a.union(axis_b) for axis_a, axis_b in zip(a, b, strict=True))


def _input_field(node: Node, tensor: KerasTensor, output_fields: list[Any]) -> Any:
    """Which positions of an input of a call the positions of its outputs depend on."""
    field = next(field for field in output_fields if field is not None)
    operation: Any = node.operation
    if field is _ALL_POSITIONS:
        return _ALL_POSITIONS
    shape, output_shape = tensor.shape, node.output_tensors[0].shape
    axes = _spatial_axes(operation, shape)
    sizes = [shape[axis] for axis in axes]
    output_axes = _spatial_axes(operation, output_shape)
    if len(output_axes) == len(field):
        field = [
            p.without_padding(output_shape[a]) for p, a in zip(field, output_axes, strict=True)
        ]
    if isinstance(operation, BaseConvTranspose):
        return tuple(_inputs_of_transposed(p, operation, axis) for axis, p in enumerate(field))
    if isinstance(operation, (BaseConv, BaseDepthwiseConv, BaseSeparableConv)):
        dilations = operation.dilation_rate
        return _inputs_of_windows(
            field, sizes, operation.kernel_size, operation.strides, operation.padding, dilations
        )
    if isinstance(operation, BasePooling):
        dilations = (1,) * len(sizes)
        return _inputs_of_windows(
            field, sizes, operation.pool_size, operation.strides, operation.padding, dilations
        )
    if isinstance(operation, BaseCroppingOrPadding):
        offsets = [operation._by_axis[axis][0] * operation.sign for axis in axes]
        return tuple(p.shift(-offset) for p, offset in zip(field, offsets, strict=True))
    if isinstance(operation, BaseUpSampling):
        if getattr(operation, "interpolation", "nearest") == "nearest":
            return tuple(
                AxisPositions(frozenset(i // n for i in p.positions), p.first // n, p.last // n)
                for p, n in zip(field, operation.size, strict=True)
            )
    if _is_pointwise(operation, shape, output_shape):
        if len(axes) != len(field):  # a Reshape that adds or removes an axis of channels
            return tuple(field)
        first = AxisPositions(frozenset([0]), 0, 0)  # for an axis of size 1 that is broadcast
        return tuple(first if size == 1 else p for size, p in zip(sizes, field, strict=True))
    if _mixes_positions(operation, shape, output_shape):
        return _ALL_POSITIONS
    raise ValueError(
        f"The receptive field cannot be computed through {operation.name!r}: it is not known which "
        f"inputs a position of a {type(operation).__name__} depends on."
    )


def _inputs_of_windows(
    field: Any, sizes: Any, window: Any, strides: Any, padding: str, dilations: Any
) -> tuple[AxisPositions, ...]:
    """The input positions of some windows; the window of output `p` begins at
    `p * stride - padding`.
    """
    if None in sizes and padding == "same":
        if max(strides) > 1:
            raise ValueError(
                "The receptive field depends on the size of the input where padding='same' and "
                "strides are above 1, and the model has an axis of any size.\n"
                "  Fix: lamina.Input(shape) with all sizes."
            )
        sizes = [size or 1 for size in sizes]  # with strides of 1 any size has the same padding
    pads = sliding_windows.padding_amounts(sizes, window, strides, padding, dilations)
    result = []
    for axis, (before, _), size, stride, dilation in zip(
        field, pads, window, strides, dilations, strict=True
    ):
        positions = frozenset(
            p * stride - before + i * dilation for p in axis.positions for i in range(size)
        )
        first = axis.first * stride - before
        last = axis.last * stride - before + (size - 1) * dilation
        result.append(AxisPositions(positions, first, last))
    return tuple(result)


def _inputs_of_transposed(outputs: AxisPositions, operation: Any, axis: int) -> AxisPositions:
    """The input positions of a transposed convolution; input `i` adds to outputs from
    `i * stride - cropped` on.
    """
    size, stride = operation.kernel_size[axis], operation.strides[axis]
    dilation = operation.dilation_rate[axis]
    dilated_size = (size - 1) * dilation + 1
    output_padding = None if operation.output_padding is None else operation.output_padding[axis]
    before, _ = sliding_windows.conv_transpose_padding(
        dilated_size, stride, operation.padding, output_padding
    )
    cropped = dilated_size - 1 - before
    starts = [p + cropped - i * dilation for p in outputs.positions for i in range(size)]
    positions = frozenset(start // stride for start in starts if start % stride == 0)
    first = -((dilated_size - 1 - cropped - outputs.first) // stride)
    last = (outputs.last + cropped) // stride
    return AxisPositions(positions, first, last)


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
    data_format = getattr(operation, "data_format", None) or "channels_last"
    rank = getattr(operation, "rank", None)
    if rank is not None and len(shape) == rank + 1:  # pictures without an axis of channels
        return tuple(range(1, rank + 1))
    return sliding_windows.spatial_axes(len(shape), data_format)


def _key(tensor: KerasTensor) -> tuple[int, int, int]:
    operation, node_index, tensor_index = tensor.history  # type: ignore[misc]
    return (id(operation), node_index, tensor_index)


def _path_to(model: Any, name: str) -> list[Node] | None:
    """The last call of a layer, preceded by the calls of the nested models that contain it."""
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


def _check_position(position: Any, sizes: Sequence[int | None], layer: str) -> tuple[int, ...]:
    if position is None:
        return tuple((size or 1) // 2 for size in sizes)
    indices = tuple(np.atleast_1d(position).tolist())
    is_inside = len(indices) == len(sizes) and all(
        isinstance(p, int) and p >= 0 and (size is None or p < size)
        for p, size in zip(indices, sizes, strict=True)
    )
    if not is_inside:
        raise ValueError(
            f"position={position!r} is not a position of layer {layer!r}, whose spatial axes have "
            f"the sizes {tuple(sizes)}."
        )
    return indices


def _filter_of(operation: Any, unit: int) -> np.ndarray | None:
    """The kernel of one channel; None for a layer without a kernel."""
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
