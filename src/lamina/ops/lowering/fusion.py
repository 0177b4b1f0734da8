"""Records, while a program is traced, which convolution made a value.

If max pooling is the only consumer of a convolution, both can be computed by one kernel
(docs/performance.md, `kernel-pooled-convolution`). The result of the convolution itself is computed
only if something else uses it, too.
"""

from typing import NamedTuple

from lamina.core.configuration.context import context
from lamina.core.types import Array
from lamina.ops.lowering.target import current_target


class Convolution(NamedTuple):
    """A convolution, plus bias, followed by a ReLU if `relu`.

    Args:
        bias: `(filters,)`, or None.
        strides, dilation: One number for each axis.
        padding: `"valid"` or `"same"`.
    """

    x: Array
    kernel: Array
    bias: Array | None
    relu: bool
    strides: tuple
    padding: str
    data_format: str
    dilation: tuple


def record_convolution(y: Array, convolution: Convolution) -> None:
    """Record that `y` is the result of a convolution, for the operation that uses it."""
    if current_target().kernels:
        context.fusible.append((y, convolution))


def record_several_consumers(y: Array) -> None:
    """Record that several operations use `y`, so it has to be computed in any case."""
    context.fusible = [pair for pair in context.fusible if pair[0] is not y]


def recorded_convolution(y: Array) -> Convolution | None:
    """The convolution that made `y`, if it was recorded and `y` has no other consumers."""
    return next((source for value, source in context.fusible if value is y), None)
