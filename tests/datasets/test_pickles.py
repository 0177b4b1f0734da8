"""Pickles are read as data, whatever they say."""

import contextlib
import io
import os
import pickle

import numpy as np
import pytest

from lamina.datasets.pickles import read_npy, read_pickle

# Written by hand as Python 2 and the NumPy of its time wrote CIFAR: {'data': array, 'labels': …}.
PYTHON_2 = (
    b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01bt"
    b"R(K\x01K\x02K\x03\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89U\x06\x00\x01\x02\x03\x04\xfftbU\x06labels](K\x07K\x08eu."
)


def test_a_batch_of_python_2_is_read():
    batch = read_pickle(PYTHON_2)
    assert batch[b"data"].tolist() == [[0, 1, 2], [3, 4, 255]]
    assert batch[b"data"].dtype == np.uint8
    assert batch[b"labels"] == [7, 8]


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="int64").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
    ],
    ids=["whole", "by columns", "other byte order"],
)
def test_arrays_come_back(protocol, array):
    found = read_pickle(pickle.dumps({"a": array}, protocol=protocol))
    (value,) = found.values()
    np.testing.assert_array_equal(value, array)
    assert value.dtype == array.dtype


def test_an_array_of_lists_comes_back_even_if_they_are_of_one_length():
    array = np.empty(2, dtype=object)
    array[:] = [[1, 2], [3, 4]]
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    found = read_npy(file.getvalue())
    assert found.shape == (2,)
    assert found.tolist() == [[1, 2], [3, 4]]


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_something_is_refused_and_not_run(tmp_path, protocol):
    contents = pickle.dumps({"data": Attack(tmp_path / "made")}, protocol=protocol)
    with pytest.raises(ValueError, match=r"mkdir, which no data set needs; it was not run"):
        read_pickle(contents)
    assert not (tmp_path / "made").exists()


def test_an_npy_file_that_calls_something_is_refused(tmp_path):
    array = np.empty(1, dtype=object)
    array[0] = Attack(tmp_path / "made")
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    with pytest.raises(ValueError, match="was not run"):
        read_npy(file.getvalue())
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["builtins\neval", "numpy\nload", "numpy.core.multiarray\nscalar"])
def test_no_other_name_is_known(name):
    with pytest.raises(ValueError, match=name.replace("\n", ".")):
        read_pickle(b"\x80\x02c" + name.encode() + b"\n.")


@pytest.mark.parametrize("contents", [b"", PYTHON_2[:-40], b"no pickle", b"\x80\x02K\x01b."])
def test_a_damaged_pickle_is_a_value_error(contents):
    with pytest.raises(ValueError, match="pickle"):
        read_pickle(contents)


def test_an_array_of_raw_pointers_cannot_be_made():
    # An array of objects whose "values" are bytes would be read as addresses.
    evil = PYTHON_2.replace(b"U\x02u1", b"U\x02O8")
    with pytest.raises(ValueError, match="an array of type 'O8'"):
        read_pickle(evil)


def shared_lists(depth):
    """One list in two places of another, and so on: a few bytes, and 2**depth places."""
    value = [1.5]
    for _ in range(depth):
        value = [value, value]
    return value


def test_a_list_that_is_in_many_places_is_gone_through_once():
    found = read_pickle(pickle.dumps(shared_lists(60)))
    for _ in range(60):
        found = found[1]
    assert found == [1.5]


def test_a_list_inside_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="damaged"):
        read_pickle(pickle.dumps(endless))


def test_a_pickle_cannot_steer_the_terminal():
    with pytest.raises(ValueError, match="no data set needs") as caught:
        read_pickle(b"c\x1b[2Jos\nsystem\n.")
    assert "\x1b" not in str(caught.value)


def npy_of(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("place", range(0, 128, 3))
def test_a_damaged_head_of_an_npy_is_refused_or_harmless(place):
    array = np.arange(5.0)
    content = bytearray(npy_of(array))
    content[place] ^= 0x15
    with contextlib.suppress(ValueError):
        assert read_npy(bytes(content)).nbytes == array.nbytes


def test_an_npy_that_promises_more_than_it_has_is_refused():
    content = npy_of(np.zeros(8)).replace(b"(8,)", b"(8" + b"0" * 14 + b",)")
    with pytest.raises(ValueError, match="its header declares|damaged|header"):
        read_npy(content)
