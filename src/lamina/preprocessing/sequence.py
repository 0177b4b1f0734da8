"""`pad_sequences` under its older name."""

from lamina.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]
