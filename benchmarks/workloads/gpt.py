"""gpt: the next character after each of 128, four blocks."""

from workloads import Cost, attention, tokens

TITLE = "4 blocks, width 128, 4 heads, length 128, batch 16, Adam"
BATCH_SIZE, STEPS = 16, 8
STEPS_PER_EXECUTION = (2, 4)
PEER_STEPS = {"keras-torch": 4}
LOSS, LOGITS = "sparse_categorical_crossentropy", True
EMBEDS = True

VOCABULARY, LENGTH, BLOCKS, WIDTH, HEADS = 65, 128, 4, 128, 4


def arrays(rng, samples):
    return tokens.text(rng, samples, LENGTH, VOCABULARY)


def keras_model(keras):
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = attention.keras_embedding(keras, inputs, VOCABULARY, LENGTH, WIDTH)
    x = attention.keras_blocks(keras, x, BLOCKS, WIDTH, HEADS, causal=True)
    return keras.Model(inputs, keras.layers.Dense(VOCABULARY)(x))


def torch_inputs(x):
    import torch

    return torch.from_numpy(x)


def torch_model():
    from torch import nn

    blocks = attention.torch_blocks(VOCABULARY, LENGTH, BLOCKS, WIDTH, HEADS, True)
    return nn.Sequential(blocks, nn.Linear(WIDTH, VOCABULARY))


def jax_model():
    import jax

    from workloads import dense

    init_blocks, blocks = attention.jax_blocks(VOCABULARY, LENGTH, BLOCKS, WIDTH, HEADS, True)

    def init(key):
        first, last = jax.random.split(key)
        return {"blocks": init_blocks(first), "dense": dense.init(last, (WIDTH, VOCABULARY))}, ()

    def logits(params, state, x, key):
        return dense.apply(params["dense"], blocks(params["blocks"], x)), state

    return init, logits


def costs():
    blocks = attention.block_costs(BLOCKS, LENGTH, WIDTH, HEADS)
    return [*blocks, Cost(LENGTH * WIDTH * VOCABULARY, LENGTH * VOCABULARY)]
