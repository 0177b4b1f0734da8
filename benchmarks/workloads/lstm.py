"""lstm: a sentence of 60 words, one LSTM, one answer."""

from workloads import Cost, tokens

TITLE = "Embedding-LSTM64-Dense, length 60, batch 32, Adam"
BATCH_SIZE, STEPS = 32, 200
STEPS_PER_EXECUTION = (10, 50)
PEER_STEPS = {
    "keras-jax": 100,
    "keras-tensorflow": 50,
    "keras-torch": 20,
    "torch": 40,
    "torch-compile": 40,
}
LOSS, LOGITS = "binary_crossentropy", False
EMBEDS = True

VOCABULARY, LENGTH, WIDTH = 5000, 60, 64


def arrays(rng, samples):
    return tokens.two_classes(rng, samples, LENGTH, VOCABULARY)


def keras_model(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((LENGTH,), dtype="int32"),
            layers.Embedding(VOCABULARY, WIDTH),
            layers.LSTM(WIDTH),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def torch_inputs(x):
    import torch

    return torch.from_numpy(x)


def torch_model():
    from torch import nn

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
            self.dense = nn.Linear(WIDTH, 1)

        def forward(self, x):
            steps, _ = self.lstm(self.embedding(x))
            return self.dense(steps[:, -1])

    return Reader()


def jax_model():
    import jax
    import jax.numpy as jnp

    from workloads import dense

    def init(key):
        words, kernel, recurrent, last = jax.random.split(key, 4)
        glorot = jax.nn.initializers.glorot_uniform()
        return {
            "embedding": jax.random.uniform(words, (VOCABULARY, WIDTH), minval=-0.05, maxval=0.05),
            "kernel": glorot(kernel, (WIDTH, 4 * WIDTH)),
            "recurrent": jax.nn.initializers.orthogonal()(recurrent, (WIDTH, 4 * WIDTH)),
            "bias": jnp.zeros(4 * WIDTH).at[WIDTH : 2 * WIDTH].set(1),
            "dense": dense.init(last, (WIDTH, 1)),
        }, ()

    def logits(params, state, x, key):
        words = params["embedding"][x.T]  # (length, batch, width)
        # The inputs of all steps at once; only the recurrent half is left to the loop.
        inputs = words @ params["kernel"] + params["bias"]

        def step(carry, at):
            h, c = carry
            i, f, g, o = jnp.split(at + h @ params["recurrent"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros((len(x), WIDTH))
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), inputs)
        return dense.apply(params["dense"], h), state

    return init, logits


def costs():
    products = LENGTH * 2 * WIDTH * 4 * WIDTH
    # What was read, four gates, the cell and its output, at every step.
    return [Cost(products, LENGTH * 7 * WIDTH), Cost(WIDTH, 1)]
