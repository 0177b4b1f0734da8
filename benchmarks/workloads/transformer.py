"""transformer: a sentence of 64 words, two blocks, one answer."""

from workloads import Cost, attention, tokens

TITLE = "2 blocks, width 64, 4 heads, length 64, batch 32, Adam"
BATCH_SIZE, STEPS = 32, 100
STEPS_PER_EXECUTION = (10, 50)
PEER_STEPS = {
    "keras-jax": 50,
    "keras-tensorflow": 50,
    "keras-torch": 20,
    "torch": 50,
    "torch-compile": 50,
}
LOSS, LOGITS = "binary_crossentropy", False
EMBEDS = True

VOCABULARY, LENGTH, BLOCKS, WIDTH, HEADS = 5000, 64, 2, 64, 4


def arrays(rng, samples):
    return tokens.two_classes(rng, samples, LENGTH, VOCABULARY)


def keras_model(keras):
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = attention.keras_embedding(keras, inputs, VOCABULARY, LENGTH, WIDTH)
    x = attention.keras_blocks(keras, x, BLOCKS, WIDTH, HEADS, causal=False)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))


def torch_inputs(x):
    import torch

    return torch.from_numpy(x)


def torch_model():
    from torch import nn

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = attention.torch_blocks(VOCABULARY, LENGTH, BLOCKS, WIDTH, HEADS, False)
            self.dense = nn.Linear(WIDTH, 1)

        def forward(self, x):
            return self.dense(self.blocks(x).mean(1))

    return Reader()


def jax_model():
    import jax

    from workloads import dense

    init_blocks, blocks = attention.jax_blocks(VOCABULARY, LENGTH, BLOCKS, WIDTH, HEADS, False)

    def init(key):
        first, last = jax.random.split(key)
        return {"blocks": init_blocks(first), "dense": dense.init(last, (WIDTH, 1))}, ()

    def logits(params, state, x, key):
        return dense.apply(params["dense"], blocks(params["blocks"], x).mean(1)), state

    return init, logits


def costs():
    return [*attention.block_costs(BLOCKS, LENGTH, WIDTH, HEADS), Cost(WIDTH, 1)]
