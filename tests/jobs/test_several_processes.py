"""Several processes are started, watched and ended together; the children here are plain Python."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lamina.jobs import several_processes
from lamina.jobs.process_group import Ending
from lamina.jobs.several_processes import (
    SeveralProcesses,
    cause_of,
    describe,
    device_variables,
    gpus,
)

FIRST_LINES = """
import os, signal, sys, time
number = int(os.environ["KERAS_DISTRIBUTION_PROCESS_ID"])
def log(text):
    with open("log", "a") as file: file.write(f"{number} {text}\\n")
"""


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Runs a source in several processes: its exit status, and the messages."""
    monkeypatch.setattr(several_processes, "_SECONDS_TO_FAIL", 0.2)
    monkeypatch.setattr(several_processes, "_SECONDS_TO_TERMINATE", 1.0)
    monkeypatch.chdir(tmp_path)

    def run(source, processes=2, **options):
        Path("child.py").write_text(FIRST_LINES + textwrap.dedent(source))
        messages = []
        command = [sys.executable, "-I", "-S", "child.py"]
        job = SeveralProcesses(command, processes, tell=messages.append, **options)
        return job.run(), "\n".join(messages)

    return run


@pytest.fixture
def start_launcher(tmp_path):
    """Starts a launcher as a process of its own, whose children have written a line each."""
    launchers = []

    def start(source):
        (tmp_path / "child.py").write_text(FIRST_LINES + textwrap.dedent(source))
        code = (
            "import sys; from lamina.jobs.several_processes import SeveralProcesses\n"
            "job = SeveralProcesses([sys.executable, 'child.py'], 2, "
            "tell=lambda text: print(text, flush=True))\n"
            "sys.exit(job.run())"
        )
        launchers.append(
            subprocess.Popen(
                [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True
            )
        )
        lines = []
        while len(lines) < 2:
            time.sleep(0.05)
            lines = (
                (tmp_path / "log").read_text().splitlines() if (tmp_path / "log").exists() else []
            )
        return launchers[0], lines

    yield start
    for launcher in launchers:
        launcher.kill()
        launcher.communicate()


def test_each_process_is_told_its_place_and_the_first_one_prints(launch, capfd):
    source = """
    port = os.environ["KERAS_DISTRIBUTION_JOB_ADDRESSES"].removeprefix("127.0.0.1:")
    service = os.environ["JAX_ENABLE_PREEMPTION_SERVICE"]
    print(number, os.environ["KERAS_DISTRIBUTION_NUM_PROCESSES"], service, port.isdecimal())
    print("warning", file=sys.stderr)
    """
    assert launch(source, 3) == (0, "")
    out, err = capfd.readouterr()
    assert out == "0 3 0 True\n"
    assert sorted(err.splitlines()) == ["[1] warning", "[2] warning", "warning"]


def test_a_bad_exit_ends_the_others_and_is_named(launch):
    status, said = launch(
        """
        def stop(*args): log("asked to end"); sys.exit(1)
        signal.signal(signal.SIGTERM, stop)
        if number == 1: time.sleep(0.3); sys.exit(3)
        time.sleep(60)
        """
    )
    assert status == 3
    assert Path("log").read_text() == "0 asked to end\n"
    assert "Process 1 of 2 (pid " in said
    assert "ended with exit status 3" in said
    assert "The others were ended." in said
    assert "--restarts 3 starts all again" in said


def test_a_process_that_was_killed_is_named_with_its_signal(launch):
    status, said = launch("if number == 0: os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(60)")
    assert status == 137
    assert "Process 0 of 2 (pid " in said
    assert "was ended by SIGKILL" in said
    assert "out of memory" in said


def test_a_process_that_ignores_sigterm_is_killed(launch):
    start = time.monotonic()
    status, said = launch(
        """
        if number == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            log("ready")
            time.sleep(60)
        while not os.path.exists("log"): time.sleep(0.02)
        sys.exit(1)
        """
    )
    assert status == 1
    assert "Then process 0 did not end within 1 s and had to be killed" in said
    assert time.monotonic() - start < 30


def test_all_of_it_takes_less_than_ten_seconds():
    seconds = several_processes._SECONDS_TO_FAIL + several_processes._SECONDS_TO_TERMINATE
    assert seconds + 2 < 10  # two seconds for the system to end what was killed


def test_restarts_go_on_until_it_succeeds_each_with_a_port_of_its_own(launch):
    status, said = launch(
        """
        log(os.environ["KERAS_DISTRIBUTION_JOB_ADDRESSES"])
        attempts = sum(line.startswith("1") for line in open("log"))
        sys.exit(number == 1 and attempts < 3)
        """,
        restarts=3,
    )
    assert status == 0
    assert "again (1 of 3)" in said
    assert "again (2 of 3)" in said
    assert "again (3 of 3)" not in said
    ports = [line.split()[1] for line in Path("log").read_text().splitlines() if line[0] == "1"]
    assert len(set(ports)) == 3


def test_without_restarts_left_the_last_failure_is_the_result(launch):
    status, said = launch("sys.exit(4)", 1, restarts=1)
    assert status == 4
    assert said.count("ended with exit status 4") == 2
    assert "--restarts" not in said


def test_whoever_ends_long_before_the_others_is_named(launch, monkeypatch):
    monkeypatch.setattr(several_processes, "_SECONDS_TO_FOLLOW", 0.2)
    status, said = launch("time.sleep(number)")
    assert status == 0
    assert said.startswith("Process 0 ended 0 s ago, and others still run.")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "handler", "status"),
    [
        (signal.SIGINT, "lambda *args: sys.exit(0)", 0),
        (signal.SIGTERM, "lambda *args: sys.exit(143)", 143),
        (signal.SIGTERM, "signal.SIG_DFL", 143),
    ],
)
def test_a_signal_is_passed_on_to_all(start_launcher, number, handler, status):
    launcher, _ = start_launcher(
        f"signal.signal({int(number)}, {handler}); log('ready'); time.sleep(60)"
    )
    launcher.send_signal(number)
    said, _ = launcher.communicate(timeout=60)
    assert launcher.returncode == status
    assert "was passed on to all processes" in said
    assert "Likely cause" not in said


def test_a_second_signal_kills_all(start_launcher):
    launcher, _ = start_launcher(
        "signal.signal(signal.SIGINT, lambda *args: log('heard')); log('ready')\n"
        "while True: time.sleep(1)"
    )
    launcher.send_signal(signal.SIGINT)
    launcher.stdout.readline()
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=60)
    assert launcher.returncode == 137


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_no_process_outlives_a_launcher_that_was_killed(start_launcher):
    launcher, lines = start_launcher(
        "from lamina.compat import job_process; job_process.begin({'LAMINA_LAUNCHER': "
        "os.environ['LAMINA_LAUNCHER']}, False); log(os.getpid()); time.sleep(60)"
    )
    launcher.kill()
    launcher.wait()
    pids = [int(line.split()[1]) for line in lines]
    deadline = time.monotonic() + 30
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("wrong", [{"processes": 0}, {"restarts": -1}, {"devices_per_process": 0}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        SeveralProcesses([], **{"processes": 1, **wrong})


def test_simulated_devices_are_asked_of_xla_and_other_flags_stay():
    environ = {
        "XLA_FLAGS": "--xla_a=1 --xla_force_host_platform_device_count=8",
        "JAX_NUM_CPU_DEVICES": "2",
    }
    assert (
        device_variables(2, 3, environ, [])
        == [
            {
                "XLA_FLAGS": "--xla_a=1 --xla_force_host_platform_device_count=3",
                "JAX_PLATFORMS": "cpu",
            }
        ]
        * 2
    )
    assert device_variables(1, None, environ, []) == [environ]


@pytest.mark.parametrize(
    ("devices", "shares"), [(None, ["0,1,2", "3,4,5"]), (1, ["0", "1"]), (2, ["0,1", "2,3"])]
)
def test_gpus_are_shared_out(devices, shares):
    found = device_variables(2, devices, {}, list("0123456"))
    assert [environ["CUDA_VISIBLE_DEVICES"] for environ in found] == shares


@pytest.mark.parametrize(("processes", "devices"), [(3, None), (2, 2)])
def test_too_few_gpus_are_refused(processes, devices):
    with pytest.raises(ValueError, match=r"GPUs, and there are 2\.\n  Fix: --processes 2"):
        device_variables(processes, devices, {}, ["0", "1"])


def test_gpus_are_counted_as_jax_would_use_them(tmp_path, monkeypatch):
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(several_processes, "find_spec", lambda name: object())
    assert gpus({}, tmp_path) == ["0", "1"]
    assert gpus({"CUDA_VISIBLE_DEVICES": "5"}, tmp_path) == ["5"]
    assert gpus({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == []
    assert gpus({"JAX_PLATFORMS": "cpu"}, tmp_path) == []
    monkeypatch.setattr(several_processes, "find_spec", lambda name: None)
    assert gpus({}, tmp_path) == []


@pytest.mark.parametrize(
    ("statuses", "cause"),
    [
        ([-9, 75, 75], 0),
        ([75, -9], 1),
        ([-6, 75, 3], 2),
        ([75, 75], 0),
        ([0, 75], 1),
    ],
)
def test_the_cause_is_the_first_end_that_does_not_follow_from_another(statuses, cause):
    endings = [Ending(i, 100, status, 1.0) for i, status in enumerate(statuses)]
    assert cause_of(endings).process == cause


def test_a_frozen_process_is_named_if_another_lost_the_connection():
    said = describe(Ending(0, 100, -signal.SIGABRT, 20.0), 2, [1], [], 1)
    assert "Likely cause: process 1 no longer answered." in said


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the state of a process")
def test_a_suspended_process_is_named_and_killed(launch):
    status, said = launch(
        """
        if number == 1: os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(1)
        sys.exit(75)
        """
    )
    assert status == 75
    assert "Likely cause: process 1 no longer answered and was suspended." in said


def test_numbers_of_signals_without_a_name_are_shown():
    assert str(Ending(0, 1, -63, 1.0)) == "was ended by signal 63"
    assert Ending(0, 1, -63, 1.0).exit_status == 191


def test_a_command_that_cannot_be_started_is_an_error():
    with pytest.raises(FileNotFoundError):
        SeveralProcesses(["/nothing/there"], 2).run()
