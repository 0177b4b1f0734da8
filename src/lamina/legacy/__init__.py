"""Names that Keras keeps for files of Keras 2."""

from lamina.core.messages.errors import explain_missing_names
from lamina.legacy import saving

__all__ = ["saving"]

explain_missing_names(__name__)
