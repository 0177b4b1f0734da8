"""Layers for pictures: given the same draw they do what Keras does, to boxes and masks as well."""

from families.promises import Case, LayerPromises

IMAGES, FIRST = (2, 8, 6, 3), (2, 3, 8, 6)
SEED = {"seed": 3}


class TestSizes(LayerPromises):
    cases = [
        Case("Resizing", {"height": 4, "width": 5}, IMAGES),
        Case("Resizing", {"height": 4, "width": 5}, IMAGES, "uint8"),
        Case("Resizing", {"height": 5, "width": 9, "interpolation": "bicubic", "antialias": True,
                          "crop_to_aspect_ratio": True}, IMAGES),
        Case("Resizing", {"height": 9, "width": 5, "interpolation": "nearest", "fill_value": 2.0,
                          "pad_to_aspect_ratio": True, "data_format": "channels_first"}, FIRST),
        Case("CenterCrop", {"height": 3, "width": 4}, IMAGES),
        Case("CenterCrop", {"height": 3, "width": 4, "data_format": "channels_first"}, FIRST),
        Case("CenterCrop", {"height": 10, "width": 4}, IMAGES),
        # Keras forgets to crop outside of training.
        Case("RandomCrop", {"height": 3, "width": 4, **SEED}, IMAGES, random="always",
             in_model=False),
        Case("MaxNumBoundingBoxes", {"max_number": 3}, IMAGES),
        Case("MaxNumBoundingBoxes", {"max_number": 3, "bounding_box_format": "xywh"}, IMAGES),
    ]  # fmt: skip


class TestWarps(LayerPromises):
    cases = [
        Case("RandomFlip", SEED, IMAGES, random="always"),
        Case("RandomFlip", {"mode": "horizontal", "data_format": "channels_first"}, FIRST,
             random="always"),
        Case("RandomRotation", {"factor": 0.2, **SEED}, IMAGES, random="always"),
        Case("RandomRotation", {"factor": (-0.1, 0.3), "fill_mode": "wrap", "fill_value": 1.0,
                                "interpolation": "nearest", "data_format": "channels_first",
                                "bounding_box_format": "xyxy"}, FIRST, random="always"),
        Case("RandomTranslation", {"height_factor": 0.2, "width_factor": (-0.1, 0.3), **SEED},
             IMAGES, random="always"),
        Case("RandomZoom", {"height_factor": 0.2, **SEED}, IMAGES, random="always"),
        Case("RandomZoom", {"height_factor": (-0.3, -0.2), "width_factor": 0.1,
                            "fill_mode": "constant"}, IMAGES, random="always"),
        Case("RandomShear", {"x_factor": (0.1, 0.3), "y_factor": (0.2, 0.2), **SEED}, IMAGES,
             random="always"),
        Case("RandomPerspective", {"factor": 0.5, "scale": 0.3, **SEED}, IMAGES, random="always"),
        Case("RandomElasticTransform", {"scale": 0.3, "value_range": (0, 1), **SEED}, IMAGES,
             random="always"),
    ]  # fmt: skip
