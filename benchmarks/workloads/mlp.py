"""mlp: the first network that everybody trains, 784-128-128-10 on MNIST's shape."""

from workloads import Cost, images

TITLE = "784-128-128-10, batch 32, Adam"
BATCH_SIZE, STEPS = 32, 1875
STEPS_PER_EXECUTION = (15, 75)
PEER_STEPS = {
    "keras-jax": 750,
    "keras-tensorflow": 375,
    "keras-torch": 150,
    "torch": 750,
    "sklearn": 375,
}
LOSS, LOGITS = "sparse_categorical_crossentropy", False
PIXELS = True

SIZES = (784, 128, 128, 10)


def arrays(rng, samples):
    return images.classes(rng, samples, (28, 28))


def keras_model(keras, scaled=False):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28)),
            *images.keras_rescaling(keras, scaled),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def torch_inputs(x):
    return images.torch_pixels(x).flatten(1)


def torch_model():
    from torch import nn

    return nn.Sequential(
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def jax_model():
    from workloads import dense

    def init(key):
        return dense.init(key, SIZES), ()

    def logits(params, state, x, key):
        return dense.apply(params, x.reshape(len(x), -1) * (1 / 255)), state

    return init, logits


def costs():
    return [Cost(i * o, o) for i, o in zip(SIZES, SIZES[1:], strict=False)]
