"""What an archive may hold is decided before anything of it is written."""

import io
import os
import tarfile
import zipfile

import pytest

from lamina.utils.archives import RefusedArchiveError, detect_format, unpack

VICTIM = b"the user's own file"


@pytest.fixture
def victim(tmp_path):
    """A file outside the folder, which must keep its contents."""
    path = tmp_path / "victim.txt"
    path.write_bytes(VICTIM)
    yield path
    assert path.read_bytes() == VICTIM


def member(name, body=b"", **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, body


def link(name, target, kind=tarfile.SYMTYPE):
    return member(name, type=kind, linkname=str(target))


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for info, body in members:
            tar.addfile(info, io.BytesIO(body))
    return path


def write_zip(path, names, mode=0o100644, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, body in names.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = archive.compression
            archive.writestr(info, body)
    return path


def refusal(path, folder):
    """The message with which an archive is refused; nothing is left behind."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(RefusedArchiveError) as caught:
        unpack(path, folder, detect_format(path))
    assert sorted(folder.parent.rglob("*")) == before
    assert "\x1b" not in str(caught.value)
    return str(caught.value)


def links_whose_path_outgrows_the_system(victim):
    """CVE-2025-4517 and CVE-2025-12638: `realpath` gives up in the middle of such a path."""
    long = "d" * 247
    members, path = [], ""
    for step in "abcdefghijklmnop":
        members += [member(f"{path}{long}", type=tarfile.DIRTYPE), link(f"{path}{step}", long)]
        path += f"{long}/"
    inner = "/".join("abcdefghijklmnop")
    members.append(link(f"{inner}/{'l' * 254}", "../" * 16))
    members.append(link("escape", f"{inner}/{'l' * 254}/../{victim.name}"))
    return [*members, link("hard", "escape", tarfile.LNKTYPE), member("hard", b"overwritten")]


TARS = {
    "links longer than PATH_MAX": links_whose_path_outgrows_the_system,
    "a symbolic link": lambda victim: [link("a", victim), member("a", b"x")],
    "a symbolic link inside": lambda victim: [member("b", b"x"), link("a", "b")],
    "a hard link": lambda victim: [link("a", victim, tarfile.LNKTYPE), member("a", b"x")],
    "a linked folder": lambda victim: [link("d", victim.parent), member("d/victim.txt", b"x")],
    "a device": lambda victim: [member("a", type=tarfile.CHRTYPE)],
    "a pipe": lambda victim: [member("a", type=tarfile.FIFOTYPE)],
    "a parent folder": lambda victim: [member("../victim.txt", b"x")],
    "a parent in the middle": lambda victim: [member("a/../../victim.txt", b"x")],
    "an absolute name": lambda victim: [member(str(victim), b"x")],
    "a drive": lambda victim: [member("C:\\victim.txt", b"x")],
    "backslashes": lambda victim: [member("..\\victim.txt", b"x")],
    "a name too long": lambda victim: [member("n" * 300, b"x")],
    "terminal escapes": lambda victim: [member("../\x1b[2J", b"x")],
    "a file that is a folder": lambda victim: [member("a", b"x"), member("a/b", b"x")],
}


@pytest.mark.parametrize("kind", TARS)
def test_a_tar_with_more_than_files_and_folders_is_refused(kind, tmp_path, victim):
    path = write_tar(tmp_path / "a.tar", TARS[kind](victim))
    message = refusal(path, tmp_path / "out")
    assert str(path) in message
    assert "nothing was unpacked" in message
    assert "extract=False" in message


ZIPS = {
    "a symbolic link": ({"a": b"victim.txt"}, 0o120777),
    "a device": ({"a": b""}, 0o020666),
    "a parent folder": ({"../victim.txt": b"x"}, 0o100644),
    "an absolute name": ({"/victim.txt": b"x"}, 0o100644),
    "a file that is a folder": ({"a": b"x", "a/b": b"x"}, 0o100644),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_a_zip_with_more_than_files_and_folders_is_refused(kind, tmp_path, victim):
    names, mode = ZIPS[kind]
    path = write_zip(tmp_path / "a.zip", names, mode)
    assert "nothing was unpacked" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda p, body: write_tar(p, [member("a", body)], "w:gz"), "a.tar.gz"),
        (lambda p, body: write_zip(p, {"a": body}, compression=zipfile.ZIP_DEFLATED), "a.zip"),
    ],
    ids=["tar", "zip"],
)
def test_an_archive_that_grows_out_of_all_proportion_is_refused(write, name, tmp_path, monkeypatch):
    monkeypatch.setattr("lamina.utils.archives._BYTES_ALWAYS_ALLOWED", 1000)
    path = write(tmp_path / name, bytes(10**6))
    assert "unpacks to 1,000,000 bytes" in refusal(path, tmp_path / "out")


def test_an_archive_of_too_many_entries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lamina.utils.archives._ENTRIES_ALWAYS_ALLOWED", 10)
    path = write_tar(tmp_path / "a.tgz", [member(f"f{i}") for i in range(2000)], "w:gz")
    assert "entries" in refusal(path, tmp_path / "out")


def test_an_archive_larger_than_the_disk_is_refused(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "a.tar", [member("a", b"x" * 100)])
    free = shutil_usage(free=10)
    monkeypatch.setattr("lamina.utils.archives.shutil.disk_usage", lambda path: free)
    assert "10 are free" in refusal(path, tmp_path / "out")


def shutil_usage(free):
    return type("usage", (), {"free": free})


@pytest.mark.parametrize("size", [-512, 2**40])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_tar_that_lies_about_its_sizes_is_refused(size, kind, tmp_path):
    info = tarfile.TarInfo("a")
    info.size, info.type = size, kind
    path = tmp_path / "a.tar"
    good = tarfile.TarInfo("first").tobuf()
    path.write_bytes(good + info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    refusal(path, tmp_path / "out")


def test_a_map_of_holes_without_end_is_refused(tmp_path):
    info = tarfile.TarInfo("a")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a"}
    path = tmp_path / "a.tar"
    path.write_bytes(tarfile.TarInfo("b").tobuf() + info.tobuf(tarfile.PAX_FORMAT) + b"9" * 512)
    refusal(path, tmp_path / "out")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_an_archive_that_was_cut_off_is_refused(mode, part, tmp_path):
    path = write_tar(tmp_path / "a.tar", [member("a", os.urandom(50_000))], mode)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(RefusedArchiveError, match="force_download=True"):
        unpack(path, tmp_path / "out", "tar")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar"]


def test_a_flipped_bit_in_a_zip_is_found(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a": b"x" * 1000})
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    assert "is damaged" in refusal(path, tmp_path / "out")


def test_files_and_folders_are_unpacked_with_what_may_run(tmp_path):
    members = [member("d", type=tarfile.DIRTYPE), member("d/run.sh", b"#!", mode=0o4755)]
    path = write_tar(tmp_path / "a.tar", [*members, member("d/run.sh", b"#!/bin/sh", mode=0o4755)])
    unpack(path, tmp_path / "out", detect_format(path))
    file = tmp_path / "out/d/run.sh"
    assert file.read_bytes() == b"#!/bin/sh"  # the later of two, as `tar` does
    assert os.access(file, os.X_OK)
    assert not file.stat().st_mode & 0o7000


def test_an_older_folder_or_link_of_that_name_is_replaced(tmp_path, victim):
    path = write_zip(tmp_path / "a.zip", {"victim.txt": b"new"})
    (tmp_path / "out").symlink_to(tmp_path)
    unpack(path, tmp_path / "out", "zip")
    assert (tmp_path / "out/victim.txt").read_bytes() == b"new"
