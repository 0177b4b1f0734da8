import hashlib
import io
import threading

import pytest

from lamina.utils import download as module
from lamina.utils.download import DownloadError, download

BODY = bytes(range(256)) * 1000
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch, server):
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    server.files["file.bin"] = BODY


def test_a_file_is_fetched_and_announced_in_one_line(tmp_path, server, capsys):
    target = tmp_path / "deep/file.bin"
    assert download(f"{server.address}file.bin", target, SHA256, title="Things") == target
    assert target.read_bytes() == BODY
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"Downloading Things from 127.0.0.1:{server.server_port}, 0.3 MB"
    ]


def test_a_file_that_is_there_is_not_fetched(tmp_path, server):
    (tmp_path / "file.bin").write_bytes(BODY)
    download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert not server.requests


def test_a_file_with_another_checksum_is_replaced(tmp_path, server):
    (tmp_path / "file.bin").write_bytes(b"old")
    download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_a_broken_transfer_goes_on_where_it_broke_off(tmp_path, server):
    server.plan = ["break off"]
    download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    # Received in pieces of 64 KiB: of the first half, one piece was whole.
    assert server.requests == [("file.bin", None), ("file.bin", "bytes=65536-")]


def test_what_one_process_left_over_the_next_continues(tmp_path, server):
    server.plan = ["break off"] * 3
    with pytest.raises(DownloadError, match="was interrupted"):
        download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert not (tmp_path / "file.bin").exists()
    server.requests.clear()
    download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert server.requests[0][1].startswith("bytes=")
    assert (tmp_path / "file.bin").read_bytes() == BODY


@pytest.mark.parametrize("how", ["ignore range", "refuse range"])
def test_a_server_that_cannot_continue_sends_everything_again(tmp_path, server, how):
    server.plan = ["break off", how]
    download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_a_wrong_checksum_is_tried_again(tmp_path, server):
    server.plan = ["wrong", "wrong"]
    download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_a_checksum_that_stays_wrong_is_an_error_and_leaves_no_file(tmp_path, server):
    server.plan = ["wrong"] * 3
    with pytest.raises(DownloadError, match="checksum is wrong"):
        download(f"{server.address}file.bin", tmp_path / "file.bin", SHA256)
    assert not (tmp_path / "file.bin").exists()


def test_a_busy_server_is_asked_again(tmp_path, server):
    server.plan = ["503", "500"]
    download(f"{server.address}file.bin", tmp_path / "file.bin")
    assert len(server.requests) == 3


def test_a_missing_file_is_not_asked_for_twice(tmp_path, server):
    with pytest.raises(DownloadError, match="it answered 404"):
        download(f"{server.address}nothing.bin", tmp_path / "nothing.bin")
    assert len(server.requests) == 1


def test_no_connection_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.core.time.sleep", lambda s: pytest.fail("it waited to try again"))
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9: no connection"):
        download("http://127.0.0.1:9/file.bin", tmp_path / "file.bin")


def test_two_at_once_fetch_one_file(tmp_path, server):
    threads = [
        threading.Thread(target=download, args=(f"{server.address}file.bin", tmp_path / "f"))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_terminal_sees_a_bar_that_goes_away(tmp_path, server, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(module.sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    download(f"{server.address}file.bin", tmp_path / "file.bin")
    assert "\x1b[" in terminal.getvalue()
