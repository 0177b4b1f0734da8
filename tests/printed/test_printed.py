"""Every message with a fix in it is provoked, what it says to type is typed, and that runs.

The scripts are in the tables in this folder, one for each package. A new message needs a case.
"""

from pathlib import Path

import pytest

from printed import (
    computing,
    core,
    files,
    layers,
    messages,
    other_data,
    own_data,
    preprocessing,
    several_devices,
    tools,
    training,
)

TABLES = (
    core,
    layers,
    preprocessing,
    computing,
    training,
    other_data,
    files,
    own_data,
    tools,
    several_devices,
)
CASES = {key: messages.Case(*case) for table in TABLES for key, case in table.CASES.items()}
MESSAGES = messages.in_source()

# Tested in other files, which read the fix out of the message and apply it.
ELSEWHERE = {
    "training/test_printed_fixes.py": [
        ("training/feeds/conversion.py", "dicts, one for each sample"),
        ("training/checks.py", "  Likely cause: ….\n  Fix: …."),
        ("training/checks.py", "was passed to Input"),
        ("training/checks.py", "x and y seem to be swapped"),
        ("training/checks.py", "leave those rows out everywhere"),
        ("training/checks.py", "  Fix: leave those rows out:\n"),
        ("training/checks.py", "applies softmax to one unit"),
        ("training/checks.py", "so its outputs are logits"),
        ("training/checks.py", "takes the logarithm of probabilities"),
        ("training/label_checks.py", "the labels run from"),
        ("training/label_checks.py", "categorical_crossentropy takes one-hot labels"),
        ("training/label_checks.py", "binary_crossentropy takes labels between"),
    ],
    "training/test_likely_mistakes.py": [
        ("training/likely_mistakes.py", "x holds numbers as large as"),
        ("training/likely_mistakes.py", "The targets run from"),
        ("training/likely_mistakes.py", "counts how often the output, rounded"),
    ],
}

# No test can do what these say.
BY_HAND = {
    ("findings/finding.py", ": …\n  Fix: "): "no message: it shows the fix of a finding",
    ("findings/finding.py", "<b>Fix:</b>"): "no message: it shows the fix of a finding",
    ("findings/refusals.py", "Fix: "): "no message: it takes the fix of one",
    ("training/recorder.py", "Fix: "): "no message: it shows the fix of a finding",
    (
        "training/callbacks/tensorboard_diagnosis.py",
        "Fix: ",
    ): "no message: it shows the fix of a finding",
    ("installation.py", "Fix: "): "no message: it takes the fix of one",
    (
        "compat/run_script.py",
        "is a notebook, not a script",
    ): "a command of Jupyter, which is optional",
    (
        "compat/tensorflow_types.py",
        "with half as many bits",
    ): "the environment of a new process",
    ("compat/tensorflow_types.py", "do not fit into"): "the environment of a new process",
    ("training/agreement.py", "do not agree on"): "other processes",
    ("training/agreement.py", "differ from those"): "other processes",
    (
        "compat/distribution_strategies.py",
        "MultiWorkerMirroredStrategy: this is",
    ): "other processes",
    ("compat/job_process.py", "tells of other processes"): "other processes",
    ("distribution/initialization.py", "needs to know the other processes"): "other processes",
    ("distribution/ray.py", "needs Ray"): "the network",
    ("distribution/ray.py", "failed, and all were ended"): "Ray, which is optional",
    ("distribution/ray.py", "resolves to a loopback address"): "several machines",
    ("job_checks.py", "Fix: "): "no message: it takes the fix of one",
    ("jobs/several_processes.py", "GPUs, and there are"): "several GPUs",
    ("jobs/several_processes.py", "Likely cause: …"): "other processes",
    ("core/processes.py", "s for the others at"): "other processes",
    ("distribution/initialization.py", "cannot listen at"): "other processes",
    ("distribution/initialization.py", "did not answer at"): "other processes",
    ("core/heartbeats.py", "has given no sign of life"): "other processes",
    ("saving/shared_folder.py", "does not see what process 0 writes"): "other processes",
    ("distribution/initialization.py", "a device was used already"): "a new process",
    ("training/placement_mesh.py", "cannot be divided over"): "several devices",
    (
        "core/configuration/runtime.py",
        "it was forked from one that had used JAX",
    ): "other processes",
    ("data/loading/picture_store.py", "fit neither into memory"): "a larger disk",
    ("data/loading/table_files.py", "is a Parquet file, and pyarrow"): "the network",
    ("data/loading/table_files.py", "Tables are read by pandas, which"): "the network",
    ("datasets/locate.py", "there is no such file"): "the network",
    ("datasets/locate.py", "it is a folder, and"): "the data set as published",
    ("datasets/locate.py", "so it was not replaced"): "the data set as published",
    ("saving/atomic.py", "No room on the disk"): "a larger disk",
    ("saving/atomic.py", "than this disk or account allows"): "a larger disk",
    ("saving/model_file.py", "Fix:"): "no message: it looks for the fix of one",
    ("saving/model_file.py", "by TensorFlow 2 as a SavedModel"): "TensorFlow",
    ("saving/orbax_folder.py", "need the orbax-checkpoint package"): "the network",
    ("saving/orbax_folder.py", "holds no architecture"): "Orbax, which is optional",
    ("training/callbacks/tensorboard.py", "needs the tensorboard package"): "the network",
    ("training/feeds/host_feed.py", "was shortened while it was read"): "the other program",
    ("training/feeds/workers.py", "ended by itself"): "whatever crashed there crashes here",
    ("utils/archives.py", "bytes, and … are free"): "a larger disk",
}
LISTED = [*CASES, *BY_HAND, *(key for keys in ELSEWHERE.values() for key in keys)]


@pytest.mark.parametrize("key", CASES, ids=lambda key: f"{key[0]} {key[1].strip()[:40]}")
def test_the_printed_fix_makes_the_lines_run(key, tmp_path, monkeypatch):
    case = CASES[key]
    (tmp_path / "wrong").mkdir()
    monkeypatch.chdir(tmp_path / "wrong")
    said = messages.provoke(case)
    assert any(messages.is_said(message, said) for message in found(key)), said
    fix = said[said.index("Fix:") :]
    quoted = messages.quotations(case)
    assert quoted
    assert [words for words in quoted if words not in fix] == [], fix
    (tmp_path / "mended").mkdir()
    monkeypatch.chdir(tmp_path / "mended")
    messages.mend(case)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: f"{m.file} {m.text.strip()[-40:]}")
def test_every_message_with_a_fix_is_provoked_or_listed(message):
    listed = [words for file, words in LISTED if file == message.file and words in message.text]
    assert listed, "Add a case to a table in tests/printed, in which its fix is applied."


@pytest.mark.parametrize("key", LISTED, ids=lambda key: f"{key[0]} {key[1].strip()[:40]}")
def test_what_is_listed_is_one_message_of_the_source(key):
    assert len({message.text for message in found(key)}) == 1


def test_what_is_tested_elsewhere_is_applied_there():
    for name in ELSEWHERE:
        assert "fixes.apply(" in (Path(__file__).parents[1] / name).read_text("utf-8")


def found(key):
    file, words = key
    if file == "saving/model_file.py" and words == "Fix:":
        return [m for m in MESSAGES if m.file == file and m.text == words]
    return [m for m in MESSAGES if m.file == file and words in m.text]
