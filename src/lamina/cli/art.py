"""Draws images in a terminal, for `--show` and `lamina quickstart`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.text import Text


def half_blocks(images: Sequence[np.ndarray], gap: int = 1) -> "Text":
    """Grey images side by side, with two pixels in each character, one above the other.

    Args:
        images: Values from 0 (dark) to 1 (light), all of one shape `(height, width)`.
        gap: Characters between images.
    """
    from rich.text import Text

    height, width = images[0].shape
    gap_pixels = np.zeros((height, gap))
    row = np.concatenate([pixels for image in images for pixels in (gap_pixels, image)], axis=1)
    if height % 2:
        row = np.concatenate([row, np.zeros((1, row.shape[1]))])
    levels = (np.clip(row, 0, 1) * 255).astype(int)
    text = Text()
    for upper, lower in zip(levels[::2], levels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", style=f"rgb({above},{above},{above}) on rgb({below},{below},{below})")
        text.append("\n")
    return text


def shades(image: np.ndarray) -> str:
    """A grey image in ASCII characters, for files and terminals without colours.

    Args:
        image: Values from 0 (dark) to 1 (light), `(height, width)`.

    Example:
        >>> print(shades(np.array([[0.0, 0.5, 1.0]])))
          ++@@
    """
    ramp = " .:-=+*#%@"
    levels = np.round(np.clip(image, 0, 1) * (len(ramp) - 1) + 0.01).astype(int)
    # A character is about twice as high as it is wide.
    return "\n".join("".join(2 * ramp[level] for level in row).rstrip() for row in levels)
