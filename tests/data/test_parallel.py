"""Parallel maps: the order of results, errors in their place, and where quick calls run."""

import threading
import time

import pytest

from lamina.data.parallel import parallel_map


def test_quick_calls_stay_in_the_thread_that_asks():
    threads = list(parallel_map(lambda _: threading.get_ident(), range(100), workers=4))
    assert set(threads) == {threading.get_ident()}


def test_slow_calls_run_side_by_side_and_keep_their_order():
    running, most = set(), []

    def slow(number):
        running.add(number)
        most.append(len(running))
        time.sleep(0.01)
        running.discard(number)
        return number * 2

    assert list(parallel_map(slow, range(30), workers=4)) == [2 * n for n in range(30)]
    assert max(most) > 1


@pytest.mark.parametrize("seconds", [0, 0.002])
def test_an_error_comes_after_the_results_before_it(seconds):
    def fail_at_20(number):
        time.sleep(seconds)
        if number == 20:
            raise ValueError("twenty")
        return number

    results = parallel_map(fail_at_20, range(40), workers=2)
    assert [next(results) for _ in range(20)] == list(range(20))
    with pytest.raises(ValueError, match="twenty"):
        next(results)


def test_items_of_a_slow_source_are_not_held_back_to_fill_a_group():
    given = []

    def source():
        for number in range(30):
            time.sleep(0.006 if number > 20 else 0)
            given.append(number)
            yield number

    def call(number):
        time.sleep(0.0005)
        return number

    ahead = [len(given) - 1 - number for number in parallel_map(call, source(), workers=2)]
    assert max(ahead[-5:]) <= 10  # a group holds 16 items where the source is quick
