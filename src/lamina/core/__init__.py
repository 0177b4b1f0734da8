"""Variable, Layer, `stateless` and what they stand on; knows nothing of any particular layer."""
