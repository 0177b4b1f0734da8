"""Mixed precision, with the names of Keras 2.

    lamina.mixed_precision.set_global_policy("mixed_bfloat16")

Weights, the optimizer's state and metrics stay in float32. `"mixed_bfloat16"` needs no further
change; with `"mixed_float16"`, `compile` wraps the optimizer in a `LossScaleOptimizer`.
"""

from lamina.core.configuration.dtypes import DTypePolicy, dtype_policy, set_dtype_policy
from lamina.core.messages.errors import suggest_similar_names
from lamina.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

suggest_similar_names(__name__)
