"""Networks that grow along one axis, in Keras's words and in PyTorch's.

Each case gives arrays, a model of logits or numbers, the loss, the batch size and the steps of an
epoch. Read in every environment, so only NumPy is imported at the top.
"""

from typing import Any, NamedTuple

import numpy as np

VALUES = {
    "samples": (10**3, 10**4, 10**5, 10**6, 10**7),
    "parameters": (10**4, 10**5, 10**6, 10**7, 10**8),
    "depth": (4, 20, 100, 200),
    "length": (64, 256, 1024, 4096),
    "classes": (10, 1000, 10_000, 100_000),
    "vocabulary": (10**3, 10**4, 10**5, 10**6),
}
TITLES = {
    "samples": "rows of 16 numbers, two layers of 64, batch 256, a step",
    "parameters": "parameters of three dense layers, batch 64, a step",
    "depth": "dense layers of 64 units, batch 64, a step",
    "length": "length of sequences, one transformer block of width 64, 8,192 tokens, a step",
    "classes": "classes, sparse crossentropy, batch 64, a step",
    "vocabulary": "rows of an embedding of 32, 64 sequences of 64 tokens, Adam, a step",
}


class Case(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    batch_size: int
    classes: int | None  # None: one number and a squared error


def make_case(axis: str, value: int) -> Case:
    """The data for one value of an axis."""
    rng = np.random.default_rng(seed=0)
    if axis == "samples":
        batch_size = min(256, value)
        count = value // batch_size * batch_size
        return Case(_normal(rng, count, 16), _normal(rng, count, 1), batch_size, None)
    if axis == "length":
        batch_size = max(1, 8192 // value)
        x = _normal(rng, 2 * batch_size, value, 64)
        return Case(x, _normal(rng, 2 * batch_size, 1), batch_size, None)
    if axis == "vocabulary":
        x = rng.integers(0, value, (8 * 64, 64)).astype(np.int32)
        return Case(x, _normal(rng, len(x), 1), 64, None)
    width = _width(value) if axis == "parameters" else 64
    x = _normal(rng, 8 * 64, width)
    if axis == "classes":
        return Case(x, rng.integers(0, value, len(x)).astype(np.int32), 64, value)
    return Case(x, _normal(rng, len(x), 1), 64, None)


def keras_model(keras: Any, axis: str, value: int) -> Any:
    layers = keras.layers
    if axis == "length":
        x = inputs = keras.Input((value, 64))
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 16)(y, y)])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(64)(layers.Dense(256, activation="relu")(y))
        x = layers.GlobalAveragePooling1D()(layers.Add()([x, y]))
        return keras.Model(inputs, layers.Dense(1)(x))
    if axis == "vocabulary":
        stack = [keras.Input((64,)), layers.Embedding(value, 32), layers.GlobalAveragePooling1D()]
        return keras.Sequential([*stack, layers.Dense(1)])
    widths = _hidden(axis, value)
    hidden = [layers.Dense(width, activation="relu") for width in widths]
    outputs = value if axis == "classes" else 1
    first = keras.Input((_inputs(axis, value),))
    return keras.Sequential([first, *hidden, layers.Dense(outputs)])


def torch_model(nn: Any, axis: str, value: int) -> Any:
    if axis == "length":
        return _torch_block(nn)
    if axis == "vocabulary":

        class Mean(nn.Module):
            def forward(self, x: Any) -> Any:
                return x.mean(1)

        return nn.Sequential(nn.Embedding(value, 32), Mean(), nn.Linear(32, 1))
    sizes = [_inputs(axis, value), *_hidden(axis, value)]
    stack = []
    for size, width in zip(sizes, sizes[1:], strict=False):
        stack += [nn.Linear(size, width), nn.ReLU()]
    return nn.Sequential(*stack, nn.Linear(sizes[-1], value if axis == "classes" else 1))


def _torch_block(nn: Any) -> Any:
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(64), nn.LayerNorm(64)
            self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)
            self.up, self.down, self.last = nn.Linear(64, 256), nn.Linear(256, 64), nn.Linear(64, 1)

        def forward(self, x: Any) -> Any:
            q, k, v = (
                part.unflatten(-1, (4, -1)).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
            )
            y = functional.scaled_dot_product_attention(q, k, v)
            x = x + self.out(y.transpose(1, 2).flatten(2))
            x = x + self.down(functional.relu(self.up(self.norm2(x))))
            return self.last(x.mean(1))

    return Block()


def _hidden(axis: str, value: int) -> list[int]:
    counts = {"samples": 2, "parameters": 3, "depth": value, "classes": 1}
    return [_width(value) if axis == "parameters" else 64] * counts[axis]


def _inputs(axis: str, value: int) -> int:
    return {"samples": 16, "parameters": _width(value)}.get(axis, 64)


def _width(parameters: int) -> int:
    return round((parameters / 3) ** 0.5)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)
