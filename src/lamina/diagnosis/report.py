"""The report of any model on any data."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.diagnosis.html_page import write_page
from lamina.diagnosis.outcome import measure


@filter_traceback
def write_report(
    path: str | os.PathLike,
    model: Any,
    x: Any,
    y: Any = None,
    *,
    train: tuple[Any, Any] | None = None,
    history: Any = None,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    settings: Mapping[str, Any] | None = None,
    code: str = "",
) -> Path:
    """Measure a trained model and write one HTML file that shows what it can and cannot do.

    A classifier gets its learning curves, the confusion matrix with the samples behind every cell,
    the mistakes it was surest of and its results class by class; a model that says numbers, its
    predictions beside the targets and its largest errors; any other, its measures, curves and
    layers. Samples are shown as images, texts or rows, whichever they are.

    Args:
        path: The file to write.
        model: A trained, compiled model.
        x: Samples that it has never seen: an array, a list, a dict of columns, a data frame; or
            batches `(x, y)`, with `y` left out.
        y: Their targets: class numbers, one-hot rows, or numbers.
        train: `(x, y)` that it was trained on. With them the verdict tells whether it generalises;
            at most 10,000 are measured.
        history: What `fit` returned, for the learning curves.
        class_names: What the class numbers mean.
        title: Headline; the model's name for None.
        settings: What is to be listed under "How to repeat it".
        code: A script to show there.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> import lamina, numpy as np
        >>> model = lamina.Sequential([lamina.layers.Dense(2, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> x, y = np.random.normal(size=(64, 3)), np.arange(64) % 2
        >>> history = model.fit(x, y, validation_split=0.25, verbose=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/report.html"
        ...     written = write_report(path, model, x[48:], y[48:], train=(x, y), history=history)
        >>> written.name
        'report.html'
    """
    outcome = measure(
        model, x, y, train=train, history=history, class_names=class_names, title=title or ""
    )
    return write_page(
        Path(path),
        outcome,
        model,
        title=title or f"Report on {model.name}",
        settings=settings or {},
        code=code,
    )
