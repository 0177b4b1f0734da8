"""What the training of a program begins with, as diagnosis sees it."""

from dataclasses import replace

import numpy as np

import lamina
from lamina.diagnosis.experiments.scores import Task, task_of
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup
from programs import Program


def setup_of(program: Program, seed: int) -> TrainingSetup:
    """A setup with new weights.

    Args:
        program: The program.
        seed: Of the weights and of the order of samples.
    """
    lamina.utils.set_random_seed(seed)
    model = program.model()
    model.build(program.x.shape)
    setup = TrainingSetup(
        model,
        model._learner.compile_config or {},
        program.rate,
        [np.array(weight) for weight in model.weights],
        Samples(program.x, program.y),
        Samples(program.x_val, program.y_val),
        epochs=program.fit["epochs"],
        batch_size=program.fit.get("batch_size", 32),
        seed=seed,
    )
    given = {name: program.fit[name] for name in ("shuffle", "class_weight") if name in program.fit}
    return replace(setup, **given)


def task_of_program(program: Program) -> Task:
    """What a program predicts, whatever a fault made of its loss."""
    labels = program.y_val
    if labels.dtype.kind in "iu" and labels.ndim == 1:
        return task_of(labels, "sparse_categorical_crossentropy")
    return task_of(labels, program.loss if isinstance(program.loss, str) else program.loss.name)
