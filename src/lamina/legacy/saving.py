"""Configs in the layout of Keras 2, under Keras's other name for them."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.utils.legacy import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]

suggest_similar_names(__name__)
