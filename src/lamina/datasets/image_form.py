"""ImageForm: the form of the images of a data set, to convert other pictures to it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageForm:
    """Size and position of the objects in the images of a data set.

    Args:
        height: Height of an image in pixels.
        width: Width of an image in pixels.
        longer_side: Length of the longer side of the object's bounding box, in pixels.
        centred_by: Point in the middle of the image: `"mass"`, the centre of mass of the object,
            or `"box"`, the middle of its bounding box.
        strokes: Whether the objects are pen strokes, without shades.
    """

    height: int
    width: int
    longer_side: int
    centred_by: str
    strokes: bool
