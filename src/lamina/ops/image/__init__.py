"""Functions of pictures, with Keras's names: `(height, width, channels)`, alone or in batches."""

from lamina.core.errors import explain_missing_names
from lamina.ops.export import export
from lamina.ops.image import colour, filters, patches, resizing, sampling

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

affine_transform = export(
    sampling.affine_transform, "image", "AffineTransform", "images", "transform"
)
crop_images = export(resizing.crop_images, "image", "CropImages", "images")
elastic_transform = export(sampling.elastic_transform, "image", "ElasticTransform", "images")
# Keras writes patches of volumes as the same operation, with three sizes.
extract_patches_3d = export(patches.extract_patches_3d, "image", "ExtractPatches", "volumes")
extract_patches = export(patches.extract_patches, "image", "ExtractPatches", "images")
gaussian_blur = export(filters.gaussian_blur, "image", "GaussianBlur", "images")
hsv_to_rgb = export(colour.hsv_to_rgb, "image", "HSVToRGB", "images")
map_coordinates = export(
    sampling.map_coordinates, "image", "MapCoordinates", "inputs", "coordinates"
)
pad_images = export(resizing.pad_images, "image", "PadImages", "images")
perspective_transform = export(
    sampling.perspective_transform,
    "image",
    "PerspectiveTransform",
    "images",
    "start_points",
    "end_points",
)
resize = export(resizing.resize, "image", "Resize", "images")
rgb_to_grayscale = export(colour.rgb_to_grayscale, "image", "RGBToGrayscale", "images")
rgb_to_hsv = export(colour.rgb_to_hsv, "image", "RGBToHSV", "images")
scale_and_translate = export(
    resizing.scale_and_translate,
    "image",
    "ScaleAndTranslate",
    "images",
    "output_shape",
    "scale",
    "translation",
)
sobel_edges = export(filters.sobel_edges, "image", "SobelEdges", "images")
ssim = export(filters.ssim, "image", "SSIM", "image1", "image2")

explain_missing_names(__name__)
