"""table: a million rows of 20 numbers, two classes."""

import numpy as np

from workloads import Cost

TITLE = "20 numeric columns, 3×64, 1 M rows, batch 256, Adam"
BATCH_SIZE, STEPS = 256, 4000
STEPS_PER_EXECUTION = (10, 50, 100)
PEER_STEPS = {
    "keras-jax": 1000,
    "keras-tensorflow": 500,
    "keras-torch": 100,
    "torch": 1000,
    "torch-compile": 1000,
    "sklearn": 400,
}
LOSS, LOGITS = "binary_crossentropy", False

SIZES = (20, 64, 64, 64, 1)


def arrays(rng, samples):
    x = rng.normal(size=(samples, 20)).astype(np.float32)
    score = x[:, :10].sum(1) * np.sin(x[:, 10]) + rng.normal(size=samples) / 2
    return x, (score > 0).astype(np.float32)


def keras_model(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((20,)),
            *(layers.Dense(64, activation="relu") for _ in range(3)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def torch_inputs(x):
    import torch

    return torch.from_numpy(x)


def torch_model():
    from torch import nn

    return nn.Sequential(
        nn.Linear(20, 64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 1),
    )


def jax_model():
    from workloads import dense

    def init(key):
        return dense.init(key, SIZES), ()

    def logits(params, state, x, key):
        return dense.apply(params, x), state

    return init, logits


def costs():
    return [Cost(i * o, o) for i, o in zip(SIZES, SIZES[1:], strict=False)]
