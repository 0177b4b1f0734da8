"""Layers that resize, crop and augment images, with their boxes, masks and labels."""
