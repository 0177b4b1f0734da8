"""The job of `lamina train`: builds, trains, saves and evaluates a network, and writes a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lamina import diagnosis
from lamina.core.configuration import config
from lamina.core.variable.seed import set_random_seed
from lamina.datasets import Dataset
from lamina.diagnosis import Outcome
from lamina.jobs import architectures
from lamina.jobs.training_run import (
    Tell,
    run_unless_interrupted,
    silent,
    train_and_write,
    write_history,
)
from lamina.jobs.training_script import script
from lamina.optimizers import Adam

if TYPE_CHECKING:
    from lamina.models.model import Model

# Fraction of the training samples for validation.
VALIDATION_FRACTION = 0.1


class Job(NamedTuple):
    """The settings of a training job.

    Args:
        dataset: The data set.
        model: `"mlp"` or `"cnn"`.
        epochs: Number of epochs.
        batch_size: Samples per step.
        learning_rate: Learning rate of Adam; 0.001 for None.
        seed: Random seed.
        command: The command that started it, for the report and the script.
        file: Name of the script.
        devices: As for `fit`: `"all"`, a number, or None.
    """

    dataset: Dataset
    model: str
    epochs: int
    batch_size: int = 32
    learning_rate: float | None = None
    seed: int = 1
    command: str = "lamina train"
    file: str = "train.py"
    devices: str | int | None = None

    @property
    def samples(self) -> int:
        """Number of samples for training, without those for validation."""
        return int(len(self.dataset.train[0]) * (1 - VALIDATION_FRACTION))


class Run(NamedTuple):
    """The results of a training job.

    Args:
        history: One value per complete epoch.
        epochs: Number of complete epochs.
        samples: Number of samples trained on, summed over the epochs.
        seconds: Duration of the training.
        stopped: Whether it was stopped by Ctrl-C.
    """

    history: dict[str, list[float]]
    epochs: int
    samples: int
    seconds: float
    stopped: bool


def build(job: Job) -> Any:
    """A compiled model."""
    set_random_seed(job.seed)
    model = architectures.build(job.dataset, job.model)
    rate = job.learning_rate
    model.compile(
        optimizer="adam" if rate is None else Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def fit(
    job: Job, model: "Model", folder: Path, verbose: str | int = "auto", tell: Tell = silent
) -> Run:
    """Train a model, and save it with its history and the script.

    Ctrl-C stops the training early; the model is saved, too.

    Args:
        job: The settings.
        model: Result of `build`.
        folder: Folder to write to.
        verbose: As for `model.fit`.
        tell: Called with a message if the training is stopped.

    Raises:
        KeyboardInterrupt: After the third Ctrl-C.
    """

    def train(stopping: Any) -> None:
        model.fit(
            *job.dataset.train,
            epochs=job.epochs,
            batch_size=job.batch_size,
            validation_split=VALIDATION_FRACTION,
            verbose=verbose,
            callbacks=[stopping],
            devices=job.devices,
        )

    def write(seconds: float, stopped: bool) -> Run:
        run = _make_run(job, model, seconds)
        model.save(folder / "model.keras")
        write_history(run.history, folder / "history.csv")
        (folder / job.file).write_text(script(job, run.epochs), encoding="utf-8")
        return run

    run, stopped = train_and_write(train, write, tell, folder / "model.keras")
    return run._replace(stopped=stopped)


def _make_run(job: Job, model: Any, seconds: float) -> Run:
    """The results, from the step counter of the optimizer."""
    steps_per_epoch = -(-job.samples // job.batch_size)
    if limit := config.max_steps_per_epoch():
        steps_per_epoch = min(steps_per_epoch, limit)
    epochs, steps = divmod(int(model.optimizer.iterations), steps_per_epoch)
    history = getattr(model, "history", None)
    logs = {} if history is None else history.history
    return Run(
        {name: [float(v) for v in values[:epochs]] for name, values in logs.items() if epochs},
        epochs,
        epochs * min(job.samples, steps_per_epoch * job.batch_size) + steps * job.batch_size,
        seconds,
        stopped=False,
    )


def measure(
    job: Job, model: "Model", run: Run, announce: Tell = silent, tell: Tell = silent
) -> Outcome | None:
    """Evaluate a trained model; None if that was stopped by Ctrl-C.

    Args:
        job: The settings.
        model: The model.
        run: Results of the training.
        announce: Called with a line before the evaluation.
        tell: Called with a message if it is stopped.
    """
    (x, y), data = job.dataset.train, job.dataset
    announce("Measuring it on training and test images (Ctrl-C leaves this out) …")
    return run_unless_interrupted(
        lambda: diagnosis.measure(
            model,
            *data.test,
            train=(x[: job.samples], y[: job.samples]),
            history=run.history,
            class_names=data.class_names,
            title=data.title,
            noun="images",
            seconds=run.seconds,
            samples_trained=run.samples,
        ),
        tell,
    )


def report(job: Job, model: "Model", run: Run, outcome: Outcome, folder: Path) -> Path:
    """Write the report; returns its path."""
    network = {"mlp": "dense network", "cnn": "convolutional network"}[job.model]
    return diagnosis.write_page(
        folder / "report.html",
        outcome,
        model,
        title=f"{job.dataset.title} with a {network}",
        settings=settings(job, run),
        code=script(job, run.epochs),
    )


def settings(job: Job, run: Run) -> dict[str, Any]:
    """Settings and results, for the report."""
    return {
        "Command": job.command,
        "Data": job.dataset.title,
        "Trained": describe_epochs(job, run),
        "Batch size": f"{job.batch_size} samples per step",
        "Optimizer": f"Adam, learning rate {job.learning_rate or 0.001:g}",
        "Held out": f"{VALIDATION_FRACTION:.0%} of the training images, measured after every epoch",
        "Seed": job.seed,
    }


def describe_epochs(job: Job, run: Run) -> str:
    """`5 epochs`, or `2 of 5 epochs, and part of the next: stopped by Ctrl-C`."""
    if not run.stopped:
        return f"{run.epochs} epoch{'s' * (run.epochs != 1)}"
    part = ", and part of the next" if run.samples > run.epochs * job.samples else ""
    return f"{run.epochs} of {job.epochs} epochs{part}: stopped by Ctrl-C"
