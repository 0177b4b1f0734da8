"""Symbolic tensors and the operations between them."""
