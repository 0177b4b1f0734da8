"""Which convolution made a value, noted while a program is traced.

Max pooling that alone reads the result of a convolution can be computed together with it
(docs/performance.md, `kernel-pooled-convolution`). The program then computes the result itself only
if something else reads it, too.
"""

from typing import NamedTuple

from lamina.core.configuration.context import context
from lamina.core.types import Array
from lamina.ops.lowering.target import current_target


class Convolution(NamedTuple):
    """A convolution, plus bias, and zero where that is below, if `relu`.

    Args:
        bias: `(filters,)`, or none.
        strides, dilation: One number an axis.
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


def made_by_convolution(y: Array, convolution: Convolution) -> None:
    """Note that `y` is the result of a convolution, for the operation that reads it."""
    if current_target().kernels:
        context.fusible.append((y, convolution))


def has_several_readers(y: Array) -> None:
    """Note that more than one operation reads `y`: it has to be computed in any case."""
    context.fusible = [pair for pair in context.fusible if pair[0] is not y]


def convolution_of(y: Array) -> Convolution | None:
    """The convolution that made `y`, if it was noted and `y` has no other readers."""
    return next((made for value, made in context.fusible if value is y), None)
