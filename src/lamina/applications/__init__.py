"""Keras's pretrained image networks, by name; none of them is implemented yet.

Each name can be imported, from here and from the module in which Keras has it. A call raises an
error that says that the network is not implemented yet.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.unavailable import make_unavailable_objects

_ALTERNATIVE = (
    "build the network of layers (Conv2D, DepthwiseConv2D, BatchNormalization …); weights that "
    "Keras saved in a .keras or .weights.h5 file can be loaded into it."
)
_FUNCTIONS_OF_EVERY_MODULE = ("decode_predictions", "preprocess_input")
_NETWORKS_BY_MODULE = {
    "convnext": (
        "ConvNeXtBase",
        "ConvNeXtLarge",
        "ConvNeXtSmall",
        "ConvNeXtTiny",
        "ConvNeXtXLarge",
    ),
    "densenet": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "efficientnet": tuple(f"EfficientNetB{n}" for n in range(8)),
    "efficientnet_v2": (
        "EfficientNetV2B0",
        "EfficientNetV2B1",
        "EfficientNetV2B2",
        "EfficientNetV2B3",
        "EfficientNetV2L",
        "EfficientNetV2M",
        "EfficientNetV2S",
    ),
    "imagenet_utils": (),
    "inception_resnet_v2": ("InceptionResNetV2",),
    "inception_v3": ("InceptionV3",),
    "mobilenet": ("MobileNet",),
    "mobilenet_v2": ("MobileNetV2",),
    "mobilenet_v3": (),  # Keras has its networks at the top only
    "nasnet": ("NASNetLarge", "NASNetMobile"),
    "resnet": ("ResNet101", "ResNet152", "ResNet50"),
    "resnet50": ("ResNet50",),
    "resnet_v2": ("ResNet101V2", "ResNet152V2", "ResNet50V2"),
    "vgg16": ("VGG16",),
    "vgg19": ("VGG19",),
    "xception": ("Xception",),
}


def _module(name: str, networks: tuple[str, ...]) -> ModuleType:
    path = f"{__name__}.{name}"
    module = ModuleType(path, "Names of pretrained networks that are not available yet.")
    names = make_unavailable_objects(path, (*networks, *_FUNCTIONS_OF_EVERY_MODULE), _ALTERNATIVE)
    vars(module).update(names, __all__=sorted(names), __spec__=ModuleSpec(path, None))
    sys.modules[path] = module  # so that `from lamina.applications.vgg16 import VGG16` finds it
    suggest_similar_names(path)
    return module


_modules = {name: _module(name, networks) for name, networks in _NETWORKS_BY_MODULE.items()}
_placeholders: dict[str, Any] = {
    name: getattr(_modules[module], name)
    for module, names in _NETWORKS_BY_MODULE.items()
    for name in names
}
_placeholders |= make_unavailable_objects(
    __name__, ("MobileNetV3Large", "MobileNetV3Small"), _ALTERNATIVE
)
globals().update(_modules | _placeholders)

__all__ = sorted([*_modules, *_placeholders])

suggest_similar_names(__name__)
