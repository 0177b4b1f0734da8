"""The training of a network on a user's own data: load, build, train, save, measure, report."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lamina import diagnosis
from lamina.callbacks import EarlyStopping
from lamina.data import LoadedData
from lamina.diagnosis import Outcome
from lamina.jobs import own_network
from lamina.jobs.training_run import (
    Tell,
    run_unless_interrupted,
    silent,
    train_and_write,
    write_history,
)
from lamina.jobs.training_script import environment

_NOUNS = {"images": "pictures", "table": "rows", "text": "texts", "series": "windows"}


class OwnDataJob(NamedTuple):
    """The settings of a training job.

    Args:
        source: Path of the data.
        arguments: The other arguments of `lamina.data.load`.
        data: The loaded data.
        code: The network, as Python code.
        epochs: Maximum number of epochs.
        seed: Random seed.
        command: The command that started it, for the report and the script.
        file: Name of the script.
        devices: As for `fit`: `"all"`, a number, or None.
    """

    source: str
    arguments: dict[str, Any]
    data: LoadedData
    code: str
    epochs: int
    seed: int = 1
    command: str = "lamina train"
    file: str = "train.py"
    devices: str | int | None = None

    @property
    def noun(self) -> str:
        """Word for the samples."""
        return _NOUNS[self.data.kind]


class OwnDataRun(NamedTuple):
    """The results of a training job.

    Args:
        history: One value per epoch.
        best_epoch: The epoch whose weights were kept, from 1; 0 if there was none.
        seconds: Duration of the training.
        stopped: Whether it was stopped by Ctrl-C.
    """

    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    stopped: bool

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.history.get("loss", []))


class Measurement(NamedTuple):
    """Results on samples that were not used for training.

    Args:
        results: Loss and metrics on the test part, or on the validation part if there is none.
        part: `"test"` or `"val"`.
        baseline: The accuracy or mean absolute error of a constant prediction; for a series, of
            repeating the last value.
        outcome: All measures for the report; None for a series.
    """

    results: dict[str, float]
    part: str
    baseline: float
    outcome: Outcome | None


def fit(
    job: OwnDataJob, model: Any, folder: Path, verbose: str | int = "auto", tell: Tell = silent
) -> OwnDataRun:
    """Train a model, keep the weights of its best epoch, and save it with history and script.

    Args:
        job: The settings.
        model: Result of `own_network.build`.
        folder: Folder to write to.
        verbose: As for `model.fit`.
        tell: Called with a message if the training is stopped.
    """
    best = EarlyStopping(patience=own_network.patience(job.epochs), restore_best_weights=True)
    validates = job.data.val.size > 0

    def train(stopping: Any) -> None:
        model.fit(
            job.data.train,
            validation_data=job.data.val if validates else None,
            epochs=job.epochs,
            verbose=verbose,
            callbacks=[best, stopping] if validates else [stopping],
            devices=job.devices,
        )

    def write(seconds: float, stopped: bool) -> OwnDataRun:
        history = getattr(model, "history", None)
        logs = {} if history is None else history.history
        losses = logs.get("val_loss") or logs.get("loss") or []
        run = OwnDataRun(
            {name: list(map(float, values)) for name, values in logs.items()},
            int(np.argmin(losses)) + 1 if losses else 0,
            seconds,
            stopped,
        )
        model.save(folder / "model.keras")
        write_history(run.history, folder / "history.csv")
        (folder / job.file).write_text(script(job, run), encoding="utf-8")
        return run

    run, stopped = train_and_write(train, write, tell, folder / "model.keras")
    return run._replace(stopped=stopped)


def script(job: OwnDataJob, run: OwnDataRun) -> str:
    """A script that does the same as a job."""
    named = {name: value for name, value in job.arguments.items() if value is not None}
    arguments = ", ".join([repr(job.source), *(f"{n}={v!r}" for n, v in named.items())])
    epochs = run.epochs if run.stopped and run.epochs else job.epochs
    return (
        environment()
        .get_template("own_script.py.jinja")
        .render(
            job=job,
            arguments=arguments,
            code=job.code,
            epochs=epochs,
            patience=own_network.patience(job.epochs),
            stopped=run.stopped,
            done=run.epochs,
        )
    )


def measure(
    job: OwnDataJob, model: Any, run: OwnDataRun, tell: Tell = silent
) -> Measurement | None:
    """Measure a trained model on samples that it has never seen; None if Ctrl-C stops that."""
    name, part = ("test", job.data.test) if job.data.test.size else ("val", job.data.val)
    if not part.size:
        raise ValueError(
            "Nothing was kept to measure on.\n  Fix: a test or validation fraction above 0."
        )
    return run_unless_interrupted(lambda: _measure_part(job, model, run, name), tell)


def _measure_part(job: OwnDataJob, model: Any, run: OwnDataRun, name: str) -> Measurement:
    data, part = job.data, job.data.parts[name]
    if data.kind == "series":
        results = model.evaluate(part.x, part.y, verbose=0, return_dict=True)
        # The baseline repeats the last value of each window.
        baseline = float(np.abs(part.y - part.x[:, -1:, 0]).mean())
        return Measurement({k: float(v) for k, v in results.items()}, name, baseline, None)
    if data.class_names is not None:
        baseline = float(np.mean(part.y == np.bincount(data.train.y).argmax()))
    else:
        baseline = float(np.abs(part.y - np.median(data.train.y)).mean())
    outcome = diagnosis.measure(
        model,
        part.x,
        part.y,
        train=(data.train.x, data.train.y),
        history=run.history,
        class_names=data.class_names,
        title=Path(job.source).name,
        noun=job.noun,
        seconds=run.seconds,
        samples_trained=run.epochs * data.train.size,
    )
    return Measurement(outcome.test, name, baseline, outcome)


def report(
    job: OwnDataJob, model: Any, run: OwnDataRun, measured: Measurement, folder: Path
) -> Path:
    """Write the report; returns its path."""
    assert measured.outcome is not None
    return diagnosis.write_page(
        folder / "report.html",
        measured.outcome,
        model,
        title=f"{Path(job.source).name}: {job.data.target}",
        settings={
            "Command": job.command,
            "Data": job.data.describe().title,
            "Split": job.data.describe().split,
            "Trained": f"{run.epochs} epochs, of which number {run.best_epoch} was kept",
            "Seed": job.seed,
        },
        code=script(job, run),
    )
