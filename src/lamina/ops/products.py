"""Products of arrays for layers: of low-precision floats, they are summed in float32 on CPUs."""

from lamina.ops.lowering.low_precision import add_bias
from lamina.ops.lowering.products import einsum, matmul

__all__ = ["add_bias", "einsum", "matmul"]
