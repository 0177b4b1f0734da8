"""Refuses NumPy's masked arrays, because other functions would silently ignore the mask."""

from typing import Any

import numpy as np


def remove_mask(
    value: Any, what: str, fix: str = "leave those rows out, or .filled(0) puts 0 there."
) -> Any:
    """The plain array of a masked array without masked values; anything else unchanged.

    Args:
        value: The user's data.
        what: Name for messages: `"x"`.
        fix: Advice on masked values, for the message.

    Raises:
        ValueError: If a value is masked.
    """
    if not isinstance(value, np.ma.MaskedArray):
        return value
    count = int(np.ma.count_masked(value))
    if not count:
        return value.data
    first = [int(i) for i in np.argwhere(np.ma.getmaskarray(value))[0]]
    raise ValueError(
        f"{what} has {count} masked value{'' if count == 1 else 's'}, the first at index "
        f"{first}, and a network needs a number everywhere.\n  Fix: {fix}"
    )
