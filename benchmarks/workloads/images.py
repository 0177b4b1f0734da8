"""Images that can be told apart, and how each library likes its pixels."""

import numpy as np


def classes(rng, samples, shape, count=10):
    """`uint8` images, `(samples, *shape)`, and their classes: a pattern for each, and noise."""
    patterns = rng.integers(0, 128, (count, *shape), dtype=np.uint8)
    y = rng.integers(0, count, samples)
    x = rng.integers(0, 128, (samples, *shape), dtype=np.uint8)
    x += patterns[y]
    return x, y.astype(np.uint8)


def keras_rescaling(keras, scaled):
    """The layer that brings pixels to 0..1, unless they are there already."""
    return [] if scaled else [keras.layers.Rescaling(1 / 255)]


def torch_pixels(x):
    """Pixels scaled once, which is cheaper in PyTorch than scaling every batch."""
    import torch

    return torch.from_numpy(x).float() / 255


def torch_channels_first():
    """The axes as PyTorch names them; in memory the channels stay last, which is faster."""
    from torch import nn

    class ChannelsFirst(nn.Module):
        def forward(self, x):
            return x.permute(0, 3, 1, 2)

    return ChannelsFirst()
