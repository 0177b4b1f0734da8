"""`write_report`: a report on any model and data."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamina.core.messages.tracebacks import filter_traceback
from lamina.diagnosis.html_page import write_page
from lamina.diagnosis.outcome import measure
from lamina.findings import Findings

if TYPE_CHECKING:
    from lamina.models.model import Model


@filter_traceback
def write_report(
    path: str | os.PathLike,
    model: "Model",
    x: Any,
    y: Any = None,
    *,
    train: tuple[Any, Any] | None = None,
    history: Any = None,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    settings: Mapping[str, Any] | None = None,
    code: str = "",
    findings: Findings | None = None,
    seen: bool = False,
) -> Path:
    """Evaluate a trained model, and write a report as one HTML file.

    The report has what is going wrong, the curves of the training with the epochs in which that
    began, and statistics of the layers. For a classifier it has the confusion matrix with samples
    for every cell, the most confident mistakes, the samples that it is least sure of, how far its
    probabilities can be trusted, and the results for each class. For a regression it has
    predictions against targets, and the largest errors. Samples are shown as images, texts or rows.

    Args:
        path: The file to write.
        model: A trained, compiled model.
        x: Test samples: an array, a list, a dict of columns, a data frame; or batches `(x, y)`
            without the argument `y`.
        y: Targets: class indices, one-hot rows, or numbers.
        train: `(x, y)` of the training. With them, the verdict says whether the model generalises;
            at most 10,000 samples are evaluated.
        history: The result of `fit`, for the learning curves.
        class_names: Names of the classes.
        title: Title of the report; the model's name for None.
        settings: Entries of the section "How to repeat it".
        code: A script to show there.
        findings: The result of `diagnose`; what the last `fit` of the model found for None.
        seen: Whether the model may have been trained on `x`; then the report says so.

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
        model, x, y, train=train, history=history, class_names=class_names, title=title or "",
        findings=findings, seen=seen,
    )  # fmt: skip
    return write_page(
        Path(path),
        outcome,
        model,
        title=title or f"Report on {model.name}",
        settings=settings or {},
        code=code,
        findings=findings,
    )
