"""Keras's export, by name: other formats than Lamina's own come later."""

from lamina.core.later import later_class
from lamina.core.messages.errors import explain_missing_names

ExportArchive = later_class(
    "ExportArchive",
    __name__,
    "model.save('model.keras') writes a file that Lamina and Keras open.",
)

__all__ = ["ExportArchive"]

explain_missing_names(__name__)
