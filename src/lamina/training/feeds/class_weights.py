"""Class weights: converted to sample weights before training."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lamina.core.types import Targets


def class_weights_as_sample_weights(class_weight: Mapping[int, float], y: Targets) -> np.ndarray:
    """The weight of each sample's class.

    Args:
        class_weight: Dict from class index to weight; other classes have the weight 1.
        y: Labels: class indices `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.

    Returns:
        `(samples,)` weights.

    Example:
        >>> class_weights_as_sample_weights({0: 1.0, 1: 5.0}, np.array([0, 1, 1])).tolist()
        [1.0, 5.0, 5.0]
    """
    _check(class_weight)
    leaves = jax.tree.leaves(y)
    if len(leaves) != 1:
        raise ValueError(
            f"class_weight needs one array of labels, and the model has {len(leaves)} targets.\n"
            "  Fix: give sample_weight=… for each of them."
        )
    labels = _class_indices(leaves[0])
    table: np.ndarray = np.ones(max(labels.max(initial=0), *class_weight) + 1, dtype=np.float32)
    for number, weight in class_weight.items():
        table[number] = weight
    weights: np.ndarray = table[labels]
    return weights


def balanced_sample_weights(y: Any) -> Any:
    """Sample weights with the same sum for every class: samples / (classes · samples of the class).

    Args:
        y: Labels, as for `class_weights_as_sample_weights`; for a model with several targets, a
            structure of them.

    Returns:
        `(samples,)` weights, in the structure of `y`.

    Example:
        >>> balanced_sample_weights(np.array([0, 1, 1])).tolist()
        [1.5, 0.75, 0.75]
    """

    def compute_weights(labels: Any) -> np.ndarray:
        indices = _class_indices(labels)
        counts = np.bincount(indices)
        class_weights = len(indices) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        weights: np.ndarray = class_weights[indices].astype("float32")
        return weights

    return jax.tree.map(compute_weights, y)


def _class_indices(labels: Any) -> np.ndarray:
    """The class index of each sample, `(samples,)`."""
    labels = np.asarray(labels)
    if labels.ndim > 2:
        raise ValueError(
            f"class_weight needs labels of shape (n,), (n, 1) or (n, classes); "
            f"received {labels.shape}."
        )
    if labels.ndim == 2:
        labels = labels.argmax(axis=-1) if labels.shape[1] > 1 else labels[:, 0]
    if labels.size and not (labels >= 0).all():
        raise ValueError(
            f"class_weight needs classes that are counted from 0; received {labels.min():g}."
        )
    indices: np.ndarray = np.round(labels).astype(np.int64)
    return indices


def _check(class_weight: Any) -> None:
    if not isinstance(class_weight, Mapping):
        fix = "class_weight={0: 1.0, 1: 2.0}"
        if isinstance(class_weight, str):
            fix = "class_weight = 'balanced'"
        elif hasattr(class_weight, "to_dict"):  # a pandas Series, whose index has the classes
            fix = "class_weight = class_weight.to_dict()"
        elif np.ndim(class_weight) == 1:
            fix = "class_weight = dict(enumerate(class_weight))"
        raise TypeError(
            f"class_weight maps class indices to weights; received {class_weight!r}.\n  Fix: {fix}."
        )
    for key, weight in class_weight.items():
        if not isinstance(key, numbers.Integral) or isinstance(key, bool) or int(key) < 0:
            raise ValueError(
                f"class_weight maps class indices, 0 and up, to weights; received the key "
                f"{key!r}.\n  Likely cause: names of classes, or classes that are not counted "
                "from 0.\n  Fix: class_weight={0: 1.0, 1: 2.0}."
            )
        if not isinstance(weight, numbers.Real) or not 0 <= float(weight) < math.inf:
            raise ValueError(
                f"class_weight gives class {key} the weight {weight!r}; a weight is a number, 0 or "
                f"more.\n  Fix: class_weight={{{key}: 1.0}}."
            )
