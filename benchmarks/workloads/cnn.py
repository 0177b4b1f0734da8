"""cnn: the first convolutional network, on images of 28×28."""

from workloads import Cost, images

TITLE = "Conv32-pool-Conv64-pool-dropout-dense on 28×28, batch 128, Adam"
BATCH_SIZE, STEPS = 128, 32
STEPS_PER_EXECUTION = (4, 8)
PEER_STEPS = {
    "keras-jax": 8,
    "keras-tensorflow": 16,
    "keras-torch": 8,
    "torch": 16,
    "torch-compile": 16,
}
LOSS, LOGITS = "sparse_categorical_crossentropy", False
PIXELS = True


def arrays(rng, samples):
    return images.classes(rng, samples, (28, 28, 1))


def keras_model(keras, scaled=False):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            *images.keras_rescaling(keras, scaled),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def torch_inputs(x):
    return images.torch_pixels(x)


def torch_model():
    import torch
    from torch import nn

    model = nn.Sequential(
        images.torch_channels_first(),
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(1600, 10),
    )
    return model.to(memory_format=torch.channels_last)


def jax_model():
    import jax
    import jax.numpy as jnp

    from lamina.core.variable.hashing import hashed_bits
    from lamina.ops import conv, max_pool
    from workloads import dense

    def init(key):
        first, second, last = jax.random.split(key, 3)
        glorot = jax.nn.initializers.glorot_uniform()
        return {
            "conv1": (glorot(first, (3, 3, 1, 32)), jnp.zeros(32)),
            "conv2": (glorot(second, (3, 3, 32, 64)), jnp.zeros(64)),
            "dense": dense.init(last, (1600, 10)),
        }, ()

    def logits(params, state, x, key):
        x = x * (1 / 255)
        for name in ("conv1", "conv2"):
            kernel, bias = params[name]
            x = max_pool(jax.nn.relu(conv(x, kernel) + bias), 2)
        x = x.reshape(len(x), -1)
        bits = hashed_bits(jax.random.key_data(key), x.shape)
        x = jnp.where(bits >> 31, x * 2, 0)
        return dense.apply(params["dense"], x), state

    return init, logits


def costs():
    return [
        Cost(26 * 26 * 9 * 1 * 32, 26 * 26 * 32),
        Cost(0, 13 * 13 * 32),
        Cost(11 * 11 * 9 * 32 * 64, 11 * 11 * 64),
        Cost(0, 5 * 5 * 64),
        Cost(1600 * 10, 10),
    ]
