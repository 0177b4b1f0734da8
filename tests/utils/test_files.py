import hashlib
import io
import tarfile
import zipfile

import pytest

from lamina.utils import get_file
from lamina.utils.download import DownloadError

BODY = b"some text"


def tar_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def zip_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch, server):
    monkeypatch.setenv("LAMINA_CACHE", str(tmp_path))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    server.files["a.txt"] = BODY


def test_a_file_lands_in_the_cache_and_is_fetched_once(tmp_path, server):
    for _ in range(2):
        assert get_file(origin=f"{server.address}a.txt") == str(tmp_path / "datasets/a.txt")
    assert (tmp_path / "datasets/a.txt").read_bytes() == BODY
    assert len(server.requests) == 1


def test_folders_and_name_are_the_users(tmp_path, server):
    path = get_file("b.txt", f"{server.address}a.txt", cache_dir=tmp_path / "c", cache_subdir="d")
    assert path == str(tmp_path / "c/d/b.txt")


def test_force_download_fetches_again(server):
    for _ in range(2):
        get_file(origin=f"{server.address}a.txt", force_download=True)
    assert len(server.requests) == 2


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
@pytest.mark.parametrize("named", [True, False])
def test_the_hash_is_checked(server, algorithm, named):
    origin, good = f"{server.address}a.txt", hashlib.new(algorithm, BODY).hexdigest()
    named = algorithm if named else "auto"
    get_file(origin=origin, file_hash=good, hash_algorithm=named)
    bad = good.replace(good[0], "0" if good[0] != "0" else "1")
    with pytest.raises(DownloadError, match="checksum is wrong"):
        get_file(origin=origin, file_hash=bad, hash_algorithm=named)


def test_the_older_spelling_of_the_hash_works(server):
    with pytest.raises(DownloadError, match="md5:00"):
        get_file(origin=f"{server.address}a.txt", md5_hash="0" * 32)


@pytest.mark.parametrize(
    ("name", "make"), [("d.tar.gz", tar_of), ("d.zip", zip_of)], ids=["tar", "zip"]
)
@pytest.mark.parametrize(("fname", "folder"), [(None, None), ("mine", "mine")])
def test_an_archive_is_unpacked_beside_itself(tmp_path, server, name, make, fname, folder):
    server.files[name] = make({"d/x.txt": BODY})
    path = get_file(fname, f"{server.address}{name}", extract=True)
    assert path == str(tmp_path / "datasets" / (folder or name))  # as Keras names it
    assert (tmp_path / path / "d/x.txt").read_bytes() == BODY


def test_a_name_with_an_ending_gets_a_folder_of_its_own(tmp_path, server):
    server.files["d.tgz"] = tar_of({"x.txt": BODY})
    path = get_file("pictures.tgz", f"{server.address}d.tgz", untar=True)
    assert path == str(tmp_path / "datasets/pictures_extracted")


def test_an_archive_that_reaches_outside_its_folder_is_refused(tmp_path, server):
    server.files["evil.tar"] = tar_of({"../../evil.txt": BODY})
    with pytest.raises(ValueError, match="leads out of the folder"):
        get_file(origin=f"{server.address}evil.tar", extract=True)
    assert not list(tmp_path.parent.glob("evil.txt"))
    assert not list(tmp_path.rglob("evil.txt"))
    assert not list(tmp_path.rglob("*.partial"))


def test_a_refused_archive_leaves_what_an_earlier_one_held(tmp_path, server):
    server.files["d.zip"] = zip_of({"x.txt": BODY})
    path = get_file(origin=f"{server.address}d.zip", extract=True)
    server.files["d.zip"] = zip_of({"../x.txt": BODY})
    with pytest.raises(ValueError, match="nothing was unpacked"):
        get_file(origin=f"{server.address}d.zip", extract=True, force_download=True)
    assert (tmp_path / path / "x.txt").read_bytes() == BODY


def test_what_is_no_archive_is_named(server):
    with pytest.raises(ValueError, match="is not an archive"):
        get_file(origin=f"{server.address}a.txt", extract=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs origin"),
        ({"origin": "http://127.0.0.1/"}, "bare file name"),
        ({"origin": "http://127.0.0.1/a", "fname": "../a"}, "bare file name"),
        ({"origin": "http://127.0.0.1/a", "fname": ".."}, "bare file name"),
        ({"origin": "http://127.0.0.1/a", "fname": "."}, "bare file name"),
        ({"origin": "http://127.0.0.1/a", "fname": "a\0b"}, "bare file name"),
        ({"origin": "http://127.0.0.1/.."}, "bare file name"),
        ({"origin": "http://127.0.0.1/a", "file_hash": "0", "hash_algorithm": "crc"}, "crc"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        get_file(**arguments)


def test_a_file_in_the_users_folder_is_taken_instead(tmp_path, monkeypatch, server):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_bytes(BODY)
    monkeypatch.setenv("LAMINA_DATASETS", str(folder))
    good = hashlib.sha256(BODY).hexdigest()
    for file_hash in (None, good):
        path = get_file("a.txt", f"{server.address}a.txt", file_hash=file_hash)
        assert path == str(folder / "a.txt")
    assert server.requests == []
    with pytest.raises(DownloadError, match=r"another checksum .*\n.*was not replaced"):
        get_file("a.txt", f"{server.address}a.txt", file_hash="0" * 64)


def test_an_archive_in_the_users_folder_is_unpacked_in_the_cache(tmp_path, monkeypatch, server):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zip_of({"inside.txt": BODY}))
    monkeypatch.setenv("LAMINA_DATASETS", str(folder))
    unpacked = get_file("a.zip", f"{server.address}a.zip", extract=True)
    assert unpacked.startswith(str(tmp_path / "datasets"))
    assert [p.name for p in folder.iterdir()] == ["a.zip"]


def test_a_file_of_this_machine_is_copied(tmp_path, server):
    source = tmp_path / "my data.bin"
    source.write_bytes(BODY)
    digest = hashlib.sha256(BODY).hexdigest()
    path = get_file("x.bin", source.as_uri(), file_hash=digest)
    assert path == str(tmp_path / "datasets/x.bin")
    assert (tmp_path / "datasets/x.bin").read_bytes() == BODY
    source.write_bytes(b"other")
    with pytest.raises(ValueError, match="another checksum"):
        get_file("y.bin", source.as_uri(), file_hash=digest)
    with pytest.raises(DownloadError, match="There is no file"):
        get_file("z.bin", (tmp_path / "nowhere").as_uri())
    assert server.requests == []


@pytest.mark.parametrize("cache_dir", [None, "."])
def test_a_file_of_the_users_data_sets_is_taken_whatever_the_cache(
    cache_dir, tmp_path, server, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "given"
    given.mkdir()
    (given / "a.txt").write_bytes(b"the user's")
    monkeypatch.setenv("LAMINA_DATASETS", str(given))
    path = get_file("a.txt", f"{server.address}a.txt", cache_dir=cache_dir)
    assert path == str(given / "a.txt")
    assert server.requests == []
