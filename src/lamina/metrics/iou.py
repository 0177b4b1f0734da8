"""Intersection over union, a measure of segmentation.

All metrics accumulate a confusion matrix `(true, predicted)`.
"""

import warnings
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.configuration.dtypes import is_float
from lamina.core.layer import masking
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.shapes import match_rank, match_weight, to_array
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import apply_mask_to_weight


class IoU(Metric):
    """Intersection over union of chosen classes, averaged over them.

    `true positives / (true positives + false positives + false negatives)`. A class that occurs
    neither in the labels nor in the predictions is ignored.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes to report on, e.g. `[1]`.
        name: See `Metric`.
        dtype: Type of the counts, int32 if None: exact up to 2 billion pixels. For sample
            weights that are fractions it must be `"float32"`, which is exact up to 16 million.
        ignore_class: Label of pixels to ignore, such as 255.
        sparse_y_true: Whether targets are class indices; if not, the class is the largest along
            `axis`.
        sparse_y_pred: Whether predictions are class indices.
        axis: The axis of the classes, if not sparse.

    Call arguments:
        y_true: Labels, `(batch, …)`, or with a class axis.
        y_pred: Predictions, likewise. Class numbers outside `0 … num_classes - 1` don't count.
        sample_weight: One per sample or per pixel.

    Raises:
        ValueError: If a class to report on is not one of `num_classes`.

    Example:
        >>> metric = IoU(num_classes=2, target_class_ids=[0])
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype or "int32")
        # First, so that an error for a too large num_classes comes before the loop over classes.
        self.total_cm = self.add_variable(
            shape=(num_classes, num_classes), dtype=self.dtype, name="total_confusion_matrix"
        )
        invalid_ids = [i for i in target_class_ids if not 0 <= i < num_classes]
        if invalid_ids:
            raise ValueError(
                f"{type(self).__name__} has the classes 0 to {num_classes - 1}; received "
                f"target_class_ids={list(target_class_ids)}."
            )
        self._warned_of_fractions = False
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        mask = masking.get_mask(y_pred)
        true, pred = self._classes(y_true, y_pred)
        weight = self._weight(
            apply_mask_to_weight(sample_weight, mask, "float32", self.name), true.shape
        )
        is_counted = (
            (0 <= true) & (true < self.num_classes) & (0 <= pred) & (pred < self.num_classes)
        )
        if self.ignore_class is not None:
            is_counted &= true != self.ignore_class
        index = jnp.where(is_counted, true * self.num_classes + pred, 0)
        confusion_counts = jnp.bincount(
            index.ravel(),
            weights=jnp.where(is_counted, weight, 0).ravel(),
            length=self.num_classes**2,
        )
        self.total_cm.assign_add(confusion_counts.reshape(self.total_cm.shape))

    def _classes(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Class numbers of targets and predictions, of equal shapes."""
        arrays = to_array(y_true, "y_true", self.name), to_array(y_pred, "y_pred", self.name)
        sparse = self.sparse_y_true, self.sparse_y_pred
        classes = [
            values if is_sparse else jnp.argmax(values, axis=self.axis)
            for values, is_sparse in zip(arrays, sparse, strict=True)
        ]
        true, pred = match_rank(*(values.astype("int32") for values in classes))
        # If only one array has size 1 on the class axis, it has class indices and the other one
        # has a value per class.
        classes_differ = (
            not any(sparse) and arrays[0].shape[self.axis] != arrays[1].shape[self.axis]
        )
        if true.shape != pred.shape or classes_differ:
            raise self._shape_error(*(values.shape for values in arrays))
        return true, pred

    def _shape_error(self, true: tuple, pred: tuple) -> ValueError:
        sparse = self.sparse_y_true, self.sparse_y_pred
        kinds = ["class indices" if s else f"classes on axis {self.axis}" for s in sparse]
        message = (
            f"{self.name} compares classes position by position, and the shapes differ.\n"
            f"  Received: y_true of shape {true} ({kinds[0]}), y_pred of shape {pred} ({kinds[1]})."
        )
        if pred[:-1] == (true[:-1] if true[-1:] == (1,) else true):
            arguments = f"num_classes={pred[-1]}"
            if not isinstance(self, MeanIoU):
                arguments += f", target_class_ids={self.target_class_ids}"
            return ValueError(
                f"{message}\n"
                f"  Fix: {'MeanIoU' if isinstance(self, MeanIoU) else 'IoU'}({arguments}, "
                "sparse_y_pred=False), where y_true holds class indices and y_pred a probability "
                "for each class."
            )
        return ValueError(message)

    def _weight(self, sample_weight: ArrayLike, shape: tuple) -> jax.Array:
        if sample_weight is None:
            return jnp.ones(shape, self.dtype)
        weight = to_array(sample_weight, "sample_weight", self.name)
        loses_fractions = (
            is_float(weight.dtype) and not is_float(self.dtype) and not _is_whole(weight)
        )
        if loses_fractions and not self._warned_of_fractions:
            self._warned_of_fractions = True
            warnings.warn(
                f"{self.name} counts in integers, so fractional parts of weights are lost.\n"
                f"  Fix: {type(self).__name__}(…, dtype='float32').",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )
        weight = match_weight(weight.astype(self.dtype), shape, self.name)
        return jnp.broadcast_to(weight, shape)

    def result(self) -> jax.Array:
        classes = np.array(self.target_class_ids)
        matrix = self.total_cm.value
        intersection = jnp.diagonal(matrix)[classes].astype("float32")
        union = (jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1))[classes].astype("float32")
        union = union - intersection
        occurs = union > 1e-9
        iou = jnp.where(occurs, intersection / (union + config.epsilon()), 0.0)
        return jnp.sum(iou) / (jnp.sum(occurs) + config.epsilon())

    def get_config(self) -> dict:
        names = (
            "num_classes",
            "target_class_ids",
            "ignore_class",
            "sparse_y_true",
            "sparse_y_pred",
            "axis",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class BinaryIoU(IoU):
    """`IoU` of binary predictions: probabilities of at least `threshold` are class 1.

    Args:
        target_class_ids: `[0]`, `[1]` or both.
        threshold: Predictions from this value on are class 1.
        name, dtype: See `IoU`.

    Example:
        >>> metric = BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
        >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        scores = to_array(y_pred, "y_pred", self.name, "float32")
        classes = masking.with_mask_of(y_pred, (scores >= self.threshold).astype("int32"))
        super().update_state(y_true, classes, sample_weight)

    def get_config(self) -> dict:
        return {
            **Metric.get_config(self),
            "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
        }


class MeanIoU(IoU):
    """`IoU` averaged over all classes.

    Args:
        num_classes, name, dtype, ignore_class: See `IoU`.
        sparse_y_true, sparse_y_pred, axis: See `IoU`.

    Example:
        >>> metric = MeanIoU(num_classes=2)
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(
            num_classes,
            range(num_classes),
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=sparse_y_true,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict:
        return _without_key(super().get_config(), "target_class_ids")


class OneHotIoU(IoU):
    """`IoU` of one-hot labels and of predictions with one score per class.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class: See `IoU`.
        sparse_y_pred: Whether predictions are class indices.
        axis: The axis of the classes.

    Example:
        >>> metric = OneHotIoU(num_classes=2, target_class_ids=[1])
        >>> metric.update_state([[0.0, 1.0], [1.0, 0.0]], [[0.2, 0.8], [0.4, 0.6]])
        >>> round(float(metric.result()), 4)
        0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(
            num_classes,
            target_class_ids,
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict:
        return _without_key(super().get_config(), "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`OneHotIoU` averaged over all classes.

    Args:
        num_classes, name, dtype, ignore_class: See `IoU`.
        sparse_y_pred: Whether predictions are class indices.
        axis: The axis of the classes.

    Example:
        >>> metric = OneHotMeanIoU(num_classes=2)
        >>> metric.update_state([[0.0, 1.0], [1.0, 0.0]], [[0.2, 0.8], [0.4, 0.6]])
        >>> round(float(metric.result()), 4)
        0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(
            num_classes,
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict:
        return _without_key(super().get_config(), "sparse_y_true")


def _is_whole(weight: jax.Array) -> bool:
    if isinstance(weight, jax.core.Tracer):
        return False  # not known while tracing
    return bool(np.all(np.asarray(weight) % 1 == 0))


def _without_key(config: dict, name: str) -> dict:
    return {key: value for key, value in config.items() if key != name}
