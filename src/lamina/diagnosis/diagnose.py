"""`diagnose`: what is wrong with a model, trained any time and anywhere."""

import time
from dataclasses import replace
from typing import Any

import jax

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data, Targets
from lamina.diagnosis.examination import examine, setup_of, tasks_of
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.setup import undisturbed
from lamina.diagnosis.experiments.trials import Trials
from lamina.diagnosis.layer_statistics import LayerProbe
from lamina.diagnosis.user_model import initial_weights, request_for
from lamina.findings import Change, Findings, Record, calibrated
from lamina.training.recorder import record_of
from lamina.training.requests import FitRequest

# Epochs of a trial for a model of which no history is known.
_EPOCHS = 10
# Samples of the training by which the duration of a trial is estimated.
_TIMED = 500


@filter_traceback
def diagnose(
    model: Any,
    x: Data,
    y: Targets = None,
    validation_data: Data = None,
    history: Any = None,
    epochs: int | None = None,
    batch_size: int = 32,
) -> Findings:
    """Find out what is wrong with a model and its training data.

    Copies of the model are trained with one change each, for about 20 seconds, to see which change
    helps. The model is not changed.

    Args:
        model: A compiled model, trained or not.
        x: The inputs that it was trained on, `(samples, …)`, as for `fit`.
        y: Their targets.
        validation_data: `(x, y)` of other samples; a fifth of the samples is held out if None.
        history: The result of `fit`, for its losses; the one that the model keeps for None.
        epochs: Epochs of the training; those of the history, or 10 without one.
        batch_size: Samples in a step of the training.

    Returns:
        Findings, the most important first. `unchecked` says what could not be checked.

    Raises:
        ValueError: If the model is not compiled, or the data do not fit it.

    Example:
        >>> import numpy as np, lamina
        >>> from lamina.layers import Dense
        >>> x = np.random.default_rng(0).normal(size=(200, 3))
        >>> y = (x[:, 0] > 0).astype(int)
        >>> model = lamina.Sequential([Dense(8, "relu"), Dense(1, "softmax")])
        >>> model.compile("adam", "binary_crossentropy")
        >>> diagnose(model, x, y, epochs=5)[0].code
        'output-activation'
    """
    if not getattr(model, "compiled", False):
        raise ValueError(
            f"diagnose takes a compiled model; {getattr(model, 'name', model)!r} is not compiled.\n"
            "  Fix: model.compile(optimizer='adam', loss=…), as for its training."
        )
    history = getattr(model, "history", None) if history is None else history
    logs = _logs_of(history)
    epochs = epochs or len(logs) or _EPOCHS
    with undisturbed():
        request = request_for(model, x, y, validation_data, epochs, batch_size)
        example = request.feed.example()
        # Builds the model, and raises errors for data that do not fit it.
        first = jax.tree.map(lambda array: array[:2], example)
        model.evaluate(first[0], first[1], verbose=0)
        record = _record(model, request, logs)
        validation = None if request.validation is None else request.validation.example()
        setup = setup_of(
            model,
            model._learner.compile_config or {},
            example,
            validation,
            learning_rate=record.learning_rate,
            start=initial_weights(model),
            epochs=epochs,
            batch_size=record.batch_size or batch_size,
        )
        record = _with_statistics(model, record, example)
    if setup is None:
        note = "changes: the inputs are text, or there are no targets or few samples"
        return calibrated(Findings(examine(record, None, 0.0), [*record.unchecked, note]))
    return calibrated(examine(record, setup, _estimated_seconds(record, setup)))


def _logs_of(history: Any) -> list[dict[str, float]]:
    """The logs of every epoch, from a `History` or a dict of lists."""
    named = getattr(history, "history", history) or {}
    if not isinstance(named, dict) or not named:
        return []
    count = max(len(values) for values in named.values())
    return [
        {name: float(values[i]) for name, values in named.items() if i < len(values)}
        for i in range(count)
    ]


def _record(model: Any, request: FitRequest, logs: list[dict[str, float]]) -> Record:
    record = record_of(request, model._learner)
    steps = None
    if record.samples is not None and record.batch_size:
        steps = len(logs) * -(-record.samples // record.batch_size)
    unchecked = record.unchecked
    if not logs:
        unchecked = (*unchecked, "the losses of the training: there is no history")
    return replace(record, epochs=tuple(logs), steps=steps, called_from=None, unchecked=unchecked)


def _with_statistics(model: Any, record: Record, example: Any) -> Record:
    try:
        statistics = LayerProbe(model, example[0], example[1]).measure(record.steps or 0)
    except Exception:  # the user's layers and losses may raise anything
        note = "what layers compute: the model is not a graph of layers, or has steps of its own"
        return replace(record, unchecked=(*record.unchecked, note))
    return replace(record, statistics=statistics)


def _estimated_seconds(record: Record, setup: Any) -> float:
    """How long a training with all samples and epochs would take."""
    short = setup.limited(_TIMED)
    trials = Trials(replace(short, epochs=1), tasks_of(record, setup), seconds=float("inf"))
    try:
        trials.run(Change("fit", "epochs", 1))
    except CannotCopyError:
        return 0.0
    began = time.perf_counter()
    trials.run(Change("fit", "epochs", 2))
    seconds = (time.perf_counter() - began) / 2
    return seconds * setup.epochs * setup.train.size / max(short.train.size, 1)
