import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lamina
from lamina.cli import training


def test_everything_is_written_and_the_script_gives_the_same_accuracy(run, tmp_path):
    code, out, _ = run(
        "train", "digits", "--epochs", "4", "--batch-size", "50", "--learning-rate", "0.01",
        "--seed", "3", "--out", "job",
    )  # fmt: skip
    assert code == 0
    assert sorted(p.name for p in Path("job").iterdir()) == [
        "history.csv", "model.keras", "report.html", "train.py",
    ]  # fmt: skip
    with open("job/history.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["epoch", "0", "1", "2", "3"]
    assert set(rows[0]) >= {"epoch", "loss", "accuracy"}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd="job", capture_output=True, text=True, check=True
    )
    told = float(re.search(r"(\d+\.\d) % right", out).group(1))
    found = float(re.search(r"(\d+\.\d\d)% right", done.stdout).group(1))
    assert found == pytest.approx(told, abs=0.051)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_script_builds_the_network_that_was_trained(digits, model):
    job = training.Job(digits, model, epochs=1)
    script = job.script("train.py")
    names: dict = {}
    exec(script[: script.index("model.compile")], names)
    lamina.utils.clear_session()  # the layers' names count from the start again
    assert names["model"].get_config() == training.build(job).get_config()


def test_machines_get_json_and_the_same_seed_gives_the_same_numbers(run):
    results = []
    for seed in (1, 1, 2):
        code, out, err = run("train", "digits", "--epochs", "1", "--seed", seed, "--json")
        assert (code, err) == (0, "")
        results.append(json.loads(out))
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["test"] != results[2]["test"]
    assert results[0]["test"]["accuracy"] > 0.3
    assert results[0]["verdict"]["sentence"]
    assert {Path(f).parent for f in results[0]["files"]} == {Path("runs/digits-mlp")}


def test_a_learning_rate_that_is_none_is_refused(run):
    code, _, err = run("train", "digits", "--learning-rate", "0")
    assert code == 2
    assert "--learning-rate" in err
