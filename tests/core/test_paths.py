"""Devices and pipes are refused wherever a file is read: they may have no end."""

import os
import socket

import pytest

import lamina
from lamina.core.user_data.paths import refuse_special_file
from lamina.data import audio_dataset, text_dataset
from lamina.data.picture_files import read_picture
from lamina.datasets import imdb, mnist
from lamina.utils import load_img

pytestmark = pytest.mark.quick


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe.keras"
    os.mkfifo(path)
    return path


READERS = {
    "load_model": lamina.saving.load_model,
    "KerasFileEditor": lamina.saving.KerasFileEditor,
    "load_img": load_img,
    "pictures for a model": read_picture,
    "sounds": audio_dataset.read_wav,
    "texts": text_dataset._read,
    "mnist": mnist.load_data,
    "imdb": imdb.load_data,
    "a vocabulary": lambda path: lamina.layers.StringLookup(vocabulary=str(path)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("path", ["/dev/zero", "a pipe"])
def test_what_may_have_no_end_is_refused(reader, path, pipe):
    path, kind = (path, "a device") if path != "a pipe" else (str(pipe), "a pipe")
    with pytest.raises(ValueError, match=f"{path} is {kind}, not a file") as caught:
        READERS[reader](path)
    assert "Did you mean" not in str(caught.value)


def test_weights_are_not_read_from_a_device():
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    with pytest.raises(ValueError, match="/dev/zero is a device"):
        model.load_weights("/dev/zero")


def test_a_socket_is_called_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(ValueError, match="is a socket"):
            refuse_special_file("s")


def test_files_folders_and_nothing_are_left_to_the_reader(tmp_path):
    for path in (tmp_path, tmp_path / "missing", tmp_path / "\0", "x" * 10_000):
        refuse_special_file(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs Linux")
def test_what_the_system_cannot_read_is_told_with_its_path():
    with pytest.raises(OSError, match="/proc/self/mem cannot be opened") as caught:
        lamina.saving.load_model("/proc/self/mem")
    assert "faulty disk" in str(caught.value)
