"""Which checks of data an examination makes, and when."""

from collections.abc import Sequence

from lamina.diagnosis.data_checks.duplicates import check_duplicates
from lamina.diagnosis.data_checks.label_noise import check_label_noise
from lamina.diagnosis.data_checks.target_leak import check_target_leak
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import TrainingSetup
from lamina.diagnosis.experiments.trials import Trial, Trials
from lamina.findings import Finding, Record

# Wrong labels show as a score below this, or as this difference between training and validation.
_GOOD, _GAP = 0.9, 0.1
# They look like wrong labels that were learned by heart.
_SYMPTOMS = {"overfitting", "too-few-samples"}


def check_data(record: Record, setup: TrainingSetup, tasks: Sequence[Task]) -> list[Finding]:
    """Findings of the checks that train no network.

    Args:
        record: What is known of the training.
        setup: What it began with.
        tasks: What each output predicts.
    """
    found: list[Finding] = []
    if setup.has_validation:
        found += check_duplicates(record, setup.train, setup.validation)
    if len(tasks) == 1:
        found += check_target_leak(tasks[0], setup.train, setup.validation)
    return found


def with_label_noise(
    found: Sequence[Finding],
    setup: TrainingSetup,
    tasks: Sequence[Task],
    trials: Trials,
    reached: Sequence[Trial],
) -> tuple[list[Finding], list[str]]:
    """Findings, and label noise if the training went badly and nothing else explains it.

    Args:
        found: Findings so far.
        setup: What the training began with, with all samples.
        tasks: What each output predicts.
        trials: Knows the time that is left.
        reached: The training, and a repetition of it.

    Returns:
        The findings, and what could not be checked.
    """
    causes = [one for one in found if one.severity == "problem" and one.code not in _SYMPTOMS]
    if causes or len(tasks) != 1 or not any(map(_is_suspicious, reached)):
        return list(found), []
    repeated = reached[-1].seconds * setup.train.size / max(trials.setup.train.size, 1)
    try:
        noise = list(check_label_noise(setup, tasks[0], trials.seconds_left, repeated))
    except CannotCopyError:
        return list(found), []
    findings = [one for one in noise if isinstance(one, Finding)]
    others = [one for one in found if not findings or one.code not in _SYMPTOMS]
    return [*findings, *others], [one for one in noise if isinstance(one, str)]


def _is_suspicious(trial: Trial) -> bool:
    gap = abs(trial.train_score - trial.score)
    return min(trial.train_score, trial.score) < _GOOD or gap > _GAP
