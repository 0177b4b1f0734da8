"""deep_cnn: a ResNet-20 on images of 32×32 in three colours.

Nineteen convolutions of 3×3 and a dense layer; where the width doubles, the shortcut is a
convolution of 1×1. Source: He et al., 2015, arXiv:1512.03385, section 4.2.
"""

from workloads import Cost, images

TITLE = "ResNet-20 on 32×32×3, batch 64, Adam"
BATCH_SIZE, STEPS = 64, 8
STEPS_PER_EXECUTION = (2, 4)
PEER_STEPS = {
    "keras-jax": 4,
    "keras-tensorflow": 4,
    "keras-torch": 4,
    "torch": 4,
    "torch-compile": 4,
}
LOSS, LOGITS = "sparse_categorical_crossentropy", False
PIXELS = True

# Width, and stride of the first convolution, of each residual block.
BLOCKS = [(width, 2 if width > 16 and i == 0 else 1) for width in (16, 32, 64) for i in range(3)]


def arrays(rng, samples):
    return images.classes(rng, samples, (32, 32, 3))


def keras_model(keras, scaled=False):
    layers = keras.layers

    def convolved(x, width, stride=1):
        x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = inputs
    for layer in images.keras_rescaling(keras, scaled):
        x = layer(x)
    x = layers.Activation("relu")(convolved(x, 16))
    for width, stride in BLOCKS:
        y = layers.Activation("relu")(convolved(x, width, stride))
        y = convolved(y, width)
        if stride > 1:
            x = layers.Conv2D(width, 1, strides=stride, use_bias=False)(x)
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def torch_inputs(x):
    return images.torch_pixels(x)


def torch_model():
    import torch
    from torch import nn

    def convolved(before, width, stride=1):
        convolution = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(width)]

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            inner = [*convolved(before, width, stride), nn.ReLU(), *convolved(width, width)]
            self.inner = nn.Sequential(*inner)
            self.shortcut = nn.Identity()
            if stride > 1:
                self.shortcut = nn.Conv2d(before, width, 1, stride, bias=False)

        def forward(self, x):
            return torch.relu(self.shortcut(x) + self.inner(x))

    widths = [16, *(width for width, _ in BLOCKS)]
    blocks = [Block(b, w, s) for b, (w, s) in zip(widths, BLOCKS, strict=False)]
    first = [images.torch_channels_first(), *convolved(3, 16), nn.ReLU()]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*first, *blocks, *last).to(memory_format=torch.channels_last)


def jax_model():
    import jax
    import jax.numpy as jnp

    from lamina.ops import conv
    from workloads import dense

    glorot = jax.nn.initializers.glorot_uniform()

    def init_convolved(key, before, width):
        params = (glorot(key, (3, 3, before, width)), jnp.ones(width), jnp.zeros(width))
        return params, (jnp.zeros(width), jnp.ones(width))

    def convolved(params, state, x, stride=1):
        kernel, scale, offset = params
        x = conv(x, kernel, strides=stride, padding="same")
        mean = x.mean((0, 1, 2))
        variance = jnp.maximum((x * x).mean((0, 1, 2)) - mean * mean, 0)
        gain = scale * jax.lax.rsqrt(variance + 1e-3)
        state = tuple(0.99 * a + 0.01 * b for a, b in zip(state, (mean, variance), strict=True))
        return x * gain + (offset - mean * gain), state

    def init(key):
        keys = iter(jax.random.split(key, 64))
        params, state, before = [], [], 16
        for part in [("first", 3, 16, 1), *(("block", *block) for block in _with_inputs())]:
            kind, before, width, stride = part
            one = [init_convolved(next(keys), before, width)]
            if kind == "block":
                one.append(init_convolved(next(keys), width, width))
            weights = [p for p, _ in one]
            if stride > 1:
                weights.append(glorot(next(keys), (1, 1, before, width)))
            params.append(weights)
            state.append([s for _, s in one])
        return {"blocks": params, "dense": dense.init(next(keys), (64, 10))}, state

    def logits(params, state, x, key):
        (first, *blocks), new = params["blocks"], []
        x, after = convolved(first[0], state[0][0], x * (1 / 255))
        x = jax.nn.relu(x)
        new.append([after])
        for weights, before, (_, stride) in zip(blocks, state[1:], BLOCKS, strict=True):
            y, one = convolved(weights[0], before[0], x, stride)
            y, two = convolved(weights[1], before[1], jax.nn.relu(y))
            if stride > 1:
                x = conv(x, weights[2], strides=stride)
            x = jax.nn.relu(x + y)
            new.append([one, two])
        return dense.apply(params["dense"], x.mean((1, 2))), new

    return init, logits


def _with_inputs():
    widths = [16, *(width for width, _ in BLOCKS)]
    return [(before, w, s) for before, (w, s) in zip(widths, BLOCKS, strict=False)]


def costs():
    size, found = 32, [Cost(32 * 32 * 9 * 3 * 16, 2 * 32 * 32 * 16)]
    for before, width, stride in _with_inputs():
        size //= stride
        places = size * size
        # What a convolution gives, and what batch normalisation makes of it.
        found.append(Cost(places * 9 * before * width, 2 * places * width))
        found.append(Cost(places * 9 * width * width, 2 * places * width))
        if stride > 1:
            found.append(Cost(places * before * width, places * width))
    return [*found, Cost(64 * 10, 10)]
