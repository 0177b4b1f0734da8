"""CTC, the loss for sequences without alignment of labels and frames."""

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.layer import masking
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike, Outputs, Targets
from lamina.losses.loss import Loss
from lamina.losses.shapes import to_array
from lamina.ops.ctc import ctc_loss

_LOG_OF_ZERO = -1e4  # stands for minus infinity, in the range of float16


@filter_traceback
def ctc(y_true: Any, y_pred: Any) -> jax.Array:
    """Negative log-likelihood of the labels, summed over all alignments, in nats.

    For speech and handwriting, where the labels of a sequence are known, but not their frames. All
    frames are used; `ops.ctc_loss` also takes the number of frames of each sequence.

    Args:
        y_true: Labels from 1, padded with 0, `(batch, labels)`. 0 means "blank".
        y_pred: Logits, `(batch, frames, classes)`; class 0 is "blank".

    Returns:
        One value per sequence, `(batch,)`.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Graves et al., 2006, "Connectionist Temporal Classification", ICML.

    Example:
        >>> import numpy as np
        >>> sure = np.log([[[0.1, 0.9], [0.9, 0.1]]])
        >>> round(float(ctc([[1, 0]], sure)[0]), 4)  # -log(0.91)
        0.0943
    """
    labels = to_array(y_true, "y_true", "ctc")
    logits = to_array(y_pred, "y_pred", "ctc")
    if labels.ndim != 2 or logits.ndim != 3 or len(labels) != len(logits):
        raise ValueError(
            "ctc compares labels with frames of logits.\n"
            f"  Received: y_true of shape {labels.shape}, y_pred of shape {logits.shape}.\n"
            "  Fix: y_true as (batch, labels), padded with 0, and a model that ends in "
            "(batch, frames, classes) without softmax."
        )
    lengths = jnp.sum(labels != 0, axis=-1)
    return ctc_loss(labels, logits, lengths, jnp.full(len(logits), logits.shape[1]))


class CTC(Loss):
    """Connectionist temporal classification; see `ctc`. Masked frames are ignored.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> import numpy as np
        >>> sure = np.log([[[0.1, 0.9], [0.9, 0.1]]])
        >>> round(float(CTC()([[1, 0]], sure)), 4)
        0.0943
    """

    has_integer_labels = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def __call__(
        self, y_true: Targets, y_pred: Outputs, sample_weight: Targets = None
    ) -> jax.Array:
        mask = masking.get_mask(y_pred)
        if mask is not None:
            # A frame that is blank with certainty has no effect.
            blank = jnp.where(jnp.arange(y_pred.shape[-1]) == 0, 0.0, _LOG_OF_ZERO)
            y_pred = jnp.where(mask[..., None], y_pred, blank.astype(y_pred.dtype))
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return ctc(y_true, y_pred)
