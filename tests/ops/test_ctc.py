"""Connectionist temporal classification: against Keras, and by counting all paths."""

import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import Input, KerasTensor, Model, layers, losses, ops

BATCH, FRAMES, CLASSES = 3, 5, 4
LOGITS = np.random.default_rng(4).normal(size=(BATCH, FRAMES, CLASSES)).astype("float32") * 2
LENGTHS = np.array([5, 3, 4])


def all_sequences(logits, length, blank):
    """Probability of every sequence of labels, by adding up every path through the frames."""
    frames = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found = {}
    for path in itertools.product(range(logits.shape[-1]), repeat=length):
        labels = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        probability = np.prod([frames[i, label] for i, label in enumerate(path)])
        found[labels] = found.get(labels, 0.0) + probability
    return found


@pytest.mark.parametrize("blank", [0, 3])
def test_loss_is_minus_the_log_of_all_ways_to_say_the_labels(blank):
    target = np.array([[1, 1, 2], [2, 1, 0], [2, 0, 0]])
    target = np.where(target == blank, (blank + 1) % CLASSES, target)
    target_length = np.array([3, 2, 1])
    found = ops.ctc_loss(target, LOGITS, target_length, LENGTHS, mask_index=blank)
    theirs = keras.ops.ctc_loss(target, LOGITS, target_length, LENGTHS, mask_index=blank)
    np.testing.assert_allclose(found, theirs, rtol=1e-5)
    for i in range(BATCH):
        labels = tuple(target[i, : target_length[i]])
        expected = all_sequences(LOGITS[i], LENGTHS[i], blank)[labels]
        np.testing.assert_allclose(np.exp(-found[i]), expected, rtol=1e-4)


@pytest.mark.parametrize("blank", [0, 2, -1])
@pytest.mark.parametrize("merge_repeated", [True, False])
def test_greedy_decoding_is_that_of_keras(blank, merge_repeated):
    settings = {"merge_repeated": merge_repeated, "mask_index": blank % CLASSES}
    logits = np.repeat(LOGITS, 2, axis=1)
    labels, scores = ops.ctc_decode(logits, LENGTHS * 2, **settings)
    expected_labels, expected_scores = keras.ops.ctc_decode(logits, LENGTHS * 2, **settings)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)


@pytest.mark.parametrize(("beam_width", "top_paths"), [(60, 3), (4, 2)])
def test_beam_search_is_that_of_keras(beam_width, top_paths):
    settings = {
        "strategy": "beam_search",
        "beam_width": beam_width,
        "top_paths": top_paths,
        "mask_index": 0,
    }
    labels, scores = ops.ctc_decode(LOGITS, LENGTHS, **settings)
    expected_labels, expected_scores = keras.ops.ctc_decode(LOGITS, LENGTHS, **settings)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)


@pytest.mark.parametrize("blank", [0, 3])
def test_a_wide_beam_finds_the_likeliest_sequences(blank):
    labels, scores = ops.ctc_decode(
        LOGITS, LENGTHS, "beam_search", beam_width=400, top_paths=5, mask_index=blank
    )
    assert labels.shape == (5, BATCH, FRAMES)
    for i in range(BATCH):
        ranked = sorted(all_sequences(LOGITS[i], LENGTHS[i], blank).items(), key=lambda x: -x[1])
        for rank, (expected, probability) in enumerate(ranked[:5]):
            assert tuple(x for x in labels[rank, i].tolist() if x >= 0) == expected
            np.testing.assert_allclose(np.exp(scores[i, rank]), probability, rtol=1e-4)


def test_both_work_in_a_functional_model_and_compiled():
    inputs = KerasTensor((None, FRAMES, CLASSES)), KerasTensor((None,), "int32")
    labels, scores = ops.ctc_decode(*inputs, strategy="beam_search", beam_width=3, top_paths=2)
    assert (labels.shape, scores.shape) == ((2, None, FRAMES), (None, 2))
    assert labels.dtype == "int32"
    compiled = jax.jit(lambda x, n: ops.ctc_decode(x, n, "beam_search", beam_width=3))
    eager = ops.ctc_decode(LOGITS, LENGTHS, "beam_search", beam_width=3)
    np.testing.assert_array_equal(compiled(LOGITS, LENGTHS)[0], eager[0])
    loss = ops.ctc_loss(KerasTensor((None, 2), "int32"), inputs[0], inputs[1], inputs[1])
    assert loss.shape == (None,)


def test_a_model_learns_to_say_labels_somewhere():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, CLASSES, size=(32, 2))
    x = np.zeros((32, 6, CLASSES), "float32")
    x[:, 1] = np.eye(CLASSES)[labels[:, 0]]
    x[:, 4] = np.eye(CLASSES)[labels[:, 1]]
    inputs = Input((6, CLASSES))
    model = Model(inputs, layers.Dense(CLASSES)(inputs))
    model.compile("adam", losses.CTC())
    model.optimizer.learning_rate = 0.1
    model.fit(x, labels, epochs=40, verbose=0)
    decoded, _ = ops.ctc_decode(model.predict(x, verbose=0), np.full(32, 6))
    assert (decoded[0, :, :2] == labels).mean() > 0.95


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ops.ctc_decode(LOGITS, LENGTHS, "beam"), "Unknown strategy 'beam'"),
        (
            lambda: ops.ctc_decode(LOGITS, LENGTHS, "beam_search", 2, 3),
            "from 1 to the beam_width of 2; received 3",
        ),
        (lambda: ops.ctc_decode(LOGITS[0], LENGTHS), r"received \(5, 4\)"),
        (lambda: ops.ctc_loss([1], LOGITS, [1], LENGTHS), r"labels of shape \(1,\)"),
        (lambda: losses.ctc(jnp.zeros((3, 5, 1)), LOGITS), r"y_true of shape \(3, 5, 1\)"),
    ],
)
def test_impossible_shapes_and_settings_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
