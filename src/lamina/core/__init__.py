"""Variable, Layer, `stateless` and what they depend on. Independent of any particular layer."""
