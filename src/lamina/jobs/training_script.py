"""Writes a Python script that repeats a job."""

from pathlib import Path
from typing import Any


def script(job: Any, epochs: int) -> str:
    """A script that does the same as a job, with the same results.

    Args:
        job: A `train_job.Job`.
        epochs: Number of epochs trained; fewer than in the job if it was stopped.
    """
    return (
        environment()
        .get_template("script.py.jinja")
        .render(
            job=job,
            dataset=job.dataset,
            classes=len(job.dataset.class_names),
            epochs=max(epochs, 1),
            stopped=epochs < job.epochs,
            done=epochs,
        )
    )


def environment() -> Any:
    """The Jinja environment for the templates of scripts."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # Python, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
