"""The arithmetic of benchmarks/diagnosis, on runs that are made up."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "diagnosis"
MODULES = {path.stem for path in FOLDER.glob("*.py")}


@pytest.fixture(autouse=True)
def _scripts_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, "programs", raising=False)  # tests/programs.py
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def finding(code, confidence=0.9, severity="problem", change=None, evidence=()):
    return {
        "code": code, "severity": severity, "title": "", "fix": "", "evidence": dict(evidence),
        "confidence": confidence, "change": change,
    }  # fmt: skip


def run(program, score, fault=None, right=(), found=(), seed=0):
    return {
        "program": program, "fault": fault, "right": list(right), "seed": seed, "level": "full",
        "score": score, "findings": list(found), "unchecked": [], "trials": [],
    }  # fmt: skip


def test_every_pair_is_dealt_once_and_seeds_have_equally_many():
    import cases

    def make(seed):
        """A program that is not made."""

    pairs = [(make, injector) for injector in cases.INJECTORS]
    dealt = cases.dealt(pairs, range(5))
    assert sorted(case.fault for case in dealt) == sorted(one.name for _, one in pairs)
    counts = Counter(case.seed for case in dealt)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_each_deal_gives_a_pair_another_seed():
    import cases

    def make(seed):
        """A program that is not made."""

    pairs = [(make, injector) for injector in cases.INJECTORS[:3]]
    seeds = [[case.seed for case in cases.dealt(pairs, range(3), deal)] for deal in range(3)]
    assert [set(column) for column in zip(*seeds, strict=True)] == [{0, 1, 2}] * 3


def test_every_beginning_of_the_order_is_balanced():
    import cases

    def first(seed):
        """A program that is not made."""

    def second(seed):
        """Another one."""

    all_cases = [
        cases.Case(make, injector, seed)
        for make in (first, second)
        for injector in cases.INJECTORS[:4]
        for seed in (0, 1)
    ]
    ordered = cases.balanced(all_cases)
    assert sorted(map(str, ordered)) == sorted(map(str, all_cases))
    assert Counter(case.fault for case in ordered[:8]) == Counter(
        {injector.name: 2 for injector in cases.INJECTORS[:4]}
    )
    assert Counter(case.seed for case in ordered[:8]) == {0: 4, 1: 4}


def test_faults_that_cost_nothing_do_not_count():
    import table

    rows = [
        run("a", 0.9),
        run("a", 0.5, "zeros", ["bad-initialization"], [finding("bad-initialization")]),
        run("a", 0.88, "frozen", ["frozen-weights"]),
    ]
    assert [row["fault"] for row in table.harmful(rows)] == ["zeros"]
    assert "Faulty runs that hurt: 1 of 2" in table.summary(rows)
    assert "A right cause first: 100%" in table.summary(rows)


def test_false_alarms_are_counted_by_code():
    import table

    rows = [run("a", 0.9, seed=seed) for seed in range(9)]
    rows.append(run("b", 0.9, found=[finding("overfitting"), finding("overfitting")]))
    told = table.of_healthy(rows)
    assert "Healthy runs: 10; with a problem: 1 (10%)" in told
    assert "overfitting in 1 (10%)" in told


def test_a_gain_is_significant_if_it_is_large_beside_what_seeds_do():
    import table

    before = [0.5, 0.6, 0.4, 0.5, 0.6]
    assert table.improves(before, [0.6, 0.71, 0.49, 0.62, 0.7])
    assert not table.improves(before, [0.9, 0.2, 0.5, 0.3, 0.8])
    assert not table.improves(before, before)


def test_advice_and_random_search_stand_in_one_table():
    import table

    change = {"where": "fit", "name": "epochs", "value": 9, "layer": None, "also": []}
    right = finding("too-few-epochs", change=change)
    rows = [
        run("a", 0.9),
        run("a", 0.1, "one epoch", ["too-few-epochs"], [right]),
        run("a", 0.0, "shuffled labels", ["labels-unrelated"], [finding("labels-unrelated")]),
    ]
    compared = [
        {
            "fault": "one epoch", "trainings": 6, "unchanged": [0.1, 0.1, 0.2, 0.1, 0.2],
            "advised": [0.9, 0.8, 0.9, 0.8, 0.9], "random": [0.1, 0.0, 0.3, 0.0, 0.1],
        }
    ]  # fmt: skip
    told = table.advice(rows, compared)
    assert "| one epoch | 1 | 1 (100%) | 0.72 | 0 (0%) | -0.04 |" in told
    assert "Of 2 right findings 1 have no change to apply: labels-unrelated 1" in told


def test_shares_of_right_findings_rise_with_the_confidence():
    from calibrate import isotonic

    confidences = [0.5] * 8 + [0.7] * 8 + [0.9] * 8
    right = [True] * 2 + [False] * 6 + [True] * 1 + [False] * 7 + [True] * 8
    # 3 of 16 below, 8 of 8 above, and half a right and half a wrong one are added to each.
    assert isotonic(confidences, right) == [
        (0.5, pytest.approx(3.5 / 17, abs=1e-3)),
        (0.9, pytest.approx(8.5 / 9, abs=1e-3)),
    ]


def test_findings_of_healthy_runs_are_wrong():
    from calibrate import samples_of

    tried, other = (
        finding(code, evidence={"score with the change": 0.9}) for code in ("zeros", "ones")
    )
    faulty = run("a", 0.1, "f", ["zeros", "ones"], [tried, other, finding("zeros")])
    rows = [run("a", 0.9, found=[tried]), faulty]
    assert [(one.evidence, one.is_right) for one in samples_of(rows)] == [
        ("tried, first", True),
        ("tried, later", True),
        ("tried, first", False),
    ]


def test_the_calibration_error_is_the_gap_between_confidence_and_share():
    from calibrate import calibration_error

    right = [True] * 6 + [False] * 4
    assert calibration_error([0.6] * 10, right) == pytest.approx(0.0)
    assert calibration_error([0.92] * 10, right) == pytest.approx(0.32)


def test_random_changes_are_those_that_copies_take():
    from random_changes import space_of
    from setups import setup_of

    import programs
    from lamina.diagnosis.experiments.copies import apply_data_changes, make_copy

    x, y = np.zeros((60, 4), "float32"), np.arange(60) % 2
    stack = (programs.dense(8), ("Dropout", {"rate": 0.1}), programs.dense(2, "softmax"))
    program = programs.Program(
        "small", stack, x, y, x, y, "sparse_categorical_crossentropy", fit={"epochs": 2}
    )
    rng = np.random.default_rng(0)
    setup = setup_of(program, 0)
    settings = set()
    for draw in space_of(program):
        change = draw(rng)
        settings.add(change.name)
        if change.where == "data":
            apply_data_changes(setup, change.parts)
        elif change.name != "loss":  # most losses fit only some targets
            make_copy(setup, change.parts)
    assert {"learning_rate", "batch_size", "epochs", "optimizer", "activation", "units"} <= settings


@pytest.mark.parametrize("page", [Path(__file__).parents[1] / "docs" / "diagnosis.md"])
def test_the_page_has_places_for_the_tables(page):
    text = page.read_text(encoding="utf-8")
    for name in ("tables", "advice", "calibration", "cost"):
        assert text.index(f"<!-- {name} -->") < text.index(f"<!-- end of {name} -->")
