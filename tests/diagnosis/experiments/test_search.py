"""The search and its conclusions, with trials whose results are given."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from lamina.diagnosis.experiments.baselines import Baseline
from lamina.diagnosis.experiments.candidates import Candidate
from lamina.diagnosis.experiments.conclusions import conclude
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.search import Search
from lamina.diagnosis.experiments.setup import Samples
from lamina.diagnosis.experiments.trials import Trial
from lamina.findings import Change, Finding

TASK = Task("classes", 2)
RATE = Change("compile", "learning_rate", 0.001)
SCALE = Change("data", "standardize-inputs")
SIGMOID = Change("layer", "activation", "sigmoid", "last")


def trial(score, change=None, seconds=1.0):
    """A trial with this score: right answers count 1 and wrong ones -1."""
    right = round((score + 1) / 2 * 400)
    sample_scores = np.repeat([1.0, -1.0], [right, 400 - right])
    return Trial(change, sample_scores, sample_scores, (), seconds)


@dataclass
class Setup:
    """A setup of 500 training samples."""

    train: Samples = field(default_factory=lambda: Samples(np.zeros((500, 1)), np.zeros(500)))
    epochs: int = 5
    seed: int = 0


@dataclass
class GivenTrials:
    """Scores by the names of the changes; others reach `otherwise`."""

    scores: dict
    otherwise: float = 0.0
    seconds_left: float = 100.0
    setup: Setup = field(default_factory=Setup)
    runs: int = 0

    def run(self, change, seed=None):
        self.runs += 1
        names = frozenset(part.name for part in change.parts)
        return trial(self.scores.get(names, self.otherwise), change)


def candidate(change, code, prior=0.6, finding=None):
    return Candidate(code, change, "something is odd", "change it.", prior, finding)


def findings(trials, candidates, static=(), baseline=0.0, simple=0.9, unstable=False):
    search = Search(trials, trial(baseline), unstable)
    search.run(candidates)
    yardstick = None if simple is None else Baseline("ridge", trial(simple).validation_scores)
    return conclude(list(static), search, yardstick, TASK)


HIGH_RATE = candidate(RATE, "learning-rate-too-high")
NOT_SCALED = candidate(SCALE, "inputs-not-scaled")
OUTPUT = candidate(SIGMOID, "output-activation", 0.9)


def test_the_change_that_helps_is_the_cause():
    trials = GivenTrials({frozenset({"standardize-inputs"}): 0.9})
    (found,) = findings(trials, [HIGH_RATE, NOT_SCALED])
    assert (found.code, found.severity, found.change) == ("inputs-not-scaled", "problem", SCALE)
    assert "reached a balanced accuracy of 95.0% instead of 50.0%" in found.title
    assert found.evidence["score with the change"] == pytest.approx(0.9)


def test_of_changes_that_help_alike_the_likelier_comes_first_and_names_the_other():
    good = {frozenset({name}): 0.9 for name in ("standardize-inputs", "learning_rate")}
    likely = candidate(SCALE, "inputs-not-scaled", 0.9)
    found = findings(GivenTrials(good), [HIGH_RATE, likely])
    assert [one.code for one in found] == ["inputs-not-scaled", "learning-rate-too-high"]
    assert found[0].others == ("learning-rate-too-high",)


def test_nothing_is_found_where_no_change_helps():
    assert findings(GivenTrials({}, 0.9), [HIGH_RATE, NOT_SCALED], baseline=0.9) == []


def test_a_gain_within_chance_is_no_gain():
    trials = GivenTrials({frozenset({"learning_rate"}): 0.92}, 0.9)
    assert findings(trials, [HIGH_RATE], baseline=0.9) == []


def test_a_second_cause_is_found_on_top_of_the_first():
    scores = {
        frozenset({"standardize-inputs"}): 0.4,
        frozenset({"standardize-inputs", "activation"}): 0.95,
    }
    found = findings(GivenTrials(scores), [NOT_SCALED, OUTPUT])
    assert [one.code for one in found] == ["inputs-not-scaled", "output-activation"]
    assert "in addition" in found[1].title


def test_changes_that_help_only_together_are_found_without_those_that_are_not_needed():
    both = frozenset({"standardize-inputs", "activation"})
    scores = {both: 0.9, both | {"learning_rate"}: 0.9}
    found = findings(GivenTrials(scores), [OUTPUT, NOT_SCALED, HIGH_RATE])
    assert {one.code for one in found} == {"inputs-not-scaled", "output-activation"}


def test_a_finding_whose_change_does_not_help_becomes_a_hint():
    static = Finding("inputs-not-scaled", "problem", "Large.", "Divide.", change=SCALE)
    tried = candidate(SCALE, "inputs-not-scaled", finding=static)
    (found,) = findings(GivenTrials({}, 0.8), [tried], [static], baseline=0.8)
    assert found.severity == "hint"


def test_a_finding_whose_change_does_harm_is_left_out():
    static = Finding("inputs-not-scaled", "problem", "Large.", "Divide.", change=SCALE)
    tried = candidate(SCALE, "inputs-not-scaled", finding=static)
    assert findings(GivenTrials({}, 0.2), [tried], [static], baseline=0.8) == []


def test_labels_are_unrelated_if_a_simple_model_finds_nothing_either():
    (found,) = findings(GivenTrials({}), [HIGH_RATE], baseline=0.0, simple=0.02)
    assert (found.code, found.severity) == ("labels-unrelated", "problem")


def test_labels_are_not_called_unrelated_if_a_simple_model_finds_something():
    static = Finding("labels-unrelated", "problem", "Nothing.", "Check.")
    assert findings(GivenTrials({}), [HIGH_RATE], [static], simple=0.8) == []


def test_a_change_is_repeated_where_chance_decides():
    trials = GivenTrials({frozenset({"learning_rate"}): 0.9})
    findings(trials, [HIGH_RATE], unstable=True)
    assert trials.runs == 2


def test_what_checks_propose_is_tried_at_once_if_time_is_short():
    static = Finding("output-activation", "problem", "Wrong.", "sigmoid.", change=SIGMOID)
    tried = [
        candidate(SIGMOID, "output-activation", 0.95, static),
        candidate(SCALE, "inputs-not-scaled", 0.9, static),
        *[candidate(Change("fit", f"a{i}", 1), f"a{i}", 0.4) for i in range(9)],
    ]
    both = frozenset({"standardize-inputs", "activation"})
    search = Search(GivenTrials({both: 0.9}, seconds_left=5.0), trial(0.0), False)
    search.run(tried)
    assert [one.code for one in search.joint_candidates] == [
        "output-activation",
        "inputs-not-scaled",
    ]


def test_what_there_is_no_time_for_is_said():
    search = Search(GivenTrials({}, seconds_left=0.0), trial(0.0), False)
    search.try_each([HIGH_RATE])
    assert search.results == []
    assert search.untried == ["learning_rate = 0.001 in compile"]
