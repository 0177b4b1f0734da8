import gzip

import numpy as np
import pytest

from lamina.datasets import containers
from lamina.datasets.containers import UnreadableError

from .conftest import write_idx, write_npz


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_files_are_read_under_every_name_they_go_by(tmp_path, arrays, separator, end):
    container = containers.idx(write_idx(tmp_path, arrays, separator, end))
    for name, array in container.read().items():
        np.testing.assert_array_equal(array, arrays[name])


def test_three_of_the_four_idx_files_are_not_a_data_set(tmp_path, arrays):
    folder = write_idx(tmp_path, arrays)
    next(folder.iterdir()).unlink()
    assert containers.idx(folder) is None


def test_idx_numbers_come_out_in_the_machines_byte_order(tmp_path):
    (tmp_path / "n").write_bytes(bytes([0, 0, 12, 1, 0, 0, 0, 2, 0, 0, 0, 5, 255, 255, 255, 255]))
    values = containers.read_idx(tmp_path / "n")
    assert values.tolist() == [5, -1]
    assert values.dtype == np.dtype("int32")
    assert values.dtype.isnative


@pytest.mark.parametrize("keep", [0, 3, 10, 100])
def test_a_truncated_npz_is_called_unreadable(tmp_path, arrays, keep):
    path = write_npz(tmp_path / "a.npz", arrays)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableError, match=r"a\.npz cannot be read"):
        containers.npz(path).read()


def test_a_flipped_bit_inside_an_npz_is_noticed(tmp_path, arrays):
    path = write_npz(tmp_path / "a.npz", arrays)
    raw = bytearray(path.read_bytes())
    raw[200] ^= 1
    path.write_bytes(raw)
    with pytest.raises(UnreadableError):
        containers.npz(path).read()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x00", b"<html>", gzip.compress(b"<html>not found"), b"\x1f\x8bgzip? no",
     bytes([0, 0, 8, 1, 0, 0, 0, 9, 1])],
    ids=["empty", "short", "html", "html.gz", "not gzip", "fewer values than promised"],
)  # fmt: skip
def test_what_is_no_idx_file_is_called_unreadable(tmp_path, arrays, content):
    folder = write_idx(tmp_path, arrays)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(UnreadableError, match="the files in"):
        containers.idx(folder).read()


def test_pickled_arrays_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.array([{}], dtype=object))
    with pytest.raises(UnreadableError, match="allow_pickle"):
        containers.npz(tmp_path / "a.npz").read()
