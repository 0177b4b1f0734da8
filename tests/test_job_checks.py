"""`lamina doctor --distributed`: what one process can check, and what several compare."""

import socket
from pathlib import Path

import pytest

from lamina import job_checks
from lamina.job_checks import (
    check_environment,
    check_host_name,
    check_port,
    check_script,
    check_this_process,
    compare,
)

pytestmark = pytest.mark.quick

HERE = socket.gethostname()


def resolver(own, first=("10.0.0.1",)):
    return lambda name: list(own if name == HERE else first)


def test_one_process_is_no_job():
    found, cluster = check_environment({})
    assert (found.state, cluster) == ("ok", None)


def test_a_launcher_is_named():
    environ = {"MASTER_ADDR": "a", "MASTER_PORT": "1", "WORLD_SIZE": "2", "RANK": "1"}
    assert (
        check_environment(environ)[0].text
        == "process 1 of 2, started by torchrun; process 0 is at a:1"
    )


def test_incomplete_variables_are_broken_with_what_to_type():
    found, cluster = check_environment({"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"})
    assert (found.state, cluster) == ("broken", None)
    assert found.remedy.startswith("export KERAS_DISTRIBUTION_JOB_ADDRESSES=")


@pytest.mark.parametrize("own", [["127.0.0.1"], ["127.0.1.1"], ["127.0.0.1", "::1"]])
def test_a_name_that_leads_back_to_this_machine_is_broken_if_process_0_is_elsewhere(own):
    (found,) = check_host_name("10.0.0.1:99", resolver(own))
    assert found.state == "broken"
    assert own[0] in found.text
    assert found.remedy.startswith(f"in /etc/hosts, replace the line of {HERE} by: ")


@pytest.mark.parametrize(
    ("address", "own", "first"),
    [
        (None, ["127.0.0.1"], []),
        ("127.0.0.1:99", ["127.0.0.1"], ["127.0.0.1"]),
        ("10.0.0.1:99", ["10.0.0.2"], ["10.0.0.1"]),
        ("10.0.0.1:99", ["127.0.1.1", "10.0.0.2"], ["10.0.0.1"]),
    ],
)
def test_other_names_are_well(address, own, first):
    assert [found.state for found in check_host_name(address, resolver(own, first))] == ["ok"]


def test_names_without_an_address_are_broken():
    assert [found.state for found in check_host_name(None, resolver([]))] == ["broken"]
    states = [found.state for found in check_host_name("node9:1", resolver(["10.0.0.2"], []))]
    assert states == ["ok", "broken"]


def test_a_port_that_is_taken_is_broken_in_process_0_alone():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert check_port(address, is_first=True).state == "broken"
        assert "is taken" in check_port(address, is_first=True).text
        assert check_port(address, is_first=False).state == "ok"
    assert check_port(address, is_first=True).state == "ok"


def test_process_0_must_be_at_its_own_address():
    found = check_port("192.0.2.7:99", is_first=True)
    assert (found.state, found.text) == ("broken", "192.0.2.7 is not an address of this machine")


def test_the_script_is_told_apart_by_its_text_and_its_seed(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import keras\nkeras.utils.set_random_seed(3)\n")
    found, facts = check_script(script)
    assert found.state == "ok"
    assert facts == {"script": facts["script"], "seed": "keras.utils.set_random_seed(3)"}
    script.write_text("import keras\nkeras.utils.set_random_seed(4)\n")
    assert check_script(script)[1]["script"] != facts["script"]


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        ("", "ok", "it sets no seed"),
        ("import time; tf.random.set_seed(int(time.time()))", "note", "int(time.time())"),
        ("x = (", "broken", "was never closed"),
    ],
)
def test_what_a_script_says_of_its_seed_is_shown(tmp_path, text, state, words):
    script = tmp_path / "train.py"
    script.write_text(text)
    found, _ = check_script(script)
    assert found.state == state
    assert words in found.text


def test_a_script_that_is_not_there_is_broken():
    assert check_script(Path("nothing.py"))[0].state == "broken"


def test_versions_are_among_what_must_be_equal():
    findings, cluster, facts = check_this_process({})
    assert cluster is None
    assert {"Python", "Lamina", "jax", "jaxlib", "names of Keras"} <= set(facts)
    assert all(found.state == "ok" for found in findings)


def test_what_differs_is_named_with_both_values():
    told = [{"facts": {"jax": "1", "seed": "3"}, "findings": []} for _ in range(3)]
    assert [found.state for found in compare(told, Path("."))] == ["ok"]
    told[2] = {"facts": {"jax": "2", "seed": "3"}, "findings": []}
    (found,) = compare(told, Path("."))
    assert found == ("Equal jax", "broken", "1 in process 0, 2 in process 2",
                     "the same jax for all processes")  # fmt: skip


def test_what_another_process_found_is_shown_as_its_own():
    wrong = {"subject": "Host name", "state": "broken", "text": "no address", "remedy": "a line"}
    told = [{"facts": {}, "findings": []}, {"facts": {}, "findings": [wrong]}]
    (found,) = compare(told, Path("."))
    assert found == ("Host name of process 1", "broken", "no address", "a line")


def test_a_folder_that_is_not_shared_is_noted():
    told = [
        {"facts": {}, "findings": []},
        {"facts": {job_checks._SEES_FOLDER: "False"}, "findings": []},
    ]
    assert compare(told, Path("/runs"))[-1].text == "process 1 does not see the files of /runs"
