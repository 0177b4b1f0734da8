"""The page on compatibility names everything of Keras that is not there, and nothing else."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def surface():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import keras_surface
    finally:
        sys.path.pop(0)
    return keras_surface


@pytest.fixture(scope="module")
def gaps(surface):
    return surface.gaps()


def test_whatever_keras_has_and_lamina_lacks_is_argued_away_by_name(surface, gaps):
    rows = surface.explained()
    silent = [gap for gap in gaps if not any(surface.matches(row, gap) for row in rows)]
    assert not silent, "\n".join(f"{gap.kind}: {gap}" for gap in silent)


def test_the_page_names_nothing_that_is_there_by_now(surface, gaps):
    rows = surface.explained()
    stale = [row for row in rows if not any(surface.matches(row, gap) for gap in gaps)]
    assert not stale


def test_the_comparison_finds_what_is_missing(surface):
    class Theirs:
        def __init__(self, units, rate=0.5, name=None):
            pass

        def call(self):
            pass

        kernel = property(lambda self: None)

    class Ours:
        def __init__(self, units):
            self.kernel = units

    assert surface.missing(Theirs, Ours) == ["rate", "name"]
    assert surface.members(Theirs, Ours) == ["call"]
    assert surface.missing(lambda x, axis: x, lambda x, **kwargs: x) == []


def test_a_row_speaks_of_one_kind_of_gap(surface):
    gap = surface.Gap("layers.Dense(lora_rank)", "argument")
    assert surface.matches(("argument", "layers.*(lora_rank)"), gap)
    assert not surface.matches(("member", "layers.*(lora_rank)"), gap)
