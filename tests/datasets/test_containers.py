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
    with pytest.raises(UnreadableError, match="holds a pickle of Python objects"):
        containers.npz(tmp_path / "a.npz").read()


def test_an_npz_that_unpacks_to_much_more_than_it_is_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMINA_LOADING_BYTES", "1000")
    path = write_npz(tmp_path / "a.npz", {"x_train": np.zeros(2000, "uint8")})
    with pytest.raises(UnreadableError, match="'x_train' claims to be 2,128 bytes"):
        containers.npz(path).read()


def test_an_idx_file_that_unpacks_to_much_more_than_it_is_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMINA_LOADING_BYTES", "1000")
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(2000)))
    with pytest.raises(ValueError, match="unpacks to more than 1,000 bytes"):
        containers.read_idx(path)


@pytest.mark.parametrize("every", [7])
def test_a_flipped_bit_in_an_npz_is_found_or_harmless(tmp_path, arrays, every):
    small = {"x_train": arrays["x_train"].ravel()[:20], "y_train": arrays["y_train"][:3]}
    path = write_npz(tmp_path / "a.npz", small)
    whole = path.read_bytes()
    for place in range(0, len(whole), every):
        content = bytearray(whole)
        content[place] ^= 1 << (place % 8)
        path.write_bytes(content)
        try:
            found = containers.npz(path).read()
        except UnreadableError:
            continue
        for name, array in found.items():
            np.testing.assert_array_equal(array, small[name])
