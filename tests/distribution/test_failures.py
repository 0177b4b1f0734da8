"""A process is suspended, a port is taken, a link is cut: all end soon, and a message names it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from several_processes import PREAMBLE, signal_when, start, wait

pytestmark = pytest.mark.extra

TRAIN_SLOWLY = """
import time

class Slow(lamina.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.2)

set_distribution(DataParallel())
model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 4)), np.ones(8), epochs=3000, callbacks=[Slow()], verbose=2)
"""
# JAX ends a process, or the connection breaks before.
ENDED = (75, -signal.SIGABRT)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_suspended_process_is_named_and_the_other_ends(victim, tmp_path):
    started = start(TRAIN_SLOWLY, tmp_path)
    signal_when("Epoch 3", started, tmp_path, victim, signal.SIGSTOP)
    try:
        assert started[1 - victim].wait(timeout=30) in ENDED
    finally:
        started[victim].kill()
    wait(started, tmp_path)
    said = (tmp_path / str(1 - victim)).read_text()
    assert f"Process {victim} has given no sign of life for 5 s" in said


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        started = start("", tmp_path, KERAS_DISTRIBUTION_JOB_ADDRESSES=address)
        assert started[0].wait(timeout=60) == 1
        started[1].kill()
        started[1].wait()
    assert f"cannot listen at {address}: another program has port" in (tmp_path / "0").read_text()


def test_a_first_process_that_does_not_answer_is_named(tmp_path):
    # The number of seconds is shortened in the second process, and the first one is not started.
    script = "from lamina.distribution import initialization\ninitialization._START_SECONDS = 1\n"
    preamble = PREAMBLE.replace("initialize()\n", script + "initialize()\n")
    (tmp_path / "script.py").write_text(preamble)
    variables = {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": "127.0.0.1:9",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
        "KERAS_DISTRIBUTION_PROCESS_ID": "1",
    }
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Process 1: process 0 did not answer at 127.0.0.1:9 within 1 s" in done.stderr


@pytest.fixture
def two_hosts():
    """The names of two network namespaces, which stand for two computers with a link."""
    names, folders = [f"lamina{os.getpid()}{end}" for end in "ab"], []
    link = [f"l{os.getpid()}{end}" for end in "ab"]

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        try:
            for name in names:
                ip("netns", "add", name)
            ip("link", "add", link[0], "type", "veth", "peer", "name", link[1])
            for number, (name, end) in enumerate(zip(names, link, strict=True), 1):
                ip("link", "set", end, "netns", name)
                ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", end)
                ip("-n", name, "link", "set", end, "up")
                ip("-n", name, "link", "set", "lo", "up")
                folders.append(Path("/etc/netns", name))
                folders[-1].mkdir(parents=True)
                # JAX tells the others the address of the name of the host.
                own = f"10.77.0.{number} {socket.gethostname()}\n127.0.0.1 localhost\n"
                (folders[-1] / "hosts").write_text(own)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs to make network namespaces: {error}")
        yield names, link
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        for folder in folders:
            (folder / "hosts").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()


def test_a_link_that_is_cut_ends_both_with_a_message(two_hosts, tmp_path):
    names, link = two_hosts
    before = [["ip", "netns", "exec", name] for name in names]
    started = start(TRAIN_SLOWLY, tmp_path, host="10.77.0.1", before=before)
    signal_when("Epoch 3", started, tmp_path, 1, signal.SIGCONT)  # nothing happens by this signal
    subprocess.run(["ip", "-n", names[0], "link", "set", link[0], "down"], check=True)
    cut = time.monotonic()
    statuses, outputs = wait(started, tmp_path, seconds=30)
    assert set(statuses) <= {*ENDED, 128 + signal.SIGABRT}
    assert time.monotonic() - cut < 25
    for output in outputs:
        assert "has given no sign of life for 5 s" in output or "lost the connection" in output
