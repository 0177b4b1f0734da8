"""Inputs that are far from all inputs of training are recognised."""

import dataclasses

import numpy as np
import pytest

from lamina.contract import novelty

RNG = np.random.default_rng(0)


def curves(count):
    """Smooth curves of three parameters, 40 values each."""
    t = np.linspace(0, 1, 40)
    a, b, c = RNG.normal(size=(3, count, 1))
    return a + b * t + c * t**2 + 0.01 * RNG.normal(size=(count, 40))


@pytest.fixture(scope="module")
def learned():
    return novelty.compute_statistics({"x": curves(1000)})


def far(known, x):
    return novelty.is_far(known, {"x": x})


def test_about_one_in_a_hundred_usual_inputs_is_taken_for_an_unusual_one(learned):
    assert far(learned, curves(2000)).mean() < 0.03


@pytest.mark.parametrize(
    "unusual",
    [
        pytest.param(curves(50)[:, RNG.permutation(40)], id="the same values in another order"),
        pytest.param(RNG.normal(size=(50, 40)), id="noise"),
        pytest.param(curves(50) + 100, id="beyond the range"),
        pytest.param(np.full((1, 40), np.inf), id="infinite"),
    ],
)
def test_unusual_inputs_are_far(learned, unusual):
    assert far(learned, unusual).mean() > 0.9


def test_the_distance_is_the_mahalanobis_distance_where_all_directions_are_components():
    x = RNG.normal(size=(2000, 3)) @ np.array([[2.0, 1, 0], [0, 1, 0], [0, 0, 5]])
    known = novelty.compute_statistics({"x": x})
    fitted = np.delete(x, np.s_[::4], axis=0)
    difference = x - x.mean(axis=0)
    inverse = np.linalg.inv(np.cov(fitted.T, bias=True))
    expected = np.einsum("ni,ij,nj->n", difference, inverse, difference)
    assert np.mean(far(known, x) != (expected > np.quantile(expected[::4], 0.99))) < 0.01


def test_images_are_recognised_in_any_size_and_scale():
    smooth = np.linspace(0, 1, 50)[None, :, None, None] * RNG.random((400, 1, 50, 1))
    for scale in (1, 255):
        known = novelty.compute_statistics({"x": scale * smooth})
        assert len(known.mean) == 14 * 14
        assert not far(known, scale * smooth[:1]).any()
        assert far(known, scale * RNG.random((5, 50, 50, 1))).all()


def test_columns_are_taken_together():
    size = RNG.normal(size=500)
    known = novelty.compute_statistics(
        {"size": size, "weight": size * 2 + 0.01 * RNG.normal(size=500)}
    )
    known_with_text = novelty.compute_statistics({"size": size, "name": np.full(500, "a", object)})
    assert known_with_text.inputs == ("size",)
    rows = {"size": np.array([1.0, 1.0]), "weight": np.array([2.0, -2.0])}
    assert novelty.is_far(known, rows).tolist() == [False, True]


def test_rows_with_missing_values_are_not_judged(learned):
    x = RNG.normal(size=(20, 40))
    x[:10, 3] = np.nan
    assert far(learned, x).tolist() == [False] * 10 + [True] * 10


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.zeros((199, 3))},
        {"x": np.zeros((500, 3))},
        {"x": np.array(["a"] * 500, dtype=object)},
        {"a": np.zeros((500, 3)), "b": np.zeros((500, 3))},
        {},
    ],
    ids=["few rows", "equal rows", "text", "several matrices", "nothing"],
)
def test_nothing_is_learned_where_nothing_can_be(arrays):
    assert novelty.compute_statistics(arrays) is None


def test_other_inputs_than_those_of_training_are_not_judged(learned):
    assert far(learned, np.zeros((3, 7))) is None
    assert novelty.is_far(learned, {"y": np.zeros((3, 40))}) is None


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA"])
def test_a_damaged_record_is_refused(learned, text):
    with pytest.raises(ValueError, match="damaged"):
        far(dataclasses.replace(learned, components=text), np.zeros((1, 40)))


def test_large_images_are_examined_a_few_at_a_time(monkeypatch):
    smooth = np.linspace(0, 1, 40)[None, :, None, None] * RNG.random((300, 1, 40, 3))
    at_once = novelty.compute_statistics({"x": smooth})
    monkeypatch.setattr(novelty, "_BLOCK_SIZE", 10_000)
    assert novelty.compute_statistics({"x": smooth}) == at_once
    assert far(at_once, RNG.random((50, 40, 40, 3))).all()
    assert far(at_once, np.zeros((0, 40, 40, 3))).shape == (0,)
