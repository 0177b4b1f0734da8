"""Galleries: batches of images side by side, with labels, boxes or masks."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.visualization.draw import draw_bounding_boxes, draw_segmentation_masks
from lamina.visualization.pixels import batch_of_images


@filter_traceback
def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: Mapping[int, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: tuple[float, float] = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: int = 60,
    legend_handles: Sequence | None = None,
    data_format: str | None = None,
) -> None:
    """Shows a batch of images in rows, or saves them as one picture.

    Args:
        images: `(batch, height, width, channels)`.
        y_true: Class numbers, `(batch,)`, written above the images.
        y_pred: Class numbers that a model predicted, written beside `y_true`.
        label_map: From class index to name; needed with either of them.
        rows: Number of rows; None makes the gallery about square.
        cols: Number of columns; None means as many as are needed.
        value_range: The values of the images that are shown as black and as white.
        scale: Inches that an image is high and wide.
        path: Where to save the picture; None shows it.
        show: Whether to show it, if it is not saved.
        transparent: Whether the background of the saved picture is transparent.
        dpi: Pixels per inch.
        legend_handles: Matplotlib handles for a legend below.
        data_format: Where the channels are; the default of the process for None.

    Raises:
        ValueError: If `images` is not a batch, labels come without names, or both `path` and `show`
            are given.
    """
    import matplotlib.pyplot as plt

    if path is not None and show:
        raise ValueError("plot_image_gallery either saves to path or shows; received both.")
    if (y_true is not None or y_pred is not None) and label_map is None:
        raise ValueError(
            "y_true and y_pred need label_map, from class index to name.\n"
            "  Fix: label_map=dict(enumerate(class_names))."
        )
    pixels = _scale_to_bytes(batch_of_images(images, data_format), value_range)
    rows = rows or math.ceil(len(pixels) / cols if cols else math.sqrt(len(pixels)))
    cols = cols or math.ceil(len(pixels) / rows)
    figure, grid = plt.subplots(
        rows, cols, figsize=(cols * scale, rows * scale), squeeze=False, layout="tight"
    )
    if legend_handles is not None:
        figure.legend(handles=list(legend_handles), loc="lower center")
    for number, axes in enumerate(grid.flat):
        axes.axis("off")
        if number < len(pixels):
            picture = pixels[number]
            axes.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray",
                        vmin=0, vmax=255)  # fmt: skip
            title = _title(number, y_true, y_pred, label_map or {})
            if title:
                axes.set_title(title, fontsize=8)
    if path is not None:
        figure.savefig(path, bbox_inches="tight", pad_inches=0, transparent=transparent, dpi=dpi)
    elif show is not False:
        plt.show()
    plt.close(figure)


@filter_traceback
def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Mapping[str, Any] | None = None,
    y_pred: Mapping[str, Any] | None = None,
    value_range: tuple[float, float] = (0, 255),
    true_color: Sequence[int] = (0, 188, 212),
    pred_color: Sequence[int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Shows a batch of images with the true boxes and the boxes that a model predicted.

    Args:
        images: `(batch, height, width, channels)`.
        bounding_box_format: See `draw_bounding_boxes`.
        y_true: The true boxes.
        y_pred: The predicted boxes.
        value_range: The values of the images that are shown as black and as white.
        true_color: Colour of the true boxes.
        pred_color: Colour of the predicted boxes.
        line_thickness: Thickness of the frames, in pixels.
        font_scale: Size of the letters; 1.0 is 20 pixels.
        text_thickness: Thickness of the letters; `line_thickness` for None.
        class_mapping: From class index to name, for both.
        ground_truth_mapping: The same for true boxes only.
        prediction_mapping: The same for predicted boxes only.
        legend: Whether to say which colour is which.
        legend_handles: Matplotlib handles for another legend.
        rows, cols: See `plot_image_gallery`.
        data_format: Where the channels are.
        **kwargs: For `plot_image_gallery`.

    Raises:
        ValueError: As `draw_bounding_boxes` and `plot_image_gallery`, or if both `legend` and
            `legend_handles` are given.
    """
    from matplotlib.patches import Patch

    if legend and legend_handles:
        raise ValueError("Give legend=True or legend_handles; received both.")
    pixels = _scale_to_bytes(batch_of_images(images, data_format), value_range)
    for boxes, color, names in (
        (y_true, true_color, ground_truth_mapping), (y_pred, pred_color, prediction_mapping),
    ):  # fmt: skip
        if boxes is not None:
            pixels = draw_bounding_boxes(
                pixels, boxes, bounding_box_format, names or class_mapping, color, line_thickness,
                text_thickness or line_thickness, font_scale, data_format="channels_last",
            )  # fmt: skip
    if legend:
        legend_handles = [
            Patch(color="#{:02x}{:02x}{:02x}".format(*color), label=label)
            for color, label in ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        ]
    plot_image_gallery(
        pixels, rows=rows, cols=cols, legend_handles=legend_handles,
        data_format="channels_last", **kwargs,
    )  # fmt: skip


@filter_traceback
def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: tuple[float, float] = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Shows every image in a row with its true mask and the predicted one.

    Args:
        images: `(batch, height, width, channels)` with 3 channels.
        num_classes: See `draw_segmentation_masks`.
        value_range: The values of the images that are shown as black and as white.
        y_true: The true masks.
        y_pred: The masks that a model predicted; floats are truncated to integers.
        color_mapping, blend, alpha, ignore_index: See `draw_segmentation_masks`.
        data_format: Where the channels are.
        **kwargs: For `plot_image_gallery`.
    """
    pixels = _scale_to_bytes(batch_of_images(images, data_format), value_range)
    columns = [pixels]
    for masks in (y_true, y_pred):
        if masks is not None:
            numbers = np.asarray(masks).astype("int32")
            columns.append(
                draw_segmentation_masks(
                    pixels, numbers, num_classes, color_mapping, alpha, blend, ignore_index,
                    data_format="channels_last",
                )
            )  # fmt: skip
    in_rows = np.stack(columns, axis=1).reshape(-1, *pixels.shape[1:])
    plot_image_gallery(
        in_rows, rows=len(pixels), cols=len(columns), data_format="channels_last", **kwargs
    )


def _scale_to_bytes(images: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Scale the values of a range to bytes from 0 to 255."""
    low, high = value_range
    if not low < high:
        raise ValueError(f"value_range must be (least, largest); received {value_range!r}.")
    scaled = (images.astype("float32") - low) * (255 / (high - low))
    return np.clip(scaled, 0, 255).astype("uint8")


def _title(number: int, y_true: Any, y_pred: Any, names: Mapping[int, str]) -> str:
    parts = []
    for prefix, labels in (("Label", y_true), ("Pred", y_pred)):
        if labels is not None and number < len(labels):
            parts.append(f"{prefix}: {names.get(int(np.asarray(labels)[number]), 'Unknown')}")
    return "  ".join(parts)
