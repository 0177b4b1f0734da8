"""Functions of images, with Keras's names: `(height, width, channels)`, alone or in batches."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.ops.image.colour import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from lamina.ops.image.filters import gaussian_blur, sobel_edges, ssim
from lamina.ops.image.patches import extract_patches, extract_patches_3d
from lamina.ops.image.resizing import crop_images, pad_images, resize, scale_and_translate
from lamina.ops.image.sampling import (
    affine_transform,
    elastic_transform,
    map_coordinates,
    perspective_transform,
)

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]

suggest_similar_names(__name__)
