"""Examination: what is wrong with a training, with changes that were tried on copies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from lamina.core.user_data.text import Preprocessed
from lamina.diagnosis.applying import apply
from lamina.diagnosis.data_checks.checking import check_data, with_label_noise
from lamina.diagnosis.experiments.baselines import best_baseline
from lamina.diagnosis.experiments.candidates import candidates
from lamina.diagnosis.experiments.conclusions import conclude
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.sample_sizes import learning_curve
from lamina.diagnosis.experiments.scores import Task, task_of
from lamina.diagnosis.experiments.search import Search
from lamina.diagnosis.experiments.setup import WHOLE_WORLD, Samples, TrainingSetup, held_out
from lamina.diagnosis.experiments.trials import Trial, Trials
from lamina.findings import Findings, LearningCurve, Record, all_findings_of, findings_of

# Trials take at most this share of the time that training took, or these seconds if that is more.
_SHARE_OF_TRAINING = 0.15
_SECONDS = 20.0
# A trial should take at most this part of the budget.
_PART = 6
_FEWEST_SAMPLES = 1000
# Below this prior a change is tried only if the training went badly.
_SUSPECT = 0.5
_GOOD = 0.9
_NO_SIGNAL = 0.15
# A repetition that differs by this much from the training shows that chance decides.
_UNSTABLE = 0.15
# Shorter trainings gain from them, and repetitions of an unstable one do by chance.
_MORE_STEPS = {"too-few-epochs", "learning-rate-too-low", "batch-size-too-large"}


def examine(record: Record, setup: TrainingSetup | None, seconds_of_training: float) -> Findings:
    """Find out what is wrong with a training.

    Args:
        record: What is known of it.
        setup: What it began with; None if it cannot be repeated.
        seconds_of_training: How long it took.

    Returns:
        Findings. `unchecked` says what could not be tried.
    """
    static = findings_of(record)
    if setup is None:
        return static
    seconds = budget(seconds_of_training)
    tasks = tasks_of(record, setup)
    if not tasks:
        return Findings(static, [*static.unchecked, "changes: there are no targets to compare"])
    of_data = check_data(record, setup, tasks)
    short = _shortened(setup, seconds_of_training, seconds / _PART)
    trials = Trials(short, tasks, seconds)
    try:
        baseline = trials.run()
    except CannotCopyError as error:
        note = f"changes, because no copy of the model can be made: {error}"
        return Findings([*of_data, *static], [*static.unchecked, note])
    reached = baseline if record.ended == "refused" else _reached(trials, setup, baseline, record)
    is_shorter, whole, setup = short is not setup, setup, short
    repeated = baseline
    unstable = not is_shorter and abs(reached.score - baseline.score) > _UNSTABLE
    if not is_shorter:
        baseline = min(reached, baseline, key=lambda trial: trial.score)
    indices = _are_indices(record)
    simple = best_baseline(tasks, setup.train, setup.validation, indices)
    if simple is not None and simple.score < _NO_SIGNAL:
        # Validation may be unlike training; whether there is anything to learn is another matter.
        within = best_baseline(tasks, *held_out(setup.train), indices)
        simple = max((one for one in (simple, within) if one), key=lambda one: one.score)
    good = reached.score > _GOOD or (
        simple is not None and reached.score > max(simple.score + 0.02, 0.5)
    )
    search = Search(trials, baseline, unstable)
    likely = [
        candidate
        for candidate in candidates(record, all_findings_of(record))
        if candidate.prior >= _SUSPECT
        or not (good or (candidate.code in _MORE_STEPS and (unstable or is_shorter)))
    ]
    search.run(likely)
    findings = [*of_data, *conclude(static, search, simple, tasks[0])]
    findings, unknown = with_label_noise(findings, whole, tasks, trials, [reached, baseline])
    unchecked = [*static.unchecked, *unknown]
    if search.untried:
        unchecked.append("whether these would help: " + "; ".join(search.untried))
    curve = None
    if reached.score > _NO_SIGNAL:
        curve = _learning_curve(trials, repeated, tasks, _samples_of_user(record, whole))
    if isinstance(curve, str):
        unchecked.append(curve)
        curve = None
    return Findings(findings, unchecked, partial(apply, setup=whole, tasks=tasks), curve)


def _samples_of_user(record: Record, whole: TrainingSetup) -> int:
    """Training samples of the user, of which a setup has some if there are very many."""
    held = 0 if whole.has_validation else whole.validation.size
    return max((record.samples or 0) - held, whole.train.size)


def _learning_curve(
    trials: Trials, repeated: Trial, tasks: Sequence[Task], samples: int
) -> LearningCurve | str | None:
    try:
        return learning_curve(trials, repeated, tasks, samples)
    except CannotCopyError:
        return None


def budget(seconds_of_training: float) -> float:
    """Seconds that trials may take after a training of this duration."""
    return max(_SHARE_OF_TRAINING * seconds_of_training, _SECONDS)


def _reached(trials: Trials, setup: TrainingSetup, baseline: Trial, record: Record) -> Trial:
    """What the user's training reached."""
    if record.ended == "not finite":
        return replace(baseline, validation=np.full_like(baseline.validation, -1.0))
    return trials.trained(setup.model)


def tasks_of(record: Record, setup: TrainingSetup) -> list[Task]:
    """What each output predicts; empty if there are no targets to compare."""
    targets = jax.tree.leaves(setup.train.y)
    if not targets or len(targets) != len(record.outputs):
        return []
    return [
        task_of(y, output.loss, output.activation)
        for y, output in zip(targets, record.outputs, strict=True)
    ]


def _are_indices(record: Record) -> bool:
    """Whether inputs are indices of words."""
    return any(layer.kind == "Embedding" for layer in record.layers)


def _shortened(setup: TrainingSetup, seconds: float, most: float) -> TrainingSetup:
    """A setup with fewer samples, if training took longer than a trial may take."""
    if seconds <= most:
        return setup
    samples = max(int(setup.train.size * most / seconds), _FEWEST_SAMPLES)
    return setup.limited(samples)


def setup_of(
    model: Any,
    arguments: Mapping[str, Any],
    data: tuple[Any, Any, Any],
    validation: tuple[Any, Any, Any] | None,
    **settings: Any,
) -> TrainingSetup | None:
    """A setup from arrays; None for inputs that were text, of which only numbers are left.

    Args:
        model: The model.
        arguments: The arguments of `compile`.
        data: x, y and sample_weight of training.
        validation: The same of validation; a part of the training data is held out if None.
        **settings: Other fields of `TrainingSetup`.
    """
    if data[1] is None or any(
        isinstance(part[0], Preprocessed) for part in (data, validation or data)
    ):
        return None
    train = Samples(*jax.tree.map(np.asarray, data))
    if validation is None and train.size < WHOLE_WORLD:
        held = train
    elif validation is None:
        train, held = held_out(train)
    else:
        held = Samples(*jax.tree.map(np.asarray, validation))
    return TrainingSetup(
        model=model,
        compile_arguments=arguments,
        train=train,
        validation=held,
        has_validation=validation is not None,
        **settings,
    )
