"""Settings for the whole process, under Keras's names."""

from lamina.core.config import (
    epsilon,
    floatx,
    image_data_format,
    resident_budget,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_resident_budget,
)
from lamina.core.dtypes import dtype_policy, set_dtype_policy

__all__ = [
    "dtype_policy",
    "epsilon",
    "floatx",
    "image_data_format",
    "resident_budget",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_resident_budget",
]
