"""Draws images with their labels, boxes and masks."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.visualization.draw import draw_bounding_boxes, draw_segmentation_masks
from lamina.visualization.gallery import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "plot_bounding_box_gallery",
    "plot_image_gallery",
    "plot_segmentation_mask_gallery",
]

suggest_similar_names(__name__)
