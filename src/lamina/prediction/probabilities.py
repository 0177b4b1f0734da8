"""Converts a classifier's outputs, logits or probabilities, to probabilities."""

import numpy as np


def as_probabilities(outputs: np.ndarray, independent: bool = False) -> np.ndarray:
    """A model's outputs as probabilities, `(samples, classes)`.

    Probabilities are not changed. Other numbers are taken as logits: softmax is applied to several
    classes, a sigmoid to a single output.

    Args:
        outputs: `(samples, classes)`; or `(samples, 1)` for two classes, which gives two columns.
        independent: Whether a sample may belong to several classes: every class has its own
            probability, and they need not sum to 1.

    Raises:
        ValueError: If there is not one output per class.

    Example:
        >>> as_probabilities(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        >>> as_probabilities(np.array([[0.9]])).round(2).tolist()
        [[0.1, 0.9]]
    """
    if outputs.ndim != 2:
        raise ValueError(
            f"The model returns outputs of shape {outputs.shape[1:]} per sample, but a classifier "
            "returns one number per class."
        )
    if independent:
        return _sigmoid_of_logits(outputs)
    if outputs.shape[1] == 1:
        probability = _sigmoid_of_logits(outputs)
        return np.concatenate([1 - probability, probability], axis=1)
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        return outputs
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    probabilities: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def _sigmoid_of_logits(outputs: np.ndarray) -> np.ndarray:
    are_probabilities = ((outputs >= 0) & (outputs <= 1)).all()
    return outputs if are_probabilities else 1 / (1 + np.exp(-outputs))
