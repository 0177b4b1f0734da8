"""Bounding boxes and segmentation masks drawn on images, with Pillow and NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.ops.boxes import convert_format
from lamina.visualization.pixels import as_bytes, batch_of_images, in_data_format

# Multiples of these, modulo 255, are red, green and blue of each class.
_PALETTE = np.array([2**25 - 1, 2**15 - 1, 2**21 - 1])
_FONT_PIXELS = 20


@filter_traceback
def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Sequence[int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Draws bounding boxes with labels.

    Args:
        images: `(batch, height, width, channels)`; values from 0 to 255, or floats from 0 to 1.
        bounding_boxes: `"boxes"` of `(batch, boxes, 4)`, `"labels"` of `(batch, boxes)`, in which
            -1 stands for no box, and perhaps `"confidences"` of the same shape.
        bounding_box_format: Such as `"xyxy"`; see `utils.bounding_boxes.convert_format`.
        class_mapping: From class index to name; boxes of other classes get no name.
        color: Red, green and blue, 0 to 255.
        line_thickness: Thickness of the frame, in pixels.
        text_thickness: Thickness of the letters; 1 is plain, more is bolder.
        font_scale: Size of the letters; 1.0 is 20 pixels.
        data_format: Where the channels are; the default of the process for None.

    Returns:
        uint8 array of the shape of `images`.

    Raises:
        ValueError: If `images` is not a batch, or `bounding_boxes` lacks boxes or labels.
        TypeError: If `bounding_boxes` is not a dictionary.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not isinstance(bounding_boxes, Mapping):
        raise TypeError(
            "bounding_boxes must be a dictionary with 'boxes' and 'labels'; received "
            f"{type(bounding_boxes).__name__}."
        )
    missing = [key for key in ("boxes", "labels") if key not in bounding_boxes]
    if missing:
        raise ValueError(
            f"bounding_boxes needs {missing[0]!r}; received the keys {sorted(bounding_boxes)}."
        )
    pixels = as_bytes(batch_of_images(images, data_format))
    height, width, channels = pixels.shape[1:]
    corners = np.asarray(
        convert_format(
            np.asarray(bounding_boxes["boxes"], "float32"), bounding_box_format, "xyxy", height,
            width,
        )
    )  # fmt: skip
    labels = np.asarray(bounding_boxes["labels"]).astype(int)
    confidences = bounding_boxes.get("confidences")
    names = class_mapping or {}
    colour = _match_channels(color, channels)
    font = ImageFont.load_default(max(1, round(_FONT_PIXELS * font_scale)))
    drawn_images = []
    for number, picture in enumerate(pixels):
        image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
        draw = ImageDraw.Draw(image)
        for box, label in enumerate(labels[number]):
            if label == -1:
                continue
            left, top, right, bottom = (int(c) for c in corners[number, box])
            frame = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
            draw.rectangle(frame, outline=colour, width=line_thickness)
            if int(label) in names:
                text = str(names[int(label)])
                if confidences is not None:
                    text += f" | {float(np.asarray(confidences)[number, box]):.2f}"
                text_box = draw.textbbox((0, 0), text, font=font)
                above = frame[1] - text_box[3] - 2
                # Inside the frame if there is no space above it.
                position = (frame[0], above) if above >= 0 else (frame[0] + 3, frame[1] + 3)
                outline = max(0, (text_thickness or line_thickness) - 1) / 2
                draw.text(
                    position, text, fill=colour, font=font, stroke_width=outline, stroke_fill=colour
                )
        drawn_images.append(np.asarray(image).reshape(picture.shape))
    result = np.stack(drawn_images) if drawn_images else pixels
    return in_data_format(result, data_format)


@filter_traceback
def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Colours every pixel by the class it belongs to.

    Args:
        images: `(batch, height, width, channels)` with 3 channels; values from 0 to 255, or
            floats from 0 to 1.
        segmentation_masks: Integers, `(batch, height, width)` or with a last axis of 1:
            classes from 1 to `num_classes`. 0 is the background, which keeps its colours.
        num_classes: The largest class index; the largest in the masks for None.
        color_mapping: From class index to red, green and blue, 0 to 255; None to choose
            colours automatically.
        alpha: Opacity of the colours, 0 to 1.
        blend: Whether they are mixed with the image; False paints them over it.
        ignore_index: A class whose pixels are not coloured.
        data_format: Where the channels are, in masks of 4 axes too.

    Returns:
        uint8 array of the shape of `images`.

    Raises:
        ValueError: If shapes do not fit, or a class has no colour.
        TypeError: If the masks are not integers.
    """
    pixels = as_bytes(batch_of_images(images, data_format))
    masks = np.asarray(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"segmentation_masks must be integers; received {masks.dtype}.")
    if masks.ndim == 4:
        axis = 1 if config.standardize_data_format(data_format) == "channels_first" else 3
        masks = masks.take(0, axis) if masks.shape[axis] == 1 else masks
    if masks.shape != pixels.shape[:3] or pixels.shape[-1] != 3:
        raise ValueError(
            "draw_segmentation_masks needs images of 3 channels and one class index for every "
            f"pixel; received images {np.shape(images)} and masks {np.shape(segmentation_masks)}."
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1; received {alpha!r}.")
    max_class = int(masks.max(initial=0)) if num_classes is None else num_classes
    colours = np.zeros((max_class + 1, 3))
    for number in range(1, max_class + 1):
        if color_mapping is not None and number not in color_mapping and (masks == number).any():
            raise ValueError(
                f"color_mapping has no colour for class {number}; it has {sorted(color_mapping)}."
            )
        default_colour = number * _PALETTE % 255
        colours[number] = (color_mapping or {}).get(number, default_colour)
    is_coloured = (masks >= 1) & (masks <= max_class) & (masks != ignore_index)
    opacity = alpha if blend else 1.0
    painted = pixels * (1 - opacity) + colours[np.where(is_coloured, masks, 0)] * opacity
    result = np.where(is_coloured[..., None], painted, pixels).astype("uint8")
    return in_data_format(result, data_format)


def _match_channels(color: Sequence[int], channels: int) -> Any:
    if len(color) != 3:
        raise ValueError(f"color must be red, green and blue, 0 to 255; received {color!r}.")
    red, green, blue = (int(c) for c in color)
    if channels == 1:
        return round(0.299 * red + 0.587 * green + 0.114 * blue)
    return (red, green, blue) if channels == 3 else (red, green, blue, 255)
