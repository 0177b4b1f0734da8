"""Transformer blocks, normalised first, as `transformer.py` and `gpt.py` stack them."""

from workloads import Cost


def keras_blocks(keras, x, count, width, heads, causal):
    layers = keras.layers
    for _ in range(count):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.MultiHeadAttention(heads, width // heads)(y, y, use_causal_mask=causal)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.Dense(4 * width, activation="relu")(y)
        x = layers.Add()([x, layers.Dense(width)(y)])
    return layers.LayerNormalization(epsilon=1e-5)(x)


def keras_embedding(keras, tokens, vocabulary, length, width):
    """Tokens, `(batch, length)`, as vectors that know their place."""

    class Positions(keras.layers.Layer):
        def build(self, input_shape):
            self.places = self.add_weight(shape=(length, width), initializer="zeros")

        def call(self, x):
            return x + self.places

    return Positions()(keras.layers.Embedding(vocabulary, width)(tokens))


def torch_blocks(vocabulary, length, count, width, heads, causal):
    """Embedding and blocks as one module, `(batch, length)` → `(batch, length, width)`."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            q, k, v = (
                part.unflatten(-1, (heads, -1)).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
            )
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
            x = x + self.out(y.transpose(1, 2).flatten(2))
            return x + self.down(torch.relu(self.up(self.norm2(x))))

    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, width)
            self.places = nn.Parameter(torch.zeros(length, width))
            self.blocks = nn.Sequential(*(Block() for _ in range(count)), nn.LayerNorm(width))

        def forward(self, x):
            return self.blocks(self.embedding(x) + self.places)

    return Blocks()


def jax_blocks(vocabulary, length, count, width, heads, causal):
    """`init(key) → parameters` and `apply(parameters, tokens) → (batch, length, width)`."""
    import jax
    import jax.numpy as jnp

    from workloads import dense

    glorot = jax.nn.initializers.glorot_uniform()

    def init_norm():
        return jnp.ones(width), jnp.zeros(width)

    def norm(params, x):
        scale, offset = params
        mean = x.mean(-1, keepdims=True)
        variance = jnp.maximum((x * x).mean(-1, keepdims=True) - mean * mean, 0)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + offset

    def init_block(key):
        qkv, out, feed = jax.random.split(key, 3)
        return {
            "norm1": init_norm(),
            "norm2": init_norm(),
            "qkv": (glorot(qkv, (width, 3 * width)), jnp.zeros(3 * width)),
            "out": (glorot(out, (width, width)), jnp.zeros(width)),
            "feed": dense.init(feed, (width, 4 * width, width)),
        }

    def block(params, x):
        batch = len(x)
        kernel, bias = params["qkv"]
        qkv = norm(params["norm1"], x) @ kernel + bias
        # Heads and batch side by side: XLA's CPU backend is ten times slower otherwise.
        qkv = qkv.reshape(batch, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, batch * heads, length, width // heads)
        scores = jnp.einsum("bqd,bkd->bqk", q, k) * (width // heads) ** -0.5
        if causal:
            scores = jnp.where(jnp.tri(length, dtype=bool), scores, -1e9)
        y = jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(scores), v)
        y = y.reshape(batch, heads, length, -1).transpose(0, 2, 1, 3).reshape(x.shape)
        kernel, bias = params["out"]
        x = x + y @ kernel + bias
        return x + dense.apply(params["feed"], norm(params["norm2"], x))

    def init(key):
        words, *keys = jax.random.split(key, count + 1)
        return {
            "embedding": jax.random.uniform(words, (vocabulary, width), minval=-0.05, maxval=0.05),
            "places": jnp.zeros((length, width)),
            "blocks": [init_block(key) for key in keys],
            "norm": init_norm(),
        }

    def apply(params, tokens):
        x = params["embedding"][tokens] + params["places"]
        for one in params["blocks"]:
            x = block(one, x)
        return norm(params["norm"], x)

    return init, apply


def block_costs(count, length, width, heads):
    dense = length * 12 * width * width
    attention = 2 * length * length * width
    # Two norms, q, k, v, what was attended to, the sum, the wide layer, the sum; and the weights.
    outputs = length * width * (2 + 3 + 1 + 1 + 4 + 1) + heads * length * length
    return [Cost(dense + attention, outputs)] * count
