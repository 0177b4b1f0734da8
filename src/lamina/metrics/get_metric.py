"""Metrics by name, config or function."""

from collections.abc import Mapping
from typing import Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import identifiers, registry
from lamina.losses import (
    classification as loss_functions,
    hinges as hinge_functions,
    regression as regression_functions,
)
from lamina.metrics import (
    accuracy,
    confusion,
    correlation,
    f_score,
    hinges,
    iou,
    probabilistic,
    reduction,
    regression,
)
from lamina.metrics.auc import AUC
from lamina.metrics.metric import Metric

_CLASSES = (
    AUC,
    Metric,
    accuracy.Accuracy,
    accuracy.BinaryAccuracy,
    accuracy.CategoricalAccuracy,
    accuracy.SparseCategoricalAccuracy,
    accuracy.SparseTopKCategoricalAccuracy,
    accuracy.TopKCategoricalAccuracy,
    confusion.FalseNegatives,
    confusion.FalsePositives,
    confusion.Precision,
    confusion.PrecisionAtRecall,
    confusion.Recall,
    confusion.RecallAtPrecision,
    confusion.SensitivityAtSpecificity,
    confusion.SpecificityAtSensitivity,
    confusion.TrueNegatives,
    confusion.TruePositives,
    correlation.ConcordanceCorrelation,
    correlation.PearsonCorrelation,
    f_score.F1Score,
    f_score.FBetaScore,
    hinges.CategoricalHinge,
    hinges.Hinge,
    hinges.SquaredHinge,
    iou.BinaryIoU,
    iou.IoU,
    iou.MeanIoU,
    iou.OneHotIoU,
    iou.OneHotMeanIoU,
    probabilistic.BinaryCrossentropy,
    probabilistic.CategoricalCrossentropy,
    probabilistic.KLDivergence,
    probabilistic.Poisson,
    probabilistic.SparseCategoricalCrossentropy,
    reduction.Mean,
    reduction.MeanMetricWrapper,
    reduction.Sum,
    regression.CosineSimilarity,
    regression.LogCoshError,
    regression.MeanAbsoluteError,
    regression.MeanAbsolutePercentageError,
    regression.MeanSquaredError,
    regression.MeanSquaredLogarithmicError,
    regression.R2Score,
    regression.RootMeanSquaredError,
)
_FUNCTIONS = (
    accuracy.binary_accuracy,
    accuracy.categorical_accuracy,
    accuracy.sparse_categorical_accuracy,
    accuracy.sparse_top_k_categorical_accuracy,
    accuracy.top_k_categorical_accuracy,
    correlation.concordance_correlation,
    correlation.pearson_correlation,
    loss_functions.binary_crossentropy,
    loss_functions.binary_focal_crossentropy,
    loss_functions.categorical_crossentropy,
    loss_functions.categorical_focal_crossentropy,
    hinge_functions.categorical_hinge,
    hinge_functions.hinge,
    loss_functions.kl_divergence,
    loss_functions.sparse_categorical_crossentropy,
    hinge_functions.squared_hinge,
    regression_functions.huber,
    regression_functions.log_cosh,
    regression_functions.mean_absolute_error,
    regression_functions.mean_absolute_percentage_error,
    regression_functions.mean_squared_error,
    regression_functions.mean_squared_logarithmic_error,
    regression_functions.poisson,
)
_ALIASES = {
    "bce": probabilistic.BinaryCrossentropy,
    "mae": regression.MeanAbsoluteError,
    "mape": regression.MeanAbsolutePercentageError,
    "mse": regression.MeanSquaredError,
    "msle": regression.MeanSquaredLogarithmicError,
}
PUBLIC: dict[str, Any] = {symbol.__name__: symbol for symbol in (*_FUNCTIONS, *_CLASSES)}
# The name of a function and of a class in snake case are often the same; the class is meant.
BY_NAME: dict[str, Any] = {
    **PUBLIC,
    **identifiers.table_of(*_CLASSES),
    **_ALIASES,
    **{name.upper(): cls for name, cls in _ALIASES.items()},
}


@filter_traceback
def get(identifier: Any) -> Any:
    """A metric from its name, config, class, function or itself; None stays None.

    `"accuracy"` gives `Accuracy` here, the plain comparison; `compile(metrics=["accuracy"])` picks
    by the shapes, see `resolve_metric`.

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
    return identifiers.resolve(identifier, kind="metric", namespace="keras.metrics", table=BY_NAME)


@filter_traceback
def serialize(metric: Any) -> Any:
    """A metric as plain data: class and config, or the name of a function.

    Args:
        metric: A `Metric` or a function.

    Returns:
        A dict of class and config, or a name.

    Example:
        >>> serialize(regression.MeanSquaredError())["config"]
        {'name': 'mean_squared_error', 'dtype': 'float32'}
    """
    return registry.serialize(metric)


@filter_traceback
def deserialize(config: Any, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`; a name gives the class or function that it stands for.

    Args:
        config: What `serialize` made.
        custom_objects: Classes and functions of your own by name.

    Returns:
        A metric or a function; None for None.

    Example:
        >>> deserialize({"class_name": "Precision", "config": {"top_k": 2}}).top_k
        2
    """
    with registry.custom_object_scope(custom_objects or {}):
        if isinstance(config, str):
            return identifiers.by_name(config, kind="metric", table=BY_NAME)
        return identifiers.from_config(
            config, kind="metric", namespace="keras.metrics", table=BY_NAME
        )
