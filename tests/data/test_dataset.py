import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina.data import AUTOTUNE, Dataset

pytestmark = pytest.mark.quick


def numbers(count=6):
    return Dataset.from_tensor_slices(np.arange(count))


def values(dataset):
    return [x.tolist() for x in dataset]


def test_rows_of_several_arrays_go_together():
    dataset = Dataset.from_tensor_slices(({"a": np.arange(3)}, np.arange(3) * 2))
    assert [(x["a"].item(), y.item()) for x, y in dataset] == [(0, 0), (1, 2), (2, 4)]


TURNED = pd.DataFrame({"a": [0, 1, 2, 3], "b": [5, 6, 7, 8]}).iloc[::-1]


def test_columns_of_a_table_go_by_position_and_not_by_their_index():
    dataset = Dataset.from_tensor_slices((dict(TURNED), TURNED["a"].to_numpy()))
    assert [(int(x["a"]), int(y)) for x, y in dataset] == [(3, 3), (2, 2), (1, 1), (0, 0)]
    assert values(Dataset.from_tensor_slices(TURNED["b"])) == [8, 7, 6, 5]
    pairs = Dataset.from_generator(lambda: iter([(TURNED["a"], TURNED["b"])])).unbatch()
    assert [(int(a), int(b)) for a, b in pairs] == [(3, 8), (2, 7), (1, 6), (0, 5)]


def test_rows_of_a_table_are_vectors():
    x, y = next(iter(Dataset.from_tensor_slices((TURNED, TURNED["a"])).batch(2)))
    assert x.tolist() == [[3, 8], [2, 7]]
    assert y.tolist() == [3, 2]
    texts = Dataset.from_tensor_slices(pd.DataFrame({"s": ["f", "m"], "t": ["u", "v"]}))
    assert [row.tolist() for row in texts] == [["f", "u"], ["m", "v"]]


def test_a_table_of_texts_and_numbers_has_no_rows_that_are_vectors():
    table = pd.DataFrame({"age": [3, 4], "sex": ["f", "m"]})
    with pytest.raises(TypeError, match=r"'age': int64.*\n  Fix: dict\(table\)"):
        Dataset.from_tensor_slices(table)
    assert [(int(row["age"]), row["sex"]) for row in Dataset.from_tensor_slices(dict(table))] == [
        (3, "f"),
        (4, "m"),
    ]


@pytest.mark.parametrize("workers", [None, 3, AUTOTUNE])
def test_map_keeps_the_order_whoever_works(workers):
    dataset = numbers(40).map(lambda x: x * x, num_parallel_calls=workers)
    assert values(dataset) == [n * n for n in range(40)]


def test_steps_are_taken_in_turn():
    dataset = numbers().skip(1).take(4).map(lambda x: x * 10).batch(3).prefetch(2)
    assert values(dataset) == [[10, 20, 30], [40]]
    assert len(dataset) == 2


def test_a_short_last_batch_can_be_left_out():
    dataset = numbers(5).batch(2, drop_remainder=True)
    assert values(dataset) == [[0, 1], [2, 3]]
    assert len(dataset) == 2


def test_batches_come_apart_again():
    assert values(numbers(5).batch(2).unbatch()) == [0, 1, 2, 3, 4]


def test_padded_batches_are_as_long_as_their_longest():
    dataset = Dataset.from_generator(lambda: (np.arange(n) for n in (1, 3))).padded_batch(2)
    assert values(dataset) == [[[0, 0, 0], [0, 1, 2]]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"size": 3, "shift": 1, "drop_remainder": True}, [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        ({"size": 3, "shift": 2}, [[0, 1, 2], [2, 3, 4], [4]]),
        ({"size": 2}, [[0, 1], [2, 3], [4]]),
        ({"size": 2, "shift": 4}, [[0, 1], [4]]),
        ({"size": 2, "shift": 1, "stride": 2, "drop_remainder": True}, [[0, 2], [1, 3], [2, 4]]),
    ],
)
def test_windows_of_a_series(arguments, expected):
    windows = Dataset.range(5).window(**arguments)
    assert [values(window) for window in windows] == expected
    batches = windows.flat_map(lambda window: window.batch(9))
    assert values(batches) == values(batches) == expected


def test_a_function_that_gives_no_dataset_is_refused_by_flat_map():
    with pytest.raises(TypeError, match=r"(?s)gives a Dataset.*Fix: map"):
        list(Dataset.range(2, 4).flat_map(lambda x: x))


def test_shuffling_is_a_function_of_seed_and_pass():
    dataset = numbers(50).shuffle(50, seed=3)
    first, second = values(dataset), values(dataset)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert values(numbers(50).shuffle(50, seed=3)) == first
    same = numbers(50).shuffle(50, seed=3, reshuffle_each_iteration=False)
    assert values(same) == values(same)


def test_a_small_buffer_mixes_only_neighbours():
    order = values(numbers(100).shuffle(10, seed=0))
    assert sorted(order) == list(range(100))
    assert max(value - place for place, value in enumerate(order)) < 10


def test_repeating_ends_or_does_not():
    assert values(numbers(2).repeat(2)) == [0, 1, 0, 1]
    endless = numbers(2).repeat()
    assert values(endless.take(5)) == [0, 1, 0, 1, 0]
    assert endless.cardinality() == -1
    with pytest.raises(TypeError, match="never ends"):
        len(endless)


def test_nothing_repeated_is_still_nothing():
    assert values(numbers(3).filter(lambda x: x > 5).repeat()) == []


def test_the_cache_is_filled_once():
    calls = []
    dataset = numbers(3).map(lambda x: calls.append(x) or x).cache()
    assert list(dataset.take(1)) == [0]
    assert values(dataset) == values(dataset) == [0, 1, 2]
    assert len(calls) == 4  # the pass that was broken off filled nothing


def test_filter_zip_concatenate_and_enumerate():
    even = numbers().filter(lambda x: x % 2 == 0)
    assert values(even.concatenate(numbers(1))) == [0, 2, 4, 0]
    assert even.cardinality() == -2
    assert [(int(i), int(x)) for i, x in even.enumerate()] == [(0, 0), (1, 2), (2, 4)]
    assert [(int(a), int(b)) for a, b in Dataset.zip(numbers(2), even)] == [(0, 0), (1, 2)]


def test_a_dataset_can_be_gone_through_again():
    dataset = numbers(3).batch(2).prefetch()
    assert values(dataset) == values(dataset)


def test_elements_answer_numpy_and_are_plain_on_request():
    (batch,) = numbers(2).batch(2)
    assert type(batch.numpy()) is np.ndarray
    assert [type(a) for a in numbers(1).batch(1).as_numpy_iterator()] == [np.ndarray]


def test_a_consumer_that_stops_leaves_no_thread_behind():
    before = threading.active_count()
    dataset = numbers(100).map(lambda x: x, num_parallel_calls=4).prefetch(2)
    iterator = iter(dataset)
    next(iterator)
    iterator.close()
    assert threading.active_count() == before


def test_a_script_may_end_in_the_middle_of_a_pass():
    code = (
        "import numpy as np; from lamina.data import Dataset\n"
        "ds = Dataset.from_tensor_slices(np.arange(99)).map(abs, num_parallel_calls=3)\n"
        "passing = iter(ds.batch(2).prefetch(2)); print(next(passing))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("[0 1]\n", "")


def test_an_error_in_a_worker_arrives():
    def fail(x):
        raise RuntimeError(f"no {x}")

    with pytest.raises(RuntimeError, match="no 0"):
        list(numbers().map(fail, num_parallel_calls=2).prefetch(1))


def test_the_trainer_takes_one_of_unknown_length_and_an_endless_one_with_steps():
    model = lamina.Sequential([lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    dataset = Dataset.from_tensor_slices((x, y)).batch(4)
    assert len(model.fit(dataset.filter(lambda x, y: True), epochs=2, verbose=0).epoch) == 2
    model.fit(dataset.repeat(), steps_per_epoch=3, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 10
    with pytest.raises(ValueError, match="never ends.*\n.*steps_per_epoch"):
        model.fit(dataset.repeat(), verbose=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: numbers().batch(0), "batch_size must be an integer of at least 1; received 0"),
        (lambda: numbers().shuffle(0), "buffer_size must be"),
        (lambda: numbers().cache("file"), "keeps elements in memory"),
        (lambda: Dataset.from_tensor_slices((np.ones(2), np.ones(3))), r"lengths \[2, 3\]"),
        (lambda: Dataset.from_tensor_slices(3), "needs arrays with rows; received 3"),
        (
            lambda: list(Dataset.from_generator(lambda: (np.ones(n) for n in (1, 2))).batch(2)),
            "different shapes.*\n.*padded_batch",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_generator_in_place_of_its_function_is_explained():
    with pytest.raises(TypeError, match=r"leave out the \(\)"):
        Dataset.from_generator(x for x in ())
