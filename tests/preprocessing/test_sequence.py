"""Windows of a series and pairs of words. Expected: the legacy package of Keras 3."""

import json
import random

import numpy as np
import pytest
from keras.src.legacy.preprocessing import sequence as theirs

import lamina
from lamina.preprocessing import sequence as ours

SERIES = np.arange(40).reshape(20, 2)
TARGETS = np.arange(20) * 10


@pytest.mark.parametrize(
    "settings",
    [
        {"length": 4},
        {"length": 5, "sampling_rate": 2, "batch_size": 3},
        {"length": 3, "stride": 2, "batch_size": 4, "reverse": True},
        {"length": 2, "start_index": 3, "end_index": 11, "batch_size": 2},
        {"length": 4, "shuffle": True, "batch_size": 6},
        {"length": 19},
    ],
    ids=str,
)
def test_windows_are_those_of_keras(settings):
    found = []
    for package in (ours, theirs):
        np.random.seed(0)
        generator = package.TimeseriesGenerator(SERIES, TARGETS, **settings)
        found.append([generator[i] for i in range(len(generator))])
    for (x, y), (expected_x, expected_y) in zip(*found, strict=True):
        np.testing.assert_array_equal(x, expected_x)
        np.testing.assert_array_equal(y, expected_y)


def test_fit_takes_a_generator_of_windows():
    generator = ours.TimeseriesGenerator(SERIES.astype(float), TARGETS, length=3, batch_size=4)
    model = lamina.Sequential([lamina.layers.Flatten(), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(generator, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert model.predict(generator, verbose=0).shape == (17, 1)


def test_windows_are_written_as_json():
    generator = ours.TimeseriesGenerator(np.array([1, 2, 3]), [4, 5, 6], 1, stride=2)
    record = json.loads(generator.to_json())
    assert record["class_name"] == "TimeseriesGenerator"
    config = record["config"]
    assert (config["data"], config["targets"], config["stride"]) == ("[1, 2, 3]", "[4, 5, 6]", 2)


def test_pairs_come_in_an_order_of_their_own_without_a_seed():
    random.seed(1)
    pairs, labels = ours.skipgrams([1, 2, 3, 4], 9, negative_samples=0.5)
    assert sorted(labels) == [0] * 6 + [1] * 12
    for (word, other), label in zip(pairs, labels, strict=True):
        assert label == 0 or {word, other} <= {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([1, 2], [1], 1), "2 steps and targets has 1"), (([1, 2], [1, 2], 2), "nothing is left")],
)
def test_impossible_windows_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ours.TimeseriesGenerator(*arguments)


def test_the_sampling_table_is_that_of_keras():
    for arguments in ((10,), (1000, 1e-3)):
        expected = theirs.make_sampling_table(*arguments)
        np.testing.assert_allclose(ours.make_sampling_table(*arguments), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 2},
        {"window_size": 1, "shuffle": False},
        {"negative_samples": 0.0, "seed": 3},
        {"categorical": True, "negative_samples": 2.5, "seed": 3},
        {"sampling_table": np.full(9, 0.5), "shuffle": False},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_pairs_are_those_of_keras(settings):
    found = []
    for package in (ours, theirs):
        random.seed(1)
        found.append(package.skipgrams([1, 2, 0, 3, 4, 2], 9, **settings))
    assert found[0] == found[1]


def test_a_sequence_without_pairs_gives_none():
    assert ours.skipgrams([3], 9) == ([], [])
