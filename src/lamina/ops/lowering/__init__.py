"""Lowerings: the implementations of operations, and which one is used on which platform.

A *lowering* is one implementation of an operation, for some platforms and arguments: like a
lowering rule of a JAX primitive, but written as a function of arrays. (`jax.stages.Lowered`, a
whole program translated to StableHLO, is something else.)

Operations, layers and optimizers call an operation by name, `run_lowering("dense", x, kernel)`.
`table.py` lists the implementations; `target.py` has the target of the program that is being
traced. The other files have the implementations of one operation each, including its reference.
"""

from lamina.ops.lowering.table import TABLE, Lowering, choose, run_lowering
from lamina.ops.lowering.target import Target, current_target, lowering_for

__all__ = [
    "Lowering",
    "TABLE",
    "Target",
    "choose",
    "current_target",
    "lowering_for",
    "run_lowering",
]
