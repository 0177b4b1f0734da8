"""`diagnose`: finds what is wrong with a model and its training data."""

import time
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data, Targets
from lamina.core.user_data.text import Preprocessed
from lamina.diagnosis.examination import examine, make_setup, tasks_of
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.setup import without_side_effects
from lamina.diagnosis.experiments.trials import Trials
from lamina.diagnosis.layer_statistics import LayerProbe
from lamina.diagnosis.samples import samples_at
from lamina.diagnosis.user_model import initial_weights, request_for
from lamina.findings import Change, Findings, Record, calibrated
from lamina.training.recorder import record_of
from lamina.training.requests import FitRequest

# Epochs of a trial if the model has no history.
_EPOCHS = 10
# Samples of a short training, by which the duration of a full one is estimated.
_TIMED_SAMPLES = 500


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

    Copies of the model are trained with one change each, for 20 seconds or 15 % of a training that
    takes over a minute, to see which change helps. The model is not changed.

    Args:
        model: A compiled model, trained or not.
        x: The training inputs, `(samples, …)`, as for `fit`.
        y: The training targets.
        validation_data: `(x, y)` of validation samples; if None, a fifth of the training samples is
            held out.
        history: The result of `fit`, for its losses; if None, `model.history`.
        epochs: Epochs of the training; if None, those of the history, or 10 without a history.
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
    logs = _logs_per_epoch(history)
    epochs = epochs or len(logs) or _EPOCHS
    with without_side_effects():
        request = request_for(model, x, y, validation_data, epochs, batch_size)
        example = request.feed.example()
        # Builds the model, and raises errors for data that do not fit it.
        first = jax.tree.map(lambda array: array[:2], example[:2])
        if isinstance(first[0], Preprocessed) and y is not None:
            # What the host part has made of texts can only be given to compiled programs.
            first = tuple(samples_at(part, np.arange(2)) for part in (x, y))
        model.evaluate(*first, verbose=0)
        record = _record(model, request, logs)
        validation = None if request.validation is None else request.validation.example()
        setup = make_setup(
            model,
            model._learner.compile_config or {},
            example,
            validation,
            learning_rate=record.learning_rate,
            initial_weights=initial_weights(model),
            epochs=epochs,
            batch_size=record.batch_size or batch_size,
        )
        record = _with_statistics(model, record, example)
    if setup is None:
        note = "changes: the inputs are text, or there are no targets or few samples"
        return calibrated(Findings(examine(record, None, 0.0), [*record.unchecked, note]))
    return calibrated(examine(record, setup, _estimated_seconds(record, setup)))


def _logs_per_epoch(history: Any) -> list[dict[str, float]]:
    """The logs of every epoch, from a `History` or a dict of lists."""
    values_by_name = getattr(history, "history", history) or {}
    if not isinstance(values_by_name, dict) or not values_by_name:
        return []
    count = max(len(values) for values in values_by_name.values())
    return [
        {name: float(values[i]) for name, values in values_by_name.items() if i < len(values)}
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
        note = "what layers compute: the model is not a graph of layers, or overrides train_step"
        return replace(record, unchecked=(*record.unchecked, note))
    return replace(record, statistics=statistics)


def _estimated_seconds(record: Record, setup: Any) -> float:
    """Estimate how long a training with all samples and epochs would take."""
    short_setup = setup.subsample(_TIMED_SAMPLES)
    trials = Trials(replace(short_setup, epochs=1), tasks_of(record, setup), seconds=float("inf"))
    try:
        trials.run(Change("fit", "epochs", 1))
    except CannotCopyError:
        return 0.0
    began = time.perf_counter()
    trials.run(Change("fit", "epochs", 2))
    seconds = (time.perf_counter() - began) / 2
    return seconds * setup.epochs * setup.train.size / max(short_setup.train.size, 1)
