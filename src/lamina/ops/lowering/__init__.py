"""How operations are put to XLA: one table says which form of each suits which platform.

Operations, layers and optimizers ask for one by name, `lower("dense", x, kernel)`. `table.py` is
the table; `target.py` knows what the program that is being traced is for; the other files hold the
forms, one operation a file, the reference among them.
"""

from lamina.ops.lowering.table import TABLE, Lowering, choose, lower
from lamina.ops.lowering.target import Target, current_target, lowering_for

__all__ = [
    "Lowering",
    "TABLE",
    "Target",
    "choose",
    "current_target",
    "lower",
    "lowering_for",
]
