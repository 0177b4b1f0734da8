"""Serialization: from objects to plain data and back, by registered names."""
