"""Search: tries changes one by one, then on top of the best one, then together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamina.diagnosis.experiments.candidates import Candidate
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.setup import WHOLE_WORLD
from lamina.diagnosis.experiments.trials import Trial, Trials, gain
from lamina.findings import Change

# A change helps if it gains this much, so many standard errors, and this share of what is missing.
GAIN, _ERRORS, _SHARE = 0.03, 2.5, 0.15
# More epochs help most trainings a little: they must gain twice as much.
_MORE_OF_EPOCHS = 2.0
# Numbers that are far off score below this.
_FAR_BELOW = -0.5
# Below this score a training may have several faults.
_GOOD = 0.85
# Below this score what checks propose is tried at once first.
_POOR = 0.4
# Changes that are tried together are at least so likely.
_LIKELY = 0.35
_MOST_TOGETHER = 5
# What checks of the program propose with this confidence is tried at once if time is short.
_CHECKED = 0.75
_MOST_FURTHER = 6


@dataclass(frozen=True)
class Tried:
    """A candidate and what it gained.

    Args:
        candidate: The change that was tried.
        trial: What the copy reached.
        reference: What it is compared with.
    """

    candidate: Candidate
    trial: Trial
    reference: Trial

    @property
    def gain(self) -> float:
        """How much the score rose."""
        return gain(self.trial, self.reference)[0]

    @property
    def helps(self) -> bool:
        """Whether the gain is more than chance, and enough to matter."""
        risen, error = gain(self.trial, self.reference)
        missing = max(1 - self.reference.score, 1e-6)
        factor = _MORE_OF_EPOCHS if self.candidate.code == "too-few-epochs" else 1.0
        enough = risen > max(factor * GAIN, _ERRORS * error) and risen / missing > factor * _SHARE
        return self.trial.failed is None and enough and self._is_above_chance

    @property
    def _is_above_chance(self) -> bool:
        """Whether the trial is better than guessing, or the reference far worse than that."""
        values = self.trial.validation
        error = values.std() / np.sqrt(len(values)) if len(values) >= WHOLE_WORLD else 0.0
        return self.trial.score > max(2 * error, 0.05) or self.reference.score < _FAR_BELOW


class Search:
    """Tries changes within the budget of its trials.

    Args:
        trials: Trains the copies.
        baseline: The training as it was.
        unstable: Whether a repetition reached something else, so that one trial proves little.

    Attributes:
        results: The changes that were tried one by one.
        further: Those that help on top of the best one.
        jointly: Changes that help together, and not one by one.
        joint: The trial of these.
        dismissed: Codes of changes that were tried with them and are not needed.
        untried: What could not be tried, in words.
    """

    def __init__(self, trials: Trials, baseline: Trial, unstable: bool):
        self._trials = trials
        self.baseline = baseline
        self._unstable = unstable
        self.results: list[Tried] = []
        self.further: list[Tried] = []
        self.jointly: list[Candidate] = []
        self.joint: Trial | None = None
        self.dismissed: set[str] = set()
        self.untried: list[str] = []

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return self._trials.setup.train.size

    @property
    def helping(self) -> list[Tried]:
        """The changes that help by themselves, the best first."""
        helping = [result for result in self.results if result.helps]
        return sorted(helping, key=lambda result: -result.gain)

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Try changes in the order that suits the time that there is."""
        checked = [c for c in candidates if c.finding is not None and c.prior >= _CHECKED]
        is_short = self._trials.seconds_left < len(candidates) * self.baseline.seconds
        if len(checked) > 1 and (is_short or self.baseline.score < _POOR):
            self._at_once(checked)
        if not self.jointly:
            self.singly(candidates)
            self.together(candidates)
        elif self.joint is not None and self.joint.score < _GOOD:
            needed = Change.joined([candidate.change for candidate in self.jointly])
            known = {candidate.code for candidate in checked}
            rest = [candidate for candidate in candidates if candidate.code not in known]
            self._on_top_of(needed, self.joint, rest)

    def singly(self, candidates: Sequence[Candidate]) -> None:
        """Try each change by itself."""
        for candidate in candidates:
            trial = self._run(candidate.change, candidate.change.describe())
            if trial is not None:
                self.results.append(Tried(candidate, trial, self.baseline))

    def together(self, candidates: Sequence[Candidate]) -> None:
        """Try changes on top of the best one, or the likeliest ones at once, if all is not well."""
        helping = self.helping
        if helping and helping[0].trial.score < _GOOD:
            best = helping[0]
            rest = [other for other in candidates if other.code != best.candidate.code]
            self._on_top_of(best.candidate.change, best.trial, rest)
        elif not helping and self.baseline.score < _GOOD:
            self._at_once(candidates)

    def _on_top_of(self, change: Change, reached: Trial, candidates: Sequence[Candidate]) -> None:
        # Other values of the same setting are no further changes.
        names = {part.name for part in change.parts}
        rest = [
            candidate
            for candidate in candidates
            if not names & {part.name for part in candidate.change.parts}
        ]
        for candidate in rest[:_MOST_FURTHER]:
            trial = self._run(Change.joined([change, candidate.change]))
            if trial is None:
                continue
            result = Tried(candidate, trial, reached)
            if result.helps:
                self.further.append(result)
        self.further.sort(key=lambda result: -result.gain)

    def _at_once(self, candidates: Sequence[Candidate]) -> None:
        """Try the likeliest changes at once; those without which less is gained are needed."""
        chosen: list[Candidate] = []
        for candidate in candidates:
            names = {(part.where, part.name) for known in chosen for part in known.change.parts}
            if candidate.prior >= _LIKELY and not names & {
                (part.where, part.name) for part in candidate.change.parts
            }:
                chosen.append(candidate)
        chosen = chosen[:_MOST_TOGETHER]
        if len(chosen) < 2:
            return
        trial = self._run(Change.joined([candidate.change for candidate in chosen]))
        if trial is None or not Tried(chosen[0], trial, self.baseline).helps:
            return
        needed = set()
        for candidate in chosen:
            rest = [other.change for other in chosen if other is not candidate]
            without = self._run(Change.joined(rest))
            if without is None or Tried(candidate, trial, without).helps:
                needed.add(candidate.code)
        self.joint, self.jointly = trial, [c for c in chosen if c.code in needed]
        self.dismissed = {c.code for c in chosen} - needed

    def _run(self, change: Change, name: str | None = None) -> Trial | None:
        """Train a copy, if there is time and it can be made."""
        needed = self.baseline.seconds * self._epochs_ratio(change)
        if self._trials.seconds_left < needed:
            if name is not None:
                self.untried.append(name)
            return None
        try:
            trial = self._trials.run(change)
            if self._unstable and trial.score > self.baseline.score + GAIN:
                again = self._trials.run(change, seed=self._trials.setup.seed + 1)
                trial = min(trial, again, key=lambda one: one.score)
        except CannotCopyError as error:
            if name is not None:
                self.untried.append(f"{name} ({error})")
            return None
        return trial

    def _epochs_ratio(self, change: Change) -> float:
        epochs = [part.value for part in change.parts if part.name == "epochs"]
        return float(epochs[0]) / self._trials.setup.epochs if epochs else 1.0
