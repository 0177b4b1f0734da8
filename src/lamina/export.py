"""Keras's `export` module. Formats other than `.keras` are not implemented yet."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.unavailable import unavailable_class

ExportArchive = unavailable_class(
    "ExportArchive",
    __name__,
    "model.save('model.keras') writes a file that Lamina and Keras open.",
)

__all__ = ["ExportArchive"]

suggest_similar_names(__name__)
