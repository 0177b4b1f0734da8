"""Examination: finds what is wrong with a training by trying changes on copies of the model."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from lamina.core.user_data.text import Preprocessed
from lamina.diagnosis.applying import apply
from lamina.diagnosis.data_checks.checking import add_label_noise, check_data
from lamina.diagnosis.experiments.baselines import Baseline, best_baseline
from lamina.diagnosis.experiments.candidates import candidates
from lamina.diagnosis.experiments.conclusions import conclude
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.sample_sizes import learning_curve
from lamina.diagnosis.experiments.scores import Task, task_of
from lamina.diagnosis.experiments.search import Search
from lamina.diagnosis.experiments.setup import MIN_TO_HOLD_OUT, Samples, TrainingSetup, hold_out
from lamina.diagnosis.experiments.trials import Trial, Trials
from lamina.findings import Findings, LearningCurve, Record, all_findings_of, findings_of

# Time budget of an examination: this fraction of a training that took longer than a minute, and
# these seconds after a shorter one.
_FRACTION_OF_TRAINING = 0.15
_SECONDS = 20.0
_LONG_TRAINING = 60.0
# Trials begin only within this share of it, since a trial that takes longer is not interrupted.
_PLANNED_SHARE = 0.9
# The budget should suffice for this many trials, each with at least this many samples.
_MIN_TRIALS = 6
_MIN_SAMPLES = 1000
# If it does not suffice for two of them, it should for this many with at least this many samples.
_FEWEST_TRIALS = 4
_FEWEST_SAMPLES = 200
# Changes with a lower prior are tried only if the training went badly.
_MIN_PRIOR = 0.5
_GOOD_SCORE = 0.9
# If simple models stay below this score, the data hold little to learn.
_LOW_SCORE = 0.15
# If the score of a repetition differs from the training's by this much, the training is unstable.
_UNSTABLE = 0.15
# Causes that are not tried if training went well and was shortened or is unstable, where such
# changes seem to help.
_MORE_STEPS = {"too-few-epochs", "learning-rate-too-low", "batch-size-too-large"}


def examine(
    record: Record,
    setup: TrainingSetup | None,
    seconds_of_training: float,
    seconds_spent: float = 0.0,
) -> Findings:
    """Find out what is wrong with a training.

    Checks of data, trials and the learning curve share one time budget. What does not fit into it
    is left out and named.

    Args:
        record: The record of the training.
        setup: The model, data and settings; None if the training cannot be repeated.
        seconds_of_training: How long the training took.
        seconds_spent: How much of the budget was spent before, on statistics of layers.

    Returns:
        Findings. `unchecked` says what could not be tried.
    """
    began = time.perf_counter()
    record_findings = findings_of(record)
    if setup is None:
        return record_findings
    seconds = _PLANNED_SHARE * budget(seconds_of_training) - seconds_spent
    tasks = tasks_of(record, setup)
    if not tasks:
        note = "changes: there are no targets to compare"
        return Findings(record_findings, [*record_findings.unchecked, note])
    data_findings = check_data(record, setup, tasks)
    seconds -= time.perf_counter() - began
    short_setup = _shorten(setup, seconds_of_training, seconds)
    trials = Trials(short_setup, tasks, seconds)
    if seconds_of_training * short_setup.train.size > seconds * setup.train.size:
        note = "changes, for lack of time: training one copy would take longer than the budget"
        unchecked = [*record_findings.unchecked, note]
        # A user may have the time.
        apply_change = partial(apply, setup=setup, tasks=tasks)
        return Findings([*data_findings, *record_findings], unchecked, apply_change)
    try:
        repetition = trials.run()
    except CannotCopyError as error:
        note = f"changes, because no copy of the model can be made: {error}"
        unchecked = [*record_findings.unchecked, note]
        return Findings([*data_findings, *record_findings], unchecked)
    original = _trial_of_model(trials, setup, repetition, record)
    is_shorter = short_setup is not setup
    is_unstable = not is_shorter and abs(original.score - repetition.score) > _UNSTABLE
    baseline = repetition
    if not is_shorter:
        worse = min(original, repetition, key=lambda trial: trial.score)
        baseline = replace(worse, seconds=repetition.seconds)
    simple_model = _best_simple_model(tasks, short_setup, record)
    went_well = original.score > _GOOD_SCORE or (
        simple_model is not None and original.score > max(simple_model.score + 0.02, 0.5)
    )
    search = Search(trials, baseline, is_unstable)
    search.run(
        [
            candidate
            for candidate in candidates(record, all_findings_of(record))
            if candidate.prior >= _MIN_PRIOR
            or not (went_well or (candidate.code in _MORE_STEPS and (is_unstable or is_shorter)))
        ]
    )
    findings = [*data_findings, *conclude(record_findings, search, simple_model, tasks[0])]
    findings, notes = add_label_noise(findings, setup, tasks, trials, [original, baseline])
    unchecked = [*record_findings.unchecked, *notes]
    if search.untried:
        unchecked.append("whether these would help: " + "; ".join(search.untried))
    curve = None
    if original.score > _LOW_SCORE:
        curve = _learning_curve(trials, repetition, tasks, _user_samples(record, setup))
    if isinstance(curve, str):
        unchecked.append(curve)
        curve = None
    return Findings(findings, unchecked, partial(apply, setup=setup, tasks=tasks), curve)


def _user_samples(record: Record, setup: TrainingSetup) -> int:
    """Number of training samples of the user; a setup has a part of them if there are very many."""
    held_out = 0 if setup.has_validation else setup.validation.size
    return max((record.samples or 0) - held_out, setup.train.size)


def _learning_curve(
    trials: Trials, repetition: Trial, tasks: Sequence[Task], samples: int
) -> LearningCurve | str | None:
    try:
        return learning_curve(trials, repetition, tasks, samples)
    except CannotCopyError:
        return None


def budget(seconds_of_training: float) -> float:
    """Seconds that an examination may take after a training of this duration.

    Example:
        >>> budget(10.0), budget(60.0), budget(80.0), budget(600.0)
        (20.0, 20.0, 12.0, 90.0)
    """
    if seconds_of_training > _LONG_TRAINING:
        return _FRACTION_OF_TRAINING * seconds_of_training
    return _SECONDS


def _trial_of_model(
    trials: Trials, setup: TrainingSetup, repetition: Trial, record: Record
) -> Trial:
    """The user's training as a trial; its repetition if the training was refused."""
    if record.ended == "refused":
        return repetition
    if record.ended == "not finite":
        worst = np.full_like(repetition.validation_scores, -1.0)
        return replace(repetition, validation_scores=worst)
    return trials.evaluate(setup.model)


def _best_simple_model(tasks: list[Task], setup: TrainingSetup, record: Record) -> Baseline | None:
    """The best baseline, in validation or, if that is poor, within the training data.

    Validation data may differ from training data. A baseline within the training data says whether
    there is anything to learn at all.
    """
    are_indices = any(layer.kind == "Embedding" for layer in record.layers)
    best = best_baseline(tasks, setup.train, setup.validation, are_indices)
    if best is None or best.score >= _LOW_SCORE:
        return best
    within_training = best_baseline(tasks, *hold_out(setup.train), are_indices)
    if within_training is None:
        return best
    return max(best, within_training, key=lambda baseline: baseline.score)


def tasks_of(record: Record, setup: TrainingSetup) -> list[Task]:
    """What each output predicts; empty if there are no targets to compare."""
    targets = jax.tree.leaves(setup.train.y)
    if not targets or len(targets) != len(record.outputs):
        return []
    return [
        task_of(y, output.loss, output.activation)
        for y, output in zip(targets, record.outputs, strict=True)
    ]


def _shorten(setup: TrainingSetup, seconds: float, budget: float) -> TrainingSetup:
    """A setup with fewer samples, if several trainings take longer than the budget.

    Args:
        setup: The model, data and settings of the training.
        seconds: How long a training takes.
        budget: Seconds for all trials.
    """
    if seconds <= budget / _MIN_TRIALS:
        return setup
    affordable = setup.train.size * max(budget, 0.0) / seconds
    samples = max(affordable / _MIN_TRIALS, _MIN_SAMPLES)
    if 2 * samples > affordable:
        samples = max(affordable / _FEWEST_TRIALS, _FEWEST_SAMPLES)
    return setup.subsample(int(samples))


def make_setup(
    model: Any,
    arguments: Mapping[str, Any],
    data: tuple[Any, Any, Any],
    validation: tuple[Any, Any, Any] | None,
    **settings: Any,
) -> TrainingSetup | None:
    """A setup from arrays; None without targets, or if inputs are text.

    Args:
        model: The model.
        arguments: The arguments of `compile`.
        data: x, y and sample_weight of training.
        validation: x, y and sample_weight of validation; if None, a part of the training data is
            held out.
        **settings: Other fields of `TrainingSetup`.
    """
    if data[1] is None or any(
        isinstance(part[0], Preprocessed) for part in (data, validation or data)
    ):
        return None
    train = Samples(*jax.tree.map(np.asarray, data))
    if validation is not None:
        validation_samples = Samples(*jax.tree.map(np.asarray, validation))
    elif train.size < MIN_TO_HOLD_OUT:
        validation_samples = train
    else:
        train, validation_samples = hold_out(train)
    return TrainingSetup(
        model=model,
        compile_arguments=arguments,
        train=train,
        validation=validation_samples,
        has_validation=validation is not None,
        **settings,
    )
