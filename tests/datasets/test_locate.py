import logging

import numpy as np
import pytest

from lamina.datasets import fingerprints as arrays_module, locate

from .conftest import IDX_FILES, write_idx, write_npz

pytestmark = pytest.mark.usefixtures("own_caches")


def same(found, expected):
    return all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    folder = tmp_path / "chosen"
    folder.mkdir()
    monkeypatch.setenv("LAMINA_DATASETS", str(folder))
    return folder


@pytest.mark.parametrize("place", ["", "tiny", "tiny-data"])
def test_the_chosen_folder_is_searched_with_its_subfolders(chosen, arrays, make_source, place):
    write_npz(chosen / place / "tiny.npz", arrays)
    assert same(locate.load(make_source()), arrays)


@pytest.mark.parametrize("place", ["", "tiny", "tiny-data"])
def test_idx_files_will_do_wherever_they_lie(chosen, arrays, make_source, place):
    write_idx(chosen / place, arrays)
    assert same(locate.load(make_source()), arrays)


def test_a_wrong_file_in_the_chosen_folder_is_an_error_that_names_the_array(
    chosen, arrays, make_source
):
    wrong = {**arrays, "y_train": arrays["y_train"][::-1].copy()}
    path = write_npz(chosen / "tiny.npz", wrong)
    with pytest.raises(ValueError, match=r"is not Tiny: y_train has other values"):
        locate.load(make_source())
    assert path.exists()


def test_an_array_of_another_shape_is_described(chosen, arrays, make_source):
    write_npz(chosen / "tiny.npz", {**arrays, "x_test": arrays["x_test"][:2]})
    with pytest.raises(ValueError, match=r"x_test is uint8 of shape \(2, 4, 4\), expected uint8"):
        locate.load(make_source())


def test_a_missing_array_is_named(chosen, arrays, make_source):
    write_npz(chosen / "tiny.npz", {k: v for k, v in arrays.items() if k != "x_test"})
    with pytest.raises(ValueError, match="x_test is missing"):
        locate.load(make_source())


def test_idx_files_of_another_data_set_in_the_chosen_folder_are_passed_over(
    chosen, arrays, make_source, tmp_path
):
    write_idx(chosen, {k: v[::-1] for k, v in arrays.items()})
    write_npz(tmp_path / "cache/datasets/tiny.npz", arrays)
    assert same(locate.load(make_source()), arrays)


def test_a_chosen_folder_that_is_none_is_mentioned_and_ignored(
    tmp_path, monkeypatch, arrays, make_source, caplog
):
    monkeypatch.setenv("LAMINA_DATASETS", str(tmp_path / "nowhere"))
    write_npz(tmp_path / "cache/datasets/tiny.npz", arrays)
    assert same(locate.load(make_source()), arrays)
    assert "nowhere, which is not a folder" in caplog.text


def test_kerass_cache_is_used_too(tmp_path, arrays, make_source):
    write_idx(tmp_path / "keras/datasets/tiny-data", arrays)
    assert same(locate.load(make_source()), arrays)


def test_a_damaged_file_in_kerass_cache_is_left_alone(
    tmp_path, arrays, make_source, server, caplog
):
    path = write_npz(tmp_path / "keras/datasets/tiny.npz", arrays)
    path.write_bytes(b"damaged")
    server.files["tiny.npz"] = write_npz(tmp_path / "good.npz", arrays).read_bytes()
    mirror = locate.Mirror(server.address, ("tiny.npz",))
    assert same(locate.load(make_source(mirror)), arrays)
    assert path.read_bytes() == b"damaged"
    assert "left alone" in caplog.text


def test_a_damaged_file_in_the_own_cache_is_set_aside_and_fetched_again(
    tmp_path, arrays, make_source, server, caplog
):
    path = write_npz(tmp_path / "cache/datasets/tiny.npz", arrays)
    path.write_bytes(path.read_bytes()[:-40])
    server.files["tiny.npz"] = write_npz(tmp_path / "good.npz", arrays).read_bytes()
    mirror = locate.Mirror(server.address, ("tiny.npz",))
    with caplog.at_level(logging.WARNING):
        assert same(locate.load(make_source(mirror)), arrays)
    assert "set aside" in caplog.text
    assert (path.parent / "tiny.npz.corrupt").exists()
    caplog.clear()
    assert same(locate.load(make_source(mirror)), arrays)  # healed: no further request
    assert len(server.requests) == 1
    assert not caplog.text


def test_one_file_may_be_named_directly(tmp_path, arrays, make_source):
    path = write_npz(tmp_path / "elsewhere/mine.npz", arrays)
    assert same(locate.load(make_source(), path), arrays)


def test_a_bare_name_is_looked_for_in_the_caches(tmp_path, arrays, make_source):
    write_npz(tmp_path / "cache/datasets/mine.npz", arrays)
    assert same(locate.load(make_source(), "mine.npz"), arrays)


def test_a_named_file_with_other_arrays_is_refused(tmp_path, arrays, make_source):
    path = write_npz(tmp_path / "mine.npz", {**arrays, "y_test": arrays["y_test"] + 1})
    with pytest.raises(ValueError, match=r"numpy\.load"):
        locate.load(make_source(), path)


def test_a_named_file_that_is_not_there_is_an_error(tmp_path, make_source):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        locate.load(make_source(), tmp_path / "none.npz")


def test_without_any_source_the_error_names_the_offline_route(chosen, make_source, server):
    server.plan = ["404"] * 9
    mirror = locate.Mirror(server.address, ("tiny.npz",))
    with pytest.raises(locate.DatasetUnavailableError) as caught:
        locate.load(make_source(mirror))
    text = str(caught.value)
    assert f"LAMINA_DATASETS={chosen}" in text
    assert "it answered 404" in text
    assert f"fetch tiny.npz from {server.address}" in text
    assert "digits needs no network" in text


def test_what_was_checked_once_is_not_hashed_again(tmp_path, arrays, make_source, monkeypatch):
    hashed = []
    digest = arrays_module.digest
    monkeypatch.setattr(arrays_module, "digest", lambda a: hashed.append(1) or digest(a))
    path = write_npz(tmp_path / "cache/datasets/tiny.npz", arrays)
    locate.load(make_source())
    assert len(hashed) == 4
    locate.load(make_source())
    assert len(hashed) == 4
    write_npz(path, {**arrays, "extra": np.zeros(1)})  # another size and time of change
    locate.load(make_source())
    assert len(hashed) == 8


def test_a_changed_file_is_not_believed_because_an_earlier_one_was(tmp_path, arrays, make_source):
    path = write_npz(tmp_path / "cache/datasets/tiny.npz", arrays)
    locate.load(make_source())
    write_npz(path, {**arrays, "y_test": arrays["y_test"][::-1].copy()})
    with pytest.raises(locate.DatasetUnavailableError):
        locate.load(make_source())


def test_a_spoilt_memory_of_checked_files_does_no_harm(tmp_path, arrays, make_source):
    write_npz(tmp_path / "cache/datasets/tiny.npz", arrays)
    (tmp_path / "cache/datasets/verified.json").write_text("[not json")
    assert same(locate.load(make_source()), arrays)


def test_the_first_mirror_that_works_is_taken(tmp_path, arrays, make_source, server):
    folder = write_idx(tmp_path / "remote", arrays)
    server.files = {f"idx/{name}": (folder / name).read_bytes() for name in IDX_FILES}
    source = make_source(
        locate.Mirror("http://127.0.0.1:9/", ("tiny.npz",)),  # nothing listens there
        locate.Mirror(server.address, ("tiny.npz",)),  # 404
        locate.Mirror(f"{server.address}idx/", IDX_FILES),
    )
    assert same(locate.load(source), arrays)
    assert (tmp_path / "cache/datasets/tiny/t10k-labels-idx1-ubyte.gz").exists()


def test_a_mirror_with_wrong_contents_is_not_believed(tmp_path, arrays, make_source, server):
    wrong = {**arrays, "x_train": arrays["x_train"] + 1}
    server.files["bad/tiny.npz"] = write_npz(tmp_path / "w.npz", wrong).read_bytes()
    server.files["good/tiny.npz"] = write_npz(tmp_path / "g.npz", arrays).read_bytes()
    source = make_source(
        locate.Mirror(f"{server.address}bad/", ("tiny.npz",)),
        locate.Mirror(f"{server.address}good/", ("tiny.npz",)),
    )
    assert same(locate.load(source), arrays)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, make_source, server, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path / "file"))
    mirror = locate.Mirror(server.address, ("tiny.npz",))
    with pytest.raises(locate.DatasetUnavailableError, match="cannot be written"):
        locate.load(make_source(mirror))


def test_presence_is_told_without_reading(tmp_path, arrays, make_source):
    assert not locate.is_on_this_machine(make_source())
    write_idx(tmp_path / "keras/datasets/tiny", arrays)
    assert locate.is_on_this_machine(make_source())
