"""Lamina: deep learning in layers. Placeholder until the public names are listed."""

from lamina.version import __version__ as __version__
