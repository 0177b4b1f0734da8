"""`keras.preprocessing.image`: pictures and arrays."""

from lamina.core.errors import explain_missing_names
from lamina.utils.image import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]

explain_missing_names(__name__)
