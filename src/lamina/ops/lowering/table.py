"""The table of lowerings: operation, target, function and the condition under which it is used.

Of the rows of an operation, the first one is used that supports the target of the program being
traced and whose condition is true. The last row is the reference: plain JAX, without a condition,
for all targets. On GPUs and TPUs XLA compiles it to calls of its libraries; programs for export
(`lowering_for("portable")`) use only references.

A new lowering is a function in another file of this package and a row here; `tests/ops/lowering`
compares every row with the reference.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from lamina.ops.lowering import (
    adam,
    argmax,
    attention,
    attention_blocks,
    attention_low_precision,
    attention_products,
    batch_normalization,
    convolution,
    convolution_depthwise,
    convolution_patches,
    convolution_transpose,
    dense,
    einsum_dense,
    layer_normalization,
    lstm,
    pooling,
)
from lamina.ops.lowering.target import CPU, CPU_KERNELS, GPU, Target, current_target

EVERYWHERE = None  # in place of a target: all targets


class Lowering(NamedTuple):
    """One row of the table.

    Args:
        operation: Name of the operation; all of its rows take the same arguments.
        target: The supported target; None for all. A row for CPUs supports programs with
            compiled kernels, too.
        function: Computes the operation.
        suits: Whether it is applicable and faster for given arguments; None for always.
        figures: The entry of docs/performance.md ("Choices") that justifies it.
    """

    operation: str
    target: Target | None
    function: Callable[..., Any]
    suits: Callable[..., bool] | None = None
    figures: str | None = None

    def supports(self, target: Target) -> bool:
        """Whether a program for this target may use it."""
        if self.target is None:
            return True
        same_platform = self.target.platform == target.platform
        return same_platform and (target.kernels or not self.target.kernels)


TABLE = (
    Lowering("adam", CPU_KERNELS, adam.by_kernel, adam.suits_kernel, "kernel-adam"),
    Lowering("adam", EVERYWHERE, adam.reference),
    Lowering("argmax", CPU, argmax.argmax_by_bits, argmax.suits_bits),
    Lowering("argmax", EVERYWHERE, argmax.argmax),
    Lowering("argmin", CPU, argmax.argmin_by_bits, argmax.suits_bits),
    Lowering("argmin", EVERYWHERE, argmax.argmin),
    Lowering("attention", GPU, attention.by_cudnn, attention.suits_cudnn),
    Lowering(
        "attention", CPU_KERNELS, attention.by_kernel, attention.suits_kernel, "kernel-attention"
    ),
    Lowering(
        "attention",
        CPU,
        attention_blocks.by_blocks,
        attention_blocks.suits,
        "attention-by-blocks",
    ),
    Lowering(
        "attention",
        CPU,
        attention_products.by_products,
        attention_products.suits,
        "attention-by-products",
    ),
    Lowering(
        "attention",
        CPU,
        attention_low_precision.by_products,
        attention_low_precision.suits,
        "low-precision-products",
    ),
    Lowering("attention", EVERYWHERE, attention.reference),
    Lowering(
        "conv", CPU_KERNELS, convolution.by_kernel, convolution.suits_kernel, "kernel-convolution"
    ),
    Lowering(
        "conv",
        CPU,
        convolution_depthwise.convolution_by_shifts,
        convolution_depthwise.suits_convolution,
        "groups-one-by-one",
    ),
    Lowering("conv", CPU, convolution_patches.by_patches, convolution_patches.suits, "patches"),
    Lowering("conv", EVERYWHERE, convolution.reference),
    Lowering(
        "conv_transpose",
        CPU,
        convolution_transpose.by_overlap,
        convolution_transpose.suits_overlap,
        "patches",
    ),
    Lowering("conv_transpose", EVERYWHERE, convolution_transpose.reference),
    Lowering("dense", CPU_KERNELS, dense.by_kernel, dense.suits_kernel, "kernel-products"),
    Lowering("dense", CPU, dense.by_transposing, dense.suits_transposing, "transposed-inputs"),
    Lowering("dense", EVERYWHERE, dense.reference),
    Lowering(
        "depthwise_conv",
        CPU,
        convolution_depthwise.by_shifts,
        convolution_depthwise.suits_shifts,
        "depthwise-by-shifts",
    ),
    Lowering("depthwise_conv", EVERYWHERE, convolution_depthwise.reference),
    Lowering(
        "einsum_dense",
        CPU_KERNELS,
        einsum_dense.by_kernel,
        einsum_dense.suits_kernel,
        "kernel-products",
    ),
    Lowering("einsum_dense", EVERYWHERE, einsum_dense.reference),
    Lowering(
        "layer_normalization",
        CPU,
        layer_normalization.by_rows,
        layer_normalization.suits_rows,
        "layer-normalization-by-rows",
    ),
    Lowering("layer_normalization", EVERYWHERE, layer_normalization.reference),
    Lowering("lstm", CPU_KERNELS, lstm.by_kernel, lstm.suits_kernel, "kernel-lstm"),
    Lowering("lstm", CPU, lstm.by_steps, lstm.suits_steps, "lstm-steps"),
    Lowering("lstm", EVERYWHERE, lstm.reference),
    Lowering(
        "max_pool",
        CPU_KERNELS,
        pooling.max_pool_by_kernel,
        pooling.suits_kernel,
        "kernel-pooled-convolution",
    ),
    Lowering(
        "max_pool", CPU, pooling.max_pool_by_blocks, pooling.suits_blocks, "pooling-by-blocks"
    ),
    Lowering(
        "max_pool", CPU, pooling.max_pool_by_slices, pooling.suits_slices, "pooling-by-blocks"
    ),
    Lowering("max_pool", EVERYWHERE, pooling.max_pool),
    Lowering(
        "moments",
        CPU_KERNELS,
        batch_normalization.moments_by_kernel,
        batch_normalization.suits_kernel_of_moments,
        "kernel-batch-normalization",
    ),
    Lowering("moments", EVERYWHERE, batch_normalization.moments),
    Lowering(
        "scale_and_shift",
        CPU_KERNELS,
        batch_normalization.scale_by_kernel,
        batch_normalization.suits_kernel_of_scale,
        "kernel-batch-normalization",
    ),
    Lowering("scale_and_shift", EVERYWHERE, batch_normalization.scale_and_shift),
    Lowering(
        "sum_pool", CPU, pooling.sum_pool_by_blocks, pooling.suits_blocks, "pooling-by-blocks"
    ),
    Lowering(
        "sum_pool", CPU, pooling.sum_pool_by_slices, pooling.suits_slices, "pooling-by-blocks"
    ),
    Lowering("sum_pool", EVERYWHERE, pooling.sum_pool),
)

_LOWERINGS: dict[str, list[Lowering]] = defaultdict(list)
for _row in TABLE:
    _LOWERINGS[_row.operation].append(_row)


def choose(operation: str, *arguments: Any) -> Lowering:
    """The row of an operation for the program that is being traced and these arguments.

    Example:
        >>> import jax.numpy as jnp
        >>> from lamina.ops.lowering import lowering_for
        >>> with lowering_for("portable"):
        ...     choose("dense", jnp.ones((2, 3)), jnp.ones((3, 4))).function.__name__
        'reference'
    """
    target = current_target()
    return next(
        row
        for row in _LOWERINGS[operation]
        if row.supports(target) and (row.suits is None or row.suits(*arguments))
    )


def run_lowering(operation: str, *arguments: Any) -> Any:
    """The result of an operation, computed by the row that `choose` finds.

    Example:
        >>> import jax.numpy as jnp
        >>> run_lowering("dense", jnp.ones((2, 3)), jnp.ones((3, 4))).shape
        (2, 4)
    """
    return choose(operation, *arguments).function(*arguments)
