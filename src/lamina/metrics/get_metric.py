"""Metrics by name, config or function."""

from collections.abc import Mapping
from typing import Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.serialization.identifiers import Identifiers
from lamina.core.types import Config

_LOWER_CASE = {
    "bce": "BinaryCrossentropy",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
}
_NAMES = Identifiers(
    "metric",
    "keras.metrics",
    bases=("Metric", "MeanMetricWrapper"),
    aliases={**_LOWER_CASE, **{short.upper(): name for short, name in _LOWER_CASE.items()}},
    prefer_classes=True,
)


@filter_traceback
def get(identifier: Any) -> Any:
    """A metric from its name, config, class, function or object; None for None.

    `"accuracy"` gives `Accuracy` here, the plain comparison; `compile(metrics=["accuracy"])`
    selects one by the shapes, see `resolve_metric`.

    Args:
        identifier: `"mse"`, `"MeanSquaredError"`, a config dictionary, `MeanSquaredError`,
            `MeanSquaredError()` or a function `f(y_true, y_pred)`.

    Returns:
        A metric or a function; None for None.

    Raises:
        ValueError: If no metric has this name; the nearest one is named.
        TypeError: If it is none of these.

    Example:
        >>> get("mse")
        <MeanSquaredError name=mean_squared_error>
    """
    return _NAMES.resolve(identifier)


@filter_traceback
def serialize(metric: Any) -> Config | str:
    """A metric as plain data: class and config, or the name of a function.

    Args:
        metric: A `Metric` or a function.

    Returns:
        A dict of class and config, or a name.

    Example:
        >>> serialize(get("mse"))["config"]
        {'name': 'mean_squared_error', 'dtype': 'float32'}
    """
    return registry.serialize(metric)


@filter_traceback
def deserialize(config: Any, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`; a name gives the class or function of that name.

    Args:
        config: Result of `serialize`.
        custom_objects: Classes and functions by name that are not in Lamina.

    Returns:
        A metric or a function; None for None.

    Example:
        >>> deserialize({"class_name": "Precision", "config": {"top_k": 2}}).top_k
        2
    """
    with registry.custom_object_scope(custom_objects or {}):
        if isinstance(config, str):
            return _NAMES.by_name(config)
        return _NAMES.from_config(config)
