"""The product of a dense layer given by an einsum equation."""

import math

from lamina.core.types import Array
from lamina.ops.lowering import compiled_kernels, products
from lamina.ops.lowering.dense import is_faster_as_kernel


def reference(equation: str, inputs: Array, kernel: Array) -> Array:
    """`einsum(equation, inputs, kernel)`; the equation may have an ellipsis on one side."""
    return products.einsum(equation, inputs, kernel)


def suits_kernel(equation: str, inputs: Array, kernel: Array) -> bool:
    """Only products over the last axes of the inputs and the first axes of the kernel."""
    summed = _count_summed_axes(equation)
    if not summed:
        return False
    rows = math.prod(inputs.shape[: inputs.ndim - summed])
    sizes = math.prod(kernel.shape[:summed]), math.prod(kernel.shape[summed:])
    return is_faster_as_kernel(rows, *sizes) and compiled_kernels.accepts(inputs, kernel)


def by_kernel(equation: str, inputs: Array, kernel: Array) -> Array:
    summed = _count_summed_axes(equation)
    size = math.prod(kernel.shape[:summed])
    product = compiled_kernels.kernel_package().product(
        inputs.reshape(-1, size), kernel.reshape(size, -1)
    )
    return product.reshape(*inputs.shape[: inputs.ndim - summed], *kernel.shape[summed:])


def _count_summed_axes(equation: str) -> int:
    """Number of axes of a matrix product that are summed; 0 for other products."""
    terms, output = equation.replace(" ", "").split("->")
    inputs, kernel = terms.split(",")
    if inputs.endswith("...") or (inputs.startswith("...") != output.startswith("...")):
        return 0
    summed = "".join(letter for letter in kernel if letter not in output)
    rows, columns = inputs.removesuffix(summed), kernel.removeprefix(summed)
    is_product = rows + summed == inputs and summed + columns == kernel and rows + columns == output
    return len(summed) if is_product else 0
