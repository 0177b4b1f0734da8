"""Names that Keras keeps for files of Keras 2."""

from lamina.core.messages.errors import suggest_similar_names
from lamina.legacy import saving

__all__ = ["saving"]

suggest_similar_names(__name__)
