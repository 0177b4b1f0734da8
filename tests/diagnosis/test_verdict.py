import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import binomtest

from lamina.diagnosis.verdict import (
    _ADVICE,
    Verdict,
    interval_of_difference,
    judge,
    judge_numbers,
    wilson_interval,
)

pytestmark = pytest.mark.quick

NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "train", "test", "train_samples", "test_samples", "chance"),
    [
        # what three epochs of the first network give, and ten, and a hundred
        ("generalises", 0.978, 0.971, 60_000, 10_000, 0.11),
        ("generalises", 0.987, 0.973, 60_000, 10_000, 0.11),
        ("begins to memorise", 1.0, 0.965, 60_000, 10_000, 0.11),
        ("memorises", 1.0, 0.90, 60_000, 10_000, 0.11),
        ("memorises", 1.0, 0.5, 50, 1000, 0.5),
        # labels that were shuffled: learnt by heart, nothing understood
        ("memorises", 0.99, 0.10, 60_000, 10_000, 0.11),
        ("underfits", 0.40, 0.40, 60_000, 10_000, 0.11),
        ("underfits", 0.70, 0.69, 60_000, 10_000, 0.5),
        ("guesses", 0.112, 0.114, 60_000, 10_000, 0.1135),
        ("guesses", 0.13, 0.05, 100, 20, 0.11),
        # imbalance: 87 % is what always saying "ham" gets
        ("guesses", 0.87, 0.87, 4000, 1000, 0.87),
        # the same gap of 4 points: with 50 samples nobody can know
        ("too few samples", 0.98, 0.94, 1000, 50, 0.1),
        ("begins to memorise", 0.98, 0.94, 60_000, 10_000, 0.1),
        ("generalises", 0.93, 0.92, 1500, 297, 0.1),
        ("easier test", 0.90, 0.97, 10_000, 10_000, 0.1),
        ("generalises", 0.90, 0.91, 10_000, 10_000, 0.1),
        ("generalises", 1.0, 1.0, 100, 100, 0.5),
    ],
)
def test_the_verdict_fits_the_numbers(kind, train, test, train_samples, test_samples, chance):
    assert judge(train, test, train_samples, test_samples, chance).kind == kind


@pytest.mark.parametrize("arguments", [(NAN, 0.5, 10, 10, 0.1), (0.5, NAN, 10, 10, 0.1),
                                       (0.5, 0.5, 10, 10, 0.1, math.inf)])  # fmt: skip
def test_a_number_that_is_none_means_divergence(arguments):
    assert judge(*arguments).kind == "diverged"


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10**6), st.integers(1, 10**6),
       st.floats(0, 1))  # fmt: skip
def test_every_outcome_gets_one_sentence_and_advice(train, test, train_samples, test_samples, p):
    verdict = judge(train, test, train_samples, test_samples, p)
    assert verdict.sentence.endswith(".")
    assert "\n" not in verdict.sentence
    assert verdict.advice


def test_the_sentence_has_the_numbers():
    sentence = judge(0.987, 0.973, 60_000, 10_000, 0.11).sentence
    for number in ("97.3 %", "10,000 images", "± 0.3", "98.7 %", "1.4 points"):
        assert number in sentence


def test_what_is_judged_is_called_by_its_name():
    assert "1,000 messages" in judge(0.9, 0.9, 4000, 1000, 0.1, noun="messages").sentence


def test_good_news_is_told_from_bad():
    assert [kind for kind in _ADVICE if Verdict(kind, "").is_good] == [
        "generalises",
        "begins to memorise",
        "measured",
        "seen",
        "numbers",
    ]


@pytest.mark.parametrize(("hits", "samples"), [(50, 100), (10, 10), (0, 7), (9700, 10_000)])
def test_wilsons_interval_is_scipys(hits, samples):
    expected = binomtest(hits, samples).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson_interval(hits / samples, samples), expected, atol=1e-4)


def test_wilsons_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(seed=0)
    counted = rng.binomial(200, 0.95, size=4000) / 200
    edges = np.array([wilson_interval(f, 200) for f in counted])
    covered = np.mean((edges[:, 0] <= 0.95) & (edges[:, 1] >= 0.95))
    assert 0.93 < covered < 0.98


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    # The examples of Newcombe's paper, table II.
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)),
     ((10, 10), (0, 20), (0.6791, 1.0000))],
)  # fmt: skip
def test_the_interval_of_a_difference_is_newcombes(first, second, expected):
    (hits1, n1), (hits2, n2) = first, second
    found = interval_of_difference(hits1 / n1, n1, hits2 / n2, n2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_no_samples_have_no_interval():
    with pytest.raises(ValueError, match="at least one sample"):
        wilson_interval(0.5, 0)


def test_a_model_that_says_numbers_is_judged_beside_the_mean():
    y = np.arange(10.0)
    good = judge_numbers(y, y + 0.5)
    assert good.is_good
    assert "Off by 0.5 on average on 10 samples" in good.sentence
    assert "off by 2.5." in good.sentence
    assert judge_numbers(y, y[::-1]).kind == "no better than the mean"
    assert judge_numbers(y, y * NAN).kind == "diverged"


@pytest.mark.parametrize(
    ("train_accuracy", "test_accuracy", "more"),
    [(1.0, 1.0, False), (1.0, 0.99, False), (0.995, 0.99, True)],
)
def test_more_epochs_are_advised_only_where_they_can_help(train_accuracy, test_accuracy, more):
    advice = judge(train_accuracy, test_accuracy, 1000, 1000, 0.1).advice
    assert ("More epochs" in advice) is more
