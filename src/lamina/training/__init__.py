"""Feeds, steps, programs and loops: how a model is trained, in that order."""
