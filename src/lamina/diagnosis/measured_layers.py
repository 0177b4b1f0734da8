"""Statistics of layers for the report: those of the training, or measured now."""

from typing import Any

import numpy as np

from lamina.diagnosis import samples
from lamina.diagnosis.experiments.setup import without_side_effects
from lamina.diagnosis.layer_statistics import PROBED_ROWS, LayerProbe
from lamina.diagnosis.user_model import request_for
from lamina.findings import LayerStatistics


def measured_layers(model: Any, train: tuple[Any, Any] | None) -> tuple[LayerStatistics, ...]:
    """The layer statistics at the end of the last training.

    With `lamina.config.set_diagnosis("full")` they were measured then. Otherwise they are measured
    on the first training samples, without the size of updates.

    Args:
        model: A trained, compiled model.
        train: `(x, y)` of the training.

    Returns:
        One entry for each layer; none if they cannot be measured.
    """
    record = getattr(getattr(model, "history", None), "record", None)
    recorded = () if record is None else record.statistics
    if recorded:
        last_step = max(statistics.step for statistics in recorded)
        return tuple(statistics for statistics in recorded if statistics.step == last_step)
    if train is None or getattr(model, "_graph", None) is None or not model.compiled:
        return ()
    rows = np.arange(min(PROBED_ROWS, samples.count_samples(train[0])))
    x, y = (samples.samples_at(part, rows) for part in train)
    try:
        with without_side_effects():
            request = request_for(model, x, y, None, 1, PROBED_ROWS)
            x, y, _ = request.feed.example()
            return LayerProbe(model, x, y).measure(0)
    except Exception:  # the user's layers and losses may raise anything
        return ()
