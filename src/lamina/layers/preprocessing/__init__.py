"""Layers that prepare raw data for a model, and are saved with it."""
