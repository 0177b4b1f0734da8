"""Layers that turn raw data into what a model learns well from, and travel with the model."""
