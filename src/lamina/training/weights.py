"""Class weights: turned into one weight a sample before training."""

from typing import Any

import jax
import numpy as np


def class_weights_as_sample_weights(class_weight: dict, y: Any) -> np.ndarray:
    """The weight of each sample's class.

    Args:
        class_weight: From class number to weight; classes that are missing weigh 1.
        y: Labels: class numbers `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.

    Returns:
        `(samples,)` weights.

    Example:
        >>> class_weights_as_sample_weights({0: 1.0, 1: 5.0}, np.array([0, 1, 1])).tolist()
        [1.0, 5.0, 5.0]
    """
    leaves = jax.tree.leaves(y)
    if len(leaves) != 1:
        raise ValueError(
            f"class_weight needs one array of labels, and the model has {len(leaves)} targets.\n"
            "  Fix: give sample_weight=… for each of them."
        )
    labels = np.asarray(leaves[0])
    if labels.ndim > 2:
        raise ValueError(
            f"class_weight needs labels of shape (n,), (n, 1) or (n, classes); "
            f"received {labels.shape}."
        )
    if labels.ndim == 2:
        labels = labels.argmax(axis=-1) if labels.shape[1] > 1 else labels[:, 0]
    labels = np.round(labels).astype(np.int64)
    if any(not isinstance(key, (int, np.integer)) for key in class_weight):
        raise ValueError(
            f"class_weight maps class numbers to weights; received the keys {list(class_weight)}."
        )
    table = np.ones(max(labels.max(initial=0), *class_weight) + 1, dtype=np.float32)
    for number, weight in class_weight.items():
        table[number] = weight
    return table[labels]
