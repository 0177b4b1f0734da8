"""Compiled kernels for CPUs, called from JAX programs. Lamina uses them where they are installed.

They take float32 arrays on the CPU backend. Lamina asks for them only inside its own compiled
programs and falls back to plain JAX for everything that they do not cover.
"""

from lamina_kernels.adam import adam
from lamina_kernels.attention import attention
from lamina_kernels.columns import moments, scale_and_shift
from lamina_kernels.convolution import convolution
from lamina_kernels.dense import product
from lamina_kernels.library import instructions
from lamina_kernels.lstm import lstm
from lamina_kernels.pooled import pooled_convolution

# What Lamina calls: raised together with the number in Lamina when that changes.
INTERFACE = 2

__all__ = [
    "INTERFACE",
    "adam",
    "attention",
    "convolution",
    "instructions",
    "lstm",
    "moments",
    "pooled_convolution",
    "product",
    "scale_and_shift",
]
