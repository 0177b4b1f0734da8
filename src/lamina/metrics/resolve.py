"""Metrics for names that depend on the shapes of an output, such as `"accuracy"`."""

import warnings
from typing import Any

from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.messages.tracebacks import filter_traceback
from lamina.losses.get_loss import kind_of_labels, object_name
from lamina.metrics import accuracy, probabilistic
from lamina.metrics.get_metric import get
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import MeanMetricWrapper

_ACCURACIES = {
    "binary": accuracy.BinaryAccuracy,
    "categorical": accuracy.CategoricalAccuracy,
    "sparse_categorical": accuracy.SparseCategoricalAccuracy,
}
_CROSSENTROPIES = {
    "binary": probabilistic.BinaryCrossentropy,
    "categorical": probabilistic.CategoricalCrossentropy,
    "sparse_categorical": probabilistic.SparseCategoricalCrossentropy,
}


@filter_traceback
def resolve_metric(
    identifier: Any, y_true_shape: tuple, y_pred_shape: tuple, loss: Any = None
) -> Metric:
    """The metric of `compile(metrics=[identifier])` for an output of this shape.

    `"accuracy"` (or `"acc"`) and `"crossentropy"` (or `"ce"`) are the binary ones for one output,
    the sparse ones for integer labels, the categorical ones for one-hot labels. The metric
    keeps the given name; `resolved_name` is that of the selected metric.

    Args:
        identifier: Identifier accepted by `get`, or one of the four names.
        y_true_shape: Shape of the targets with the batch axis; axes may be None.
        y_pred_shape: Shape of the predictions, likewise.
        loss: The loss of this output, whose settings say whether predictions are logits.

    Returns:
        The metric.

    Raises:
        ValueError: If it is None or a name that no metric has.

    Example:
        >>> metric = resolve_metric("accuracy", (None,), (None, 10))
        >>> metric.name, metric.resolved_name
        ('accuracy', 'sparse_categorical_accuracy')
    """
    if identifier is None:
        raise ValueError("A metric is None.\n  Fix: leave it out of the list of metrics.")
    lower_name = str(identifier).lower()
    from_logits = bool(getattr(loss, "from_logits", False))
    label_kind = kind_of_labels(y_true_shape, y_pred_shape)
    metric: Any
    if lower_name in ("accuracy", "acc"):
        metric = _ACCURACIES[label_kind]()
        if label_kind == "binary" and from_logits:
            warnings.warn(
                f"{identifier!r} counts predictions above 0.5 as positive, but according to the "
                "loss they are logits, for which the threshold is 0.\n"
                "  Fix: metrics=[lamina.metrics.BinaryAccuracy(threshold=0.0)].",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )
    elif lower_name in ("crossentropy", "ce"):
        metric = _CROSSENTROPIES[label_kind](from_logits=from_logits)
    else:
        metric = get(identifier)
    if not isinstance(metric, Metric):
        metric = MeanMetricWrapper(metric, name=object_name(metric))
    if isinstance(identifier, str):
        metric.name = identifier
    metric.build(y_true_shape, y_pred_shape)
    return metric
