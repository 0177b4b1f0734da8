"""Search: tries changes one by one, then in addition to the best one, then in combination."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamina.diagnosis.experiments.candidates import Candidate
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.setup import MIN_TO_HOLD_OUT
from lamina.diagnosis.experiments.trials import Trial, Trials, gain
from lamina.findings import Change

# A change helps if the score rises by this much, by this many standard errors, and by this fraction
# of what it lacks to a perfect score.
MIN_GAIN, _MIN_STANDARD_ERRORS, _MIN_FRACTION = 0.03, 2.5, 0.15
# More epochs help most trainings a little, so they must gain twice as much.
_FACTOR_FOR_EPOCHS = 2.0
# Score of a regression that is far worse than predicting the mean.
_FAR_BELOW_GUESSING = -0.5
# Below this score, combinations of changes are tried.
_GOOD_SCORE = 0.85
# Below this score, changes that checks propose are tried together first.
_POOR_SCORE = 0.4
# Minimum prior of changes that are tried together, and their maximum number.
_MIN_PRIOR, _MAX_TOGETHER = 0.35, 5
# Minimum prior of changes that checks propose and that are tried together first.
_MIN_PRIOR_OF_CHECKED = 0.75
# Maximum number of changes that are tried in addition to the best one.
_MAX_ADDITIONAL = 6


@dataclass(frozen=True)
class TriedCandidate:
    """A candidate and the scores with its change.

    Args:
        candidate: The change that was tried.
        trial: The trial with the change.
        reference: The trial that it is compared with.
    """

    candidate: Candidate
    trial: Trial
    reference: Trial

    @property
    def gain(self) -> float:
        """By how much the change raises the score."""
        return gain(self.trial, self.reference)[0]

    @property
    def helps(self) -> bool:
        """Whether the gain is significant and large enough."""
        score_gain, error = gain(self.trial, self.reference)
        missing = max(1 - self.reference.score, 1e-6)
        factor = _FACTOR_FOR_EPOCHS if self.candidate.code == "too-few-epochs" else 1.0
        is_significant = score_gain > max(factor * MIN_GAIN, _MIN_STANDARD_ERRORS * error)
        is_large = score_gain / missing > factor * _MIN_FRACTION
        return self.trial.failed is None and is_significant and is_large and self._is_above_chance

    @property
    def _is_above_chance(self) -> bool:
        """Whether the trial is better than guessing, or the reference far worse than guessing."""
        scores = self.trial.validation_scores
        error = scores.std() / np.sqrt(len(scores)) if len(scores) >= MIN_TO_HOLD_OUT else 0.0
        return self.trial.score > max(2 * error, 0.05) or self.reference.score < _FAR_BELOW_GUESSING


class Search:
    """Tries changes within a time budget.

    Args:
        trials: Trains the copies.
        baseline: The trial without a change.
        unstable: Whether a repetition had a different score, so that one trial proves little.

    Attributes:
        results: The changes that were tried one by one.
        additional: Changes that help in addition to the best one.
        joint_candidates: Changes that help together, but not one by one.
        joint_trial: The trial of the joint candidates.
        dismissed: Codes of changes that were tried with the joint candidates and are not needed.
        untried: Changes that could not be tried, in words.
    """

    def __init__(self, trials: Trials, baseline: Trial, unstable: bool):
        self._trials = trials
        self.baseline = baseline
        self._unstable = unstable
        self.results: list[TriedCandidate] = []
        self.additional: list[TriedCandidate] = []
        self.joint_candidates: list[Candidate] = []
        self.joint_trial: Trial | None = None
        self.dismissed: set[str] = set()
        self.untried: list[str] = []
        # By how much trials took longer than by the number of their epochs: changes are compiled.
        self._extra_seconds: list[float] = []

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return self._trials.setup.train.size

    @property
    def helping(self) -> list[TriedCandidate]:
        """The changes that help by themselves, the best first."""
        helping = [result for result in self.results if result.helps]
        return sorted(helping, key=lambda result: -result.gain)

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Try changes; if time is short or the score poor, first those of checks, together."""
        checked = [
            c for c in candidates if c.finding is not None and c.prior >= _MIN_PRIOR_OF_CHECKED
        ]
        is_short = self._trials.seconds_left < len(candidates) * self.baseline.seconds
        if len(checked) > 1 and (is_short or self.baseline.score < _POOR_SCORE):
            self._try_together(checked)
        if not self.joint_candidates:
            self.try_each(candidates)
            self.try_combinations(candidates)
        elif self.joint_trial is not None and self.joint_trial.score < _GOOD_SCORE:
            joint_change = Change.joined([candidate.change for candidate in self.joint_candidates])
            checked_codes = {candidate.code for candidate in checked}
            rest = [candidate for candidate in candidates if candidate.code not in checked_codes]
            self._try_in_addition(joint_change, self.joint_trial, rest)

    def try_each(self, candidates: Sequence[Candidate]) -> None:
        """Try each change by itself."""
        for candidate in candidates:
            trial = self._run(candidate.change, candidate.change.describe())
            if trial is not None:
                self.results.append(TriedCandidate(candidate, trial, self.baseline))

    def try_combinations(self, candidates: Sequence[Candidate]) -> None:
        """If the score is not good yet, try changes in addition to the best one.

        If no single change helps, the likeliest changes are tried together.
        """
        helping = self.helping
        if helping and helping[0].trial.score < _GOOD_SCORE:
            best = helping[0]
            rest = [other for other in candidates if other.code != best.candidate.code]
            self._try_in_addition(best.candidate.change, best.trial, rest)
        elif not helping and self.baseline.score < _GOOD_SCORE:
            self._try_together(candidates)

    def _try_in_addition(
        self, change: Change, reference: Trial, candidates: Sequence[Candidate]
    ) -> None:
        """Try each candidate together with a change whose trial is the reference."""
        # Other values of the same settings would replace the change.
        names = {part.name for part in change.parts}
        rest = [
            candidate
            for candidate in candidates
            if not names & {part.name for part in candidate.change.parts}
        ]
        for candidate in rest[:_MAX_ADDITIONAL]:
            trial = self._run(Change.joined([change, candidate.change]))
            if trial is None:
                continue
            result = TriedCandidate(candidate, trial, reference)
            if result.helps:
                self.additional.append(result)
        self.additional.sort(key=lambda result: -result.gain)

    def _try_together(self, candidates: Sequence[Candidate]) -> None:
        """Try the likeliest changes together, and leave out those that are not needed."""
        chosen: list[Candidate] = []
        for candidate in candidates:
            names = {(part.where, part.name) for other in chosen for part in other.change.parts}
            if candidate.prior >= _MIN_PRIOR and not names & {
                (part.where, part.name) for part in candidate.change.parts
            }:
                chosen.append(candidate)
        chosen = chosen[:_MAX_TOGETHER]
        if len(chosen) < 2:
            return
        trial = self._run(Change.joined([candidate.change for candidate in chosen]))
        if trial is None or not TriedCandidate(chosen[0], trial, self.baseline).helps:
            return
        needed = set()
        for candidate in chosen:
            rest = [other.change for other in chosen if other is not candidate]
            trial_without = self._run(Change.joined(rest))
            if trial_without is None or TriedCandidate(candidate, trial, trial_without).helps:
                needed.add(candidate.code)
        self.joint_trial, self.joint_candidates = trial, [c for c in chosen if c.code in needed]
        self.dismissed = {c.code for c in chosen} - needed

    def _run(self, change: Change, name: str | None = None) -> Trial | None:
        """Train a copy with a change; None if there is no time, or no such copy can be made."""
        seconds = self.baseline.seconds * self._epochs_ratio(change)
        extra = max(float(np.median(self._extra_seconds or [0.0])), 0.0)
        if self._trials.seconds_left < seconds + extra:
            if name is not None:
                self.untried.append(name)
            return None
        try:
            trial = self._trials.run(change)
            self._extra_seconds.append(trial.seconds - seconds)
            if self._unstable and trial.score > self.baseline.score + MIN_GAIN:
                repetition = self._trials.run(change, seed=self._trials.setup.seed + 1)
                trial = min(trial, repetition, key=lambda trial: trial.score)
        except CannotCopyError as error:
            if name is not None:
                self.untried.append(f"{name} ({error})")
            return None
        return trial

    def _epochs_ratio(self, change: Change) -> float:
        epochs = [part.value for part in change.parts if part.name == "epochs"]
        return float(epochs[0]) / self._trials.setup.epochs if epochs else 1.0
