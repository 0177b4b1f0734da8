import numpy as np
import pytest

from lamina.utils import timeseries_dataset_from_array


def test_windows_are_those_of_kerass_documentation():
    # Keras's own example: steps 0…98, length 10, rate 2, stride 3.
    dataset = timeseries_dataset_from_array(
        np.arange(99), None, sequence_length=10, sampling_rate=2, sequence_stride=3
    )
    (windows,) = dataset
    assert windows[0].tolist() == list(range(0, 20, 2))
    assert windows[1].tolist() == list(range(3, 23, 2))
    assert windows[-1].tolist() == list(range(78, 98, 2))


def test_the_target_of_a_window_is_that_of_its_first_step():
    data = np.arange(100)
    dataset = timeseries_dataset_from_array(data[:-10], data[10:], sequence_length=10)
    ((windows, targets),) = dataset
    assert windows.shape == (81, 10)
    np.testing.assert_array_equal(targets, windows[:, -1] + 1)


def test_a_part_of_the_series_can_be_used():
    dataset = timeseries_dataset_from_array(
        np.arange(20), np.arange(20) * 10, 3, start_index=5, end_index=10, batch_size=None
    )
    assert [(x.tolist(), int(y)) for x, y in dataset] == [
        ([5, 6, 7], 50), ([6, 7, 8], 60), ([7, 8, 9], 70),
    ]  # fmt: skip
    assert len(dataset) == 3


def test_the_whole_series_may_be_named_as_the_end():
    whole = timeseries_dataset_from_array(np.arange(5), None, 2, end_index=5)
    assert len(next(iter(whole))) == 4


def test_several_features_stay_together():
    dataset = timeseries_dataset_from_array(np.zeros((10, 3)), np.zeros((10, 2)), 4, batch_size=5)
    shapes = [(x.shape, y.shape) for x, y in dataset]
    assert shapes == [((5, 4, 3), (5, 2)), ((2, 4, 3), (2, 2))]
    assert len(dataset) == 2


def test_shuffled_windows_keep_their_targets_and_change_with_every_epoch():
    series = np.arange(50)
    dataset = timeseries_dataset_from_array(series, series, 3, shuffle=True, seed=1, batch_size=64)
    ((first, targets),), ((second, _),) = list(dataset), list(dataset)
    np.testing.assert_array_equal(first[:, 0], targets)
    assert first[:, 0].tolist() != second[:, 0].tolist()
    assert sorted(first[:, 0]) == sorted(second[:, 0]) == list(range(48))
    again = timeseries_dataset_from_array(series, series, 3, shuffle=True, seed=1, batch_size=64)
    assert next(iter(again))[1].tolist() == targets.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence_length": 30}, "No window of 30 steps, 1 apart, fits into 20 steps"),
        ({"sequence_length": 0}, "sequence_length must be at least 1"),
        ({"sampling_rate": 0}, "sampling_rate must lie between 1 and 19; received 0"),
        ({"sequence_stride": 20}, "sequence_stride must lie between"),
        ({"start_index": 20}, "start_index must lie between 0 and 19; received 20"),
        ({"start_index": 4, "end_index": 4}, "end_index must lie between 5 and 20"),
        ({"format": "torch"}, "format must be"),
    ],
)
def test_windows_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(np.arange(20), None, **{"sequence_length": 3, **arguments})
