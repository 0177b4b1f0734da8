"""When something began, from losses and from measurements of layers."""

from dataclasses import replace

import pytest

from lamina.findings import LayerStatistics, Record, findings_of
from lamina.findings.moments import end_of_learning, epoch_of_step, first_rise, seen_since

RECORD = Record("model", epochs=({"loss": 1.0},) * 4, steps=40)


@pytest.mark.parametrize(("step", "epoch"), [(0, 1), (1, 1), (10, 1), (11, 2), (40, 4)])
def test_steps_belong_to_epochs(step, epoch):
    assert epoch_of_step(RECORD, step) == epoch


def test_without_epochs_no_step_has_one():
    assert epoch_of_step(replace(RECORD, epochs=()), 3) is None


@pytest.mark.parametrize(
    ("losses", "epoch"), [([3, 2, 1], None), ([3, 4, 1], 2), ([3, 2, 1, 2, 3], 4), ([], None)]
)
def test_the_first_rise_is_the_first_worse_epoch(losses, epoch):
    assert first_rise(losses) == epoch


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([2, 1, 1, 1, 1], 2),
        ([2, 1, 0.5, 0.2, 0.1], None),  # still learning
        ([2, 1, 1, 1], None),  # too short to tell
        ([1, 1, 1, 1, 1], 1),  # nothing was ever learned
        ([2, float("nan")], None),
    ],
)
def test_learning_ends_where_the_loss_hardly_falls_any_more(losses, epoch):
    assert end_of_learning(losses) == epoch


def test_a_layer_is_bad_since_the_first_of_its_last_bad_measurements():
    measured = [(0, 0.9), (10, 0.1), (20, 0.8), (40, 0.9)]
    statistics = tuple(LayerStatistics("a", step, dead=dead) for step, dead in measured)
    record = replace(RECORD, statistics=statistics)
    assert seen_since(record, "a", lambda one: one.dead > 0.5) == 2
    assert seen_since(record, "a", lambda one: one.dead > 0.95) is None


def test_findings_know_their_epoch():
    [diverged] = findings_of(replace(RECORD, ended="not finite"))
    assert diverged.epoch == 5
    assert "in epoch 5" in diverged.title
