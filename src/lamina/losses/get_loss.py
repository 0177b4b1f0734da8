"""Losses by name, config or function, and the choice of `"crossentropy"` by shapes."""

from collections.abc import Callable, Mapping
from typing import Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import naming, registry
from lamina.core.serialization.identifiers import Identifiers
from lamina.core.types import Config
from lamina.losses.loss import Loss, LossFunctionWrapper

_LOWER_CASE = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
SHORT_NAMES = {**_LOWER_CASE, **{short.upper(): name for short, name in _LOWER_CASE.items()}}
_NAMES = Identifiers(
    "loss", "keras.losses", bases=("Loss", "LossFunctionWrapper"), aliases=SHORT_NAMES
)


class Reduction:
    """The names of `tf.keras` for the argument `reduction` of a loss.

    Example:
        >>> Reduction.SUM, Reduction.NONE
        ('sum', 'none')
    """

    AUTO = SUM_OVER_BATCH_SIZE = "sum_over_batch_size"
    NONE = "none"
    SUM = "sum"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """All values that a loss accepts."""
        return (cls.SUM_OVER_BATCH_SIZE, cls.SUM, cls.NONE)


@filter_traceback
def get(identifier: Any) -> Any:
    """A loss from its name, config, class, function or object; None for None.

    Args:
        identifier: `"mse"`, `"mean_squared_error"`, `"MeanSquaredError"`, a config dictionary,
            `MeanSquaredError`, `MeanSquaredError()` or a function `f(y_true, y_pred)`.

    Returns:
        A function, or a `Loss` for the name of a class.

    Raises:
        ValueError: If no loss has this name; the nearest one is named.
        TypeError: If it is none of these.

    Example:
        >>> get("mse").__name__
        'mean_squared_error'
        >>> get("Huber")
        <Huber name=huber_loss>
    """
    return _NAMES.resolve(identifier)


@filter_traceback
def serialize(loss: Callable[..., Any]) -> Config | str:
    """A loss as plain data: the name of a function, or class and config of a `Loss`.

    Args:
        loss: A `Loss` or a function.

    Returns:
        A name, or a dict of class and config.

    Example:
        >>> serialize(get("Huber"))["class_name"]
        'Huber'
    """
    return registry.serialize(loss)


@filter_traceback
def deserialize(name: Any, custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`; a name is enough for a function.

    Args:
        name: Result of `serialize`.
        custom_objects: Classes and functions by name that are not in Lamina.

    Returns:
        A loss, or a function.

    Example:
        >>> deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
        2.0
    """
    with registry.custom_object_scope(custom_objects or {}):
        if isinstance(name, str):
            return _NAMES.by_name(name)
        return _NAMES.from_config(name)


@filter_traceback
def resolve_loss(
    identifier: str | Mapping[str, Any] | Callable[..., Any] | None,
    y_true_shape: tuple,
    y_pred_shape: tuple,
) -> Loss:
    """The loss object that `compile(loss=identifier)` means for an output of this shape.

    `"crossentropy"` (or `"ce"`) is the binary one for one output, the sparse one for integer
    labels and the categorical one for one-hot labels.

    Args:
        identifier: Identifier accepted by `get`, or `"crossentropy"`.
        y_true_shape: Shape of the targets with the batch axis; axes may be None.
        y_pred_shape: Shape of the predictions, likewise.

    Returns:
        The loss.

    Example:
        >>> resolve_loss("crossentropy", (None,), (None, 10)).fn.__name__
        'sparse_categorical_crossentropy'
        >>> resolve_loss("mse", (None, 1), (None, 1)).name
        'mse'
    """
    if str(identifier).lower() in ("crossentropy", "ce"):
        loss = _NAMES.table[crossentropy_for(y_true_shape, y_pred_shape)]
    else:
        loss = get(identifier)
    if isinstance(loss, Loss):
        return loss
    name = identifier if isinstance(identifier, str) else object_name(loss)
    return LossFunctionWrapper(loss, name=name)


def crossentropy_for(y_true_shape: tuple, y_pred_shape: tuple) -> str:
    """Name of the cross-entropy that fits labels and predictions of these shapes.

    Example:
        >>> crossentropy_for((None, 1), (None, 1))
        'binary_crossentropy'
    """
    return f"{kind_of_labels(y_true_shape, y_pred_shape)}_crossentropy"


def kind_of_labels(y_true_shape: tuple, y_pred_shape: tuple) -> str:
    """`"binary"`, `"sparse_categorical"` or `"categorical"`, by the shapes, as in Keras.

    One output is binary. For several outputs, labels with fewer axes, or with size 1 on the axis of
    the classes, are integers; all others are one-hot. Unlike in Keras a prediction of one
    number per sample without a class axis, `(batch,)`, is binary for every batch size.

    Example:
        >>> kind_of_labels((None, 10), (None, 10))
        'categorical'
    """
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return "sparse_categorical"
    return "categorical"


def object_name(symbol: Any) -> str:
    """Keras's default name of a loss or metric."""
    if hasattr(symbol, "name"):
        return symbol.name
    return naming.to_snake_case(getattr(symbol, "__name__", type(symbol).__name__))
