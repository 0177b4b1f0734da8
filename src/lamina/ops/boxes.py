"""Bounding boxes: formats, cropping, transforms and IoU. Public as `lamina.utils.bounding_boxes`.

Boxes are arrays `(..., boxes, 4)`; pixels are counted from the left and from the top.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.config import epsilon
from lamina.core.messages.errors import unknown_name
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Array, ArrayLike

FORMATS = (
    "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw",
    "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh",
)  # fmt: skip


# ---- formats -----------------------------------------------------------------------------------


@filter_traceback
def convert_format(
    boxes: Any,
    source: str,
    target: str,
    height: Any = None,
    width: Any = None,
    dtype: str = "float32",
) -> Any:
    """Converts boxes to another format.

    `xyxy` is left, top, right, bottom; `xywh` is left, top, width, height; `center_xywh` has the
    centre in place of the corner; with `y` before `x`, and `h` before `w`, the vertical number
    comes first. `rel_` means fractions of the image's size instead of pixels.

    Args:
        boxes: `(..., 4)`, or a dict with such an array as `"boxes"`.
        source: Format of the boxes.
        target: Format of the result.
        height, width: Size of the image in pixels, needed between `rel_` and other formats.
        dtype: Type of the result.

    Returns:
        Boxes, in the form in which they were given.

    Raises:
        ValueError: If a format is unknown, the last axis is not 4, or a size is missing.

    Example:
        >>> convert_format([[10.0, 20.0, 30.0, 60.0]], "xyxy", "center_xywh").tolist()
        [[20.0, 40.0, 20.0, 40.0]]
    """
    if isinstance(boxes, Mapping):
        converted = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": converted}
    source, target = _check_format(source), _check_format(target)
    boxes = jnp.asarray(boxes, dtype)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"Boxes have 4 numbers on the last axis; received shape {boxes.shape}.")
    if source == target:
        return boxes
    from_relative, to_relative = source.startswith("rel_"), target.startswith("rel_")
    corners = _corners(boxes, source.removeprefix("rel_"))
    if from_relative != to_relative:
        if height is None or width is None:
            raise ValueError(
                f"Converting boxes from {source!r} to {target!r} needs the image's size; "
                f"received height={height} and width={width}."
            )
        sizes = [jnp.atleast_1d(jnp.asarray(size, dtype)) for size in (width, height)]
        size = jnp.concatenate(sizes * 2, axis=-1)
        corners = corners * size if from_relative else corners / size
    return _from_corners(corners, target.removeprefix("rel_"))


def _check_format(name: str) -> str:
    if str(name).lower() not in FORMATS:
        raise unknown_name("format of bounding boxes", name, FORMATS)
    return name.lower()


def _corners(boxes: Array, box_format: str) -> Array:
    first, second = boxes[..., :2], boxes[..., 2:]
    if box_format in ("yxyx", "center_yxhw"):
        first, second = first[..., ::-1], second[..., ::-1]
    if box_format == "xywh":
        second = first + second
    elif box_format.startswith("center"):
        first, second = first - second / 2, first + second / 2
    return jnp.concatenate([first, second], axis=-1)


def _from_corners(corners: Array, box_format: str) -> Array:
    first, second = corners[..., :2], corners[..., 2:]
    if box_format == "xywh":
        second = second - first
    elif box_format.startswith("center"):
        first, second = first + (second - first) / 2, second - first
    if box_format in ("yxyx", "center_yxhw"):
        first, second = first[..., ::-1], second[..., ::-1]
    return jnp.concatenate([first, second], axis=-1)


def as_arrays(bounding_boxes: Any) -> dict:
    """A dict of boxes and labels with dense arrays; lists of unequal length are padded.

    Args:
        bounding_boxes: `"boxes"` `(batch, boxes, 4)` or `(boxes, 4)`, and `"labels"` without the
            last axis. In nested lists, images may have different numbers of boxes: they are padded
            with boxes of zeros with the label -1.
    """
    if not isinstance(bounding_boxes, Mapping) or not {"boxes", "labels"} <= set(bounding_boxes):
        keys = list(bounding_boxes) if isinstance(bounding_boxes, Mapping) else bounding_boxes
        raise ValueError(f"Bounding boxes are a dict with 'boxes' and 'labels'; received {keys!r}.")
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, (list, tuple)) and len({np.shape(b)[:1] for b in boxes}) > 1:
        max_count = max(len(b) for b in boxes)
        boxes = [
            np.concatenate([np.reshape(b, (-1, 4)), np.zeros((max_count - len(b), 4))])
            for b in boxes
        ]
        labels = [
            np.concatenate([np.asarray(row, int), np.full(max_count - len(row), -1)])
            for row in labels
        ]
    if isinstance(boxes, (list, tuple)):
        boxes, labels = np.asarray(boxes, "float32"), np.asarray(labels)
    boxes, labels = jnp.asarray(boxes, "float32"), jnp.asarray(labels)
    if boxes.ndim not in (2, 3) or boxes.shape[-1] != 4:
        raise ValueError(
            "Bounding boxes have the shape (batch, boxes, 4), or (boxes, 4) for one image; "
            f"received {boxes.shape}."
        )
    if boxes.ndim == 2 and labels.shape[:2] == (1, len(boxes)):
        labels = labels[0]  # one image's boxes, and its labels in a batch of one
    if labels.shape[: boxes.ndim - 1] != boxes.shape[:-1]:
        raise ValueError(
            f"Bounding boxes of shape {boxes.shape} need labels of shape {boxes.shape[:-1]}; "
            f"received {labels.shape}."
        )
    return {**bounding_boxes, "boxes": boxes, "labels": labels}


# ---- transforming and clipping -----------------------------------------------------------------


@filter_traceback
def clip_to_image_size(
    bounding_boxes: Mapping,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> dict:
    """Clips boxes to the image; boxes that are entirely outside get the label -1.

    Args:
        bounding_boxes: Dict with `"boxes"` `(..., boxes, 4)` and, if there are any, `"labels"`
            `(..., boxes)`.
        height, width: Size of the image in pixels; not needed for formats with `rel_`.
        bounding_box_format: Format of the boxes.

    Returns:
        Boxes, in the form in which they were given.

    Example:
        >>> found = {"boxes": np.array([[-5.0, 2.0, 8.0, 40.0]]), "labels": np.array([3])}
        >>> clip_to_image_size(found, height=20, width=20)["boxes"].tolist()
        [[0.0, 2.0, 8.0, 20.0]]
    """
    box_format = _check_format(bounding_box_format)
    if box_format.startswith("rel_"):
        height = width = 1.0
    if height is None or width is None:
        raise ValueError(
            f"clip_to_image_size needs the image's size for boxes in {box_format!r}; "
            f"received height={height} and width={width}."
        )
    boxes = jnp.asarray(bounding_boxes["boxes"])
    corners = crop(_corners(boxes, box_format.removeprefix("rel_")), 0, 0, height, width)
    clipped = {**bounding_boxes, "boxes": _from_corners(corners, box_format.removeprefix("rel_"))}
    if clipped.get("labels") is not None:
        sides = corners[..., 2:] - corners[..., :2]
        visible = sides[..., 0] * sides[..., 1] > 0
        labels = jnp.asarray(clipped["labels"])
        visible = visible.reshape(visible.shape + (1,) * (labels.ndim - visible.ndim))
        clipped["labels"] = jnp.where(visible, labels, -1)
    return clipped


@filter_traceback
def crop(
    boxes: ArrayLike,
    top: Any,
    left: Any,
    height: Any,
    width: Any,
    bounding_box_format: str = "xyxy",
) -> Array:
    """Boxes in the coordinates of a part of the image, clipped to it.

    Args:
        boxes: `(..., 4)`, in `xyxy`.
        top, left: Where the part begins, in pixels.
        height, width: Its size in pixels.
        bounding_box_format: Only `"xyxy"`.

    Returns:
        Boxes, in the form in which they were given.

    Example:
        >>> crop([[10.0, 10.0, 40.0, 40.0]], top=5, left=20, height=50, width=50).tolist()
        [[0.0, 5.0, 20.0, 35.0]]
    """
    _only_xyxy("crop", bounding_box_format)
    x1, y1, x2, y2 = _split_coordinates(boxes)
    x1, x2 = (jnp.clip(x - left, 0, width) for x in (x1, x2))
    y1, y2 = (jnp.clip(y - top, 0, height) for y in (y1, y2))
    return jnp.concatenate([x1, y1, x2, y2], axis=-1)


@filter_traceback
def pad(
    boxes: ArrayLike,
    top: Any,
    left: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Array:
    """Boxes after the image was padded above and to the left.

    Args:
        boxes: `(..., 4)`, in `xyxy`.
        top, left: Width of the padding in pixels.
        height, width: Accepted for compatibility with Keras; boxes do not depend on them.
        bounding_box_format: Only `"xyxy"`.

    Returns:
        Boxes, in the form in which they were given.

    Example:
        >>> pad([[10.0, 10.0, 40.0, 40.0]], top=5, left=20).tolist()
        [[30.0, 15.0, 60.0, 45.0]]
    """
    _only_xyxy("pad", bounding_box_format)
    x1, y1, x2, y2 = _split_coordinates(boxes)
    return jnp.concatenate([x1 + left, y1 + top, x2 + left, y2 + top], axis=-1)


@filter_traceback
def affine_transform(
    boxes: ArrayLike,
    angle: ArrayLike,
    translate_x: ArrayLike,
    translate_y: ArrayLike,
    scale: ArrayLike,
    shear_x: ArrayLike,
    shear_y: ArrayLike,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Array:
    """The axis-aligned boxes around boxes that were rotated, translated, scaled and sheared.

    All arguments but the boxes and sizes have the shape `(batch,)`.

    Args:
        boxes: `(batch, boxes, 4)`, in `xyxy`.
        angle: Degrees; positive rotates the image counter-clockwise.
        translate_x, translate_y: Fractions of width and height.
        scale: Factor of the boxes' sides.
        shear_x, shear_y: Degrees.
        height, width: Size of the image in pixels.
        center_x, center_y: The fixed point, as fractions of the size; 0.5 for None.
        bounding_box_format: Only `"xyxy"`.

    Returns:
        Boxes, in the form in which they were given.

    Example:
        >>> zero, one = np.zeros(1), np.ones(1)
        >>> turned = affine_transform(
        ...     [[[0.0, 0.0, 4.0, 2.0]]], 90 * one, zero, zero, one, zero, zero, height=9, width=9
        ... )
        >>> [round(float(number)) for number in turned[0, 0]]
        [0, 4, 2, 8]
    """
    _only_xyxy("affine_transform", bounding_box_format)
    boxes, angle = jnp.asarray(boxes), jnp.asarray(angle)
    cx = (0.5 if center_x is None else center_x) * (width - 1)
    cy = (0.5 if center_y is None else center_y) * (height - 1)
    degree = math.pi / 180
    radians = -angle * degree
    shear_x_radians, shear_y_radians = (
        -jnp.asarray(shear_x) * degree,
        -jnp.asarray(shear_y) * degree,
    )
    from_x = cx - jnp.asarray(translate_x) * (width - 1)
    from_y = cy - jnp.asarray(translate_y) * (height - 1)
    a = jnp.cos(radians - shear_y_radians) / jnp.cos(shear_y_radians)
    b = a * jnp.tan(shear_x_radians) + jnp.sin(radians)
    c = -jnp.sin(radians - shear_y_radians) / jnp.cos(shear_y_radians)
    d = jnp.cos(radians) - c * jnp.tan(shear_x_radians)
    a0, a1, b0, b1 = (part * jnp.asarray(scale) for part in (d, -b, -c, a))
    zero = jnp.zeros_like(a0)
    matrix = jnp.stack(
        [
            jnp.stack([a0, a1, cx - a0 * from_x - a1 * from_y], axis=-1),
            jnp.stack([b0, b1, cy - b0 * from_x - b1 * from_y], axis=-1),
            jnp.stack([zero, zero, zero + 1], axis=-1),
        ],
        axis=-2,
    )
    return enclosing_boxes(boxes.astype(matrix.dtype), matrix)


def enclosing_boxes(boxes: Array, matrix: Array) -> Array:
    """The axis-aligned boxes that enclose boxes after projective maps.

    Args:
        boxes: `(batch, boxes, 4)`, in `xyxy`.
        matrix: `(batch, 3, 3)`, each maps a point `(x, y, 1)`, up to a factor.
    """
    x1, y1, x2, y2 = jnp.moveaxis(boxes, -1, 0)
    points = jnp.stack(
        [jnp.stack([x1, x2, x2, x1], -1), jnp.stack([y1, y1, y2, y2], -1), jnp.ones((*x1.shape, 4))]
    )
    moved_points = jnp.einsum("bij,jbnk->ibnk", matrix, points.astype(matrix.dtype))
    moved_points = moved_points[:2] / moved_points[2]
    return jnp.concatenate(
        [
            jnp.moveaxis(moved_points.min(axis=-1), 0, -1),
            jnp.moveaxis(moved_points.max(axis=-1), 0, -1),
        ],
        axis=-1,
    )


def _split_coordinates(boxes: ArrayLike) -> list[Array]:
    return jnp.split(jnp.asarray(boxes), 4, axis=-1)


def _only_xyxy(caller: str, bounding_box_format: str) -> None:
    if bounding_box_format != "xyxy":
        raise ValueError(
            f"{caller} takes boxes in 'xyxy'; received bounding_box_format="
            f"{bounding_box_format!r}.\n  Fix: convert_format(boxes, "
            f"{bounding_box_format!r}, 'xyxy', height, width)"
        )


# ---- comparing ---------------------------------------------------------------------------------


@filter_traceback
def compute_iou(
    boxes1: ArrayLike,
    boxes2: ArrayLike,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Intersection over union of every box of one set with every box of another; 1 if equal.

    Args:
        boxes1: `(boxes1, 4)` or `(batch, boxes1, 4)`.
        boxes2: `(boxes2, 4)` or `(batch, boxes2, 4)`.
        bounding_box_format: Format of both.
        use_masking: Whether pairs with a box of negative numbers (padding) get `mask_val`.
        mask_val: The value for such pairs.
        image_shape: `(height, width, channels)`, needed for formats with `rel_`.

    Returns:
        `(boxes1, boxes2)` or `(batch, boxes1, boxes2)`.

    Example:
        >>> box, half = [[0.0, 0.0, 10.0, 10.0]], [[0.0, 0.0, 10.0, 5.0]]
        >>> round(float(compute_iou(box, half, "xyxy")[0, 0]), 3)
        0.5
    """
    corners1, corners2 = (
        _absolute_corners("compute_iou", boxes, bounding_box_format, image_shape)
        for boxes in (boxes1, boxes2)
    )
    for boxes in (corners1, corners2):
        if boxes.ndim not in (2, 3):
            raise ValueError(
                "compute_iou takes boxes of shape (boxes, 4) or (batch, boxes, 4); "
                f"received {boxes.shape}."
            )
    rows, columns = corners1[..., :, None, :], corners2[..., None, :, :]
    intersection = _intersection(rows, columns)
    iou = intersection / (_area(rows) + _area(columns) - intersection + epsilon())
    if not use_masking:
        return iou
    padding = (rows.max(axis=-1) < 0) | (columns.max(axis=-1) < 0)
    return jnp.where(padding, jnp.asarray(mask_val, iou.dtype), iou)


@filter_traceback
def compute_ciou(
    boxes1: ArrayLike,
    boxes2: ArrayLike,
    bounding_box_format: str,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Complete IoU of pairs of boxes: lower for distant centres and for different aspect ratios.

    Args:
        boxes1: `(..., 4)`.
        boxes2: Same shape.
        bounding_box_format: Format of both.
        image_shape: `(height, width, channels)`, needed for formats with `rel_`.

    Returns:
        One number per pair: 1 for equal boxes, below 0 for distant boxes.

    Source: Zheng et al., 2020, "Distance-IoU Loss: Faster and Better Learning for Bounding Box
    Regression", arXiv:1911.08287.

    Example:
        >>> box = [[0.0, 0.0, 10.0, 10.0]]
        >>> round(float(compute_ciou(box, box, "xyxy")[0]), 3)
        1.0
    """
    corners1, corners2 = (
        _absolute_corners("compute_ciou", boxes, bounding_box_format, image_shape)
        for boxes in (boxes1, boxes2)
    )
    small = epsilon()
    side1, side2 = corners1[..., 2:] - corners1[..., :2], corners2[..., 2:] - corners2[..., :2]
    # A box without height has an aspect ratio, too.
    side1, side2 = side1 + jnp.array([0.0, small]), side2 + jnp.array([0.0, small])
    intersection = _intersection(corners1, corners2)
    union = jnp.prod(side1, axis=-1) + jnp.prod(side2, axis=-1) - intersection + small
    iou = intersection / (union + small)
    outer = jnp.maximum(corners1[..., 2:], corners2[..., 2:]) - jnp.minimum(
        corners1[..., :2], corners2[..., :2]
    )
    diagonal = jnp.sum(jnp.square(outer), axis=-1) + small
    centres = (corners1[..., :2] + corners1[..., 2:] - corners2[..., :2] - corners2[..., 2:]) / 2
    distance = jnp.sum(jnp.square(centres), axis=-1)
    slopes = jnp.arctan(side2[..., 0] / side2[..., 1]) - jnp.arctan(side1[..., 0] / side1[..., 1])
    proportions = 4 / math.pi**2 * jnp.square(slopes)
    weight = proportions / (proportions - iou + 1 + small)
    return iou - (distance / diagonal + proportions * weight)


def _absolute_corners(
    caller: str, boxes: ArrayLike, box_format: str, image_shape: Sequence[int] | None
) -> Array:
    if str(box_format).startswith("rel_") and image_shape is None:
        raise ValueError(
            f"{caller} needs image_shape=(height, width, channels) for boxes in {box_format!r}."
        )
    height, width = (None, None) if image_shape is None else tuple(image_shape)[:2]
    return convert_format(boxes, box_format, "xyxy", height, width)


def _area(corners: Array) -> Array:
    return jnp.prod(corners[..., 2:] - corners[..., :2], axis=-1)


def _intersection(corners1: Array, corners2: Array) -> Array:
    low = jnp.maximum(corners1[..., :2], corners2[..., :2])
    high = jnp.minimum(corners1[..., 2:], corners2[..., 2:])
    return jnp.prod(jnp.maximum(high - low, 0), axis=-1)


# ---- relative to anchors -----------------------------------------------------------------------


@filter_traceback
def encode_box_to_deltas(
    anchors: ArrayLike,
    boxes: ArrayLike,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: ArrayLike | None = None,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Boxes relative to anchors: offsets in units of the anchors, and logarithms of size ratios.

    Args:
        anchors: `(..., 4)`.
        boxes: Same shape.
        anchor_format: Format of the anchors.
        box_format: Format of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`: the order of the result.
        variance: Four numbers to divide the result by.
        image_shape: `(height, width, channels)`, needed for formats with `rel_`.

    Returns:
        Boxes, in the form in which they were given.

    Example:
        >>> anchor, box = [[0.0, 0.0, 10.0, 10.0]], [[5.0, 0.0, 15.0, 10.0]]
        >>> encode_box_to_deltas(anchor, box, "xyxy", "xyxy", "center_xywh").tolist()
        [[0.5, 0.0, 0.0, 0.0]]
    """
    variance = _check_variance(variance)
    size = _encoding_size(encoding_format, image_shape)
    anchor_boxes = convert_format(anchors, anchor_format, encoding_format, *size)
    target = convert_format(boxes, box_format, encoding_format, *size)
    anchor_sides = jnp.maximum(anchor_boxes[..., 2:], epsilon())
    target_sides = jnp.maximum(target[..., 2:], epsilon())
    shifts = (target[..., :2] - anchor_boxes[..., :2]) / anchor_sides
    deltas = jnp.concatenate([shifts, jnp.log(target_sides / anchor_sides)], axis=-1)
    return deltas if variance is None else deltas / variance


@filter_traceback
def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: ArrayLike | None = None,
    image_shape: Sequence[int] | None = None,
) -> Any:
    """Boxes from anchors and the result of `encode_box_to_deltas`.

    Args:
        anchors: `(..., 4)`, or a dict of such arrays.
        boxes_delta: Same shape, or a dict with the same keys.
        anchor_format: Format of the anchors.
        box_format: Format of the result.
        encoded_format: `"center_yxhw"` or `"center_xywh"`: the order of `boxes_delta`.
        variance: The four numbers that it was divided by.
        image_shape: `(height, width, channels)`, needed for formats with `rel_`.

    Returns:
        Boxes, in the form in which they were given.

    Example:
        >>> anchor, delta = [[0.0, 0.0, 10.0, 10.0]], [[0.5, 0.0, 0.0, 0.0]]
        >>> decode_deltas_to_boxes(anchor, delta, "xyxy", "xyxy", "center_xywh").tolist()
        [[5.0, 0.0, 15.0, 10.0]]
    """
    settings = (anchor_format, box_format, encoded_format, variance, image_shape)
    if isinstance(anchors, Mapping) and isinstance(boxes_delta, Mapping):
        return {
            level: decode_deltas_to_boxes(anchor, boxes_delta[level], *settings)
            for level, anchor in anchors.items()
        }
    variance = _check_variance(variance)
    size = _encoding_size(encoded_format, image_shape)
    anchor_boxes = convert_format(anchors, anchor_format, encoded_format, *size)
    deltas = jnp.asarray(boxes_delta)
    deltas = deltas if variance is None else deltas * variance
    centres = deltas[..., :2] * anchor_boxes[..., 2:] + anchor_boxes[..., :2]
    boxes = jnp.concatenate([centres, jnp.exp(deltas[..., 2:]) * anchor_boxes[..., 2:]], axis=-1)
    return convert_format(boxes, encoded_format, box_format, *size)


def _check_variance(variance: ArrayLike | None) -> Array | None:
    if variance is None:
        return None
    variance = jnp.asarray(variance, "float32")
    if variance.shape[-1:] != (4,):
        raise ValueError(f"variance must be four numbers; received shape {variance.shape}.")
    return variance


def _encoding_size(box_format: str, image_shape: Sequence[int] | None) -> tuple:
    allowed = ("center_xywh", "center_yxhw")
    if box_format not in allowed:
        raise unknown_name("format of encoded boxes", box_format, allowed)
    return (None, None) if image_shape is None else tuple(image_shape)[:2]
