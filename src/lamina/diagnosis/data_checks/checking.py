"""Runs the checks of data that an examination includes."""

from collections.abc import Sequence

from lamina.diagnosis.data_checks.duplicates import check_duplicates
from lamina.diagnosis.data_checks.label_noise import check_label_noise
from lamina.diagnosis.data_checks.target_leak import check_target_leak
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import TrainingSetup
from lamina.diagnosis.experiments.trials import Trial, Trials
from lamina.findings import Finding, Record

# Labels are checked if a score is below the first number, or if the scores in training and
# validation differ by more than the second.
_GOOD_SCORE, _MAX_GAP = 0.9, 0.1
# Findings that memorized wrong labels can cause as well.
_SYMPTOMS = {"overfitting", "too-few-samples"}


def check_data(record: Record, setup: TrainingSetup, tasks: Sequence[Task]) -> list[Finding]:
    """Findings of the checks of data that train no network.

    Args:
        record: The record of the training.
        setup: The model, data and settings of the training.
        tasks: What each output predicts.
    """
    findings: list[Finding] = []
    if setup.has_validation:
        findings += check_duplicates(record, setup.train, setup.validation)
    if len(tasks) == 1:
        findings += check_target_leak(tasks[0], setup.train, setup.validation)
    return findings


def add_label_noise(
    findings: Sequence[Finding],
    setup: TrainingSetup,
    tasks: Sequence[Task],
    trials: Trials,
    unchanged: Sequence[Trial],
) -> tuple[list[Finding], list[str]]:
    """Check for label noise if the training went badly and no finding explains it.

    Args:
        findings: Findings so far.
        setup: The model, data and settings of the training, with all samples.
        tasks: What each output predicts.
        trials: The trials so far, with the time that is left.
        unchanged: Trials without a change: the user's training, and a repetition of it.

    Returns:
        The findings, with that of label noise if there is one, and what could not be checked.
    """
    causes = [f for f in findings if f.severity == "problem" and f.code not in _SYMPTOMS]
    if causes or len(tasks) != 1 or not any(map(_is_suspicious, unchanged)):
        return list(findings), []
    seconds_of_training = unchanged[-1].seconds * setup.train.size / max(trials.setup.train.size, 1)
    try:
        results = list(check_label_noise(setup, tasks[0], trials.seconds_left, seconds_of_training))
    except CannotCopyError:
        return list(findings), []
    noise = [result for result in results if isinstance(result, Finding)]
    others = [finding for finding in findings if not noise or finding.code not in _SYMPTOMS]
    return [*noise, *others], [result for result in results if isinstance(result, str)]


def _is_suspicious(trial: Trial) -> bool:
    gap = abs(trial.train_score - trial.score)
    return min(trial.train_score, trial.score) < _GOOD_SCORE or gap > _MAX_GAP
