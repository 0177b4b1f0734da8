"""Attention of long sequences in blocks: equal to the reference, with memory for a few blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina.ops.lowering import attention, attention_blocks
from lamina.ops.lowering.attention import Settings

MASKS = {"none": None, "steps": (2, 1, 1, 9), "shared": (1, 1, 13, 9), "all": (2, 3, 13, 9)}


def heads(rng, dtype="float32"):
    shapes = (2, 13, 3, 8), (2, 9, 3, 8), (2, 9, 3, 5)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def results(function, arrays, settings):
    """The output, the gradients of a weighted sum of it, and a tangent."""

    def weighted(*arrays):
        y = function(*arrays, settings)
        return jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))), y

    (_, y), gradients = jax.value_and_grad(weighted, (0, 1, 2), has_aux=True)(*arrays)
    tangent = jax.jvp(lambda *a: function(*a, settings), arrays, arrays)[1]
    return [y, *gradients, tangent]


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_blocks_give_what_the_reference_gives(mask, is_causal, rng, monkeypatch):
    monkeypatch.setattr(attention_blocks, "_SCORES_OF_BLOCK", 64)  # 2 blocks of 7 queries
    shape = MASKS[mask]
    visible = None if shape is None else jnp.asarray(rng.random(shape) > 0.3)
    settings = Settings(mask=visible, scale=0.4, is_causal=is_causal)
    arrays = heads(rng)
    found = results(attention_blocks.by_blocks, arrays, settings)
    expected = results(attention.reference, arrays, settings)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=3e-6)


def test_blocks_of_bfloat16_agree_as_well(rng, monkeypatch):
    monkeypatch.setattr(attention_blocks, "_SCORES_OF_BLOCK", 64)
    arrays, settings = heads(rng, "bfloat16"), Settings(scale=0.4)
    found = results(attention_blocks.by_blocks, arrays, settings)
    for one, other in zip(found, results(attention.reference, arrays, settings), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(*(np.asarray(a, "float32") for a in (one, other)), 0.1, 0.1)


def test_memory_grows_with_the_length_and_not_with_its_square():
    def memory(steps):
        x = jax.ShapeDtypeStruct((1, steps, 1, 8), "float32")
        gradient = jax.grad(lambda x: attention_blocks.by_blocks(x, x, x, Settings()).sum())
        return jax.jit(gradient).lower(x).compile().memory_analysis().temp_size_in_bytes

    assert memory(8192) < 2.5 * memory(4096)
    assert memory(8192) < 8192 * 8192  # a quarter of the scores
