"""How the images of a data set were made, so that others can be made alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageForm:
    """What every image of a set has in common. Plain data.

    Args:
        height: Of an image, in pixels.
        width: Of an image, in pixels.
        longest: How many pixels the longer side of what is shown takes.
        centred_by: `"mass"`: its centre of mass lies in the middle of the image; `"box"`: the
            middle of the rectangle around it does.
        strokes: Whether what is shown are strokes of a pen, of which only the form counts. Else
            its shades count, too.
    """

    height: int
    width: int
    longest: int
    centred_by: str
    strokes: bool
