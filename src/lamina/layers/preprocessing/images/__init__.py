"""Layers that resize, crop and augment pictures, with their boxes, masks and labels."""
