"""Facts that need samples: the targets of streams, and the outputs of a model without a graph."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np

from lamina.core.user_data.text import has_text
from lamina.findings import OutputFacts, Record
from lamina.training import checks
from lamina.training.recorded_facts import describe_targets, input_values, output_facts
from lamina.training.trainable import Trainable

_ROWS = 64
_TOLERANCE = 1e-3


def add_facts_from_samples(
    record: Record, learner: Trainable, data: Any, validation: Any
) -> Record:
    """Add to a record the facts that need samples.

    Args:
        record: The record of a training.
        learner: The learner of the trained model.
        data: x, y and sample_weight of training samples, or None.
        validation: x, y and sample_weight of validation samples, or None.
    """
    if data is None:
        note = "the samples: they come from a source that can be read only once"
        return replace(record, unchecked=(*record.unchecked, note))
    x, y, _ = data
    y_validation = None if validation is None else validation[1]
    outputs = record.outputs
    if not outputs and learner.compares_targets(training=True):
        outputs = _observed_outputs(learner, x, y, y_validation)
    elif outputs and outputs[0].targets is None:
        outputs = output_facts(learner, y, y_validation)
    unchecked = tuple(
        note for note in record.unchecked if not note.startswith("classes and order of the targets")
    )
    inputs = record.inputs or (() if has_text(x) else input_values(x))
    return replace(record, outputs=outputs, inputs=inputs, unchecked=unchecked)


def _observed_outputs(
    learner: Trainable, x: Any, y: Any, y_validation: Any
) -> tuple[OutputFacts, ...]:
    """The output of a model without a graph; its last activation is inferred from predictions."""
    losses = learner.objectives.losses
    targets = jax.tree.leaves(y)
    if len(losses) != 1 or len(targets) != 1:
        return ()
    rows = jax.tree.map(lambda array: array[:_ROWS], x)
    (predictions,) = jax.tree.leaves(learner.model.predict(rows, verbose=0))
    (_, loss) = losses[0]
    return (
        OutputFacts(
            name="output",
            units=int(predictions.shape[-1]) if predictions.ndim > 1 else None,
            activation=infer_activation(predictions),
            loss=checks.loss_name(loss),
            from_logits=bool(getattr(loss, "from_logits", False)),
            targets=describe_targets(targets[0]),
            validation_targets=None if y_validation is None else describe_targets(y_validation),
        ),
    )


def infer_activation(predictions: Any) -> str | None:
    """Infer the last activation from its outputs: sigmoid, softmax, linear, or None if unclear.

    Example:
        >>> infer_activation(np.array([[0.2, 0.8], [0.5, 0.5]]))
        'softmax'
    """
    values = np.asarray(predictions, float)
    if not np.isfinite(values).all():
        return None
    if values.min() < -_TOLERANCE or values.max() > 1 + _TOLERANCE:
        return "linear" if values.min() < 0 else None
    if values.ndim > 1 and values.shape[-1] > 1:
        if np.allclose(values.sum(axis=-1), 1, atol=_TOLERANCE):
            return "softmax"
    return "sigmoid"
