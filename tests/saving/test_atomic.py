"""A crash, a full disk or a wrong path while saving: the old file stays whole."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
import zipfile

import pytest

import lamina
from lamina.saving.atomic import atomic_write

not_windows = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")


@pytest.fixture
def model():
    return lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(2)])


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def leftovers(folder):
    return [p.name for p in folder.iterdir() if p.name.endswith(".part")]


# Every call by which a save touches the disk may be its last.
LAST_CALLS = {
    "before anything is written": ("write", 1),
    "after the first part": ("write", 2),
    "in the middle": ("write", 4),
    "before it is on the disk": ("fsync", 1),
    "before it takes its name": ("replace", 1),
}


@not_windows
def test_a_killed_save_leaves_the_old_file_whatever_its_last_call(tmp_path):
    for number in range(len(LAST_CALLS)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "model.keras").write_bytes(b"the old file")
    code = f"""
        import os, signal, sys, zipfile
        from lamina.saving import atomic

        def killing(function, last):
            calls = 0
            def call(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls == last:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)
            return call

        for number, (name, last) in enumerate({list(LAST_CALLS.values())}):
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
                print(os.waitstatus_to_exitcode(status))
                continue
            owner = zipfile.ZipFile if name == "write" else atomic.os
            name = "writestr" if name == "write" else name
            setattr(owner, name, killing(getattr(owner, name), last))
            with atomic.atomic_write(f"{{sys.argv[1]}}/{{number}}/model.keras") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    for letter in "abcd":
                        archive.writestr(letter, b"new" * 100_000)
                        file.flush()
    """
    process = run(code, tmp_path)
    assert process.stdout.split() == [str(-signal.SIGKILL)] * len(LAST_CALLS), process.stderr
    for number, moment in enumerate(LAST_CALLS):
        folder = tmp_path / str(number)
        assert (folder / "model.keras").read_bytes() == b"the old file", moment
        assert len(leftovers(folder)) == 1, moment


@not_windows
def test_a_model_saved_before_the_crash_still_loads(tmp_path):
    path = tmp_path / "model.keras"
    code = """
        import os, signal, sys
        import lamina

        model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(2)])
        model.set_weights([[[1, 2], [3, 4]], [5, 6]])
        model.save(sys.argv[1])
        model.set_weights([[[0, 0], [0, 0]], [0, 0]])
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        model.save(sys.argv[1])
    """
    process = run(code, path)
    assert process.returncode == -signal.SIGKILL, process.stderr
    kernel, bias = lamina.saving.load_model(path).get_weights()
    assert kernel.tolist() == [[1, 2], [3, 4]]
    assert bias.tolist() == [5, 6]


@not_windows
def test_what_a_killed_save_left_is_removed_at_the_next_one(model, tmp_path):
    left = tmp_path / ".model.keras.0123abcd.part"
    other = tmp_path / ".other.keras.0123abcd.part"
    for path in (left, other):
        path.write_bytes(b"half a model")
        os.utime(path, (time.time() - 3600,) * 2)
    model.save(tmp_path / "model.keras")
    assert leftovers(tmp_path) == [other.name]


@not_windows
def test_what_another_process_is_writing_is_left_alone(model, tmp_path):
    import fcntl

    path = tmp_path / ".model.keras.0123abcd.part"
    with path.open("wb") as file:
        file.write(b"half a model")
        file.flush()
        os.utime(path, (time.time() - 3600,) * 2)
        fcntl.flock(file, fcntl.LOCK_EX)
        model.save(tmp_path / "model.keras")
    assert leftovers(tmp_path) == [path.name]


def test_no_leftover_is_mistaken_for_a_model(model, tmp_path):
    (tmp_path / ".model.keras.0123abcd.part").write_bytes(b"half a model")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        lamina.saving.load_model(tmp_path / "model.keras")


class FullDisk(io.RawIOBase):
    """A file on a disk with room for some bytes only."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def close(self):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 100, 3000])
@pytest.mark.parametrize("save", ["save", "save_weights"])
def test_a_full_disk_leaves_the_old_file_and_says_so(save, room, model, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    getattr(model, save)(path)
    before = path.read_bytes()
    monkeypatch.setattr(
        "lamina.saving.atomic.open",
        lambda *args, **kwargs: FullDisk(open(*args, **kwargs), room),
        raising=False,
    )
    with pytest.raises(OSError, match="No room on the disk") as caught:
        getattr(model, save)(path)
    assert caught.value.errno == errno.ENOSPC
    assert str(path) in str(caught.value)
    assert "Fix: make room" in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


@not_windows
def test_a_limit_on_the_size_of_files_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"the old file")
    code = """
        import resource, signal, sys
        from lamina.saving.atomic import atomic_write

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with atomic_write(sys.argv[1]) as file:
            file.write(bytes(1_000_000))
    """
    process = run(code, path)
    assert "would be larger than this disk or account allows" in process.stderr
    assert path.read_bytes() == b"the old file"
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_an_error_while_writing_leaves_nothing_behind(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"the old file")

    def interrupted():
        with atomic_write(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"the old file"
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


@not_windows
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_a_read_only_folder_is_named(model, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="Fix: save to a folder of your own"):
            model.save(tmp_path / "model.keras")
    finally:
        tmp_path.chmod(0o700)


@not_windows
@pytest.mark.parametrize("refused", ["mkdir", "open"])
def test_a_missing_permission_is_named(refused, model, tmp_path, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    where = "pathlib.Path.mkdir" if refused == "mkdir" else "lamina.saving.atomic.open"
    monkeypatch.setattr(where, denied, raising=False)
    with pytest.raises(PermissionError, match="no permission") as caught:
        model.save(tmp_path / "model.keras")
    assert "Fix: save to a folder of your own" in str(caught.value)


def test_a_file_that_is_read_only_is_not_replaced(model, tmp_path, monkeypatch):
    path = tmp_path / "best.keras"
    model.save(path)
    monkeypatch.setattr("os.access", lambda *args: False)  # as for anybody but root
    with pytest.raises(PermissionError, match="read-only"):
        model.save(path)


def test_a_folder_in_the_way_is_named(model, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder") as caught:
        model.save(tmp_path)
    assert str(tmp_path / "model.keras") in str(caught.value)


def test_a_file_in_the_place_of_a_folder_is_named(model, tmp_path):
    (tmp_path / "models").write_text("not a folder")
    with pytest.raises(OSError, match="a part of the path is a file"):
        model.save(tmp_path / "models" / "digits.keras")


def test_a_name_that_is_too_long_is_named(model, tmp_path):
    with pytest.raises(OSError, match="the name is too long"):
        model.save(tmp_path / ("x" * 300))


def test_the_longest_name_is_not_too_long(model, tmp_path):
    path = tmp_path / ("x" * 255)
    model.save(path)
    assert lamina.saving.load_model(path).count_params() == 6


@not_windows
def test_permissions_are_those_of_any_file_and_then_those_of_the_old_one(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o600)
    model.save(path)
    assert path.stat().st_mode & 0o777 == 0o600


@not_windows
def test_a_link_keeps_pointing_where_it_did(model, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "latest.keras"
    link.symlink_to(tmp_path / "there" / "model.keras")
    model.save(link)
    assert link.is_symlink()
    assert zipfile.is_zipfile(tmp_path / "there" / "model.keras")


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_pipe_or_device_is_not_replaced_by_a_file(through_a_link, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = pipe
    if through_a_link:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    with pytest.raises(OSError, match="is a pipe, which a file must not replace"):
        with atomic_write(path) as file:
            file.write(b"x")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.endswith(".part")) == []
