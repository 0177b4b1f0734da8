"""NumPy's masked arrays: behind a mask is no number, and NumPy forgets masks without a word."""

from typing import Any

import numpy as np


def unmasked(
    value: Any, what: str, rest: str = "leave those rows out, or .filled(0) puts 0 there."
) -> Any:
    """The plain array of a masked array without masked values; anything else as it is.

    Args:
        value: What the user gave.
        what: Name for messages: `"x"`.
        rest: How to do without the rows that have masked values.

    Raises:
        ValueError: If a value is masked.
    """
    if not isinstance(value, np.ma.MaskedArray):
        return value
    hidden = int(np.ma.count_masked(value))
    if not hidden:
        return value.data
    first = [int(i) for i in np.argwhere(np.ma.getmaskarray(value))[0]]
    raise ValueError(
        f"{what} has {hidden} masked value{'' if hidden == 1 else 's'}, the first at place "
        f"{first}, and a network needs a number in each place.\n  Fix: {rest}"
    )
